#include "middleware/observe/collectors.h"

#include <cstdint>
#include <string_view>
#include <utility>

#include "middleware/base/check.h"
#include "middleware/observe/breaker_level.h"

namespace understudy {
namespace {

void WriteBreaker(MetricsWriter& writer, const BreakerRegistry::Entry& entry) {
  const CircuitBreakerSnapshot& breaker = entry.snapshot;
  const MetricLabel name{"name", entry.name};
  writer.Gauge(
      "understudy_breaker_state", kBreakerStateHelp, {name},
      BreakerLevel(ToString(breaker.state), ToString(breaker.mode), breaker.isolations > 0));
  writer.Counter("understudy_breaker_opened_total", "Times that a circuit breaker opened.", {name},
                 breaker.opened);
  writer.Counter("understudy_breaker_failures_total", "Failures that a circuit breaker counted.",
                 {name}, breaker.failures);
  const auto rejected = [&](std::string_view why, std::uint64_t count) {
    writer.Counter("understudy_breaker_rejected_total", "Calls that a circuit breaker refused.",
                   {name, {"why", why}}, count);
  };
  rejected("open", breaker.rejected_open);
  rejected("half-open", breaker.rejected_half_open);
  rejected("ramp-up", breaker.rejected_ramp_up);
  rejected("forced", breaker.rejected_forced);
}

}  // namespace

std::function<void(MetricsWriter&)> CollectBreakers(
    std::shared_ptr<const BreakerRegistry> breakers) {
  UNDERSTUDY_CHECK(breakers != nullptr, "a collector of no breakers");
  return [breakers = std::move(breakers)](MetricsWriter& writer) {
    for (const BreakerRegistry::Entry& entry : breakers->Snapshot()) WriteBreaker(writer, entry);
  };
}

std::function<void(MetricsWriter&)> CollectBulkhead(std::string name,
                                                    std::shared_ptr<const Bulkhead> bulkhead) {
  UNDERSTUDY_CHECK(bulkhead != nullptr, "a collector of no bulkhead");
  return [name = std::move(name), bulkhead = std::move(bulkhead)](MetricsWriter& writer) {
    const auto places = bulkhead->Snapshot();
    writer.Gauge("understudy_bulkhead_limit", "Places of a bulkhead.", {{"name", name}},
                 places.limit);
    writer.Counter("understudy_bulkhead_refused_total",
                   "Calls that got no place in a bulkhead: its queue was full, or they waited too "
                   "long.",
                   {{"name", name}}, static_cast<std::uint64_t>(places.refused));
    writer.Gauge("understudy_bulkhead_in_use", "Calls that hold a place in a bulkhead.",
                 {{"name", name}}, places.in_use);
    writer.Gauge("understudy_bulkhead_waiting", "Calls that wait for a place in a bulkhead.",
                 {{"name", name}}, places.waiting);
  };
}

std::function<void(MetricsWriter&)> CollectRetryBudget(std::string name,
                                                       std::shared_ptr<RetryBudget> budget) {
  UNDERSTUDY_CHECK(budget != nullptr, "a collector of no retry budget");
  return [name = std::move(name), budget = std::move(budget)](MetricsWriter& writer) {
    writer.Gauge("understudy_retry_budget_tokens", "Whole retries that a budget would pay for now.",
                 {{"name", name}}, budget->available());
  };
}

}  // namespace understudy
