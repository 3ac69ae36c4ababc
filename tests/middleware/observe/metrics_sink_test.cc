#include "middleware/observe/metrics_sink.h"

#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/middleware/observe/prometheus_text.h"

namespace understudy {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

test::PrometheusPage PageOf(const MetricsSink& sink) {
  std::string text;
  sink.WriteText(text);
  test::PrometheusPage page(text);
  EXPECT_THAT(page.problems(), IsEmpty()) << text;
  return page;
}

void EndCall(MetricsSink& sink, std::string_view operation, Field answer, bool ok,
             Duration duration = milliseconds(20), int attempts = 1, bool fallback = false) {
  sink.Publish("call.end", {{"operation", operation},
                            {"ok", ok},
                            answer,
                            {"reason", ""},
                            {"attempts", attempts},
                            {"duration", duration},
                            {"fallback", fallback}});
}

TEST(MetricsSinkTest, ANewPageIsValidAndShowsTheFamiliesWithoutLabels) {
  const MetricsSink sink;
  const test::PrometheusPage page = PageOf(sink);
  EXPECT_EQ(page.Value("understudy_rate_limit_wait_seconds_count"), 0);
  EXPECT_EQ(page.Value("understudy_samples_refused_total"), 0);
  EXPECT_EQ(page.Value(R"(understudy_series_dropped_total{family="understudy_calls_total"})"), 0);
}

struct OutcomeCase {
  std::string name;
  Field answer;
  bool ok;
  bool fallback;
  std::string outcome;
};

class CallOutcomeTest : public ::testing::TestWithParam<OutcomeCase> {};

TEST_P(CallOutcomeTest, IsALabelOfTheCall) {
  MetricsSink sink;
  EndCall(sink, "op", GetParam().answer, GetParam().ok, milliseconds(1), 1, GetParam().fallback);
  const test::PrometheusPage page = PageOf(sink);
  EXPECT_EQ(
      page.Value("understudy_calls_total{operation=\"op\",outcome=\"" + GetParam().outcome + "\"}"),
      1);
  EXPECT_EQ(page.SumOf("understudy_calls_total"), 1);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, CallOutcomeTest,
    ::testing::Values(OutcomeCase{"Ok", {"status", 204}, true, false, "ok"},
                      OutcomeCase{"Fallback", {"status", 200}, true, true, "fallback"},
                      OutcomeCase{"ClientError", {"status", 404}, false, false, "4xx"},
                      OutcomeCase{"ServerError", {"status", 599}, false, false, "5xx"},
                      OutcomeCase{"NoSuchStatus", {"status", 99}, false, false, "unknown"},
                      OutcomeCase{"StatusTooLarge", {"status", 600}, false, false, "unknown"},
                      OutcomeCase{"Error", {"error", "circuit-open"}, false, false, "circuit-open"},
                      OutcomeCase{"NeitherOfBoth", {"else", 1}, false, false, "unknown"}),
    [](const auto& test) { return test.param.name; });

TEST(MetricsSinkTest, ACallCountsItsAttemptsAndItsTime) {
  MetricsSink sink;
  EndCall(sink, "op", {"status", 200}, true, milliseconds(20), 1);
  EndCall(sink, "op", {"status", 503}, false, milliseconds(1500), 3);
  const test::PrometheusPage page = PageOf(sink);
  EXPECT_EQ(page.Value(R"(understudy_attempts_total{operation="op"})"), 4);
  EXPECT_EQ(page.Value(R"(understudy_call_duration_seconds_count{operation="op"})"), 2);
  EXPECT_EQ(page.Value(R"(understudy_call_duration_seconds_sum{operation="op"})"), 1.52);
  EXPECT_EQ(page.Value(R"(understudy_call_duration_seconds_bucket{operation="op",le="0.025"})"), 1);
  EXPECT_EQ(page.Value(R"(understudy_call_duration_seconds_bucket{operation="op",le="1"})"), 1);
  EXPECT_EQ(page.Value(R"(understudy_call_duration_seconds_bucket{operation="op",le="2.5"})"), 2);
  EXPECT_EQ(page.TypeOf("understudy_call_duration_seconds"), "histogram");
}

TEST(MetricsSinkTest, AnObservationOnABoundBelongsToItsBucket) {
  MetricsSinkOptions options;
  options.call_buckets = {milliseconds(10), seconds(1)};
  MetricsSink sink(options);
  EndCall(sink, "op", {"status", 200}, true, milliseconds(10));
  EndCall(sink, "op", {"status", 200}, true, milliseconds(10) + nanoseconds(1));
  const test::PrometheusPage page = PageOf(sink);
  EXPECT_EQ(page.Value(R"(understudy_call_duration_seconds_bucket{operation="op",le="0.01"})"), 1);
  EXPECT_EQ(page.Value(R"(understudy_call_duration_seconds_sum{operation="op"})"), 0.020000001);
}

TEST(MetricsSinkTest, ImpossibleDurationsAndAttemptsDoNotSpoilTheSums) {
  MetricsSink sink;
  EndCall(sink, "op", {"status", 200}, true, Duration::min(), -5);
  EndCall(sink, "op", {"status", 200}, true, Duration::max(), 1);
  const test::PrometheusPage page = PageOf(sink);
  EXPECT_EQ(page.Value(R"(understudy_call_duration_seconds_sum{operation="op"})"),
            std::chrono::duration_cast<seconds>(hours(24 * 30)).count());
  EXPECT_EQ(page.Value(R"(understudy_attempts_total{operation="op"})"), 1);
}

TEST(MetricsSinkTest, CallsInFlightAreThoseThatHaveNotEnded) {
  MetricsSink sink;
  for (int i = 0; i < 3; ++i)
    sink.Publish("call.start", {{"operation", "op"}, {"method", "GET"}, {"path", "/"}});
  EndCall(sink, "op", {"status", 200}, true);
  EXPECT_EQ(PageOf(sink).Value(R"(understudy_calls_in_flight{operation="op"})"), 2);
}

TEST(MetricsSinkTest, RetriesCountByReason) {
  MetricsSink sink;
  for (const char* reason : {"503", "timeout", "503"}) {
    sink.Publish("retry", {{"operation", "op"},
                           {"attempt", 2},
                           {"delay", milliseconds(100)},
                           {"reason", reason},
                           {"hint", false}});
  }
  const test::PrometheusPage page = PageOf(sink);
  EXPECT_EQ(page.Value(R"(understudy_retries_total{operation="op",reason="503"})"), 2);
  EXPECT_EQ(page.Value(R"(understudy_retries_total{operation="op",reason="timeout"})"), 1);
}

TEST(MetricsSinkTest, ABreakerShowsItsLastStateAndAllTransitions) {
  MetricsSink sink;
  const auto move = [&](const char* from, const char* to) {
    sink.Publish("breaker", {{"name", "stripe"}, {"from", from}, {"to", to}, {"reason", "r"}});
    return PageOf(sink).Value(R"(understudy_breaker_state{name="stripe"})");
  };
  EXPECT_EQ(move("closed", "open"), 2);
  EXPECT_EQ(move("open", "half-open"), 1);
  EXPECT_EQ(move("half-open", "closed"), 0);
  EXPECT_EQ(move("closed", "sideways"), 3);
  EXPECT_EQ(
      PageOf(sink).Value(
          R"(understudy_breaker_transitions_total{from="open",name="stripe",to="half-open"})"),
      1);
}

struct ModeCase {
  std::string name;
  std::string mode;
  bool isolated;
  double level;
  std::string label;
};

class BreakerModeTest : public ::testing::TestWithParam<ModeCase> {};

TEST_P(BreakerModeTest, SetsWhatTheBreakerAdmits) {
  MetricsSink sink;
  sink.Publish("breaker", {{"name", "b"}, {"from", "half-open"}, {"to", "half-open"}});
  sink.Publish("breaker.mode", {{"name", "b"},
                                {"mode", std::string_view(GetParam().mode)},
                                {"isolated", GetParam().isolated}});
  const test::PrometheusPage page = PageOf(sink);
  EXPECT_EQ(page.Value(R"(understudy_breaker_state{name="b"})"), GetParam().level);
  EXPECT_EQ(
      page.Value("understudy_breaker_modes_total{mode=\"" + GetParam().label + "\",name=\"b\"}"),
      1);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, BreakerModeTest,
    ::testing::Values(ModeCase{"Normal", "normal", false, 0, "normal"},
                      ModeCase{"Isolated", "normal", true, 2, "isolated"},
                      ModeCase{"Forced", "forced-open", false, 2, "forced-open"},
                      ModeCase{"Disabled", "disabled", false, 0, "disabled"},
                      ModeCase{"MetricsOnly", "metrics-only", false, 0, "metrics-only"},
                      ModeCase{"Unknown", "odd", false, 3, "odd"}),
    [](const auto& test) { return test.param.name; });

TEST(MetricsSinkTest, OnlyWaitsThatWereWaitedAreObserved) {
  MetricsSink sink;
  for (const char* event : {"rate_limit", "bulkhead"}) {
    sink.Publish(event, {{"operation", "op"}, {"decision", "waited"}, {"wait", milliseconds(200)}});
    sink.Publish(event, {{"operation", "op"}, {"decision", "refused"}, {"wait", seconds(30)}});
    sink.Publish(event, {{"operation", "op"}, {"decision", "odd"}});
    sink.Publish(event, {{"decision", "throttled"}, {"wait", seconds(9)}});
    sink.Publish(event, {{"decision", "quota-waited"}, {"wait", milliseconds(50)}});
  }
  const test::PrometheusPage page = PageOf(sink);
  for (const std::string family : {"understudy_rate_limit", "understudy_bulkhead"}) {
    EXPECT_EQ(page.Value(family + "_total{decision=\"waited\"}"), 1);
    EXPECT_EQ(page.Value(family + "_total{decision=\"refused\"}"), 1);
    EXPECT_EQ(page.Value(family + "_wait_seconds_count"), 2);
    EXPECT_EQ(page.Value(family + "_wait_seconds_sum"), 0.25);
  }
}

struct CountedCase {
  std::string name;
  std::string event;
  std::vector<Field> fields;
  std::string series;
};

class CountedEventTest : public ::testing::TestWithParam<CountedCase> {};

TEST_P(CountedEventTest, AddsOneToItsSeries) {
  MetricsSink sink;
  sink.Publish(GetParam().event, GetParam().fields);
  sink.Publish(GetParam().event, GetParam().fields);
  EXPECT_EQ(PageOf(sink).Value(GetParam().series), 2);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, CountedEventTest,
    ::testing::Values(
        CountedCase{"Deadline",
                    "deadline",
                    {{"operation", "op"}, {"phase", "backoff"}},
                    R"(understudy_deadline_total{phase="backoff"})"},
        CountedCase{"Fallback",
                    "fallback",
                    {{"reason", "timeout"}, {"served", true}},
                    R"(understudy_fallback_total{reason="timeout",served="true"})"},
        CountedCase{"TokenRefresh",
                    "token.refresh",
                    {{"key", "k"}, {"phase", "failed"}},
                    R"(understudy_token_refresh_total{phase="failed"})"},
        CountedCase{"Cache",
                    "cache",
                    {{"operation", "op"}, {"result", "hit"}},
                    R"(understudy_cache_total{result="hit"})"},
        CountedCase{"Hedge",
                    "hedge",
                    {{"operation", "op"}, {"result", "won"}},
                    R"(understudy_hedge_total{result="won"})"},
        CountedCase{"HedgeDecision",
                    "hedge",
                    {{"operation", "op"}, {"decision", "sent"}},
                    R"(understudy_hedge_total{result="sent"})"},
        CountedCase{"Failover",
                    "failover",
                    {{"chain", "pay"}, {"from", "a"}, {"to", "b"}},
                    R"(understudy_failover_total{chain="pay",from="a",to="b"})"},
        CountedCase{"FailoverToNobody",
                    "failover",
                    {{"chain", "pay"}, {"from", "b"}, {"to", ""}},
                    R"(understudy_failover_total{chain="pay",from="b",to="none"})"},
        CountedCase{"BreakerShadow",
                    "breaker.shadow",
                    {{"name", "b"}, {"reason", "r"}},
                    R"(understudy_breaker_shadow_total{name="b"})"},
        CountedCase{
            "WebhookReceived",
            "webhook.received",
            {{"provider", "stripe"}, {"outcome", "queued"}, {"status", 200}, {"duplicate", false}},
            R"(understudy_webhook_received_total{duplicate="false",outcome="queued",provider="stripe"})"},
        CountedCase{"WebhookProcessed",
                    "webhook.processed",
                    {{"provider", "stripe"}, {"outcome", "dead"}, {"attempt", 3}},
                    R"(understudy_webhook_processed_total{outcome="dead",provider="stripe"})"},
        CountedCase{
            "HealthChanged",
            "health.changed",
            {{"name", "stripe"}, {"from", "unknown"}, {"to", "healthy"}, {"code", "ok"}},
            R"(understudy_health_changes_total{from="unknown",name="stripe",to="healthy"})"},
        CountedCase{"HealthCheck",
                    "health.check",
                    {{"name", "stripe"}, {"outcome", "failed"}, {"code", "timeout"}},
                    R"(understudy_health_checks_total{name="stripe",outcome="failed"})"},
        CountedCase{"HealthReady",
                    "health.ready",
                    {{"ready", false}, {"status", "unhealthy"}},
                    R"(understudy_health_ready_changes_total{ready="false"})"},
        CountedCase{"JobRun",
                    "job.run",
                    {{"job", "token.refresh"}, {"outcome", "timeout"}},
                    R"(understudy_job_runs_total{job="token.refresh",outcome="timeout"})"},
        CountedCase{"JobOverdue",
                    "job.overdue",
                    {{"job", "token.refresh"}},
                    R"(understudy_job_overdue_total{job="token.refresh"})"},
        CountedCase{"Unknown",
                    "effect",
                    {{"kind", "x"}},
                    R"(understudy_unknown_events_total{event="effect"})"},
        CountedCase{"FieldsMissing",
                    "fallback",
                    {},
                    R"(understudy_fallback_total{reason="unknown",served="unknown"})"},
        CountedCase{"FieldOfAnotherType",
                    "deadline",
                    {{"phase", 3}},
                    R"(understudy_deadline_total{phase="unknown"})"}),
    [](const auto& test) { return test.param.name; });

TEST(MetricsSinkTest, WhatAVendorOrCallerInventsCannotBreakThePage) {
  MetricsSink sink;
  const std::string hostile("\"} 1\nevil{\\\x00\x1b\xff\xe2\x80\xae", 17);
  EndCall(sink, hostile, {"error", std::string_view(hostile)}, false);
  sink.Publish(hostile, {});
  sink.Publish("retry",
               {{"operation", std::string_view(hostile)}, {"reason", std::string_view(hostile)}});
  const test::PrometheusPage page = PageOf(sink);
  EXPECT_EQ(page.SumOf("understudy_calls_total"), 1);
  EXPECT_EQ(page.SumOf("understudy_unknown_events_total"), 1);
}

TEST(MetricsSinkTest, OperationsWithIdsEndAsOther) {
  MetricsSinkOptions options;
  options.series_max = 100;
  MetricsSink sink(options);
  for (int i = 0; i < 5000; ++i) {
    const std::string operation = "order." + std::to_string(i);
    sink.Publish("call.start", {{"operation", std::string_view(operation)}});
    EndCall(sink, operation, {"status", i % 2 == 0 ? 200 : 500}, i % 2 == 0);
  }
  const test::PrometheusPage page = PageOf(sink);
  EXPECT_LE(page.SeriesOf("understudy_calls_total"), 100u);
  EXPECT_LE(page.SeriesOf("understudy_call_duration_seconds_count"), 100u);
  EXPECT_EQ(page.SumOf("understudy_calls_total"), 5000);
  EXPECT_EQ(page.SumOf("understudy_attempts_total"), 5000);
  EXPECT_EQ(page.SumOf("understudy_calls_in_flight"), 0);
  // What became of the calls is still to be seen.
  EXPECT_GT(page.Value(R"(understudy_calls_total{operation="other",outcome="5xx"})"), 2000);
  EXPECT_EQ(page.Value(R"(understudy_series_dropped_total{family="understudy_calls_total"})"),
            page.Value(R"(understudy_calls_total{operation="other",outcome="5xx"})") +
                page.Value(R"(understudy_calls_total{operation="other",outcome="ok"})"));
}

TEST(MetricsSinkTest, EqualEventsGiveEqualPagesInWhateverOrder) {
  MetricsSink one;
  MetricsSink two;
  for (int i = 0; i < 20; ++i) {
    EndCall(one, "op" + std::to_string(i), {"status", 200}, true);
    EndCall(two, "op" + std::to_string(19 - i), {"status", 200}, true);
  }
  std::string first;
  std::string second;
  one.WriteText(first);
  two.WriteText(second);
  EXPECT_EQ(first, second);
}

TEST(MetricsSinkTest, WriteTextAppends) {
  const MetricsSink sink;
  std::string text = "# what the application writes itself\n";
  sink.WriteText(text);
  EXPECT_TRUE(text.starts_with("# what the application writes itself\n# HELP "));
}

TEST(MetricsSinkTest, CollectorsAreAskedAtEveryScrape) {
  MetricsSink sink;
  int length = 3;
  sink.AddCollector([&](MetricsWriter& writer) {
    writer.Gauge("app_queue_length", "Jobs that wait.", {{"queue", "mail"}}, length);
  });
  EXPECT_EQ(PageOf(sink).Value(R"(app_queue_length{queue="mail"})"), 3);
  length = 4;
  EXPECT_EQ(PageOf(sink).Value(R"(app_queue_length{queue="mail"})"), 4);
}

TEST(MetricsSinkTest, ASampleOfACollectorReplacesOneFromEvents) {
  MetricsSink sink;
  sink.Publish("breaker", {{"name", "stripe"}, {"from", "closed"}, {"to", "open"}});
  sink.AddCollector([](MetricsWriter& writer) {
    writer.Gauge("understudy_breaker_state", "State.", {{"name", "stripe"}}, 1);
  });
  EXPECT_EQ(PageOf(sink).Value(R"(understudy_breaker_state{name="stripe"})"), 1);
}

TEST(MetricsSinkTest, ACollectorThatMisbehavesIsCountedAndThePageStaysValid) {
  MetricsSink sink;
  sink.AddCollector([](MetricsWriter& writer) {
    writer.Gauge("not a name", "No.", {}, 1);
    writer.Gauge("understudy_calls_total", "Another type.", {}, 1);
  });
  EndCall(sink, "op", {"status", 200}, true);
  EXPECT_EQ(PageOf(sink).Value("understudy_samples_refused_total"), 2);
}

TEST(MetricsSinkTest, ACollectorMayPublishAndAddCollectors) {
  MetricsSink sink;
  bool added = false;
  sink.AddCollector([&](MetricsWriter&) {
    sink.Publish("effect", {});
    if (!std::exchange(added, true)) {
      sink.AddCollector([](MetricsWriter& writer) { writer.Gauge("late", "Late.", {}, 1); });
    }
  });
  EXPECT_FALSE(PageOf(sink).Has("late"));
  EXPECT_TRUE(PageOf(sink).Has("late"));
}

TEST(MetricsSinkTest, ListsEveryProblemOfItsOptions) {
  EXPECT_THAT(FindProblems(MetricsSinkOptions()), IsEmpty());
  MetricsSinkOptions options;
  options.series_max = 15;
  options.call_buckets = {};
  options.wait_buckets = {seconds(1), seconds(1)};
  const Problems problems = FindProblems(options);
  ASSERT_EQ(problems.size(), 3u);
  EXPECT_THAT(problems[0], HasSubstr("series_max is 15"));
  EXPECT_THAT(problems[1], HasSubstr("call_buckets has 0 bounds"));
  EXPECT_THAT(problems[2], HasSubstr("wait_buckets holds 1s after 1s"));
}

TEST(MetricsSinkTest, TheBoundsOfTheOptionsAreAllowed) {
  MetricsSinkOptions options;
  options.series_max = 16;
  options.call_buckets.clear();
  for (int i = 1; i <= 32; ++i) options.call_buckets.emplace_back(seconds(i));
  EXPECT_THAT(FindProblems(options), IsEmpty());
  MetricsSink sink(options);
  EndCall(sink, "op", {"status", 200}, true, seconds(33));
  EXPECT_EQ(
      PageOf(sink).Value(R"(understudy_call_duration_seconds_bucket{operation="op",le="+Inf"})"),
      1);
  options.series_max = 100'000;
  options.wait_buckets = {Duration::max()};
  EXPECT_THAT(FindProblems(options), IsEmpty());
  options.call_buckets.emplace_back(seconds(33));
  options.wait_buckets = {Duration::zero()};
  options.series_max = std::numeric_limits<std::size_t>::max();
  EXPECT_EQ(FindProblems(options).size(), 3u);
}

TEST(MetricsSinkDeathTest, RefusesProblemsAndEmptyCollectors) {
  MetricsSinkOptions options;
  options.series_max = 0;
  EXPECT_DEATH(MetricsSink{options}, "invalid metrics options");
  MetricsSink sink;
  EXPECT_DEATH(sink.AddCollector(nullptr), "empty collector");
}

}  // namespace
}  // namespace understudy
