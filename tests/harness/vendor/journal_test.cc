#include "harness/vendor/journal.h"

#include <atomic>
#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "middleware/platform/openssl_crypto.h"
#include "tests/harness/vendor/journal_fakes.h"
#include "tests/support/fake_clock.h"

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::uint64_t> Numbers(const std::vector<JournalEntry>& entries) {
  std::vector<std::uint64_t> numbers;
  for (const JournalEntry& entry : entries) numbers.push_back(entry.number);
  return numbers;
}

RequestMatcher Matcher(const RequestMatch& match) {
  auto matcher = RequestMatcher::Compile(match);
  EXPECT_TRUE(matcher.has_value());
  return *std::move(matcher);
}

TEST(JournalTest, NumbersEntriesFromOneInTheOrderOfArrival) {
  Journal journal;
  EXPECT_EQ(journal.Add(MakeRecord("GET", "/a")), 1U);
  EXPECT_EQ(journal.Add(MakeRecord("GET", "/b")), 2U);
  const auto entries = journal.Find();
  ASSERT_THAT(Numbers(entries), ElementsAre(1, 2));
  EXPECT_EQ(entries[1].record->request.url.path(), "/b");
}

TEST(JournalTest, AnEntryIsThereBeforeItsOutcome) {
  Journal journal;
  JournalRecord record = MakeRecord("GET", "/a");
  record.at = TimePoint(5s);
  const std::uint64_t number = journal.Add(std::move(record));
  ASSERT_TRUE(journal.Get(number).has_value());
  EXPECT_EQ(journal.Get(number)->outcome, nullptr);
  EXPECT_EQ(journal.Get(number)->duration(), std::nullopt);
  journal.Complete(number, {.completed = true, .at = TimePoint(7s)});
  ASSERT_NE(journal.Get(number)->outcome, nullptr);
  EXPECT_EQ(journal.Get(number)->duration(), 2s);
}

TEST(JournalTest, TheFirstOutcomeCounts) {
  Journal journal;
  const std::uint64_t number = journal.Add(MakeRecord("GET", "/a"));
  journal.Complete(number, {.ended_by = "reset"});
  journal.Complete(number, {.completed = true});
  EXPECT_EQ(journal.Get(number)->outcome->ended_by, "reset");
  EXPECT_EQ(journal.stats().entries, 1U);
}

TEST(JournalTest, AnOutcomeOfAnUnknownEntryChangesNothing) {
  Journal journal;
  journal.Add(MakeRecord("GET", "/a"));
  for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{2}, ~std::uint64_t{0}}) {
    journal.Complete(number, {.completed = true});
  }
  EXPECT_EQ(journal.Get(1)->outcome, nullptr);
  EXPECT_EQ(journal.stats().entries, 1U);
}

TEST(JournalTest, EntriesInFlightWhenItIsClearedDoNotComeBack) {
  Journal journal;
  const std::uint64_t before = journal.Add(MakeRecord("GET", "/a"));
  journal.Clear();
  EXPECT_THAT(journal.Find(), IsEmpty());
  const std::uint64_t after = journal.Add(MakeRecord("GET", "/b"));
  journal.Complete(before, {.completed = true});
  EXPECT_EQ(after, before + 1);
  EXPECT_THAT(Numbers(journal.Find()), ElementsAre(after));
  EXPECT_EQ(journal.Get(after)->outcome, nullptr);
}

TEST(JournalTest, ClearForgetsTheBytesAndCountsNothingAsDropped) {
  Journal journal;
  journal.Add(MakeRecord("GET", "/a", {}, std::string(1000, 'x')));
  journal.Clear();
  EXPECT_EQ(journal.stats().bytes, 0U);
  EXPECT_EQ(journal.stats().entries, 0U);
  EXPECT_EQ(journal.stats().added, 1U);
  EXPECT_EQ(journal.stats().dropped, 0U);
}

TEST(JournalTest, TheOldestEntriesGiveWayBeyondTheMostEntries) {
  Journal journal({.entries_max = 2});
  for (const char* path : {"/a", "/b", "/c"}) journal.Add(MakeRecord("GET", path));
  EXPECT_THAT(Numbers(journal.Find()), ElementsAre(2, 3));
  EXPECT_FALSE(journal.Get(1).has_value());
  EXPECT_EQ(journal.stats().dropped, 1U);
  EXPECT_EQ(journal.stats().added, 3U);
}

