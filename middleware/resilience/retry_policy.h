// RetryPolicy: whether an attempt is repeated, when, and if not, why not.
//
//   const RetryDecision decision = policy.Decide(outcome, attempt, random);
//   if (!decision.retry) { Explain("no retry: " + decision.why); return last; }
//   clock.SleepUntil(now + decision.delay, stop);
//
// It never sleeps and keeps no state but the budget. The rules, in the order in which they refuse:
//   1. the outcome cannot be helped by repeating (OutcomeClassifier);
//   2. attempts_max attempts were made;
//   3. the request may have been executed, and repeating it is not known to be safe: neither an
//      idempotent method (RFC 9110 section 9.2.2) nor an idempotency key; or a 409 of a request
//      without a key, which only says that a key is in use (draft-ietf-httpapi-idempotency-key-
//      header, section 2.7);
//   4. the vendor asks to wait longer than retry_after_max;
//   5. the wait, and min_attempt_time after it, do not fit the deadline: nobody sleeps in vain;
//   6. the budget is used up.
// The wait is the longer of the back-off and the vendor's hint: never earlier than asked for.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "middleware/base/problems.h"
#include "middleware/resilience/backoff.h"
#include "middleware/resilience/outcome.h"
#include "middleware/resilience/retry_budget.h"
#include "middleware/runtime/deadline.h"
#include "middleware/runtime/random.h"

namespace understudy {

struct RetryOptions {
  int attempts_max = 3;  // Including the first.
  BackoffOptions backoff = {};
  // The least ceiling of the back-off after a refusal for the rate, grown like the other: a vendor
  // that throttles needs longer than one that hiccups.
  Duration throttle_base = std::chrono::seconds(1);
  // Heed the vendor's Retry-After and its relatives. false waits for the back-off alone: only for
  // vendors whose hints are known to be wrong.
  bool respect_hints = true;
  // A longer Retry-After ends the call instead: the caller can do better than block.
  Duration retry_after_max = std::chrono::minutes(5);
  // Shared by all clients of one vendor; none: unlimited.
  std::shared_ptr<RetryBudget> budget = {};
  // The header that carries the idempotency key; vendor data, e.g. "PayPal-Request-Id". Empty: the
  // vendor has none, and a call is only repeated if its method is idempotent or nothing was sent.
  std::string idempotency_header = "Idempotency-Key";
  // Make up a key (a random UUID) for each call of a non-idempotent method that brings none.
  bool generate_idempotency_keys = false;
};

Problems FindProblems(const RetryOptions& options);

struct RetryDecision {
  bool retry = false;
  Duration delay{0};
  bool from_hint = false;     // The vendor's hint decided the delay.
  bool deadline_cut = false;  // Refused because it does not fit the deadline.
  std::string why = {};       // "503"; or, without retry, "3 attempts were made", ...
};

// Facts about the call and the attempt that just ended.
struct RetryFacts {
  int attempt = 1;
  bool replayable = false;  // Idempotent or keyed.
  bool keyed = false;       // The request carries an idempotency key.
  TimePoint now = {};
  Deadline deadline = {};
  Duration min_attempt_time{0};  // An attempt with less time left is not worth starting.
};

// What one call carries from attempt to attempt. A plain value.
struct RetryMemory {
  DecorrelatedJitter jitter = {};
  int last_cost = 0;  // What its last retry took from the budget.
};

// Thread-safe: stateless but for the shared budget.
class RetryPolicy {
 public:
  // `options` without problems; aborts otherwise.
  explicit RetryPolicy(RetryOptions options);

  // Books one logical call with the budget. Once per call, before its first attempt.
  void RecordCall() const;

  // Withdraws from the budget if it decides to retry, and tells it how the call ended if the
  // outcome ends it. Draws at most one random number.
  RetryDecision Decide(const Outcome& outcome, const RetryFacts& facts, Random& random,
                       RetryMemory& memory) const;

  const RetryOptions& options() const { return options_; }

 private:
  Duration HintOf(const Outcome& outcome) const;
  void RecordEnd(const Outcome& outcome, const RetryMemory& memory) const;
  Duration Backoff(const Outcome& outcome, int attempt, Random& random, RetryMemory& memory) const;
  std::optional<std::string> WhyNotAtAll(const Outcome& outcome, const RetryFacts& facts) const;

  const RetryOptions options_;
};

}  // namespace understudy
