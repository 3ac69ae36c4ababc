#include "harness/vendor/rate_window.h"

#include <chrono>

#include <gmock/gmock.h>

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

using Align = LimitSpec::Align;
using Kind = LimitSpec::Kind;

// Asks, takes if admitted, at moments counted from a start.
class Counter {
 public:
  explicit Counter(const LimitSpec& spec, SystemTime wall = SystemTime(1000h))
      : window_(*RateWindow::Create(spec)), wall_(wall) {}

  RateDecision Ask(Duration at) { return window_.Ask(kStart + at, wall_ + at); }
  bool Request(Duration at) {
    const bool admitted = Ask(at).admitted;
    if (admitted) window_.Take(kStart + at, wall_ + at);
    return admitted;
  }

 private:
  static constexpr TimePoint kStart = TimePoint(1h);
  RateWindow window_;
  SystemTime wall_;
};

TEST(RateWindowTest, FixedStartsWithTheFirstRequest) {
  Counter counter({.max = 2, .window = 10s});
  EXPECT_TRUE(counter.Request(7s));
  EXPECT_TRUE(counter.Request(16s));
  EXPECT_FALSE(counter.Request(17s - 1ns));
  EXPECT_TRUE(counter.Request(17s));  // The next window starts here.
  EXPECT_TRUE(counter.Request(26s));
  EXPECT_FALSE(counter.Request(26s));
}

TEST(RateWindowTest, FixedSaysWhatRemainsAndWhenItEnds) {
  Counter counter({.max = 2, .window = 10s});
  EXPECT_EQ(counter.Ask(0s).remaining, 2);
  counter.Request(0s);
  EXPECT_EQ(counter.Ask(1s).remaining, 1);
  counter.Request(1s);
  const RateDecision refused = counter.Ask(4s);
  EXPECT_FALSE(refused.admitted);
  EXPECT_EQ(refused.remaining, 0);
  EXPECT_EQ(refused.retry_after, 6s);
}

TEST(RateWindowTest, FixedAllowsTwiceTheMaxAcrossABorder) {
  Counter counter({.max = 1, .window = 10s, .align = Align::kUtcHour}, SystemTime(5h));
  EXPECT_TRUE(counter.Request(9999ms));
  EXPECT_TRUE(counter.Request(10s));
  EXPECT_FALSE(counter.Request(10001ms));
}

TEST(RateWindowTest, UtcDayEndsAtMidnight) {
  Counter counter({.max = 1, .window = 24h, .align = Align::kUtcDay}, SystemTime(24h * 100 + 23h));
  EXPECT_TRUE(counter.Request(0s));
  EXPECT_EQ(counter.Ask(59min).retry_after, 1min);
  EXPECT_FALSE(counter.Request(1h - 1ns));
  EXPECT_TRUE(counter.Request(1h));
}

TEST(RateWindowTest, UtcDayHoldsBefore1970) {
  Counter counter({.max = 1, .window = 24h, .align = Align::kUtcDay}, SystemTime(-1h));
  EXPECT_TRUE(counter.Request(0s));
  EXPECT_EQ(counter.Ask(30min).retry_after, 30min);
  EXPECT_TRUE(counter.Request(1h));
}

TEST(RateWindowTest, AWindowThatDoesNotDivideItsUnitEndsWithTheUnit) {
  Counter counter({.max = 1, .window = 40min, .align = Align::kUtcHour}, SystemTime(5h));
  EXPECT_TRUE(counter.Request(45min));
  EXPECT_EQ(counter.Ask(50min).retry_after, 10min);
  EXPECT_TRUE(counter.Request(60min));
}

TEST(RateWindowTest, SlidingNeverExceedsTheMaxInAnyStretch) {
  Counter counter({.max = 2, .window = 10s, .kind = Kind::kSliding});
  EXPECT_TRUE(counter.Request(0s));
  EXPECT_TRUE(counter.Request(9s));
  EXPECT_EQ(counter.Ask(9s).retry_after, 1s);
  EXPECT_FALSE(counter.Request(10s - 1ns));
  EXPECT_TRUE(counter.Request(10s));
  EXPECT_FALSE(counter.Request(11s));
  EXPECT_TRUE(counter.Request(19s));
}

TEST(RateWindowTest, TokenBucketAllowsABurstAndThenTheRate) {
  Counter counter({.max = 3, .window = 9s, .kind = Kind::kTokenBucket});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(counter.Request(0s));
  EXPECT_EQ(counter.Ask(0s).retry_after, 3s);
  EXPECT_FALSE(counter.Request(3s - 1ns));
  EXPECT_TRUE(counter.Request(3s));
  EXPECT_FALSE(counter.Request(3s));
  EXPECT_EQ(counter.Ask(100s).remaining, 3);  // Never more than full.
}

TEST(RateWindowTest, TokenBucketLosesNoFractionOfAToken) {
  Counter counter({.max = 7, .window = 1s, .kind = Kind::kTokenBucket});
  int admitted = 0;
  for (int step = 0; step <= 10'000; ++step) admitted += counter.Request(step * 1ms) ? 1 : 0;
  EXPECT_EQ(admitted, 7 + 70);
}

TEST(RateWindowTest, RetryAfterIsEnough) {
  for (const Kind kind : {Kind::kFixed, Kind::kSliding, Kind::kTokenBucket}) {
    Counter counter({.max = 7, .window = 1s, .kind = kind});
    for (int i = 0; i < 7; ++i) EXPECT_TRUE(counter.Request(0s));
    const Duration wait = counter.Ask(0s).retry_after;
    EXPECT_FALSE(counter.Ask(wait - 1ns).admitted);
    EXPECT_TRUE(counter.Request(wait));
  }
}

TEST(RateWindowTest, AMaxOfZeroAdmitsNothing) {
  for (const Kind kind : {Kind::kFixed, Kind::kSliding, Kind::kTokenBucket}) {
    Counter counter({.max = 0, .window = 10s, .kind = kind});
    EXPECT_FALSE(counter.Request(0s));
    EXPECT_GT(counter.Ask(0s).retry_after, 0s);
  }
}

TEST(RateWindowTest, ARefusedRequestDoesNotCount) {
  Counter counter({.max = 1, .window = 10s, .kind = Kind::kSliding});
  EXPECT_TRUE(counter.Request(0s));
  for (int i = 1; i < 10; ++i) EXPECT_FALSE(counter.Request(i * 1s));
  EXPECT_TRUE(counter.Request(10s));
}

struct BadLimit {
  const char* name;
  LimitSpec spec;
  const char* message;
};

class RateWindowErrorTest : public ::testing::TestWithParam<BadLimit> {};

TEST_P(RateWindowErrorTest, IsRefused) {
  const auto window = RateWindow::Create(GetParam().spec);
  ASSERT_FALSE(window.has_value());
  EXPECT_THAT(window.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Limits, RateWindowErrorTest,
    ::testing::Values(
        BadLimit{"NegativeMax", {.max = -1, .window = 1s}, "negative"},
        BadLimit{"NoWindow", {.max = 1}, "longer than zero"},
        BadLimit{"AlignedSliding",
                 {.max = 1, .window = 1s, .kind = Kind::kSliding, .align = Align::kUtcDay},
                 "only for the kind \"fixed\""},
        BadLimit{"WindowLongerThanUnit",
                 {.max = 1, .window = 61min, .align = Align::kUtcHour},
                 "does not fit"},
        BadLimit{"HugeSliding",
                 {.max = RateWindow::kSlidingMax + 1, .window = 1s, .kind = Kind::kSliding},
                 "token-bucket"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace understudy::harness
