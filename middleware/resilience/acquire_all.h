// AcquireAll: permits of several limiters for one request, all or none.
//
//   RateLimiter* const limits[] = {&per_second, &per_day};
//   UNDERSTUDY_ASSIGN_OR_RETURN(MultiPermit permit, AcquireAll(limits, 1, deadline, stop));
//   if (NothingWasSent()) permit.Refund();
//
// A vendor that limits calls per second and per day, or per account and per endpoint, counts a
// request once for each; taking the limits one after the other would use up the first for requests
// that the second refuses.
#pragma once

#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include "middleware/base/result.h"
#include "middleware/resilience/rate_limiter.h"
#include "middleware/runtime/deadline.h"

namespace understudy {

// The right to send one request under several limits. Move-only; one that just ends was used.
class MultiPermit {
 public:
  // How long AcquireAll waited: as long as the slowest of the limiters demanded.
  Duration waited() const { return waited_; }
  // Each limiter's Permit::Refund.
  void Refund();

 private:
  friend Result<MultiPermit> AcquireAll(std::span<RateLimiter* const> limiters, int cost,
                                        Deadline deadline, const std::stop_token& stop);

  void Add(RateLimiter::Permit permit);

  std::vector<RateLimiter::Permit> permits_;
  Duration waited_{0};
};

// Blocks until every limiter grants `cost`. Only the slowest one holds a place for the caller while
// it waits; the others are taken, all in one step, when that place comes due. So waiting for one
// limit uses up nothing of the others, and holds up nobody there. If another limit has filled up
// meanwhile, the caller waits for that one too, as long as the deadline allows.
//
// Errors are those of RateLimiter::Acquire; after one, no limiter has been charged (a permit whose
// wait was over already is refunded as Permit::Refund can). kInvalidArgument
// ("rate-limit-limiters") if a limiter is null or named twice, or if there are more than 16.
Result<MultiPermit> AcquireAll(std::span<RateLimiter* const> limiters, int cost, Deadline deadline,
                               const std::stop_token& stop = {});

}  // namespace understudy