TEST(JournalTest, TheOldestEntriesGiveWayBeyondTheMostBytes) {
  Journal journal({.bytes_max = 100'000});
  for (int i = 0; i < 10; ++i) journal.Add(MakeRecord("POST", "/a", {}, std::string(30'000, 'x')));
  EXPECT_THAT(Numbers(journal.Find()), ElementsAre(8, 9, 10));
  EXPECT_LE(journal.stats().bytes, 100'000U);
  EXPECT_EQ(journal.stats().dropped, 7U);
}

TEST(JournalTest, AnEntryThatAloneExceedsTheBoundIsNotKept) {
  Journal journal({.bytes_max = 1'000});
  EXPECT_EQ(journal.Add(MakeRecord("POST", "/a", {}, std::string(5'000, 'x'))), 1U);
  EXPECT_THAT(journal.Find(), IsEmpty());
  EXPECT_EQ(journal.stats().bytes, 0U);
  EXPECT_EQ(journal.stats().dropped, 1U);
}

TEST(JournalTest, ASharedResponseIsCountedOnceAndGivenBackWithItsLastEntry) {
  const auto shared =
      std::make_shared<const http::Response>(http::Response{.body = std::string(50'000, 'x')});
  Journal journal({.entries_max = 3});
  for (int i = 0; i < 3; ++i) {
    JournalRecord record = MakeRecord("GET", "/a");
    record.response = shared;
    journal.Add(std::move(record));
  }
  EXPECT_GE(journal.stats().bytes, 50'000U);
  EXPECT_LT(journal.stats().bytes, 60'000U);
  for (int i = 0; i < 3; ++i) journal.Add(MakeRecord("GET", "/a"));
  EXPECT_LT(journal.stats().bytes, 10'000U);
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(JournalTest, ResponsesOfTheirOwnAreCountedEach) {
  Journal journal({.bytes_max = 200'000});
  for (int i = 0; i < 5; ++i) {
    JournalRecord record = MakeRecord("GET", "/a");
    record.response =
        std::make_shared<const http::Response>(http::Response{.body = std::string(90'000, 'x')});
    journal.Add(std::move(record));
  }
  EXPECT_EQ(journal.stats().entries, 2U);
}

TEST(JournalTest, ABodyBeyondTheLimitIsCutAndNamedByItsHash) {
  Journal journal({.body_bytes_max = 4, .crypto = std::make_shared<OpensslCrypto>()});
  journal.Add(MakeRecord("POST", "/a", {}, "abcd"));
  journal.Add(MakeRecord("POST", "/a", {}, "abcde"));
  const JournalRecord whole = *journal.Get(1)->record;
  EXPECT_EQ(whole.request.body, "abcd");
  EXPECT_EQ(whole.body_bytes, 4U);
  EXPECT_EQ(whole.body_sha256, "");
  const JournalRecord cut = *journal.Get(2)->record;
  EXPECT_EQ(cut.request.body, "abcd");
  EXPECT_EQ(cut.body_bytes, 5U);
  EXPECT_EQ(cut.body_sha256, "36bbe50ed96841d10443bcb670d6554f0a34b761be67ec9c4a8ad2c0c44ca42c");
}

TEST(JournalTest, FindsByEachConditionAndByAllTogether) {
  Journal journal;
  JournalRecord other = MakeRecord("GET", "/v1/orders/1");
  other.vendor = "other";
  other.wall = SystemTime(10s);
  journal.Add(std::move(other));
  journal.Add(MakeUnmatched("GET", "/nowhere"));
  JournalRecord mine = MakeRecord("POST", "/v1/orders");
  mine.test = "t1";
  mine.wall = SystemTime(20s);
  journal.Add(std::move(mine));
  journal.Add(MakeRecord("GET", "/v1/orders/2"));
  const RequestMatcher get = Matcher({.method = "GET", .path = "/v1/orders/{id}"});
  struct Row {
    std::string name;
    JournalQuery query;
    std::vector<std::uint64_t> expected;
  };
  const Row rows[] = {{"all", {}, {1, 2, 3, 4}},
                      {"vendor", {.vendor = "acme"}, {2, 3, 4}},
                      {"route", {.route = "orders"}, {1, 3, 4}},
                      {"no route", {.route = ""}, {2}},
                      {"unmatched", {.unmatched_only = true}, {2}},
                      {"test", {.test = "t1"}, {3}},
                      {"after", {.after = 2}, {3, 4}},
                      {"after all", {.after = 4}, {}},
                      {"since", {.since = SystemTime(20s)}, {3}},
                      {"limit keeps the newest", {.limit = 2}, {3, 4}},
                      {"limit 0", {.limit = 0}, {}},
                      {"matching", {.matching = get}, {1, 4}},
                      {"matching, limit", {.matching = get, .limit = 1}, {4}},
                      {"matching, limit 0", {.matching = get, .limit = 0}, {}},
                      {"vendor and matching", {.vendor = "acme", .matching = get}, {4}}};
  for (const Row& row : rows) {
    EXPECT_EQ(Numbers(journal.Find(row.query)), row.expected) << row.name;
    EXPECT_EQ(journal.Count(row.query), row.expected.size()) << row.name;
  }
}

TEST(JournalTest, RemovesWhatFitsAndKeepsTheNumbersOfTheRest) {
  Journal journal;
  for (const char* path : {"/a", "/b", "/a", "/c"}) journal.Add(MakeRecord("GET", path));
  EXPECT_EQ(journal.Remove({.matching = Matcher({.path = "/a"})}), 2U);
  EXPECT_THAT(Numbers(journal.Find()), ElementsAre(2, 4));
  journal.Complete(3, {.completed = true});
  EXPECT_FALSE(journal.Get(3).has_value());
  EXPECT_EQ(journal.Add(MakeRecord("GET", "/d")), 5U);
  EXPECT_EQ(journal.Remove({}), 3U);
  EXPECT_EQ(journal.stats().bytes, 0U);
  EXPECT_EQ(journal.Add(MakeRecord("GET", "/e")), 6U);
  EXPECT_THAT(Numbers(journal.Find()), ElementsAre(6));
}

TEST(JournalTest, RemovedEntriesDoNotCountAgainstTheBound) {
  Journal journal({.entries_max = 2});
  for (const char* path : {"/a", "/b"}) journal.Add(MakeRecord("GET", path));
  journal.Remove({.matching = Matcher({.path = "/b"})});
  journal.Add(MakeRecord("GET", "/c"));
  EXPECT_THAT(Numbers(journal.Find()), ElementsAre(1, 3));
  journal.Add(MakeRecord("GET", "/d"));
  EXPECT_THAT(Numbers(journal.Find()), ElementsAre(3, 4));
}

TEST(JournalTest, HolesThatRemovedEntriesLeaveAreBoundedAsWell) {
  Journal journal({.entries_max = 2});
  journal.Add(MakeRecord("GET", "/stays"));
  for (int i = 0; i < 6; ++i) {
    journal.Add(MakeRecord("GET", "/a"));
    journal.Remove({.matching = Matcher({.path = "/a"})});
  }
  EXPECT_THAT(Numbers(journal.Find()), ElementsAre(1));
  journal.Add(MakeRecord("GET", "/last"));
  EXPECT_THAT(Numbers(journal.Find()), ElementsAre(8));
  EXPECT_EQ(journal.stats().dropped, 1U);
}

TEST(JournalTest, GivesBackEveryPartOfARecordAsItWas) {
  JournalRecord record = MakeUnmatched("POST", "/v1/orders?a=1&b=%20");
  record.test = "t";
  record.caller = "c";
  record.lane = "l";
  record.step = "s";
  record.operation = "o";
  record.attempt = 3;
  record.exchange = 9;
  record.request.headers = {{"X-A", ""}, {"x-a", "2"}, {"Z", "\xff"}};
  record.request.body = std::string("a\0b", 3);
  record.at = TimePoint(-5ns);
  record.wall = SystemTime(7ns);
  record.n = 4;
  record.why = "w";
  record.limit = "m";
  record.latency = 6ns;
  record.fault = FaultKind::kSlowDrip;
  Journal journal;
  journal.Add(record);
  const JournalRecord kept = *journal.Get(1)->record;
  EXPECT_EQ(kept.request.method, record.request.method);
  EXPECT_EQ(kept.request.url, record.request.url);
  EXPECT_EQ(kept.request.headers, record.request.headers);
  EXPECT_EQ(kept.request.body, record.request.body);
  for (const auto text : {&JournalRecord::vendor, &JournalRecord::route, &JournalRecord::test,
                          &JournalRecord::caller, &JournalRecord::lane, &JournalRecord::step,
                          &JournalRecord::operation, &JournalRecord::why, &JournalRecord::limit}) {
    EXPECT_EQ(kept.*text, record.*text);
  }
  EXPECT_EQ(kept.attempt, 3);
  EXPECT_EQ(kept.exchange, 9U);
  EXPECT_EQ(kept.body_bytes, 3U);
  EXPECT_EQ(kept.at, record.at);
  EXPECT_EQ(kept.wall, record.wall);
  EXPECT_EQ(kept.n, 4);
  EXPECT_EQ(kept.status, 404);
  EXPECT_EQ(kept.latency, 6ns);
  EXPECT_EQ(kept.fault, FaultKind::kSlowDrip);
  EXPECT_EQ(kept.response, record.response);
  ASSERT_THAT(kept.near_misses, SizeIs(1));
  EXPECT_EQ(kept.near_misses[0].route, "orders");
  EXPECT_EQ(kept.near_misses[0].distance, 0.25);
  EXPECT_EQ(kept.near_misses[0].text, "GET /o: path differs");
}

TEST(JournalTest, WaitsForNewsUntilTheDeadline) {
  test::FakeClock clock;
  Journal journal;
  const Journal::Position start = journal.position();
  EXPECT_FALSE(journal.AwaitNews(start, Deadline::After(clock.Now(), 1s), clock));
  EXPECT_EQ(clock.Elapsed(), 1s);
  clock.At(3s, [&] { journal.Add(MakeRecord("GET", "/a")); });
  EXPECT_TRUE(journal.AwaitNews(start, Deadline::Never(), clock));
  EXPECT_EQ(clock.Elapsed(), 3s);
  EXPECT_TRUE(journal.AwaitNews(start, Deadline::Never(), clock))
      << "what has come is news at once";
}

TEST(JournalTest, AClearIsNews) {
  test::FakeClock clock;
  Journal journal;
  journal.Add(MakeRecord("GET", "/a"));
  clock.At(1s, [&] { journal.Clear(); });
  EXPECT_TRUE(journal.AwaitNews(journal.position(), Deadline::Never(), clock));
}

TEST(JournalTest, AStopEndsTheWait) {
  test::FakeClock clock;
  Journal journal;
  std::stop_source stop;
  clock.At(1s, [&] { stop.request_stop(); });
  EXPECT_FALSE(journal.AwaitNews(journal.position(), Deadline::Never(), clock, stop.get_token()));
  EXPECT_FALSE(journal.AwaitNews(journal.position(), Deadline::Never(), clock, stop.get_token()));
}

// Run it with ThreadSanitizer as well.
TEST(JournalTest, ManyThreadsAddCompleteReadAndClearWithoutLosingOrDoublingAnEntry) {
  constexpr int kWriters = 4;
  constexpr int kEach = 500;
  Journal journal({.entries_max = 700, .bytes_max = 1'000'000});
  const auto shared = std::make_shared<const http::Response>();
  std::vector<std::vector<std::uint64_t>> numbers(kWriters);
  {
    std::atomic<bool> done{false};
    std::jthread reader([&] {
      while (!done) {
        const auto entries = journal.Find({.matching = Matcher({.method = "GET"})});
        for (std::size_t i = 1; i < entries.size(); ++i) {
          EXPECT_LT(entries[i - 1].number, entries[i].number);
        }
        EXPECT_LE(journal.stats().entries, 700U);
        journal.Remove({.route = "gone"});
      }
    });
    std::vector<std::jthread> writers;
    for (int w = 0; w < kWriters; ++w) {
      writers.emplace_back([&, w] {
        for (int i = 0; i < kEach; ++i) {
          JournalRecord record = MakeRecord("GET", "/v1/orders/" + std::to_string(i));
          if (i % 3 == 0) record.response = shared;
          if (i % 7 == 0) record.route = "gone";
          const std::uint64_t number = journal.Add(std::move(record));
          if (w == 0 && i == kEach / 2) journal.Clear();
          journal.Complete(number, {.completed = true, .ended_by = std::to_string(number)});
          numbers[static_cast<std::size_t>(w)].push_back(number);
        }
      });
    }
    writers.clear();
    done = true;
  }
  std::set<std::uint64_t> distinct;
  for (const auto& of_writer : numbers) distinct.insert(of_writer.begin(), of_writer.end());
  EXPECT_THAT(distinct, SizeIs(kWriters * kEach));
  EXPECT_EQ(*distinct.rbegin(), std::uint64_t{kWriters * kEach});
  EXPECT_EQ(journal.stats().added, std::uint64_t{kWriters * kEach});
  for (const JournalEntry& entry : journal.Find()) {
    ASSERT_NE(entry.outcome, nullptr);
    EXPECT_EQ(entry.outcome->ended_by, std::to_string(entry.number));
  }
  journal.Remove({});
  EXPECT_EQ(journal.stats().bytes, 0U);
}

}  // namespace
}  // namespace understudy::harness
