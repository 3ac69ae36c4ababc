#include "middleware/webhook/event_key.h"

#include <chrono>
#include <cstdint>

#include "middleware/base/text.h"
#include "middleware/webhook/canonical_json.h"

namespace understudy {
namespace {

constexpr std::string_view kDomain = "understudy event key 1";

// Eight bytes of length, the most significant first, and the part itself.
void AppendPart(std::string& text, std::string_view part) {
  const std::uint64_t size = part.size();
  for (int shift = 56; shift >= 0; shift -= 8) {
    text.push_back(static_cast<char>(size >> static_cast<unsigned>(shift) & 255U));
  }
  text.append(part);
}

Result<std::string> BucketText(const InTimeBucket& bucket) {
  if (bucket.width < std::chrono::seconds(1)) {
    return InvalidArgument("a time bucket of an event key must be at least one second wide");
  }
  const std::int64_t width = bucket.width.count();
  const std::int64_t time = bucket.time.time_since_epoch().count();
  // Rounded down, also before 1970.
  const std::int64_t number = time / width - (time % width < 0 ? 1 : 0);
  return std::to_string(width) + ":" + std::to_string(number);
}

Result<std::string> DistinctionText(const EventDistinction& distinction) {
  if (const auto* const bucket = std::get_if<InTimeBucket>(&distinction)) {
    return BucketText(*bucket);
  }
  const auto& sequence = std::get<WithSequence>(distinction).sequence;
  if (sequence.empty()) {
    return InvalidArgument("the sequence of an event key is empty: equal events would be lost");
  }
  return sequence;
}

}  // namespace

Result<std::string> EventKey(const Crypto& crypto, std::string_view provider,
                             std::string_view account, std::string_view body,
                             const EventDistinction& distinction) {
  if (provider.empty()) return InvalidArgument("an event key needs a provider");
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::string distinct, DistinctionText(distinction));
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::string canonical, CanonicalJson(body));
  std::string text;
  AppendPart(text, kDomain);
  AppendPart(text, provider);
  AppendPart(text, account);
  AppendPart(text, distinction.index() == 0 ? "bucket" : "sequence");
  AppendPart(text, distinct);
  AppendPart(text, canonical);
  return "ek1-" + HexEncode(crypto.Sha256(text));
}

}  // namespace understudy
