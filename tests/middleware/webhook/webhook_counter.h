// CountRuns: the handler and the set-up that a killed webhook worker and the test that kills it
// share.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "middleware/base/secret.h"
#include "middleware/webhook/webhook_processor.h"

namespace understudy::test {

inline const Secret kWorkerSecret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");

// Several counters, so that transactions conflict, but not all of them.
inline std::string TotalOf(const std::string& event_id) {
  return "total/" + std::to_string(std::hash<std::string>()(event_id) % 4);
}

inline Result<void> Increment(WebhookTransaction& transaction, const std::string& key) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto value, transaction.Get(key));
  return transaction.Put(key, std::to_string(std::stoi(value.value_or("0")) + 1));
}

// A second run of an event would make its count 2, a lost update a total too small.
inline Result<void> CountRuns(const WebhookEvent& event, WebhookTransaction& transaction) {
  UNDERSTUDY_RETURN_IF_ERROR(Increment(transaction, "runs/" + event.key.event_id));
  return Increment(transaction, TotalOf(event.key.event_id));
}

inline WebhookProcessorOptions WorkerProcessorOptions() {
  // A life is shorter than a lease of production; every kill uses up attempts.
  return {.lease = std::chrono::milliseconds(400),
          .attempts_max = 1'000'000,
          .backoff_min = std::chrono::milliseconds(1),
          .backoff_max = std::chrono::milliseconds(20),
          .workers = 3,
          .poll_max = std::chrono::milliseconds(100)};
}

}  // namespace understudy::test
