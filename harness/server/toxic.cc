#include "harness/server/toxic.h"

#include <array>

#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

// In the order of the variant.
constexpr std::array<std::string_view, std::variant_size_v<ToxicEffect>> kTypeNames = {
    "latency", "bandwidth", "slow_close", "timeout", "reset_peer", "slicer", "limit_data", "noop"};

Result<void> CheckDuration(std::string_view attribute, Duration duration) {
  if (duration >= Duration::zero() && duration <= kToxicDurationMax) return {};
  return InvalidArgument("the attribute " + std::string(attribute) +
                         " must be a time from 0 to 31 years");
}

Result<void> CheckNumber(std::string_view attribute, std::int64_t number, std::int64_t low) {
  if (number >= low) return {};
  return InvalidArgument("the attribute " + std::string(attribute) + " is " +
                         std::to_string(number) + "; it must be at least " + std::to_string(low));
}

Result<void> Check(const LatencyToxic& toxic) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckDuration("latency", toxic.latency));
  return CheckDuration("jitter", toxic.jitter);
}
Result<void> Check(const BandwidthToxic& toxic) { return CheckNumber("rate", toxic.rate, 0); }
Result<void> Check(const SlowCloseToxic& toxic) { return CheckDuration("delay", toxic.delay); }
Result<void> Check(const TimeoutToxic& toxic) { return CheckDuration("timeout", toxic.timeout); }
Result<void> Check(const ResetPeerToxic& toxic) { return CheckDuration("timeout", toxic.timeout); }
Result<void> Check(const SlicerToxic& toxic) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckNumber("average_size", toxic.average_size, 1));
  UNDERSTUDY_RETURN_IF_ERROR(CheckNumber("size_variation", toxic.size_variation, 0));
  return CheckDuration("delay", toxic.delay);
}
Result<void> Check(const LimitDataToxic& toxic) { return CheckNumber("bytes", toxic.bytes, 0); }
Result<void> Check(const NoopToxic&) { return {}; }

template <std::size_t kIndex = 0>
ToxicEffect EffectAt(std::size_t index) {
  if constexpr (kIndex + 1 < std::variant_size_v<ToxicEffect>) {
    if (index != kIndex) return EffectAt<kIndex + 1>(index);
  }
  return ToxicEffect(std::in_place_index<kIndex>);
}

}  // namespace

std::string_view TypeName(const ToxicEffect& effect) { return kTypeNames.at(effect.index()); }

std::optional<ToxicEffect> MakeToxicEffect(std::string_view type) {
  for (std::size_t i = 0; i < kTypeNames.size(); ++i) {
    if (kTypeNames.at(i) == type) return EffectAt(i);
  }
  return std::nullopt;
}

std::string_view ToString(ToxicStream stream) {
  return stream == ToxicStream::kUpstream ? "upstream" : "downstream";
}

std::optional<ToxicStream> ParseToxicStream(std::string_view text) {
  if (EqualsIgnoreAsciiCase(text, "upstream")) return ToxicStream::kUpstream;
  if (EqualsIgnoreAsciiCase(text, "downstream")) return ToxicStream::kDownstream;
  return std::nullopt;
}

Result<void> CheckToxic(const Toxic& toxic) {
  // Written so that NaN is refused.
  if (!(toxic.toxicity >= 0.0 && toxic.toxicity <= 1.0))
    return InvalidArgument("toxicity must be a number from 0 to 1");
  return std::visit([](const auto& effect) { return Check(effect); }, toxic.effect);
}

}  // namespace understudy::harness
