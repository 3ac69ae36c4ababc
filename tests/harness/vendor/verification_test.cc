#include "harness/vendor/verification.h"

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "tests/harness/vendor/journal_fakes.h"
#include "tests/support/fake_clock.h"

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

RequestMatch Line(std::string_view text) {
  auto match = ParseRequestLine(text);
  EXPECT_TRUE(match.has_value()) << text;
  return match ? *match : RequestMatch();
}

Verification Verified(const Journal& journal, std::string_view line, Times times = {},
                      const JournalQuery& where = {}) {
  auto verdict = Verify(journal, Line(line), times, where);
  EXPECT_TRUE(verdict.has_value());
  return *verdict;
}

TEST(TimesTest, AdmitsBothEndsAndSaysSo) {
  struct Row {
    Times times;
    std::vector<std::size_t> admitted;
    std::string text;
  };
  const Row rows[] = {{{}, {1, 2, 3}, "at least 1 request"},
                      {Times::Exactly(2), {2}, "exactly 2 requests"},
                      {Times::AtLeast(2), {2, 3}, "at least 2 requests"},
                      {Times::AtMost(1), {0, 1}, "at most 1 request"},
                      {Times::Between(1, 2), {1, 2}, "1 to 2 requests"},
                      {Times::Never(), {0}, "no request"}};
  for (const Row& row : rows) {
    EXPECT_EQ(row.times.ToString(), row.text);
    std::vector<std::size_t> admitted;
    for (std::size_t n = 0; n < 4; ++n) {
      if (row.times.Admits(n)) admitted.push_back(n);
    }
    EXPECT_EQ(admitted, row.admitted) << row.text;
  }
}

TEST(VerificationTest, CountsTheRequestsThatFit) {
  Journal journal;
  for (const char* path : {"/v1/orders/1", "/other", "/v1/orders/2"}) {
    journal.Add(MakeRecord("GET", path));
  }
  const Verification verdict = Verified(journal, "GET /v1/orders/{id}", Times::Exactly(2));
  EXPECT_TRUE(verdict.ok);
  EXPECT_THAT(verdict.numbers, ElementsAre(1, 3));
  EXPECT_THAT(verdict.near, IsEmpty());
  EXPECT_EQ(verdict.message, "expected exactly 2 requests like GET /v1/orders/{id}, got 2");
}

TEST(VerificationTest, AFailureShowsWhatCameNearestFirst) {
  Journal journal;
  journal.Add(MakeRecord("DELETE", "/far/away/from/it"));
  journal.Add(MakeRecord("GET", "/v1/orders?limit=9"));
  journal.Add(MakeRecord("POST", "/v1/orders?limit=9"));
  const Verification verdict = Verified(journal, "POST /v1/orders?limit=10", Times::Exactly(1));
  EXPECT_FALSE(verdict.ok);
  ASSERT_THAT(verdict.near, SizeIs(3));
  EXPECT_EQ(verdict.near[0].number, 3U);
  EXPECT_EQ(verdict.near[1].number, 2U);
  EXPECT_EQ(verdict.near[2].number, 1U);
  EXPECT_LT(verdict.near[0].distance, verdict.near[1].distance);
  EXPECT_THAT(verdict.message, HasSubstr("got 0 (of 3 requests in the journal)"));
  EXPECT_THAT(verdict.near[0].text,
              AllOf(HasSubstr("#3 POST /v1/orders?limit=9 (distance 0."), HasSubstr("query limit"),
                    HasSubstr("- expected \"10\""), HasSubstr("+ got      \"9\"")));
}

TEST(VerificationTest, TooManyRequestsAreListedWithoutNearMisses) {
  Journal journal;
  for (int i = 0; i < 12; ++i) journal.Add(MakeRecord("GET", "/a"));
  journal.Add(MakeRecord("GET", "/b"));
  const Verification verdict = Verified(journal, "GET /a", Times::Never());
  EXPECT_FALSE(verdict.ok);
  EXPECT_THAT(verdict.near, IsEmpty());
  EXPECT_THAT(verdict.numbers, SizeIs(12));
  EXPECT_THAT(verdict.message, AllOf(HasSubstr("expected no request like GET /a, got 12"),
                                     HasSubstr("#10 GET /a\n  and 2 more"), Not(HasSubstr("/b"))));
}

