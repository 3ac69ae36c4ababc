#include "harness/vendor/rate_window.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

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

// ---- leaky bucket, concurrency, points

TEST(RateWindowTest, ALeakyBucketRefusesWhatWouldOverflowIt) {
  // Shopify's: 40 fit, one leaks every 500 ms.
  Counter counter({.max = 40, .window = 20s, .kind = Kind::kLeakyBucket});
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(counter.Request(0s)) << i;
  EXPECT_EQ(counter.Ask(200ms).retry_after, 300ms);
  EXPECT_FALSE(counter.Request(500ms - 1ns));
  EXPECT_TRUE(counter.Request(500ms));
  EXPECT_EQ(counter.Ask(500ms).reset_after, 20s);
  EXPECT_EQ(counter.Ask(10500ms).remaining, 20);
}

TEST(RateWindowTest, APermitIsHeldUntilItIsGivenBack) {
  RateWindow window = *RateWindow::Create({.max = 2, .kind = Kind::kConcurrency});
  const TimePoint now(1h);
  for (int i = 0; i < 2; ++i) window.Take(now, SystemTime());
  const RateDecision refused = window.Ask(now + 1000h, SystemTime());
  EXPECT_FALSE(refused.admitted);
  EXPECT_EQ(refused.retry_after, RateWindow::kPermitWait);
  window.Release();
  EXPECT_TRUE(window.Ask(now, SystemTime()).admitted);
  EXPECT_EQ(window.Ask(now, SystemTime()).remaining, 1);
}

TEST(RateWindowTest, GivingBackMorePermitsThanWereTakenIsABrokenInvariant) {
  RateWindow window = *RateWindow::Create({.max = 2, .kind = Kind::kConcurrency});
  EXPECT_DEATH(window.Release(), "not taken");
}

TEST(RateWindowTest, ARequestOfSeveralPointsWaitsForAllOfThem) {
  struct Row {
    Kind kind;
    Duration wait;  // For 3 points at 4 s, after 2 at 0 s and 2 at 3 s, of 5 per 10 s.
    Duration reset;
  };
  for (const Row& row : {Row{Kind::kFixed, 6s, 6s}, Row{Kind::kSliding, 6s, 9s},
                         Row{Kind::kTokenBucket, 0s, 4s}, Row{Kind::kLeakyBucket, 0s, 4s}}) {
    RateWindow window = *RateWindow::Create({.max = 5, .window = 10s, .kind = row.kind});
    const TimePoint start(1h);
    for (const Duration at : {Duration(0s), Duration(3s)}) {
      ASSERT_TRUE(window.Ask(start + at, SystemTime(), 2).admitted);
      window.Take(start + at, SystemTime(), 2);
    }
    const RateDecision decision = window.Ask(start + 4s, SystemTime(), 3);
    EXPECT_EQ(decision.admitted, row.wait == 0s) << static_cast<int>(row.kind);
    EXPECT_EQ(decision.retry_after, row.wait) << static_cast<int>(row.kind);
    EXPECT_EQ(decision.reset_after, row.reset) << static_cast<int>(row.kind);
    EXPECT_TRUE(window.Ask(start + 4s + row.wait, SystemTime(), 3).admitted);
  }
}

TEST(RateWindowTest, MorePointsThanMaxAreNeverAdmitted) {
  for (const Kind kind :
       {Kind::kFixed, Kind::kSliding, Kind::kTokenBucket, Kind::kLeakyBucket, Kind::kConcurrency}) {
    RateWindow window = *RateWindow::Create({.max = 2, .window = 10s, .kind = kind});
    const RateDecision decision = window.Ask(TimePoint(1h), SystemTime(), 3);
    EXPECT_FALSE(decision.admitted);
    EXPECT_EQ(decision.retry_after, 10s);
    EXPECT_EQ(decision.remaining, 2);
  }
}

TEST(RateWindowTest, WhatTakesNoPointsIsAlwaysAdmittedAndStartsNoWindow) {
  RateWindow window = *RateWindow::Create({.max = 1, .window = 10s});
  window.Take(TimePoint(1h), SystemTime(), 0);
  window.Take(TimePoint(1h) + 5s, SystemTime());
  EXPECT_TRUE(window.Ask(TimePoint(1h) + 5s, SystemTime(), 0).admitted);
  EXPECT_FALSE(window.Ask(TimePoint(1h) + 15s - 1ns, SystemTime()).admitted);
}

