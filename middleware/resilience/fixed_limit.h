// FixedLimit: a ConcurrencyLimit that learns nothing, for a Bulkhead without `adaptive`.
#pragma once

#include "middleware/base/check.h"
#include "middleware/resilience/concurrency_limit.h"

namespace understudy {

class FixedLimit final : public ConcurrencyLimit {
 public:
  // At least 1.
  explicit FixedLimit(int limit) : limit_(limit) {
    UNDERSTUDY_CHECK(limit >= 1, "a limit that admits nobody");
  }

  int Update(Duration, int, bool) override { return limit_; }
  int limit() const override { return limit_; }

 private:
  const int limit_;
};

}  // namespace understudy
