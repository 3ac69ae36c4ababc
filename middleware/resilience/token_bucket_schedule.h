// TokenBucketSchedule: a bucket that gets whole tokens at the end of every period, up to its
// capacity; a request takes as many as it costs.
//
//   TokenBucketSchedule schedule({.refill = 100, .every = 1s, .capacity = 300}, now);
//   schedule.Reserve(now, 300);  // At once; the next 100 come after a second.
//
// A reservation that must wait takes the tokens of periods to come: the balance is then negative.
// In any time T it grants at most capacity + refill * (T / every + 1).
#pragma once

#include <cstdint>

#include "middleware/resilience/rate_schedule.h"

namespace understudy {

struct TokenBucket {
  int refill = 1;                            // Tokens, at least 1, ...
  Duration every = std::chrono::seconds(1);  // ... per period, positive, counted from the start.
  int capacity = 1;                          // The bucket never holds more; it starts full.
};

// Not thread-safe. Every operation is one division or two, however long nobody asked.
class TokenBucketSchedule : public RateSchedule {
 public:
  TokenBucketSchedule(const TokenBucket& bucket, TimePoint start)
      : TokenBucketSchedule(bucket, bucket.capacity, start) {}

  Duration WaitFor(TimePoint now, int cost) const override;
  Reservation Reserve(TimePoint now, int cost) override;
  // The newest; and an older one that did not wait, if there was no refill since and nobody waits:
  // then the tokens are still in the bucket's reach, and none that spilled comes back.
  bool Cancel(const Reservation& reservation) override;
  int Available(TimePoint now) const override;
  int cost_max() const override { return cost_max_; }

  // Tokens in the bucket; negative: owed to reservations that wait.
  std::int64_t Balance(TimePoint now) const { return RefilledAt(now).balance; }

 protected:
  // With a cost_max above the capacity a large request waits for several periods' tokens.
  TokenBucketSchedule(const TokenBucket& bucket, int cost_max, TimePoint start);

 private:
  struct State {
    std::int64_t balance;
    TimePoint period_start;
  };
  State RefilledAt(TimePoint now) const;

  const TokenBucket bucket_;
  const int cost_max_;
  State state_;
};

}  // namespace understudy
