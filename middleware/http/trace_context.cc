#include "middleware/http/trace_context.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "middleware/base/text.h"

namespace understudy::http {
namespace {

// Places in "vv-tttttttttttttttttttttttttttttttt-pppppppppppppppp-ff".
constexpr std::size_t kTraceIdAt = 3;
constexpr std::size_t kParentIdAt = 36;
constexpr std::size_t kFlagsAt = 53;
constexpr std::size_t kLength = 55;
constexpr std::uint8_t kKnownFlags = TraceContext::kSampled | TraceContext::kRandomId;
constexpr std::size_t kLongMemberBytes = 128;

Error Malformed(std::string_view what) {
  return InvalidArgument("the traceparent " + std::string(what) + "; start a new trace");
}

int LowerHexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Reads 2 * kSize lower-case digits from the start of `text`, which holds so many.
template <std::size_t kSize>
std::optional<std::array<std::uint8_t, kSize>> ReadHex(std::string_view text) {
  std::array<std::uint8_t, kSize> bytes = {};
  for (std::size_t i = 0; i < kSize; ++i) {
    const int high = LowerHexValue(text[2 * i]);
    const int low = LowerHexValue(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return bytes;
}

template <std::size_t kSize>
std::string Hex(const std::array<std::uint8_t, kSize>& bytes) {
  return HexEncode(std::string(bytes.begin(), bytes.end()));
}

template <std::size_t kSize>
bool IsZero(const std::array<std::uint8_t, kSize>& bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

template <std::size_t kSize>
std::array<std::uint8_t, kSize> Draw(Random& random, std::string_view site) {
  std::array<std::uint8_t, kSize> bytes = {};
  for (std::size_t word = 0; word < kSize / 8; ++word) {
    const std::uint64_t bits = random.Next(site);
    for (std::size_t i = 0; i < 8; ++i) {
      bytes[word * 8 + i] = static_cast<std::uint8_t>(bits >> (56 - 8 * i));
    }
  }
  // Zeros mean "none". Once in 2^64 draws, so it need not be drawn again.
  if (IsZero(bytes)) bytes.back() = 1;
  return bytes;
}

bool IsKeyStart(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool IsKey(std::string_view key) {
  const auto allowed = [](char c) {
    return IsKeyStart(c) || std::string_view("_-*/@").find(c) != std::string_view::npos;
  };
  return !key.empty() && key.size() <= 256 && IsKeyStart(key.front()) &&
         std::all_of(key.begin(), key.end(), allowed);
}

// Holds no comma and does not end with a space, because members were split and trimmed before.
bool IsValue(std::string_view value) {
  return !value.empty() && value.size() <= 256 &&
         std::all_of(value.begin(), value.end(),
                     [](char c) { return c >= ' ' && c <= '~' && c != '='; });
}

std::string_view KeyOf(std::string_view member) { return member.substr(0, member.find('=')); }

bool IsMember(std::string_view member) {
  const std::size_t equals = member.find('=');
  return equals != std::string_view::npos && IsKey(member.substr(0, equals)) &&
         IsValue(member.substr(equals + 1));
}

std::size_t LengthOf(const std::vector<std::string_view>& members) {
  std::size_t length = members.empty() ? 0 : members.size() - 1;
  for (const std::string_view member : members) length += member.size();
  return length;
}

void Shorten(std::vector<std::string_view>& members) {
  // From the end, like the ones below: the first members are the most recent.
  for (std::size_t i = members.size(); i > 0 && LengthOf(members) > TraceContext::kStateBytesMax;
       --i) {
    if (members[i - 1].size() > kLongMemberBytes) {
      members.erase(members.begin() + static_cast<std::ptrdiff_t>(i - 1));
    }
  }
  while (LengthOf(members) > TraceContext::kStateBytesMax) members.pop_back();
}

}  // namespace

Result<TraceContext> TraceContext::Parse(std::string_view traceparent,
                                         std::string_view tracestate) {
  if (traceparent.size() < kLength || traceparent.size() > kHeaderBytesMax) {
    return Malformed("has not the length of one");
  }
  const auto version = ReadHex<1>(traceparent);
  if (!version || version->front() == 0xff) return Malformed("has no valid version");
  const bool longer = traceparent.size() > kLength;
  if (longer && (version->front() == 0 || traceparent[kLength] != '-')) {
    return Malformed("is too long for its version");
  }
  if (traceparent[kTraceIdAt - 1] != '-' || traceparent[kParentIdAt - 1] != '-' ||
      traceparent[kFlagsAt - 1] != '-') {
    return Malformed("has no '-' between its parts");
  }
  const auto trace_id = ReadHex<16>(traceparent.substr(kTraceIdAt));
  if (!trace_id || IsZero(*trace_id)) return Malformed("has no valid trace id");
  const auto parent_id = ReadHex<8>(traceparent.substr(kParentIdAt));
  if (!parent_id || IsZero(*parent_id)) return Malformed("has no valid parent id");
  const auto flags = ReadHex<1>(traceparent.substr(kFlagsAt));
  if (!flags) return Malformed("has no valid flags");
  TraceContext context{*trace_id, *parent_id, {}, {}};
  context.flags = static_cast<std::uint8_t>(flags->front() & kKnownFlags);
  if (Result<std::string> state = NormaliseTracestate(tracestate)) context.state = *state;
  return context;
}

Result<TraceContext> TraceContext::FromHeaders(const Headers& headers) {
  const std::vector<std::string_view> parents = headers.GetAll(kParentHeader);
  if (parents.empty()) {
    return Error{ErrorCode::kNotFound, "the message has no traceparent; start a new trace"};
  }
  if (parents.size() > 1) return Malformed("is there more than once");
  std::string states;
  for (const std::string_view state : headers.GetAll(kStateHeader)) {
    if (states.size() > kHeaderBytesMax) break;  // NormaliseTracestate refuses it for its length.
    if (!states.empty()) states.push_back(',');
    states.append(state);
  }
  return Parse(parents.front(), states);
}

TraceContext TraceContext::Start(Random& random, bool sampled) {
  TraceContext context;
  context.trace_id = Draw<16>(random, "trace/trace-id");
  context.parent_id = Draw<8>(random, "trace/span-id");
  context.flags = sampled ? kSampled : std::uint8_t{0};
  return context;
}

TraceContext TraceContext::Child(Random& random) const {
  TraceContext child = *this;
  child.parent_id = Draw<8>(random, "trace/span-id");
  return child;
}

std::string TraceContext::TraceIdText() const { return Hex(trace_id); }

std::string TraceContext::SpanIdText() const { return Hex(parent_id); }

std::string TraceContext::Traceparent() const {
  const std::array<std::uint8_t, 1> known = {static_cast<std::uint8_t>(flags & kKnownFlags)};
  return "00-" + TraceIdText() + "-" + SpanIdText() + "-" + Hex(known);
}

Result<void> TraceContext::WriteTo(Headers& headers) const {
  if (IsZero(trace_id) || IsZero(parent_id)) {
    return InvalidArgument("a trace context with an id of zeros; make one with Start or Parse");
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::string normal, NormaliseTracestate(state));
  UNDERSTUDY_RETURN_IF_ERROR(headers.Set(kParentHeader, Traceparent()));
  if (!normal.empty()) return headers.Set(kStateHeader, normal);
  headers.Remove(kStateHeader);
  return {};
}

Result<std::string> NormaliseTracestate(std::string_view tracestate) {
  const auto malformed = [](std::string_view what) {
    return InvalidArgument("the tracestate " + std::string(what) + "; drop it");
  };
  if (tracestate.empty()) return std::string();
  if (tracestate.size() > TraceContext::kHeaderBytesMax) return malformed("is too long");
  const std::vector<std::string_view> parts = Split(tracestate, ',');
  std::vector<std::string_view> members;
  std::size_t count = 0;  // With repeats: more than the limit is no list.
  for (std::string_view part : parts) {
    part = TrimOws(part);
    if (part.empty()) continue;
    if (!IsMember(part)) return malformed("has a malformed member");
    if (++count > TraceContext::kStateMembersMax) return malformed("has too many members");
    const bool repeated = std::any_of(members.begin(), members.end(), [&](std::string_view other) {
      return KeyOf(other) == KeyOf(part);
    });
    if (!repeated) members.push_back(part);
  }
  Shorten(members);
  std::string normal;
  for (const std::string_view member : members) {
    if (!normal.empty()) normal.push_back(',');
    normal.append(member);
  }
  return normal;
}

}  // namespace understudy::http
