// FixedRandom: a Random whose draws a test chooses.
//
//   FixedRandom random(0.5);                 // UnitInterval is always 0.5
//   FixedRandom random({0.1, 0.9});          // ... 0.1, then 0.9, then 0.1 again
//
// Below and Between take remainders, so their results are fixed but not proportional to the value;
// they draw again for values close to zero, so give them others.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/check.h"
#include "middleware/runtime/random.h"

namespace understudy::test {

// Thread-safe. Remembers the sites that drew.
class FixedRandom final : public Random {
 public:
  explicit FixedRandom(double unit = 0.5) : units_{unit} {}
  explicit FixedRandom(std::vector<double> units) : units_(std::move(units)) {
    UNDERSTUDY_CHECK(!units_.empty(), "FixedRandom needs at least one value");
  }

  std::uint64_t Next(std::string_view site) override {
    const std::lock_guard lock(mutex_);
    UNDERSTUDY_CHECK(sites_.size() < kDrawsMax,
                     "a draw is repeated for ever; choose another value");
    sites_.emplace_back(site);
    const double unit = units_[next_++ % units_.size()];
    return static_cast<std::uint64_t>(std::ldexp(unit, 53)) << 11U;
  }

  std::vector<std::string> sites() const {
    const std::lock_guard lock(mutex_);
    return sites_;
  }

 private:
  static constexpr std::size_t kDrawsMax = 1'000'000;

  mutable std::mutex mutex_;
  const std::vector<double> units_;
  std::size_t next_ = 0;
  std::vector<std::string> sites_;
};

}  // namespace understudy::test
