#include "harness/scenario/fault_decoder.h"

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace understudy::harness {
namespace {

using In = AnswerPoint::In;
using Then = FaultDetail::Then;

constexpr IntRange kBytes = {0, 1'000'000'000'000};
constexpr IntRange kPositive = {1, 1'000'000'000};
constexpr IntRange kCalls = {1, 1'000'000'000'000};

constexpr Word<FaultKind> kKinds[] = {
    {"reset", FaultKind::kReset},
    {"reset-mid-body", FaultKind::kResetMidBody},
    {"hang", FaultKind::kHang},
    {"truncate", FaultKind::kTruncate},
    {"bad-gzip", FaultKind::kBadGzip},
    {"slow-drip", FaultKind::kSlowDrip},
    {"refuse", FaultKind::kRefuse},
    {"dns-fail", FaultKind::kDnsFail},
    {"close", FaultKind::kClose},
    {"malformed-chunk", FaultKind::kMalformedChunk},
    {"garbage", FaultKind::kGarbage},
    {"bandwidth", FaultKind::kBandwidth},
    {"early-response", FaultKind::kEarlyResponse},
    {"stale-keep-alive", FaultKind::kStaleKeepAlive},
};

constexpr Word<ConnectionFault> kConnectionFaults[] = {
    {"reset", ConnectionFault::kReset},
    {"close", ConnectionFault::kClose},
    {"silence", ConnectionFault::kSilence},
    {"tls-expired", ConnectionFault::kTlsExpired},
    {"tls-not-yet-valid", ConnectionFault::kTlsNotYetValid},
    {"tls-wrong-host", ConnectionFault::kTlsWrongHost},
    {"tls-unknown-ca", ConnectionFault::kTlsUnknownCa},
    {"tls-alert", ConnectionFault::kTlsAlert},
    {"tls-stall", ConnectionFault::kTlsStall},
    {"tls-reset", ConnectionFault::kTlsReset},
    {"tls-no-close-notify", ConnectionFault::kTlsNoCloseNotify},
};

// What may stand beside "kind".
std::vector<std::string_view> KeysOf(FaultKind kind) {
  switch (kind) {
    case FaultKind::kReset:
    case FaultKind::kClose:
    case FaultKind::kHang:
      return {"kind", "at", "framing", "chunk_bytes"};
    case FaultKind::kResetMidBody:
    case FaultKind::kTruncate:
      return {"kind", "framing", "chunk_bytes"};
    case FaultKind::kMalformedChunk:
      return {"kind", "chunk", "chunk_bytes"};
    case FaultKind::kGarbage:
      return {"kind", "bytes"};
    case FaultKind::kSlowDrip:
      return {"kind", "piece_bytes", "pause"};
    case FaultKind::kBandwidth:
      return {"kind", "bytes_per_second"};
    case FaultKind::kEarlyResponse:
    case FaultKind::kStaleKeepAlive:
      return {"kind", "then"};
    case FaultKind::kBadGzip:
    case FaultKind::kRefuse:
    case FaultKind::kDnsFail:
      break;
  }
  return {"kind"};
}

AnswerPoint DecodePoint(const NodeReader& reader) {
  static constexpr Word<In> kWords[] = {{"before", In::kBefore},
                                        {"status-line", In::kStatusLine},
                                        {"headers", In::kHeaders},
                                        {"body", In::kBodyFraction},
                                        {"end", In::kEnd}};
  AnswerPoint point;
  if (!reader.node().IsObject()) {
    if (const auto in = reader.AsWord(std::span<const Word<In>>(kWords))) point.in = *in;
    return point;
  }
  static constexpr std::array<std::string_view, 4> kForms = {"head_byte", "body_byte",
                                                             "body_fraction", "chunk"};
  const auto form = SelectForm(reader, kForms, {"byte"}, "point", "place");
  if (!form) return point;
  reader.ExpectKeys({"head_byte", "body_byte", "body_fraction", "chunk", "byte"});
  if (*form == "body_fraction") {
    if (const auto fraction = reader.Find(*form)->AsNumber(0, 1)) {
      point = AnswerPoint::Fraction(*fraction);
    }
    return point;
  }
  if (*form == "chunk") {
    point.in = In::kChunk;
    reader.ReadInt("chunk", point.chunk, kPositive);
    reader.ReadInt("byte", point.bytes, kBytes);
    return point;
  }
  point.in = *form == "head_byte" ? In::kHeadByte : In::kBodyByte;
  reader.ReadInt(*form, point.bytes, kBytes);
  if (reader.Has("byte")) reader.ErrorAtKey("byte", "\"byte\" is one of the data of a \"chunk\"");
  return point;
}

void DecodeDetail(const NodeReader& reader, FaultKind kind, FaultDetail& detail) {
  static constexpr Word<FaultDetail::Framing> kFramings[] = {
      {"length", FaultDetail::Framing::kLength}, {"chunked", FaultDetail::Framing::kChunked}};
  static constexpr Word<Then> kEarly[] = {
      {"close", Then::kClose}, {"reset", Then::kReset}, {"keep", Then::kKeep}};
  static constexpr Word<Then> kStale[] = {{"reset", Then::kReset}, {"close", Then::kClose}};
  if (const auto at = reader.Find("at")) detail.at = DecodePoint(*at);
  reader.ReadWord("framing", detail.framing, kFramings);
  reader.ReadInt("chunk_bytes", detail.chunk_bytes, kPositive);
  reader.ReadInt("chunk", detail.bad_chunk, kPositive);
  reader.ReadInt("bytes", detail.garbage_bytes, {1, static_cast<std::int64_t>(kGarbageBytesMax)});
  reader.ReadInt("piece_bytes", detail.drip.piece_bytes, kPositive);
  reader.Read("pause", detail.drip.pause);
  if (kind == FaultKind::kBandwidth) reader.Require("bytes_per_second");
  reader.ReadInt("bytes_per_second", detail.bytes_per_second,
                 {1, static_cast<std::int64_t>(kBytesPerSecondMax)});
  if (kind == FaultKind::kStaleKeepAlive) {
    reader.ReadWord("then", detail.then, kStale);
  } else {
    reader.ReadWord("then", detail.then, kEarly);
  }
}

std::optional<Duration> RequireDuration(const NodeReader& reader, std::string_view key) {
  const auto found = reader.Require(key);
  return found ? found->AsDuration() : std::nullopt;
}

// True, and `max` set, unless the greatest value is wrong.
bool ReadMax(const NodeReader& reader, Duration center, std::optional<Duration>& max) {
  const auto found = reader.Find("max");
  if (!found) return true;
  max = found->AsDuration();
  if (!max) return false;
  if (*max >= center) return true;
  found->Error("the greatest latency is below the middle one", "write a longer duration");
  return false;
}

std::optional<LatencySpec> DecodeNormal(const NodeReader& reader) {
  if (!reader.ExpectKeys({"mean", "stddev", "max"})) return std::nullopt;
  const auto mean = RequireDuration(reader, "mean");
  const auto deviation = RequireDuration(reader, "stddev");
  if (!mean || !deviation) return std::nullopt;
  LatencySpec spec = LatencySpec::Normal(*mean, *deviation);
  return ReadMax(reader, *mean, spec.max) ? std::optional(spec) : std::nullopt;
}

std::optional<LatencySpec> DecodeLogNormal(const NodeReader& reader) {
  if (!reader.ExpectKeys({"median", "sigma", "max"})) return std::nullopt;
  const auto median = RequireDuration(reader, "median");
  const auto sigma_reader = reader.Require("sigma");
  if (!median || !sigma_reader) return std::nullopt;
  const auto sigma = sigma_reader->AsNumber(0, kLatencySigmaMax);
  if (!sigma) return std::nullopt;
  if (*median == Duration::zero()) {
    reader.Find("median")->Error("a log-normal latency has a median above 0");
    return std::nullopt;
  }
  LatencySpec spec = LatencySpec::LogNormal(*median, *sigma);
  return ReadMax(reader, *median, spec.max) ? std::optional(spec) : std::nullopt;
}

std::optional<LatencySpec> DecodeBetween(const NodeReader& between) {
  const std::vector<NodeReader> ends = between.Items();
  if (ends.size() != 2) {
    if (between.node().IsArray()) {
      between.Error("expected two durations, from and to; got " + std::to_string(ends.size()));
    }
    return std::nullopt;
  }
  const auto low = ends[0].AsDuration();
  const auto high = ends[1].AsDuration();
  if (!low || !high) return std::nullopt;
  if (*low > *high) {
    between.Error("the first duration is longer than the second", "swap them");
    return std::nullopt;
  }
  return LatencySpec{*low, *high};
}

std::optional<CallRange> DecodeCalls(const NodeReader& reader) {
  CallRange range;
  if (!reader.node().IsObject()) {
    const auto call = reader.AsInteger(kCalls);
    if (!call) return std::nullopt;
    range.first = range.last = static_cast<std::uint64_t>(*call);
    return range;
  }
  if (!reader.ExpectKeys({"from", "to", "every"})) return std::nullopt;
  if (reader.node().members().empty()) {
    reader.Error("an empty range says nothing", "give it a \"from\", \"to\" or \"every\"");
  }
  reader.ReadInt("from", range.first, kCalls);
  // "every third" begins with the third.
  reader.ReadInt("every", range.every, kCalls);
  if (reader.Has("every") && !reader.Has("from")) range.first = range.every;
  reader.ReadInt("to", range.last, kCalls);
  if (range.last < range.first) {
    reader.Find("to")->Error("the range ends before it begins, at " + std::to_string(range.first));
  }
  return range;
}

void ReadCalls(const NodeReader& reader, std::vector<CallRange>& calls) {
  const auto found = reader.Find("calls");
  if (!found) return;
  if (!found->node().IsArray()) {
    if (const auto range = DecodeCalls(*found)) calls.push_back(*range);
    return;
  }
  const std::vector<NodeReader> items = found->Items();
  if (items.empty()) found->Error("an empty list of calls means no call", "remove the rule");
  for (const NodeReader& item : items) {
    if (const auto range = DecodeCalls(item)) calls.push_back(*range);
  }
}

void ReadWindow(const NodeReader& reader, FaultRule& rule) {
  const auto during = reader.Find("during");
  if (!during || !during->ExpectKeys({"from", "to"})) return;
  during->Read("from", rule.from);
  during->Read("to", rule.until);
  if (rule.until && *rule.until <= rule.from) {
    during->Find("to")->Error("the window ends before it begins");
  }
}

}  // namespace

void DecodeFault(const NodeReader& reader, std::optional<FaultKind>& kind, FaultDetail& detail) {
  const auto words = std::span<const Word<FaultKind>>(kKinds);
  if (!reader.node().IsObject()) {
    kind = reader.AsWord(words);
    if (kind == FaultKind::kBandwidth) {
      reader.Error("a bandwidth needs its bytes per second",
                   R"(write { "kind": "bandwidth", "bytes_per_second": 1000 })");
    }
    return;
  }
  const auto named = reader.Require("kind");
  const auto read = named ? named->AsWord(words) : std::nullopt;
  if (!read) return;
  const std::size_t before = reader.problems().problems().size();
  reader.ExpectKeys(KeysOf(*read));
  DecodeDetail(reader, *read, detail);
  if (reader.problems().problems().size() != before) return;
  kind = read;
  // What only the fault itself knows, e.g. a chunk where nothing is chunked.
  if (const auto checked = CheckFault(*read, detail); !checked) {
    reader.Error(checked.error().message);
  }
}

std::optional<LatencySpec> DecodeLatency(const NodeReader& reader) {
  if (!reader.node().IsObject()) {
    const auto fixed = reader.AsDuration();
    return fixed ? std::optional(LatencySpec::Fixed(*fixed)) : std::nullopt;
  }
  static constexpr std::array<std::string_view, 3> kForms = {"between", "normal", "log_normal"};
  const auto form = SelectForm(reader, kForms, {}, "latency", "distribution");
  if (!form) return std::nullopt;
  reader.ExpectKeys(kForms);
  const NodeReader value = *reader.Find(*form);
  auto spec = *form == "normal"       ? DecodeNormal(value)
              : *form == "log_normal" ? DecodeLogNormal(value)
                                      : DecodeBetween(value);
  if (!spec) return std::nullopt;
  // What only a latency itself knows, e.g. a mean of more than a day.
  if (const auto checked = CheckLatency(*spec); !checked) {
    value.Error(checked.error().message);
    return std::nullopt;
  }
  return spec;
}

FaultRule DecodeFaultRule(const NodeReader& reader, IdSet& ids) {
  static constexpr Word<FaultRule::Per> kPer[] = {{"request", FaultRule::Per::kRequest},
                                                  {"connection", FaultRule::Per::kConnection}};
  FaultRule rule;
  if (!reader.ExpectKeys(
          {"id", "per", "route", "calls", "during", "probability", "fault", "latency"})) {
    return rule;
  }
  rule.id = ids.Read(reader, "id", "fault");
  reader.ReadWord("per", rule.per, kPer);
  reader.Read("route", rule.route);
  ReadCalls(reader, rule.calls);
  ReadWindow(reader, rule);
  if (const auto probability = reader.Find("probability")) {
    if (const auto value = probability->AsNumber(0, 1)) rule.probability = *value;
    if (rule.probability <= 0) probability->Error("a fault with probability 0 never happens");
  }
  const auto fault = reader.Find("fault");
  const bool per_connection = rule.per == FaultRule::Per::kConnection;
  if (fault && per_connection) {
    rule.connection_fault =
        fault->AsWord(std::span<const Word<ConnectionFault>>(kConnectionFaults));
  } else if (fault) {
    DecodeFault(*fault, rule.fault, rule.detail);
  }
  if (per_connection && reader.Has("route")) {
    reader.ErrorAtKey("route", "a connection has no route yet", "remove \"route\"");
  }
  if (const auto latency = reader.Find("latency")) rule.latency = DecodeLatency(*latency);
  if (!fault && !reader.Has("latency")) {
    reader.Error("the rule does nothing", "give it a \"fault\" or a \"latency\"");
  }
  return rule;
}

}  // namespace understudy::harness
