#include "middleware/client/bulkhead_interceptor.h"

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/scripted_transport.h"
#include "tests/support/test_runtime.h"

namespace understudy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

BulkheadOptions Adaptive() {
  BulkheadOptions options;
  options.queue_max = 0;
  options.adaptive = AdaptiveLimitOptions{.initial = 2, .max = 4, .backoff = 0.5};
  return options;
}

class BulkheadInterceptorTest : public ::testing::Test {
 protected:
  Result<http::Response> Call(BulkheadInterceptor& bulkhead) {
    http::Request request;
    CallContext context({});
    Result<http::Response> result = bulkhead.Intercept(request, context, Next({}, vendor_));
    explained_ = context.decisions();
    return result;
  }

  test::TestRuntime world_;
  test::ScriptedTransport vendor_{world_.clock};
  std::vector<Decision> explained_;  // By the last call that ended.
};

struct SampleCase {
  const char* name;
  Result<http::Response> result;
  int limit;  // From 2: a sample makes it 3, a drop 1.
};

http::Response Status(int status) { return {status, {}, {}}; }

Error Failed(ErrorCode code, Delivery delivery, Origin origin = Origin::kRemote) {
  return {code, "failed", delivery, origin, {}, {}};
}

class BulkheadSampleTest : public BulkheadInterceptorTest,
                           public ::testing::WithParamInterface<SampleCase> {};

// Reference resilience 4.3, column "adaptive limit".
TEST_P(BulkheadSampleTest, MovesTheLimitByTheOutcome) {
  BulkheadInterceptor bulkhead(Adaptive(), world_.runtime());
  vendor_.Call([&](const http::Request&) { return GetParam().result; });
  EXPECT_EQ(Call(bulkhead).has_value(), GetParam().result.has_value());
  EXPECT_EQ(bulkhead.Snapshot().limit, GetParam().limit);
  EXPECT_EQ(bulkhead.Snapshot().in_use, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, BulkheadSampleTest,
    ::testing::Values(
        SampleCase{"Ok", Status(200), 3}, SampleCase{"NotFound", Status(404), 3},
        SampleCase{"Unauthorized", Status(401), 2}, SampleCase{"ServerError", Status(500), 3},
        SampleCase{"Throttled", Status(429), 1}, SampleCase{"BadGateway", Status(502), 1},
        SampleCase{"Unavailable", Status(503), 1}, SampleCase{"GatewayTimeout", Status(504), 1},
        SampleCase{"NoAnswerInTime", Failed(ErrorCode::kTimeout, Delivery::kMaybeSent), 1},
        SampleCase{"Reset", Failed(ErrorCode::kConnection, Delivery::kMaybeSent), 1},
        SampleCase{"Refused", Failed(ErrorCode::kConnection, Delivery::kNotSent), 2},
        SampleCase{"Cancelled", Failed(ErrorCode::kCancelled, Delivery::kMaybeSent, Origin::kLocal),
                   2},
        SampleCase{"Deadline",
                   Failed(ErrorCode::kDeadlineExceeded, Delivery::kMaybeSent, Origin::kLocal), 2},
        SampleCase{"NoCredentials", Failed(ErrorCode::kAuth, Delivery::kNotSent, Origin::kLocal),
                   2}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_F(BulkheadInterceptorTest, MeasuresTheRoundTripOfTheAttempt) {
  BulkheadOptions options = Adaptive();
  options.adaptive->slow_after = milliseconds(100);
  BulkheadInterceptor bulkhead(options, world_.runtime());
  vendor_.Answer(200).After(milliseconds(100));
  vendor_.Answer(200).After(milliseconds(101));
  EXPECT_TRUE(Call(bulkhead));
  EXPECT_EQ(bulkhead.Snapshot().limit, 3);
  EXPECT_TRUE(Call(bulkhead));
  EXPECT_EQ(bulkhead.Snapshot().limit, 1);
}

TEST(BulkheadInterceptorWaitTest, TheWaitForAPlaceIsNotMeasured) {
  test::TestRuntime world(test::FakeClock::Waits::kBlock);
  test::ScriptedTransport vendor(world.clock);
  vendor.Answer(200).After(seconds(1));
  vendor.Answer(200);
  BulkheadOptions options;
  options.adaptive = AdaptiveLimitOptions{.initial = 1, .max = 2, .slow_after = milliseconds(100)};
  BulkheadInterceptor bulkhead(options, world.runtime());
  const auto call = [&] {
    http::Request request;
    CallContext context({});
    EXPECT_TRUE(bulkhead.Intercept(request, context, Next({}, vendor)));
  };
  std::jthread slow(call);
  world.clock.AwaitSleepers(1);
  std::jthread waiting(call);
  world.clock.AwaitSleepers(2);
  world.clock.Advance(seconds(1));
  slow.join();
  waiting.join();
  EXPECT_EQ(bulkhead.Snapshot().limit, 2) << "the slow one was a drop, the one that waited none";
}

// A clock that counts who asks.
class CountingClock final : public Clock {
 public:
  using Clock::SleepUntil;
  TimePoint Now() const override {
    ++reads;
    return TimePoint();
  }
  SystemTime SystemNow() const override {
    ++reads;
    return SystemTime();
  }
  void SleepUntil(TimePoint) override {}
  bool AwaitUntil(Mutex&, CondVar&, TimePoint, FunctionRef<bool()> predicate) override {
    return predicate();
  }
  mutable int reads = 0;
};

TEST_F(BulkheadInterceptorTest, ReadsNoClockWithoutAnAdaptiveLimit) {
  CountingClock clock;
  Runtime runtime = {clock, world_.executor, world_.random, world_.logger, world_.events};
  vendor_.Answer(200).Forever();
  BulkheadInterceptor fixed({.concurrent_max = 2}, runtime);
  EXPECT_TRUE(Call(fixed));
  EXPECT_EQ(clock.reads, 0);
  BulkheadInterceptor adaptive(Adaptive(), runtime);
  EXPECT_TRUE(Call(adaptive));
  EXPECT_GT(clock.reads, 0);
}

TEST_F(BulkheadInterceptorTest, ExplainsARefusal) {
  BulkheadInterceptor bulkhead({.concurrent_max = 1, .queue_max = 0}, world_.runtime());
  Result<http::Response> inner = Status(0);
  vendor_.Call([&](const http::Request&) {
    inner = Call(bulkhead);
    EXPECT_THAT(explained_,
                ElementsAre(::testing::Field(&Decision::what, HasSubstr("refused: all 1"))));
    return Status(200);
  });
  EXPECT_TRUE(Call(bulkhead));
  EXPECT_TRUE(explained_.empty()) << "an admission needs no explanation";
  ASSERT_FALSE(inner);
  EXPECT_EQ(inner.error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(bulkhead.Snapshot().refused, 1);
}

TEST_F(BulkheadInterceptorTest, DescribesItsLimits) {
  const Runtime runtime = world_.runtime();
  EXPECT_EQ(BulkheadInterceptor({.concurrent_max = 2, .queue_max = 3}, runtime).Describe(),
            "bulkhead: 2 at a time, queue of 3");
  EXPECT_EQ(BulkheadInterceptor(Adaptive(), runtime).Describe(),
            "bulkhead: 1 to 4 at a time, adaptive (aimd) from 2, queue of 0");
}

}  // namespace
}  // namespace understudy
