#include "middleware/audit/hash_chain.h"

#include <algorithm>
#include <utility>

#include "middleware/base/text.h"
#include "middleware/store/audit_sink.h"

namespace understudy {
namespace {

constexpr std::string_view kChainKey = R"(,"chain":{"n":)";
constexpr std::string_view kPrevKey = R"(,"prev":")";
constexpr std::string_view kHashKey = R"(","hash":")";
constexpr std::string_view kEnd = R"("}})";
constexpr std::size_t kHashDigits = 64;

bool IsHash(std::string_view text) {
  return text.size() == kHashDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string HashOf(const Crypto& crypto, const Secret& key, std::string_view prev,
                   std::uint64_t number, std::string_view text) {
  std::string sealed(prev);
  sealed.append("\n").append(std::to_string(number)).append("\n").append(text);
  return HexEncode(key.empty() ? crypto.Sha256(sealed) : crypto.HmacSha256(key.Reveal(), sealed));
}

// A sealed line in its parts.
struct SealedLine {
  std::string text;  // As it was before the seal.
  std::string_view prev;
  ChainPoint point;
};

std::optional<SealedLine> Unseal(std::string_view line) {
  // From the end, where the parts have known lengths: the record itself may hold anything.
  std::string_view rest = line;
  if (!rest.ends_with(kEnd)) return std::nullopt;
  rest.remove_suffix(kEnd.size());
  const auto take_hash = [&rest](std::string_view key) -> std::string_view {
    if (rest.size() < kHashDigits + key.size()) return {};
    const std::string_view hash = rest.substr(rest.size() - kHashDigits);
    rest.remove_suffix(kHashDigits);
    if (!rest.ends_with(key) || !IsHash(hash)) return {};
    rest.remove_suffix(key.size());
    return hash;
  };
  const std::string_view hash = take_hash(kHashKey);
  const std::string_view prev = hash.empty() ? hash : take_hash(kPrevKey);
  if (prev.empty()) return std::nullopt;
  const std::size_t start = rest.find_last_not_of("0123456789");
  if (start == std::string_view::npos || !rest.substr(0, start + 1).ends_with(kChainKey))
    return std::nullopt;
  const std::string_view digits = rest.substr(start + 1);
  const auto number = ParseUnsigned(digits);
  // One way to write a number, so that one line has one text.
  if (!number || *number == 0 || digits.front() == '0') return std::nullopt;
  rest.remove_suffix(digits.size() + kChainKey.size());
  return SealedLine{std::string(rest) + "}", prev, {*number, std::string(hash)}};
}

}  // namespace

std::string ChainPoint::ToString() const { return std::to_string(number) + ":" + hash; }

Result<ChainPoint> ChainPoint::Parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  const auto number = ParseUnsigned(text.substr(0, colon));
  if (colon == std::string_view::npos || !number || !IsHash(text.substr(colon + 1))) {
    return InvalidArgument(
        "an anchor is the number of a record, ':' and 64 hexadecimal digits, e.g. 12:9f86d0...");
  }
  return ChainPoint{*number, std::string(text.substr(colon + 1))};
}

Result<ChainPoint> ChainPoint::OfLine(std::string_view line) {
  auto sealed = Unseal(line);
  if (sealed) return std::move(sealed->point);
  return Error{.code = ErrorCode::kUnverified,
               .message = "the record carries no place in a hash chain",
               .reason = "chain-missing"};
}

std::string HashChain::Seal(std::string_view text) {
  UNDERSTUDY_CHECK(text.ends_with('}'), "only a JSON object has a place in a hash chain");
  const std::uint64_t number = point_.number + 1;
  std::string hash = HashOf(crypto_, key_, point_.hash, number, text);
  std::string sealed(text.substr(0, text.size() - 1));
  sealed.append(kChainKey).append(std::to_string(number)).append(kPrevKey).append(point_.hash);
  sealed.append(kHashKey).append(hash).append(kEnd);
  point_ = {number, std::move(hash)};
  return sealed;
}

std::string ChainReport::ToString() const {
  std::string text;
  if (broken_line > 0) {
    text.append("line ").append(std::to_string(broken_line));
    if (!broken_id.empty()) text.append(" (\"").append(broken_id).append("\")");
    text.append(": ");
  }
  if (!ok()) return text.append(problem);
  return std::to_string(records) + (records == 1 ? " record fits" : " records fit") +
         ", the newest is " + last.ToString();
}

ChainVerifier::ChainVerifier(ChainVerifyOptions options, const Crypto& crypto)
    : options_(std::move(options)), crypto_(crypto) {
  if (options_.start) report_.last = *options_.start;
  anchored_ = !options_.end || *options_.end == report_.last;
}

bool ChainVerifier::Fail(std::string_view line, std::string problem) {
  report_.broken_line = lines_;
  if (const auto entry = ParseAuditLine(line)) report_.broken_id = entry->id;
  report_.problem = std::move(problem);
  return false;
}

bool ChainVerifier::Add(std::string_view line) {
  if (!report_.ok()) return false;
  ++lines_;
  const std::optional<SealedLine> sealed = Unseal(line);
  if (!sealed) return Fail(line, "it carries no place in a hash chain, or is cut off");
  const std::uint64_t expected = report_.last.number + 1;
  const bool first = report_.records == 0;
  const bool free_start = first && options_.any_start && !options_.start;
  if (HashOf(crypto_, options_.key, sealed->prev, sealed->point.number, sealed->text) !=
      sealed->point.hash) {
    return Fail(line, "it was changed, or the key is another");
  }
  if (!free_start && sealed->point.number != expected) {
    return Fail(line, "it is record " + std::to_string(sealed->point.number) + " where " +
                          std::to_string(expected) +
                          " is due: records were removed or their order was changed");
  }
  if (!free_start && sealed->prev != report_.last.hash)
    return Fail(line, "it does not follow the record before it, which was replaced");
  report_.last = sealed->point;
  ++report_.records;
  if (options_.end && sealed->point.number == options_.end->number) {
    if (sealed->point != *options_.end) return Fail(line, "it is not the record of the anchor");
    anchored_ = true;
  }
  return true;
}

ChainReport ChainVerifier::Finish() {
  if (report_.ok() && !anchored_) {
    report_.problem = "the trail ends at record " + std::to_string(report_.last.number) +
                      ", the anchor is record " + std::to_string(options_.end->number) +
                      ": records were cut off";
  }
  return report_;
}

ChainReport VerifyChain(std::string_view lines, ChainVerifyOptions options, const Crypto& crypto) {
  ChainVerifier verifier(std::move(options), crypto);
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    if (!verifier.Add(line)) break;
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
  }
  return verifier.Finish();
}

}  // namespace understudy