// ---- a property of every kind

// Requests at random moments with random points; every stretch of time is then looked at.
class RateWindowPropertyTest : public ::testing::TestWithParam<Kind> {
 protected:
  struct Admitted {
    Duration at;
    std::int64_t points;
  };

  static constexpr std::int64_t kMax = 7;
  static constexpr Duration kWindow = 10s;

  static std::vector<Admitted> Play(std::uint64_t seed) {
    RateWindow window = *RateWindow::Create({.max = kMax, .window = kWindow, .kind = GetParam()});
    std::mt19937_64 random(seed);
    std::vector<Admitted> admitted;
    std::int64_t held = 0;
    Duration at{0};
    for (int i = 0; i < 400; ++i) {
      at += Duration(static_cast<std::int64_t>(random() % 3'000'000'000));
      const auto points = static_cast<std::int64_t>(random() % 4);
      const TimePoint now = TimePoint(1h) + at;
      if (GetParam() == Kind::kConcurrency && held > 0 && random() % 2 == 0) {
        window.Release();
        --held;
      }
      const RateDecision decision = window.Ask(now, SystemTime(at), points);
      EXPECT_GE(decision.remaining, 0);
      EXPECT_LE(decision.remaining, kMax);
      if (!decision.admitted) {
        EXPECT_GT(decision.retry_after, 0s);
        const bool permits = GetParam() == Kind::kConcurrency;
        const TimePoint later = now + decision.retry_after;
        RateWindow copy = window;
        EXPECT_TRUE(permits || !copy.Ask(later - 1ns, SystemTime(), points).admitted);
        copy = window;
        EXPECT_TRUE(permits || copy.Ask(later, SystemTime(), points).admitted);
        continue;
      }
      window.Take(now, SystemTime(at), points);
      held += points;
      EXPECT_TRUE(GetParam() != Kind::kConcurrency || held <= kMax);
      admitted.push_back({at, points});
    }
    return admitted;
  }
};

TEST_P(RateWindowPropertyTest, NeverAdmitsMoreThanItsMaximumAndWaitsExactlyAsLongAsItSays) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::vector<Admitted> admitted = Play(seed);
    ASSERT_GT(admitted.size(), 50U);
    if (GetParam() == Kind::kConcurrency) continue;
    Duration window_start = -kWindow;
    std::int64_t in_window = 0;
    for (std::size_t first = 0; first < admitted.size(); ++first) {
      if (admitted[first].points > 0 && admitted[first].at - window_start >= kWindow) {
        window_start = admitted[first].at;
        in_window = 0;
      }
      in_window += admitted[first].points;
      EXPECT_TRUE(GetParam() != Kind::kFixed || in_window <= kMax);
      std::int64_t points = 0;
      for (std::size_t last = first; last < admitted.size(); ++last) {
        points += admitted[last].points;
        const Duration length = admitted[last].at - admitted[first].at;
        EXPECT_TRUE(GetParam() != Kind::kSliding || length >= kWindow || points <= kMax);
        const bool bucket = GetParam() == Kind::kTokenBucket || GetParam() == Kind::kLeakyBucket;
        // points <= max + max * length / window, without a division.
        EXPECT_TRUE(!bucket || (points - kMax) * kWindow.count() <= kMax * length.count());
      }
    }
  }
}

std::string KindName(const ::testing::TestParamInfo<Kind>& test) {
  static constexpr std::array<const char*, 5> kNames = {"Fixed", "Sliding", "TokenBucket",
                                                        "LeakyBucket", "Concurrency"};
  return kNames[static_cast<std::size_t>(test.param)];
}

INSTANTIATE_TEST_SUITE_P(Kinds, RateWindowPropertyTest,
                         ::testing::Values(Kind::kFixed, Kind::kSliding, Kind::kTokenBucket,
                                           Kind::kLeakyBucket, Kind::kConcurrency),
                         KindName);

}  // namespace
}  // namespace understudy::harness
