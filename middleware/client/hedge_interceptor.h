// HedgeInterceptor: sends a second request when the first is slower than usual, and takes the
// answer that comes first.
//
//   ClientBuilder(...).Hedge({.after = 300ms}).Retry({.budget = budget})...
//
// It cuts the tail of the latency of a vendor whose slowness is bad luck (one slow machine of
// many); it does not help against one that is slow as a whole, which is why hedges draw on the
// retry budget. J. Dean and L. A. Barroso, "The Tail at Scale", CACM 56(2), 2013.
#pragma once

#include <memory>
#include <string>

#include "middleware/base/problems.h"
#include "middleware/client/hedge_timer.h"
#include "middleware/client/interceptor.h"
#include "middleware/resilience/outcome.h"
#include "middleware/resilience/retry_budget.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

struct HedgeOptions {
  // How long a request may be without an answer before the next one is sent. About the 95th
  // percentile of the vendor's latency: one call in twenty is hedged.
  Duration after = std::chrono::seconds(1);
  int hedges_max = 1;  // Besides the first request.
  // Shared with retry, so that hedges and retries together stay a share of the calls. None:
  // unlimited.
  std::shared_ptr<RetryBudget> budget = {};
};

Problems FindProblems(const HedgeOptions& options);

// Between the total deadline and retry: each request of a race has its own retries, breaker
// admission, quota and place. Only for calls that may be repeated (idempotent or keyed; the same
// key for all); others pass through.
//
// The first final answer wins (any status that retry would not repeat). A request that fails while
// another runs loses quietly; one that fails before a hedge was due ends the call, and is not
// hedged. A hedge that a local policy or the budget refuses never harms the request that runs. The
// losers are cancelled, which every inner layer takes as neutral.
//
// The first request runs on the caller's thread. One task of the Executor per interceptor waits for
// the times of the hedges, and each hedge that is sent is a task of its own; a call that needs no
// hedge starts none. Blocks its caller until the race is over and its losers have ended. The
// deadline and the stop of the call bound it as they bound each request.
//
// Publishes "hedge": operation, decision ("sent", "denied", "won"), number (1 for the first hedge).
class HedgeInterceptor final : public Interceptor {
 public:
  // `options` without problems; aborts otherwise.
  HedgeInterceptor(HedgeOptions options, const OutcomeClassifier& classifier,
                   const Runtime& runtime);

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override;
  bool MayWait() const override { return false; }
  std::string Describe() const override;

 private:
  class Race;

  void Publish(std::string_view operation, std::string_view decision, int number);

  const HedgeOptions options_;
  const OutcomeClassifier classifier_;
  const Runtime runtime_;
  HedgeTimer timer_;
};

}  // namespace understudy
