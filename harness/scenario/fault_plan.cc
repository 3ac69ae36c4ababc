#include "harness/scenario/fault_plan.h"

namespace understudy::harness {
namespace {

constexpr std::uint64_t kActiveOdds = 2;   // A kind is used by every second seed ...
constexpr std::uint64_t kHappensOdds = 4;  // ... and then happens at every fourth place.
constexpr std::int64_t kUsesUnbounded = 1000;
constexpr Duration kExtraDelayMax = std::chrono::seconds(10);
constexpr Duration kExtraLatencyMax = std::chrono::seconds(2);

}  // namespace

FaultPlan::FaultPlan(const std::vector<FaultChoice>& choices, bool enabled, Random& random)
    : random_(random) {
  const MutexLock lock(mutex_);
  for (const FaultChoice& choice : choices) {
    const bool active = enabled && random_.Below("fault/active", kActiveOdds) == 0;
    armed_.push_back(
        {.choice = choice, .active = active, .left = choice.max.value_or(kUsesUnbounded)});
  }
}

bool FaultPlan::Happens(ExploreFault fault, std::string_view on, std::string_view alias) {
  const bool drawn = random_.Below("fault/happens", kHappensOdds) == 0;
  const MutexLock lock(mutex_);
  for (Armed& armed : armed_) {
    const bool here = armed.choice.on.empty() || armed.choice.on == on ||
                      (!alias.empty() && armed.choice.on == alias);
    if (!armed.active || armed.choice.fault != fault || !here || armed.left == 0) continue;
    if (!drawn) return false;
    --armed.left;
    return true;
  }
  return false;
}

VendorHooks FaultPlan::ForVendor(std::string_view vendor) {
  VendorHooks hooks;
  bool any = false;
  {
    const MutexLock lock(mutex_);
    for (const Armed& armed : armed_) any = any || armed.active;
  }
  if (!any) return hooks;
  hooks.adjust = [this, vendor = std::string(vendor)](std::string_view route, ResponsePlan& plan) {
    if (Happens(ExploreFault::kLatency, route, vendor)) {
      plan.latency += random_.Between("fault/latency", Duration(1), kExtraLatencyMax);
    }
    if (!plan.fault && Happens(ExploreFault::kReset, route, vendor)) plan.fault = FaultKind::kReset;
  };
  hooks.connect =
      [this, vendor = std::string(vendor)](std::string_view route) -> std::optional<FaultKind> {
    if (Happens(ExploreFault::kDnsFail, route, vendor)) return FaultKind::kDnsFail;
    return std::nullopt;
  };
  return hooks;
}

WebhookHooks FaultPlan::ForWebhook(std::string_view webhook) {
  const std::string on(webhook);
  return {.extra_copies = [this, on](std::string_view) -> std::int64_t {
            return Happens(ExploreFault::kDuplicateDelivery, on, "") ? 1 : 0;
          },
          .extra_delay = [this, on](std::string_view, std::int64_t, int) -> Duration {
            if (!Happens(ExploreFault::kReorderDelivery, on, "")) return {};
            return random_.Between("fault/reorder", Duration(1), kExtraDelayMax);
          },
          .drop_ack = [this, on](std::string_view, std::int64_t,
                                 int) { return Happens(ExploreFault::kDropAck, on, ""); }};
}

CrashChoice FaultPlan::ForProgram(std::string_view target) {
  return [this, on = std::string(target)](LifePoint point) {
    {
      const MutexLock lock(mutex_);
      bool wanted = false;
      for (const Armed& armed : armed_) {
        const FaultPoint at = armed.choice.at;
        const bool here = at == FaultPoint::kAnyYield ||
                          (at == FaultPoint::kBeforeEffect && point == LifePoint::kBeforeEffect) ||
                          (at == FaultPoint::kAfterEffect && point == LifePoint::kAfterEffect) ||
                          (at == FaultPoint::kBeforeAck && point == LifePoint::kBeforeAck);
        wanted = wanted || (armed.active && armed.choice.fault == ExploreFault::kCrash && here);
      }
      if (!wanted) return false;
    }
    return Happens(ExploreFault::kCrash, on, "");
  };
}

}  // namespace understudy::harness
