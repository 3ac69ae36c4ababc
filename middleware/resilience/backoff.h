// Back-off: how long to wait before the n-th retry. Exponential with full jitter unless asked for
// another form.
//
//   const Duration delay = BackoffDelay(options, 1, random);  // before the second attempt
//
//   DecorrelatedJitter memory;                                // one per call
//   BackoffDelay(options, retry, random, memory);             // for BackoffJitter::kDecorrelated
//
// Full jitter (a uniform draw from zero to the exponential ceiling) spreads a fleet that failed
// together better than a band around the ceiling: M. Brooker, "Exponential Backoff And Jitter", AWS
// Architecture Blog, 2015.
#pragma once

#include <cstdint>
#include <optional>

#include "middleware/base/problems.h"
#include "middleware/base/time.h"
#include "middleware/runtime/random.h"

namespace understudy {

// The ceiling before the n-th retry.
enum class BackoffGrowth : std::uint8_t {
  kConstant,     // base
  kLinear,       // base * n
  kExponential,  // base * factor^(n - 1)
};

// Where under, or around, the ceiling a delay is drawn.
enum class BackoffJitter : std::uint8_t {
  kFull,   // From zero to the ceiling.
  kEqual,  // Half of the ceiling, and up to as much again (Brooker).
  // The ceiling, a quarter less to a quarter more; the cap cuts off what is drawn above it, so that
  // all wait the same once the ceiling has reached the cap (Polly 8, RetryHelper).
  kQuarter,
  // Grows without steps and never bunches (Polly 8, RetryHelper.DecorrelatedJitterBackoffV2, by
  // G. Polevoy): of the curve 2^t * tanh(2 * sqrt(t)) / 1.4, in units of `base`, the difference
  // between two points, each drawn from its retry's interval. The first delay is about `base`.
  kDecorrelated,
};

struct BackoffOptions {
  Duration base = std::chrono::milliseconds(100);  // Ceiling before the first retry.
  double factor = 2.0;                             // Growth of the ceiling per retry; at least 1.
  Duration cap = std::chrono::seconds(20);         // No delay is longer.
  bool jitter = true;                              // false: wait the ceiling itself.
  BackoffJitter kind = BackoffJitter::kFull;       // Which jitter, if any.
  BackoffGrowth growth = BackoffGrowth::kExponential;
};

Problems FindProblems(const BackoffOptions& options);

// The ceiling before retry number `retry` (below 1 counts as 1), at most cap: without overflow for
// any number. kQuarter and kDecorrelated may draw above it, but not above the cap. Pure.
Duration BackoffCeiling(const BackoffOptions& options, int retry);

// What BackoffDelay returns for the draw `share` of [0, 1]; for kDecorrelated if the draw before it
// was the same. Pure.
Duration JitteredBackoff(const BackoffOptions& options, int retry, double share);

// What kDecorrelated remembers between the delays of one call. A plain value, one per call.
class DecorrelatedJitter {
 public:
  // The delay before retry number `retry` for the draw `share` of [0, 1]: zero to cap. Call it for
  // the retries in order.
  Duration Next(const BackoffOptions& options, int retry, double share);

 private:
  double previous_ = 0.0;  // The point of the curve that the last delay reached.
};

// A delay of the chosen form, never negative. One draw at the site "retry/backoff", two for
// kDecorrelated, none without jitter. Without its memory a kDecorrelated delay is drawn as if the
// one before it had been anywhere in its interval: as long, on average and at most, but not tied to
// what this call waited before.
Duration BackoffDelay(const BackoffOptions& options, int retry, Random& random);

// The same for a loop that holds the memory of its call: exactly the decorrelated series, one draw.
Duration BackoffDelay(const BackoffOptions& options, int retry, Random& random,
                      DecorrelatedJitter& memory);

// The delay that a vendor's hint makes of `backoff`: the hint, but neither earlier than the
// back-off nor more than `surplus_max` later, so that no answer can park a client. Without a hint
// the back-off. AWS SDKs use it with 5 s and x-amz-retry-after ("Retry behavior", version 2.1).
// Pure.
Duration HintedBackoff(Duration backoff, std::optional<Duration> hint, Duration surplus_max);

}  // namespace understudy