TEST(VerificationTest, CredentialsDoNotShowInMessages) {
  Journal journal;
  journal.Add(MakeRecord("POST", "/a?api_key=hush1", {{"Authorization", "Bearer hush2"}},
                         R"({"login":{"password":"hush3"}})"));
  const auto verdict = Verify(journal,
                              {.method = "GET",
                               .path = "/a",
                               .query = {FieldMatch::Equals("api_key", "x")},
                               .headers = {FieldMatch::Equals("Authorization", "y")},
                               .json = R"({"login":{"password":"z"}})"},
                              Times::Exactly(1));
  ASSERT_TRUE(verdict.has_value());
  EXPECT_THAT(verdict->message, AllOf(HasSubstr("header Authorization"), HasSubstr("[redacted]"),
                                      HasSubstr("/login/password"), Not(HasSubstr("hush"))));
}

TEST(VerificationTest, ForeignBytesDoNotReachTheTerminal) {
  Journal journal;
  JournalRecord record = MakeRecord("GET", "/a");
  record.request.method = http::Method("G\x1b[2J\nT");
  journal.Add(std::move(record));
  EXPECT_THAT(Verified(journal, "GET /b").message,
              AllOf(Not(HasSubstr("\x1b")), HasSubstr("G?[2J?T")));
}

TEST(VerificationTest, LooksOnlyWhereItIsTold) {
  Journal journal;
  for (int i = 0; i < 3; ++i) journal.Add(MakeRecord("GET", "/a"));
  EXPECT_THAT(Verified(journal, "GET /a", {}, {.after = 2, .limit = 0}).numbers, ElementsAre(3));
  EXPECT_FALSE(Verified(journal, "GET /a", {}, {.vendor = "other"}).ok);
}

TEST(VerificationTest, SaysThatEntriesWereDropped) {
  Journal journal({.entries_max = 1});
  for (const char* path : {"/a", "/b"}) journal.Add(MakeRecord("GET", path));
  EXPECT_THAT(Verified(journal, "GET /a").message, HasSubstr("dropped its oldest 1 entries"));
}

TEST(VerificationTest, ImpossibleDescriptionsAreErrors) {
  const Journal journal;
  EXPECT_FALSE(Verify(journal, {.path = "no-slash"}).has_value());
  EXPECT_FALSE(Verify(journal, {}, Times::Between(2, 1)).has_value());
  EXPECT_FALSE(VerifyInOrder(journal, {}).has_value());
  const RequestMatch matches[] = {{.path = "/a"}, {.path = "b"}};
  const auto verdict = VerifyInOrder(journal, matches);
  ASSERT_FALSE(verdict.has_value());
  EXPECT_THAT(verdict.error().message, HasSubstr("request 2 of the order"));
}

TEST(VerificationTest, FindsAnOrderWithOthersInBetween) {
  Journal journal;
  for (const char* path : {"/b", "/a", "/x", "/a", "/b"}) journal.Add(MakeRecord("GET", path));
  const RequestMatch matches[] = {Line("GET /a"), Line("GET /a"), Line("GET /b")};
  const auto verdict = VerifyInOrder(journal, matches);
  ASSERT_TRUE(verdict.has_value());
  EXPECT_TRUE(verdict->ok) << verdict->message;
  EXPECT_THAT(verdict->numbers, ElementsAre(2, 4, 5));
}

TEST(VerificationTest, OneRequestDoesNotCountForTwoOfAnOrder) {
  Journal journal;
  journal.Add(MakeRecord("GET", "/a"));
  const RequestMatch matches[] = {Line("GET /a"), Line("GET /a")};
  EXPECT_FALSE(VerifyInOrder(journal, matches)->ok);
}

TEST(VerificationTest, AWrongOrderSaysWhereItBroke) {
  Journal journal;
  for (const char* path : {"/b", "/a"}) journal.Add(MakeRecord("GET", path));
  const RequestMatch matches[] = {Line("GET /a"), Line("GET /b")};
  const auto verdict = VerifyInOrder(journal, matches);
  EXPECT_FALSE(verdict->ok);
  EXPECT_THAT(verdict->message, HasSubstr("GET /a: #2\n  GET /b: missing after #2, it came before: "
                                          "#1 GET /b"));
}

TEST(VerificationTest, ListsRequestsThatNoRouteMatches) {
  Journal journal;
  journal.Add(MakeRecord("GET", "/a"));
  EXPECT_TRUE(VerifyAllMatched(journal).ok);
  journal.Add(MakeUnmatched("GET", "/o1"));
  const Verification verdict = VerifyAllMatched(journal);
  EXPECT_FALSE(verdict.ok);
  EXPECT_THAT(verdict.numbers, ElementsAre(2));
  EXPECT_THAT(verdict.message, AllOf(HasSubstr("1 request did not"), HasSubstr("#2 GET /o1"),
                                     HasSubstr("0.25 route \"orders\": GET /o: path differs")));
}

