#include "middleware/client/call_scope.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/middleware/client/client_test_support.h"

namespace understudy {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals

constexpr TimePoint kNow = TimePoint(5h);

TEST(CallScopeTest, TakesTheDeadlineOfTheCaller) {
  std::stop_source source;
  const auto scope = CallScope::From({{"X-Request-Timeout-Ms", "900"}}, kNow, {.reserve = 100ms},
                                     source.get_token());
  ASSERT_TRUE(scope);
  EXPECT_EQ(scope->deadline.Remaining(kNow), 800ms);
  source.request_stop();
  EXPECT_TRUE(scope->stop.stop_requested());
}

TEST(CallScopeTest, WithoutACallersDeadlineOnlyOurOwnCounts) {
  const CallScope scope = CallScope::From({}, kNow).value();
  EXPECT_FALSE(scope.deadline.reachable());
  EXPECT_EQ(scope.Within(Deadline::After(kNow, 5s)).deadline.Remaining(kNow), 5s);
}

TEST(CallScopeTest, ABrokenHeaderIsForTheApplicationToJudge) {
  EXPECT_EQ(CallScope::From({{"X-Request-Timeout-Ms", "soon"}}, kNow).error().reason,
            "deadline-header");
}

TEST(CallScopeTest, DL3_NestingOnlyTightens) {
  const CallScope outer{.deadline = Deadline::After(kNow, 1s)};
  EXPECT_EQ(outer.Within(Deadline::After(kNow, 5s)).deadline, outer.deadline);
  EXPECT_EQ(outer.Within(Deadline::After(kNow, 300ms)).deadline.Remaining(kNow), 300ms);
  EXPECT_EQ(outer.WithReserve(200ms).deadline.Remaining(kNow), 800ms);
  EXPECT_EQ(outer.WithReserve(-1s).deadline, outer.deadline);
  EXPECT_EQ(outer.deadline.Remaining(kNow), 1s);
}

TEST(CallScopeTest, OptionsKeepWhatTheCallAsksForItself) {
  std::stop_source outer;
  std::stop_source own;
  const CallScope scope{.deadline = Deadline::After(kNow, 1s), .stop = outer.get_token()};
  const CallOptions options = scope.ToOptions("op", {.timeout = 100ms,
                                                     .deadline = Deadline::After(kNow, 10ms),
                                                     .idempotency_key = "k",
                                                     .stop = own.get_token()});
  EXPECT_EQ(options.operation, "op");
  EXPECT_EQ(options.timeout, 100ms);
  EXPECT_EQ(options.deadline.Remaining(kNow), 10ms);
  EXPECT_EQ(options.idempotency_key, "k");
  EXPECT_EQ(options.stop, outer.get_token());
  EXPECT_EQ(CallScope{}.ToOptions("op", {.stop = own.get_token()}).stop, own.get_token());
  EXPECT_EQ(scope.ToOptions("op").deadline, scope.deadline);
}

TEST(CallScopeTest, CarriesTheTraceOfTheCaller) {
  const std::string parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  http::Headers headers;
  ASSERT_TRUE(headers.Add("traceparent", parent));
  ASSERT_TRUE(headers.Add("tracestate", "a=b"));
  const CallScope scope = CallScope::From(headers, kNow).value();
  const CallOptions options = scope.ToOptions("op", {.traceparent = "another"});
  EXPECT_EQ(options.traceparent, parent);
  EXPECT_EQ(options.tracestate, "a=b");
  EXPECT_EQ(CallScope{}.ToOptions("op", {.traceparent = parent}).traceparent, parent);
}

TEST(CallScopeTest, AMalformedTraceIsNoneAndNoError) {
  EXPECT_EQ(CallScope::From({{"traceparent", "00-zz"}}, kNow).value().traceparent, "");
}

TEST(CallScopeTest, DL2_CarriesDeadlineAndStopIntoAnotherThread) {
  test::ClientWorld w;
  ClientBuilder builder = w.Builder();
  w.Use(builder.TotalDeadline(10s));
  w.vendor.Answer(200);
  std::stop_source source;
  const TimePoint start = w.world.clock.Now();
  const CallScope scope{.deadline = Deadline::After(start, 1s), .stop = source.get_token()};
  w.world.clock.Advance(300ms);  // In a queue, on the way to the worker.
  std::jthread([&w, scope] {
    EXPECT_TRUE(w.Get(scope.WithReserve(100ms).ToOptions("op")));
  }).join();
  EXPECT_EQ(w.vendor.sent().at(0).deadline, Deadline::At(start + 900ms));
  source.request_stop();
  std::jthread([&w, scope] {
    EXPECT_EQ(w.Get(scope.ToOptions("op")).error().code, ErrorCode::kCancelled);
  }).join();
}

}  // namespace
}  // namespace understudy
