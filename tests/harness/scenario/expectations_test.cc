#include "harness/scenario/expectations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/scenario/agreement.h"

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using ::testing::HasSubstr;

HistoryEvent Event(std::uint64_t n, Duration at, std::string name,
                   std::vector<std::pair<std::string, HistoryEvent::Value>> fields,
                   std::string lane = "a") {
  return {.n = n,
          .at = at,
          .lane = std::move(lane),
          .name = std::move(name),
          .fields = std::move(fields)};
}

EventMatch Match(std::string event, std::vector<FieldPredicate> where = {}) {
  return {.event = std::move(event), .where = std::move(where)};
}

ExpectationResult JudgeOne(ExpectationKind kind, const std::vector<HistoryEvent>& events,
                           RunFacts facts = {}) {
  return Judge({.id = "it", .kind = std::move(kind)}, events, facts);
}

// open at 1 s, half-open at 31 s, closed at 31.02 s; requests 1 and 2.
std::vector<HistoryEvent> BreakerHistory() {
  return {
      Event(1, 0s, "http.request",
            {{"route", std::string("orders")}, {"exchange", std::int64_t{1}}}),
      Event(2, 1s, "http.response",
            {{"route", std::string("orders")},
             {"status", std::int64_t{503}},
             {"exchange", std::int64_t{1}}}),
      Event(3, 1s, "breaker", {{"from", std::string("closed")}, {"to", std::string("open")}}),
      Event(4, 31s, "breaker", {{"from", std::string("open")}, {"to", std::string("half-open")}}),
      Event(5, 31s, "http.request",
            {{"route", std::string("orders")}, {"exchange", std::int64_t{2}}}, "b"),
      Event(6, 31020ms, "http.response",
            {{"route", std::string("orders")},
             {"status", std::int64_t{200}},
             {"exchange", std::int64_t{2}}},
            "b"),
      Event(7, 31020ms, "breaker",
            {{"from", std::string("half-open")}, {"to", std::string("closed")}})};
}

std::vector<FieldPredicate> Item(const char* from, const char* to) {
  return {{"from", std::string("\"") + from + "\""}, {"to", std::string("\"") + to + "\""}};
}

SequenceExpect Transitions(std::vector<std::vector<FieldPredicate>> items, SequenceOrder order) {
  return {
      .of = Match("breaker"), .project = {"from", "to"}, .items = std::move(items), .order = order};
}

TEST(ExpectationsTest, ExactSequencesCompareEveryItem) {
  const auto full =
      std::vector{Item("closed", "open"), Item("open", "half-open"), Item("half-open", "closed")};
  EXPECT_FALSE(JudgeOne(Transitions(full, SequenceOrder::kExact), BreakerHistory()).failed());
  auto wrong = full;
  wrong[2] = Item("half-open", "open");
  const auto result = JudgeOne(Transitions(wrong, SequenceOrder::kExact), BreakerHistory());
  EXPECT_TRUE(result.failed());
  EXPECT_EQ(result.event, 7U);
  EXPECT_THAT(result.expected, HasSubstr("[half-open, open]"));
  EXPECT_THAT(result.actual, HasSubstr("[half-open, closed]"));
  const auto shorter = std::vector{full[0], full[1]};
  EXPECT_TRUE(JudgeOne(Transitions(shorter, SequenceOrder::kExact), BreakerHistory()).failed());
}

TEST(ExpectationsTest, SubsequencesAllowOthersBetween) {
  EXPECT_FALSE(JudgeOne(Transitions({Item("closed", "open"), Item("half-open", "closed")},
                                    SequenceOrder::kSubsequence),
                        BreakerHistory())
                   .failed());
  EXPECT_TRUE(JudgeOne(Transitions({Item("half-open", "closed"), Item("closed", "open")},
                                   SequenceOrder::kSubsequence),
                       BreakerHistory())
                  .failed());
}

TEST(ExpectationsTest, AnyOrderComparesAsASet) {
  EXPECT_FALSE(JudgeOne(Transitions({Item("half-open", "closed"), Item("closed", "open"),
                                     Item("open", "half-open")},
                                    SequenceOrder::kAny),
                        BreakerHistory())
                   .failed());
  EXPECT_TRUE(JudgeOne(Transitions({Item("closed", "open")}, SequenceOrder::kAny), BreakerHistory())
                  .failed());
}

