#include "middleware/resilience/acquire_all.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <ranges>
#include <string>

namespace understudy {
namespace {

constexpr std::size_t kLimitersMax = 16;

// Distinct, in the order in which their mutexes are taken.
Result<std::vector<RateLimiter*>> InOrder(std::span<RateLimiter* const> limiters) {
  std::vector<RateLimiter*> ordered(limiters.begin(), limiters.end());
  std::ranges::sort(ordered, std::less<>());
  const bool odd = std::ranges::adjacent_find(ordered) != ordered.end() ||
                   std::ranges::find(ordered, nullptr) != ordered.end();
  if (!odd && ordered.size() <= kLimitersMax) return ordered;
  Error error = InvalidArgument("AcquireAll takes at most " + std::to_string(kLimitersMax) +
                                " limiters, each once and none null");
  error.reason = "rate-limit-limiters";
  return error;
}

}  // namespace

void MultiPermit::Add(RateLimiter::Permit permit) {
  waited_ += permit.waited();
  permits_.push_back(std::move(permit));
}

void MultiPermit::Refund() {
  for (RateLimiter::Permit& permit : permits_) permit.Refund();
}

Result<MultiPermit> AcquireAll(std::span<RateLimiter* const> limiters, int cost, Deadline deadline,
                               const std::stop_token& stop) {
  UNDERSTUDY_ASSIGN_OR_RETURN(std::vector<RateLimiter*> missing, InOrder(limiters));
  for (RateLimiter* limiter : missing) {
    if (std::optional<Error> fault = limiter->FindFault(cost)) return *std::move(fault);
  }
  MultiPermit all;
  all.permits_.reserve(missing.size());
  while (!missing.empty()) {  // One limiter fewer each time.
    Result<RateLimiter::Attempt> attempt = RateLimiter::TryAcquireAll(missing, cost, deadline);
    if (attempt && attempt->slowest == nullptr) {
      for (RateLimiter::Permit& permit : attempt->permits) all.Add(std::move(permit));
      break;
    }
    Result<RateLimiter::Permit> permit =
        attempt ? attempt->slowest->Acquire(cost, deadline, stop) : std::move(attempt).error();
    if (!permit) {
      all.Refund();
      return std::move(permit).error();
    }
    std::erase(missing, attempt->slowest);
    all.Add(*std::move(permit));
  }
  return all;
}

}  // namespace understudy
