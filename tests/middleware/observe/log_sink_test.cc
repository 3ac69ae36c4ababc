#include "middleware/observe/log_sink.h"

#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/base/mutex.h"
#include "middleware/base/utf8.h"
#include "tests/support/fake_clock.h"

namespace understudy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Keeps the lines as "level component: message".
class KeepingLogger final : public Logger {
 public:
  void Log(LogLevel level, std::string_view component, std::string_view message) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::string(ToString(level)) + " " + std::string(component) + ": " +
                     std::string(message));
  }
  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

struct World {
  explicit World(const LogSinkOptions& options = {}) : sink(logger, clock, options) {}

  test::FakeClock clock = test::FakeClock();
  KeepingLogger logger = {};
  LogSink sink;
};

LogSinkOptions Everything() {
  LogSinkOptions options;
  options.level_min = LogLevel::kDebug;
  return options;
}

TEST(LogSinkTest, WritesOneLineWithTheFieldsInTheirOrder) {
  World world;
  world.sink.Publish("retry", {{"operation", "charges.create"},
                               {"attempt", 2},
                               {"delay", milliseconds(200)},
                               {"reason", "503"},
                               {"hint", false}});
  EXPECT_THAT(world.logger.lines(),
              ElementsAre("info retry: operation=charges.create attempt=2 delay=200ms reason=503 "
                          "hint=false"));
}

TEST(LogSinkTest, WithoutFieldsTheMessageIsEmpty) {
  World world;
  world.sink.Publish("something", {});
  EXPECT_THAT(world.logger.lines(), ElementsAre("info something: "));
}

TEST(LogSinkTest, DropsWhatIsLessImportantThanAsked) {
  World world;
  world.sink.Publish("call.start", {{"operation", "op"}});
  world.sink.Publish("call.end", {{"operation", "op"}, {"ok", true}});
  EXPECT_THAT(world.logger.lines(), IsEmpty());
}

struct LevelCase {
  std::string name;
  std::string event;
  std::vector<Field> fields;
  LogLevel level;
};

class LevelOfTest : public ::testing::TestWithParam<LevelCase> {};

TEST_P(LevelOfTest, SaysHowImportantAnEventIs) {
  EXPECT_EQ(LevelOf(GetParam().event, GetParam().fields), GetParam().level);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, LevelOfTest,
    ::testing::Values(
        LevelCase{"CallStart", "call.start", {}, LogLevel::kDebug},
        LevelCase{"CallOk", "call.end", {{"ok", true}, {"status", 200}}, LogLevel::kDebug},
        LevelCase{"CallServedByFallback",
                  "call.end",
                  {{"ok", true}, {"fallback", true}},
                  LogLevel::kInfo},
        LevelCase{"CallNotFound", "call.end", {{"ok", false}, {"status", 404}}, LogLevel::kInfo},
        LevelCase{"CallLast4xx", "call.end", {{"ok", false}, {"status", 499}}, LogLevel::kInfo},
        LevelCase{"CallFirst5xx", "call.end", {{"ok", false}, {"status", 500}}, LogLevel::kWarning},
        LevelCase{
            "CallError", "call.end", {{"ok", false}, {"error", "timeout"}}, LogLevel::kWarning},
        LevelCase{"Retry", "retry", {}, LogLevel::kInfo},
        LevelCase{
            "BreakerOpens", "breaker", {{"from", "closed"}, {"to", "open"}}, LogLevel::kWarning},
        LevelCase{
            "BreakerCloses", "breaker", {{"from", "half-open"}, {"to", "closed"}}, LogLevel::kInfo},
        LevelCase{"BreakerForced",
                  "breaker.mode",
                  {{"mode", "forced-open"}, {"isolated", false}},
                  LogLevel::kWarning},
        LevelCase{"BreakerIsolated",
                  "breaker.mode",
                  {{"mode", "normal"}, {"isolated", true}},
                  LogLevel::kWarning},
        LevelCase{"BreakerNormal",
                  "breaker.mode",
                  {{"mode", "normal"}, {"isolated", false}},
                  LogLevel::kInfo},
        LevelCase{"BreakerShadow", "breaker.shadow", {}, LogLevel::kWarning},
        LevelCase{"Fallback", "fallback", {{"served", true}}, LogLevel::kWarning},
        LevelCase{"Deadline", "deadline", {{"phase", "attempt"}}, LogLevel::kWarning},
        LevelCase{"RateLimitWaited", "rate_limit", {{"decision", "waited"}}, LogLevel::kInfo},
        LevelCase{"RateLimitRefused", "rate_limit", {{"decision", "refused"}}, LogLevel::kWarning},
        LevelCase{"BulkheadRefused", "bulkhead", {{"decision", "refused"}}, LogLevel::kWarning},
        LevelCase{"TokenStarted", "token.refresh", {{"phase", "started"}}, LogLevel::kDebug},
        LevelCase{"TokenSucceeded", "token.refresh", {{"phase", "succeeded"}}, LogLevel::kInfo},
        LevelCase{"TokenFailed", "token.refresh", {{"phase", "failed"}}, LogLevel::kWarning},
        LevelCase{
            "TokenServedStale", "token.refresh", {{"phase", "served-stale"}}, LogLevel::kWarning},
        LevelCase{"Cache", "cache", {{"result", "miss"}}, LogLevel::kDebug},
        LevelCase{"CacheStoodIn", "cache", {{"result", "stale-if-error"}}, LogLevel::kInfo},
        LevelCase{"Failover", "failover", {{"from", "a"}, {"to", "b"}}, LogLevel::kWarning},
        LevelCase{
            "QuotaRefused", "rate_limit", {{"decision", "quota-refused"}}, LogLevel::kWarning},
        LevelCase{"Throttled", "rate_limit", {{"decision", "throttled"}}, LogLevel::kWarning},
        LevelCase{"HedgeWon", "hedge", {{"decision", "won"}}, LogLevel::kDebug},
        LevelCase{"HedgeDenied", "hedge", {{"decision", "denied"}}, LogLevel::kWarning},
        LevelCase{"WebhookQueued", "webhook.received", {{"outcome", "queued"}}, LogLevel::kInfo},
        LevelCase{"WebhookUnverified",
                  "webhook.received",
                  {{"outcome", "unverified"}},
                  LogLevel::kWarning},
        LevelCase{"HealthCheck", "health.check", {{"outcome", "failed"}}, LogLevel::kDebug},
        LevelCase{"HealthGood", "health.changed", {{"to", "healthy"}}, LogLevel::kInfo},
        LevelCase{"HealthBad", "health.changed", {{"to", "unknown"}}, LogLevel::kWarning},
        LevelCase{"Ready", "health.ready", {{"ready", true}}, LogLevel::kInfo},
        LevelCase{"NotReady", "health.ready", {{"ready", false}}, LogLevel::kWarning},
        LevelCase{"JobOk", "job.run", {{"outcome", "ok"}}, LogLevel::kDebug},
        LevelCase{"JobFailed", "job.run", {{"outcome", "timeout"}}, LogLevel::kWarning},
        LevelCase{"JobOverdue", "job.overdue", {{"job", "a"}}, LogLevel::kWarning},
        LevelCase{"WebhookDead", "webhook.processed", {{"outcome", "dead"}}, LogLevel::kWarning},
        LevelCase{"Unknown", "effect", {}, LogLevel::kInfo}),
    [](const auto& test) { return test.param.name; });

