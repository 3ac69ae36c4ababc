// Exponential back-off with full jitter: how long to wait before the n-th retry.
//
//   const Duration delay = BackoffDelay(options, 1, random);  // before the second attempt
//
// Full jitter (a uniform draw from zero to the exponential ceiling) spreads a fleet that failed
// together better than a band around the ceiling: M. Brooker, "Exponential Backoff And Jitter", AWS
// Architecture Blog, 2015.
#pragma once

#include "middleware/base/time.h"
#include "middleware/resilience/problems.h"
#include "middleware/runtime/random.h"

namespace understudy {

struct BackoffOptions {
  Duration base = std::chrono::milliseconds(100);  // Ceiling before the first retry.
  double factor = 2.0;                             // Growth of the ceiling per retry; at least 1.
  Duration cap = std::chrono::seconds(20);         // The ceiling stops growing here.
  bool jitter = true;                              // false: wait the ceiling itself.
};

Problems FindProblems(const BackoffOptions& options);

// min(cap, base * factor^(retry - 1)), without overflow for any `retry`. Pure.
Duration BackoffCeiling(const BackoffOptions& options, int retry);

// Uniform in [0, ceiling), one draw at the site "retry/backoff"; the ceiling itself without jitter.
Duration BackoffDelay(const BackoffOptions& options, int retry, Random& random);

}  // namespace understudy