TEST(AwaitRequestsTest, WaitsUntilTheRequestsHaveCome) {
  test::FakeClock clock;
  Journal journal;
  journal.Add(MakeRecord("GET", "/a"));
  clock.At(1s, [&] { journal.Add(MakeRecord("GET", "/b")); });
  clock.At(2s, [&] { journal.Add(MakeRecord("GET", "/a")); });
  clock.At(3s, [&] { journal.Add(MakeRecord("GET", "/a")); });
  const auto verdict =
      AwaitRequests(journal, Line("GET /a"), Times::AtLeast(2), Deadline::Never(), clock);
  EXPECT_TRUE(verdict->ok);
  EXPECT_THAT(verdict->numbers, ElementsAre(1, 3));
  EXPECT_EQ(clock.Elapsed(), 2s);
}

TEST(AwaitRequestsTest, AtTheDeadlineSaysWhatIsMissing) {
  test::FakeClock clock;
  Journal journal;
  clock.At(1s, [&] { journal.Add(MakeRecord("GET", "/b")); });
  const auto verdict = AwaitRequests(journal, Line("GET /a"), Times::AtLeast(1),
                                     Deadline::After(clock.Now(), 5s), clock);
  EXPECT_FALSE(verdict->ok);
  EXPECT_EQ(clock.Elapsed(), 5s);
  EXPECT_THAT(verdict->message, HasSubstr("#1 GET /b"));
}

TEST(AwaitRequestsTest, MoreThanWantedFailsWithoutWaiting) {
  test::FakeClock clock;
  Journal journal;
  for (int i = 0; i < 2; ++i) journal.Add(MakeRecord("GET", "/a"));
  EXPECT_FALSE(
      AwaitRequests(journal, Line("GET /a"), Times::Exactly(1), Deadline::Never(), clock)->ok);
  EXPECT_EQ(clock.Elapsed(), 0s);
}

TEST(AwaitRequestsTest, CountsFromZeroAfterAClear) {
  test::FakeClock clock;
  Journal journal;
  journal.Add(MakeRecord("GET", "/a"));
  clock.At(1s, [&] { journal.Clear(); });
  clock.At(2s, [&] { journal.Add(MakeRecord("GET", "/a")); });
  clock.At(3s, [&] { journal.Add(MakeRecord("GET", "/a")); });
  const auto verdict =
      AwaitRequests(journal, Line("GET /a"), Times::AtLeast(2), Deadline::Never(), clock);
  EXPECT_TRUE(verdict->ok);
  EXPECT_EQ(clock.Elapsed(), 3s);
}

TEST(AwaitRequestsTest, AStopEndsTheWait) {
  test::FakeClock clock;
  const Journal journal;
  std::stop_source stop;
  clock.At(1s, [&] { stop.request_stop(); });
  EXPECT_FALSE(
      AwaitRequests(journal, Line("GET /a"), {}, Deadline::Never(), clock, {}, stop.get_token())
          ->ok);
}

// Run it with ThreadSanitizer as well.
TEST(AwaitRequestsTest, WakesAThreadThatWaitsWhileOthersAdd) {
  test::FakeClock clock(test::FakeClock::Waits::kBlock);
  Journal journal;
  bool ok = false;
  std::jthread waiter([&] {
    ok = AwaitRequests(journal, Line("GET /a"), Times::AtLeast(200), Deadline::Never(), clock)->ok;
  });
  clock.AwaitSleepers(1);
  {
    std::vector<std::jthread> writers;
    for (int w = 0; w < 4; ++w) {
      writers.emplace_back([&] {
        for (int i = 0; i < 50; ++i) journal.Add(MakeRecord("GET", "/a"));
      });
    }
  }
  waiter.join();
  EXPECT_TRUE(ok);
}

TEST(ParseRequestLineTest, ReadsMethodPathAndQuery) {
  const RequestMatch match = Line("POST /v1/orders/{id}?limit=10&q=a%20b");
  EXPECT_EQ(match.method, "POST");
  EXPECT_EQ(match.path, "/v1/orders/{id}");
  ASSERT_THAT(match.query, SizeIs(2));
  EXPECT_EQ(match.query[1].name, "q");
  EXPECT_EQ(match.query[1].predicate, "\"a b\"");
  EXPECT_EQ(Line("* /a").method, std::nullopt);
  EXPECT_EQ(Line("GET *").path, std::nullopt);
}

TEST(ParseRequestLineTest, RefusesWhatIsNone) {
  for (const char* text : {"", "GET", "/v1/orders", "get /a", "GET a", "GET /a/{", "GET  "}) {
    const auto match = ParseRequestLine(text);
    ASSERT_FALSE(match.has_value()) << text;
    EXPECT_EQ(match.error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace understudy::harness