TEST(ExpectationsTest, CountsHaveThreeBounds) {
  const auto count = [](CountExpect expect) {
    expect.match = Match("http.request");
    return JudgeOne(expect, BreakerHistory()).failed();
  };
  EXPECT_FALSE(count({.is = 2}));
  EXPECT_TRUE(count({.is = 1}));
  EXPECT_TRUE(count({.is = 3}));
  EXPECT_FALSE(count({.min = 2}));
  EXPECT_TRUE(count({.min = 3}));
  EXPECT_FALSE(count({.max = 2}));
  EXPECT_TRUE(count({.max = 1}));
}

TEST(ExpectationsTest, ABoundOnNothingIsVacuous) {
  EXPECT_EQ(JudgeOne(CountExpect{.match = Match("retry"), .max = 5}, BreakerHistory()).judgement,
            Judgement::kVacuous);
  EXPECT_EQ(JudgeOne(AlwaysExpect{.match = Match("retry"), .max = 5}, BreakerHistory()).judgement,
            Judgement::kVacuous);
  EXPECT_EQ(
      JudgeOne(GapExpect{.range = {Match("retry"), Match("retry")}, .max = 1s}, BreakerHistory())
          .judgement,
      Judgement::kVacuous);
  EXPECT_EQ(JudgeOne(NeverExpect{.match = Match("retry"),
                                 .between = EventRange{Match("crash"), Match("restart")}},
                     BreakerHistory())
                .judgement,
            Judgement::kVacuous);
  EXPECT_EQ(
      JudgeOne(EventuallyExpect{.match = Match("breaker"), .of = Match("crash")}, BreakerHistory())
          .judgement,
      Judgement::kVacuous);
}

TEST(ExpectationsTest, ZeroIsABoundThatNothingSatisfies) {
  EXPECT_FALSE(JudgeOne(CountExpect{.match = Match("retry"), .is = 0}, BreakerHistory()).failed());
  EXPECT_FALSE(JudgeOne(CountExpect{.match = Match("retry"), .max = 0}, BreakerHistory()).failed());
  EXPECT_FALSE(
      JudgeOne(AlwaysExpect{.match = Match("retry"), .max = 0}, BreakerHistory()).failed());
}

TEST(ExpectationsTest, PerGroupsAreCountedApart) {
  CountExpect per_lane{.match = Match("http.request"), .max = 1, .per = "lane"};
  EXPECT_FALSE(JudgeOne(per_lane, BreakerHistory()).failed());
  per_lane.per = "route";
  const auto result = JudgeOne(per_lane, BreakerHistory());
  EXPECT_TRUE(result.failed());
  EXPECT_EQ(result.event, 5U) << "the first that is one too many";
}

TEST(ExpectationsTest, OpenCountsSpansThatHaveNotEnded) {
  AlwaysExpect open{.gauge = GaugeKind::kOpen, .match = Match("http.request"), .max = 1};
  EXPECT_FALSE(JudgeOne(open, BreakerHistory()).failed());
  std::vector<HistoryEvent> overlapping = BreakerHistory();
  std::swap(overlapping[1], overlapping[4]);
  EXPECT_TRUE(JudgeOne(open, overlapping).failed());
}

TEST(ExpectationsTest, NeverLooksOnlyBetweenItsEvents) {
  const EventRange while_open{Match("breaker", {{"to", "\"open\""}}),
                              Match("breaker", {{"to", "\"half-open\""}})};
  EXPECT_FALSE(
      JudgeOne(NeverExpect{.match = Match("http.request"), .between = while_open}, BreakerHistory())
          .failed());
  std::vector<HistoryEvent> leaky = BreakerHistory();
  std::swap(leaky[3], leaky[4]);
  EXPECT_TRUE(
      JudgeOne(NeverExpect{.match = Match("http.request"), .between = while_open}, leaky).failed());
  EXPECT_TRUE(JudgeOne(NeverExpect{.match = Match("http.request")}, BreakerHistory()).failed());
}