struct ValueCase {
  std::string name;
  std::string raw;
  std::string written;
};

class LogfmtValueTest : public ::testing::TestWithParam<ValueCase> {};

TEST_P(LogfmtValueTest, IsQuotedAndEscapedWhereItMust) {
  const Field field("k", std::string_view(GetParam().raw));
  EXPECT_EQ(FormatLogfmt(std::span(&field, 1)), "k=" + GetParam().written);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, LogfmtValueTest,
    ::testing::Values(
        ValueCase{"Plain", "connection:reset", "connection:reset"}, ValueCase{"Empty", "", R"("")"},
        ValueCase{"Space", "a b", R"("a b")"}, ValueCase{"Equals", "a=b", R"("a=b")"},
        ValueCase{"Quote", R"(a"b)", R"("a\"b")"}, ValueCase{"Backslash", R"(a\b)", R"("a\\b")"},
        ValueCase{"LineFeed", "a\nlevel=error", R"("a\nlevel=error")"},
        ValueCase{"CarriageReturnAndTab", "\r\t", R"("\r\t")"},
        ValueCase{"Nul", std::string(1, '\0'), R"("\u0000")"},
        ValueCase{"Escape", "\x1b[2J", R"("\u001b[2J")"},
        ValueCase{"Delete", "\x7f", R"("\u007f")"},
        ValueCase{"ControlOfTheSecondBlock", "\xc2\x9b", R"("\u009b")"},
        ValueCase{"LineSeparator", "\xe2\x80\xa8", R"("\u2028")"},
        ValueCase{"RightToLeftOverride", "\xe2\x80\xae", R"("\u202e")"},
        ValueCase{"Umlaut", "\xc3\xb6", "\"\xc3\xb6\""}, ValueCase{"NoUtf8", "a\xff", R"("a\xff")"},
        ValueCase{"Longest", std::string(256, 'x'), std::string(256, 'x')},
        ValueCase{"TooLong", std::string(257, 'x'), '"' + std::string(256, 'x') + "...\""},
        ValueCase{"CutBetweenCharacters", std::string(255, 'x') + "\xc3\xb6",
                  '"' + std::string(255, 'x') + "...\""}),
    [](const auto& test) { return test.param.name; });

TEST(LogfmtTest, WritesNumbersTruthValuesAndDurations) {
  const std::vector<Field> fields = {
      {"n", -3}, {"t", true}, {"f", false}, {"d", milliseconds(1500)}};
  EXPECT_EQ(FormatLogfmt(fields), "n=-3 t=true f=false d=1.5s");
}

TEST(LogfmtTest, KeysAreNames) {
  const std::string longest(100, 'k');
  const std::vector<Field> fields = {
      {"a b=\n\"", 1}, {"", 2}, {std::string_view(longest), 3}, {"event_id-2.x", 4}};
  EXPECT_EQ(FormatLogfmt(fields), "a_b___=1 _=2 " + std::string(64, 'k') + "=3 event_id-2.x=4");
}

TEST(LogfmtTest, ALongLineLeavesFieldsOutAndSaysSo) {
  const std::string hostile(256, '\x01');  // Six bytes each, once escaped.
  std::vector<Field> fields;
  for (int i = 0; i < 10; ++i) fields.emplace_back("k", std::string_view(hostile));
  const std::string line = FormatLogfmt(fields);
  EXPECT_LE(line.size(), kLogLineBytesMax);
  EXPECT_TRUE(line.ends_with(" truncated=true"));
}

TEST(LogSinkTest, NoControlCharacterPassesInAnyPart) {
  World world(Everything());
  std::string hostile;
  for (int byte = 0; byte < 256; ++byte) hostile.push_back(static_cast<char>(byte));
  hostile.append("\xc2\x85\xe2\x80\xa9");
  world.sink.Publish(hostile, {{std::string_view(hostile), std::string_view(hostile)}});
  const std::vector<std::string> lines = world.logger.lines();
  ASSERT_EQ(lines.size(), 1u);
  for (std::string_view rest = lines[0]; !rest.empty();) {
    const CodePoint point = DecodeUtf8(rest);
    EXPECT_TRUE(point.valid && !IsControl(point.value)) << lines[0];
    rest.remove_prefix(point.bytes);
  }
}

LogSinkOptions TwoPerSecond() {
  LogSinkOptions options = Everything();
  options.lines_max = 2;
  return options;
}

TEST(LogSinkTest, BoundsTheLinesPerEventAndSaysHowManyAreMissing) {
  World world(TwoPerSecond());
  for (int i = 1; i <= 5; ++i) world.sink.Publish("retry", {{"attempt", i}});
  world.sink.Publish("breaker", {{"to", "open"}});
  EXPECT_THAT(world.logger.lines(), ElementsAre("info retry: attempt=1", "info retry: attempt=2",
                                                "warning breaker: to=open"));
  world.clock.Advance(seconds(1));
  world.sink.Publish("retry", {{"attempt", 6}});
  world.sink.Publish("retry", {});
  EXPECT_THAT(world.logger.lines().at(3), "info retry: attempt=6 suppressed=3");
  EXPECT_THAT(world.logger.lines().at(4), "info retry: ");
}

TEST(LogSinkTest, TheBoundHoldsUntilItsTimeIsOver) {
  World world(TwoPerSecond());
  for (int i = 0; i < 3; ++i) world.sink.Publish("retry", {});
  world.clock.Advance(seconds(1) - Duration(1));
  world.sink.Publish("retry", {});
  EXPECT_EQ(world.logger.lines().size(), 2u);
  world.clock.Advance(Duration(1));
  world.sink.Publish("retry", {});
  EXPECT_EQ(world.logger.lines().size(), 3u);
}

TEST(LogSinkTest, WhatIsNotWrittenForItsLevelUsesUpNothing) {
  LogSinkOptions options = TwoPerSecond();
  options.level_min = LogLevel::kInfo;
  World world(options);
  for (int i = 0; i < 9; ++i) world.sink.Publish("call.end", {{"ok", true}});
  world.sink.Publish("call.end", {{"ok", false}, {"error", "timeout"}});
  EXPECT_THAT(world.logger.lines(), ElementsAre("warning call.end: ok=false error=timeout"));
}

TEST(LogSinkTest, InventedEventNamesShareOneBoundSoThatNothingGrows) {
  World world(TwoPerSecond());
  for (int i = 0; i < 1000; ++i) world.sink.Publish("event." + std::to_string(i), {});
  EXPECT_EQ(world.logger.lines().size(), 64u + 2u);
}

TEST(LogSinkTest, ManyThreadsNeverExceedTheBound) {
  World world(TwoPerSecond());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&world] {
      for (int j = 0; j < 500; ++j) world.sink.Publish("retry", {{"attempt", j}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(world.logger.lines().size(), 2u);
}

TEST(LogSinkTest, ListsTheProblemsOfItsOptions) {
  EXPECT_THAT(FindProblems(LogSinkOptions()), IsEmpty());
  LogSinkOptions options;
  options.lines_max = -1;
  options.per = Duration::zero();
  const Problems problems = FindProblems(options);
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_THAT(problems[0], HasSubstr("lines_max is -1"));
  EXPECT_THAT(problems[1], HasSubstr("per is 0ms"));
}

}  // namespace
}  // namespace understudy
