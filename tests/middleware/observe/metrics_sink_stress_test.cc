// Many threads publish while others scrape: nothing is lost, no page is malformed, no counter runs
// backwards. Run under TSan as well.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/observe/metrics_sink.h"
#include "tests/middleware/observe/prometheus_text.h"

namespace understudy {
namespace {

using ::testing::IsEmpty;

constexpr int kThreads = 10;  // More than there are shards.
constexpr int kRounds = 2000;

void PublishCalls(MetricsSink& sink, int thread) {
  for (int i = 0; i < kRounds; ++i) {
    // Some operations are shared, some are new for ever.
    const std::string operation =
        i % 3 == 0 ? "shared" : "op." + std::to_string(thread) + "." + std::to_string(i);
    sink.Publish("call.start", {{"operation", std::string_view(operation)}});
    sink.Publish("retry", {{"operation", std::string_view(operation)}, {"reason", "503"}});
    sink.Publish("breaker", {{"name", "vendor"}, {"from", "closed"}, {"to", "open"}});
    sink.Publish("call.end", {{"operation", std::string_view(operation)},
                              {"ok", true},
                              {"status", 200},
                              {"attempts", 2},
                              {"duration", std::chrono::milliseconds(i)},
                              {"fallback", false}});
  }
}

TEST(MetricsSinkStressTest, NothingIsLostAndEveryPageIsValid) {
  MetricsSinkOptions options;
  options.series_max = 200;
  MetricsSink sink(options);
  std::atomic<bool> done{false};
  std::thread scraper([&] {
    double before = 0;
    do {
      std::string text;
      sink.WriteText(text);
      const test::PrometheusPage page(text);
      ASSERT_THAT(page.problems(), IsEmpty());
      const double calls = page.SumOf("understudy_calls_total");
      EXPECT_GE(calls, before);
      EXPECT_GE(page.SumOf("understudy_calls_in_flight"), 0);
      before = calls;
    } while (!done);
  });
  std::vector<std::thread> publishers;
  for (int thread = 0; thread < kThreads; ++thread) {
    publishers.emplace_back([&sink, thread] { PublishCalls(sink, thread); });
  }
  for (std::thread& publisher : publishers) publisher.join();
  done = true;
  scraper.join();

  std::string text;
  sink.WriteText(text);
  const test::PrometheusPage page(text);
  constexpr double kCalls = kThreads * kRounds;
  EXPECT_EQ(page.SumOf("understudy_calls_total"), kCalls);
  EXPECT_EQ(page.SumOf("understudy_attempts_total"), 2 * kCalls);
  EXPECT_EQ(page.SumOf("understudy_call_duration_seconds_count"), kCalls);
  EXPECT_EQ(page.SumOf("understudy_calls_in_flight"), 0);
  EXPECT_EQ(page.SumOf("understudy_retries_total"), kCalls);
  EXPECT_EQ(page.SumOf("understudy_breaker_transitions_total"), kCalls);
  EXPECT_LE(page.SeriesOf("understudy_calls_total"), options.series_max);
  EXPECT_EQ(page.Value(R"(understudy_calls_total{operation="shared",outcome="ok"})"),
            kThreads * ((kRounds + 2) / 3));
}

TEST(MetricsSinkStressTest, ThreadsThatComeAndGoLoseNothing) {
  MetricsSink sink;
  constexpr int kGenerations = 40;
  for (int i = 0; i < kGenerations; ++i) {
    std::vector<std::thread> threads;
    for (int j = 0; j < 4; ++j) threads.emplace_back([&sink] { sink.Publish("effect", {}); });
    for (std::thread& thread : threads) thread.join();
  }
  std::string text;
  sink.WriteText(text);
  EXPECT_EQ(test::PrometheusPage(text).Value(R"(understudy_unknown_events_total{event="effect"})"),
            4 * kGenerations);
}

}  // namespace
}  // namespace understudy