TEST(ExpectationsTest, GapsAreMeasuredFromEachFirstEventToTheNextSecond) {
  const EventRange range{Match("breaker", {{"to", "\"open\""}}),
                         Match("breaker", {{"to", "\"half-open\""}})};
  EXPECT_FALSE(
      JudgeOne(GapExpect{.range = range, .min = 30s, .max = 30s}, BreakerHistory()).failed());
  EXPECT_TRUE(JudgeOne(GapExpect{.range = range, .min = 30001ms}, BreakerHistory()).failed());
  EXPECT_TRUE(JudgeOne(GapExpect{.range = range, .max = 29999ms}, BreakerHistory()).failed());
  EXPECT_FALSE(
      JudgeOne(GapExpect{.range = range, .max = 29999ms}, BreakerHistory(), {.tolerance = 1ms})
          .failed());
}

TEST(ExpectationsTest, EventuallyHasATimeLimitFromTheStartOrFromAnotherEvent) {
  const EventMatch closed = Match("breaker", {{"to", "\"closed\""}});
  EXPECT_FALSE(
      JudgeOne(EventuallyExpect{.match = closed, .within = 32s}, BreakerHistory()).failed());
  EXPECT_TRUE(
      JudgeOne(EventuallyExpect{.match = closed, .within = 31s}, BreakerHistory()).failed());
  const EventMatch half_open = Match("breaker", {{"to", "\"half-open\""}});
  EXPECT_FALSE(
      JudgeOne(EventuallyExpect{.match = closed, .within = 20ms, .of = half_open}, BreakerHistory())
          .failed());
  EXPECT_TRUE(
      JudgeOne(EventuallyExpect{.match = closed, .within = 19ms, .of = half_open}, BreakerHistory())
          .failed());
}

TEST(ExpectationsTest, WhileRestrictsAlwaysToItsWindow) {
  AlwaysExpect shed{.match = Match("http.request"),
                    .max = 0,
                    .while_open = Match("breaker", {{"to", "\"open\""}})};
  EXPECT_FALSE(JudgeOne(shed, BreakerHistory()).failed());
  std::vector<HistoryEvent> leaky = BreakerHistory();
  std::swap(leaky[3], leaky[4]);
  EXPECT_TRUE(JudgeOne(shed, leaky).failed());
}

TEST(ExpectationsTest, SometimesIsReachedOrNot) {
  EXPECT_EQ(JudgeOne(SometimesExpect{.match = Match("breaker")}, BreakerHistory()).judgement,
            Judgement::kReached);
  EXPECT_EQ(JudgeOne(SometimesExpect{.match = Match("crash")}, BreakerHistory()).judgement,
            Judgement::kNotReached);
}

TEST(ExpectationsTest, AfterLooksBehindTheEndOfAStep) {
  SequenceExpect after = Transitions({Item("half-open", "closed")}, SequenceOrder::kExact);
  after.after = "probe";
  EXPECT_FALSE(JudgeOne(after, BreakerHistory(), {.step_ends = {{"probe", 4}}}).failed());
  EXPECT_EQ(JudgeOne(after, BreakerHistory()).judgement, Judgement::kVacuous)
      << "the step never ended";
}

TEST(AgreementTest, HistoriesThatDifferInTimesOnlyAgree) {
  std::vector<HistoryEvent> later = BreakerHistory();
  for (HistoryEvent& event : later) event.at += 3ms;
  EXPECT_TRUE(
      Compare({AgreeOn::kTransitions, AgreeOn::kCounts, AgreeOn::kEffects}, BreakerHistory(), later)
          .empty());
}

TEST(AgreementTest, AMissingTransitionIsADisagreement) {
  std::vector<HistoryEvent> other = BreakerHistory();
  other.pop_back();
  const auto differences = Compare({AgreeOn::kTransitions}, BreakerHistory(), other);
  ASSERT_EQ(differences.size(), 1U);
  EXPECT_THAT(differences[0].sim, HasSubstr("half-open>closed"));
}

TEST(HistoryTest, LinesHaveStableKeysAndNoFloatingPointNumbers) {
  EXPECT_EQ(
      ToJsonLine(Event(3, 1500ms, "retry",
                       {{"attempt", std::int64_t{2}}, {"delay", Duration(200ms)}, {"hint", true}})),
      R"({"i":3,"t":1500000000,"lane":"a","event":"retry","attempt":2,"delay":"200ms","hint":true})");
}

}  // namespace
}  // namespace understudy::harness
