#include "middleware/observe/collectors.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/observe/metrics_sink.h"
#include "tests/middleware/observe/prometheus_text.h"
#include "tests/support/test_runtime.h"

namespace understudy {
namespace {

using ::testing::IsEmpty;

test::PrometheusPage PageOf(const MetricsSink& sink) {
  std::string text;
  sink.WriteText(text);
  test::PrometheusPage page(text);
  EXPECT_THAT(page.problems(), IsEmpty()) << text;
  return page;
}

class CollectBreakersTest : public ::testing::Test {
 protected:
  CollectBreakersTest() {
    CircuitBreakerOptions options;
    options.failures = 1;
    breaker_ = breakers_->Get({"stripe", "https://api.stripe.com", ""}, options, "stripe").value();
    metrics_.AddCollector(CollectBreakers(breakers_));
  }
  double State() { return PageOf(metrics_).Value(R"(understudy_breaker_state{name="stripe"})"); }

  test::TestRuntime world_ = test::TestRuntime();
  std::shared_ptr<BreakerRegistry> breakers_ = std::make_shared<BreakerRegistry>(world_.runtime());
  std::shared_ptr<CircuitBreaker> breaker_ = {};
  MetricsSink metrics_ = MetricsSink();
};

TEST_F(CollectBreakersTest, ABreakerShowsBeforeItHasPublishedAnything) { EXPECT_EQ(State(), 0); }

TEST_F(CollectBreakersTest, CountsWhatABreakerDid) {
  breaker_->TryAcquire().value().Record(BreakerOutcome::kFailure);
  EXPECT_FALSE(breaker_->TryAcquire());
  EXPECT_EQ(State(), 2);
  const test::PrometheusPage page = PageOf(metrics_);
  EXPECT_EQ(page.Value(R"(understudy_breaker_opened_total{name="stripe"})"), 1);
  EXPECT_EQ(page.Value(R"(understudy_breaker_failures_total{name="stripe"})"), 1);
  EXPECT_EQ(page.Value(R"(understudy_breaker_rejected_total{name="stripe",why="open"})"), 1);
  EXPECT_EQ(page.Value(R"(understudy_breaker_rejected_total{name="stripe",why="half-open"})"), 0);
}

TEST_F(CollectBreakersTest, ABreakerThatAnOperatorShutIsNotShownAsClosed) {
  breaker_->SetMode(BreakerMode::kForcedOpen);
  EXPECT_EQ(State(), 2);
  breaker_->SetMode(BreakerMode::kNormal);
  EXPECT_EQ(State(), 0);
  const CircuitBreaker::Isolation isolation = breaker_->Isolate();
  EXPECT_EQ(State(), 2);
}

TEST(CollectBulkheadTest, ShowsThePlacesInUse) {
  test::FakeClock clock;
  const auto bulkhead = std::make_shared<Bulkhead>(BulkheadOptions(), clock);
  MetricsSink metrics;
  metrics.AddCollector(CollectBulkhead("stripe", bulkhead));
  const auto place = bulkhead->Acquire({});
  EXPECT_EQ(PageOf(metrics).Value(R"(understudy_bulkhead_in_use{name="stripe"})"), 1);
  EXPECT_EQ(PageOf(metrics).Value(R"(understudy_bulkhead_limit{name="stripe"})"),
            BulkheadOptions().concurrent_max);
  EXPECT_EQ(PageOf(metrics).Value(R"(understudy_bulkhead_refused_total{name="stripe"})"), 0);
  EXPECT_EQ(PageOf(metrics).Value(R"(understudy_bulkhead_waiting{name="stripe"})"), 0);
}

TEST(CollectRetryBudgetTest, ShowsTheTokens) {
  test::FakeClock clock;
  const auto budget = std::make_shared<RetryBudget>(RetryBudgetOptions(), clock);
  MetricsSink metrics;
  metrics.AddCollector(CollectRetryBudget("stripe", budget));
  ASSERT_TRUE(budget->TryWithdraw());
  EXPECT_EQ(PageOf(metrics).Value(R"(understudy_retry_budget_tokens{name="stripe"})"), 9);
}

}  // namespace
}  // namespace understudy
