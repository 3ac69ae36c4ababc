// Collectors: ready-made functions for MetricsSink::AddCollector that export the state of shared
// policies.
//
//   metrics.AddCollector(CollectBreakers(breakers));
//   metrics.AddCollector(CollectBulkhead("stripe", bulkhead));
//   metrics.AddCollector(CollectRetryBudget("stripe", budget));
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "middleware/observe/metrics_writer.h"
#include "middleware/resilience/breaker_registry.h"
#include "middleware/resilience/bulkhead.h"
#include "middleware/resilience/retry_budget.h"

namespace understudy {

// Each keeps its subject alive, which is not null, and may be called from any thread.

// Per breaker, label "name": breaker_state (also of breakers that never changed state, which no
// event speaks of), breaker_opened_total, breaker_failures_total, breaker_rejected_total{why}.
std::function<void(MetricsWriter&)> CollectBreakers(
    std::shared_ptr<const BreakerRegistry> breakers);

// Label "name": bulkhead_limit, bulkhead_in_use, bulkhead_waiting, bulkhead_refused_total.
std::function<void(MetricsWriter&)> CollectBulkhead(std::string name,
                                                    std::shared_ptr<const Bulkhead> bulkhead);

// Label "name": retry_budget_tokens, whole tokens available.
std::function<void(MetricsWriter&)> CollectRetryBudget(std::string name,
                                                       std::shared_ptr<RetryBudget> budget);

}  // namespace understudy
