// The decisions of the response cache, rule by rule: freshness, age, storing, Vary, what a request
// may get, validation, and what a change invalidates.
#include "middleware/resilience/cache_policy.h"

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

// Sun, 06 Nov 1994 08:49:37 GMT
constexpr SystemTime kStart = SystemTime(seconds(784111777));

// `after` the exchange in which every answer here was received.
Moment At(Duration after) { return {TimePoint(hours(1)) + after, kStart + after}; }

http::Response Answer(http::Headers headers, int status = 200) {
  return {status, std::move(headers), "{}"};
}

StoredResponse Stored(const http::Response& response, const http::Headers& request = {},
                      const CacheRules& rules = {}) {
  return MakeStored(request, response, At({}), At({}), rules);
}

CacheControl Wishes(std::string_view field) {
  http::Request request;
  if (field.empty()) return {};
  EXPECT_TRUE(request.headers.Add("Cache-Control", field));
  return ParseRequestCacheControl(request);
}

// ---- Of use later

struct LaterRow {
  const char* name;
  bool stored;
  http::Headers headers = {};
  std::string_view wishes = {};
  CacheRules rules = {};
};
std::ostream& operator<<(std::ostream& out, const LaterRow& row) { return out << row.name; }

class LaterUseTest : public testing::TestWithParam<LaterRow> {};

TEST_P(LaterUseTest, OnlyWhatCouldServeLaterIsStored) {
  const LaterRow& row = GetParam();
  const http::Request get;
  const AnswerVerdict verdict =
      JudgeAnswer(get, Wishes(row.wishes), Answer(row.headers), kStart, row.rules);
  EXPECT_EQ(verdict.reason_not_to_store, row.stored ? "" : "of no use later");
  // What the answer itself forbids has its own name.
  http::Headers forbidden = row.headers;
  ASSERT_TRUE(forbidden.Add("Cache-Control", "no-store"));
  EXPECT_EQ(JudgeAnswer(get, Wishes(row.wishes), Answer(forbidden), kStart, row.rules)
                .reason_not_to_store,
            "no-store");
}

INSTANTIATE_TEST_SUITE_P(
    Rows, LaterUseTest,
    testing::Values(
        LaterRow{"says_nothing", false}, LaterRow{"etag", true, {{"ETag", "\"a\""}}},
        LaterRow{"last_modified", true, {{"Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"}}},
        LaterRow{"fresh", true, {{"Cache-Control", "max-age=1"}}},
        LaterRow{"never_fresh", false, {{"Cache-Control", "max-age=0"}}},
        LaterRow{"never_fresh_with_a_validator",
                 true,
                 {{"Cache-Control", "max-age=0"}, {"ETag", "\"a\""}}},
        LaterRow{"expired_at_once", false, {{"Expires", "0"}}},
        LaterRow{"stale_while_revalidate",
                 true,
                 {{"Cache-Control", "max-age=0, stale-while-revalidate=1"}}},
        LaterRow{"stale_if_error", true, {{"Cache-Control", "max-age=0, stale-if-error=1"}}},
        LaterRow{"windows_of_no_length",
                 false,
                 {{"Cache-Control", "max-age=0, stale-while-revalidate=0, stale-if-error=0"}}},
        LaterRow{"a_rule_for_stale_if_error", true, {}, {}, {.stale_if_error = seconds(1)}},
        LaterRow{"a_rule_for_stale_while_revalidate",
                 true,
                 {},
                 {},
                 {.stale_while_revalidate = seconds(1)}},
        LaterRow{"a_rule_that_the_answer_overrides",
                 false,
                 {{"Cache-Control", "max-age=0, stale-if-error=0"}},
                 {},
                 {.stale_if_error = seconds(1)}},
        LaterRow{"a_rule_for_the_fresh_time", true, {}, {}, {.default_ttl = seconds(1)}},
        LaterRow{"somebody_takes_stale_answers", true, {}, "max-stale"},
        LaterRow{"somebody_takes_them_on_errors", true, {}, "stale-if-error=60"},
        LaterRow{"other_wishes", false, {}, "max-age=60"}),
    [](const auto& test) { return std::string(test.param.name); });

// ---- Lifetime

struct LifetimeRow {
  const char* name;
  http::Headers headers;
  Duration expected;
  int status = 200;
  CacheRules rules = {};
};
std::ostream& operator<<(std::ostream& out, const LifetimeRow& row) { return out << row.name; }

class LifetimeTest : public testing::TestWithParam<LifetimeRow> {};

TEST_P(LifetimeTest, IsThatOfTheRow) {
  const LifetimeRow& row = GetParam();
  EXPECT_EQ(FreshnessOf(Answer(row.headers, row.status), At({}), At({}), row.rules).lifetime,
            row.expected);
}

constexpr const char* kNow = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr const char* kHourLater = "Sun, 06 Nov 1994 09:49:37 GMT";
constexpr const char* kTenHoursAgo = "Sat, 05 Nov 1994 22:49:37 GMT";

INSTANTIATE_TEST_SUITE_P(
    Explicit, LifetimeTest,
    testing::Values(
        LifetimeRow{"MaxAge", {{"Cache-Control", "max-age=60"}}, seconds(60)},
        LifetimeRow{
            "SMaxAgeIsForSharedCaches", {{"Cache-Control", "s-maxage=5, max-age=60"}}, seconds(60)},
        LifetimeRow{"SMaxAgeAloneIsNone", {{"Cache-Control", "s-maxage=5"}}, seconds(0)},
        LifetimeRow{"Expires", {{"Date", kNow}, {"Expires", kHourLater}}, hours(1)},
        LifetimeRow{"ExpiresIsRelativeToDate",
                    {{"Date", kHourLater}, {"Expires", "Sun, 06 Nov 1994 09:50:37 GMT"}},
                    seconds(60)},
        LifetimeRow{"ExpiresWithoutDateIsRelativeToNow", {{"Expires", kHourLater}}, hours(1)},
        LifetimeRow{"ExpiresWithABadDateIsRelativeToNow",
                    {{"Date", "today"}, {"Expires", kHourLater}},
                    hours(1)},
        LifetimeRow{"ExpiresInTheOldForms",
                    {{"Date", kNow}, {"Expires", "Sunday, 06-Nov-94 09:49:37 GMT"}},
                    hours(1)},
        LifetimeRow{"ExpiresInThePast", {{"Date", kHourLater}, {"Expires", kNow}}, seconds(0)},
        LifetimeRow{"ExpiresZero",
                    {{"Expires", "0"}, {"Date", kNow}, {"Last-Modified", kTenHoursAgo}},
                    seconds(0)},
        LifetimeRow{
            "TwoExpiresThatDiffer",
            {{"Date", kNow}, {"Expires", kHourLater}, {"Expires", "Sun, 06 Nov 1994 10:49:37 GMT"}},
            seconds(0)},
        LifetimeRow{"MaxAgeBeatsExpires",
                    {{"Cache-Control", "max-age=60"}, {"Date", kNow}, {"Expires", kHourLater}},
                    seconds(60)},
        LifetimeRow{"BadMaxAgeBeatsExpiresToo",
                    {{"Cache-Control", "max-age=x"}, {"Date", kNow}, {"Expires", kHourLater}},
                    seconds(0)},
        LifetimeRow{"ExpiresFarAway",
                    {{"Date", "Fri, 01 Jan 1700 00:00:00 GMT"},
                     {"Expires", "Wed, 31 Dec 2200 23:59:59 GMT"}},
                    kCacheSecondsMax}),
    [](const auto& test) { return std::string(test.param.name); });

constexpr CacheRules kMinute = {.default_ttl = seconds(60)};

INSTANTIATE_TEST_SUITE_P(
    Heuristic, LifetimeTest,
    testing::Values(
        LifetimeRow{"NothingSaid", {{"Date", kNow}}, seconds(0)},
        LifetimeRow{"TenthOfTheTimeSinceTheChange",
                    {{"Date", kNow}, {"Last-Modified", kTenHoursAgo}},
                    hours(1)},
        LifetimeRow{"AtMostADay",
                    {{"Date", kNow}, {"Last-Modified", "Mon, 01 Jan 1990 00:00:00 GMT"}},
                    hours(24)},
        LifetimeRow{
            "ChangedInTheFuture", {{"Date", kNow}, {"Last-Modified", kHourLater}}, seconds(0)},
        LifetimeRow{"BadLastModified", {{"Last-Modified", "yesterday"}}, seconds(0)},
        LifetimeRow{"NotFound", {{"Date", kNow}, {"Last-Modified", kTenHoursAgo}}, hours(1), 404},
        LifetimeRow{"NotForEveryStatus",
                    {{"Date", kNow}, {"Last-Modified", kTenHoursAgo}},
                    seconds(0),
                    302},
        LifetimeRow{"ForEveryStatusIfPublic",
                    {{"Date", kNow}, {"Last-Modified", kTenHoursAgo}, {"Cache-Control", "public"}},
                    hours(1),
                    302},
        LifetimeRow{"DefaultIfNothingIsSaid", {{"Date", kNow}}, seconds(60), 200, kMinute},
        LifetimeRow{"NoDefaultForErrors", {{"Date", kNow}}, seconds(0), 404, kMinute},
        LifetimeRow{
            "NoDefaultIfTheVendorSays", {{"Cache-Control", "max-age=0"}}, seconds(0), 200, kMinute},
        LifetimeRow{"NoDefaultIfExpiresIsBad", {{"Expires", "0"}}, seconds(0), 200, kMinute},
        LifetimeRow{"NoDefaultBesideTheHeuristic",
                    {{"Date", kNow}, {"Last-Modified", kTenHoursAgo}},
                    hours(1),
                    200,
                    kMinute}),
    [](const auto& test) { return std::string(test.param.name); });

// ---- Age

struct AgeRow {
  const char* name;
  http::Headers headers;
  Duration delay;  // Between request and response.
  Duration expected;
};
std::ostream& operator<<(std::ostream& out, const AgeRow& row) { return out << row.name; }

class InitialAgeTest : public testing::TestWithParam<AgeRow> {};

TEST_P(InitialAgeTest, IsThatOfTheRow) {
  const AgeRow& row = GetParam();
  EXPECT_EQ(FreshnessOf(Answer(row.headers), At(-row.delay), At({})).initial_age, row.expected);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, InitialAgeTest,
    testing::Values(
        AgeRow{"JustMade", {{"Date", kNow}}, seconds(0), seconds(0)},
        AgeRow{"NoDate", {}, seconds(0), seconds(0)},
        AgeRow{"BadDate", {{"Date", "now"}}, seconds(0), seconds(0)},
        AgeRow{
            "DateInThePast", {{"Date", "Sun, 06 Nov 1994 08:49:07 GMT"}}, seconds(0), seconds(30)},
        AgeRow{"DateInTheFuture", {{"Date", kHourLater}}, seconds(0), seconds(0)},
        AgeRow{"AgeField", {{"Age", "30"}}, seconds(0), seconds(30)},
        AgeRow{"TheLargerCounts",
               {{"Age", "7"}, {"Date", "Sun, 06 Nov 1994 08:49:07 GMT"}},
               seconds(0),
               seconds(30)},
        AgeRow{"TheDelayIsAdded", {{"Age", "30"}}, milliseconds(2500), milliseconds(32500)},
        AgeRow{"TheDelayAlone", {{"Date", kNow}}, milliseconds(2500), milliseconds(2500)},
        AgeRow{"FirstMemberOfAList", {{"Age", "30, 9999"}}, seconds(0), seconds(30)},
        AgeRow{"FirstOfTwoFields", {{"Age", "30"}, {"Age", "9999"}}, seconds(0), seconds(30)},
        AgeRow{"NegativeIsIgnored", {{"Age", "-5"}}, seconds(0), seconds(0)},
        AgeRow{"FractionIsIgnored", {{"Age", "5.5"}}, seconds(0), seconds(0)},
        AgeRow{"WordIsIgnored", {{"Age", "old"}}, seconds(0), seconds(0)},
        AgeRow{"Overflow", {{"Age", "99999999999999999999"}}, seconds(0), kCacheSecondsMax},
        AgeRow{"DateLongAgo",
               {{"Date", "Fri, 01 Jan 1700 00:00:00 GMT"}},
               seconds(0),
               kCacheSecondsMax}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(AgeTest, GrowsWithTheTimeInTheStore) {
  const StoredResponse stored = Stored(Answer({{"Age", "10"}}));
  EXPECT_EQ(AgeOf(stored, At({})), seconds(10));
  EXPECT_EQ(AgeOf(stored, At(milliseconds(1500))), milliseconds(11500));
}

TEST(AgeTest, TheClockThatSaysMoreCounts) {
  const StoredResponse stored = Stored(Answer({}));
  // Set back by an hour, by NTP.
  EXPECT_EQ(AgeOf(stored, {At(seconds(20)).steady, kStart - hours(1)}), seconds(20));
  // The machine slept: the monotonic clock stood still.
  EXPECT_EQ(AgeOf(stored, {At(seconds(20)).steady, kStart + hours(1)}), hours(1));
  EXPECT_EQ(AgeOf(stored, {At(seconds(-20)).steady, kStart - hours(1)}), seconds(0));
}

TEST(AgeTest, WallClocksCenturiesApartDoNotOverflow) {
  const StoredResponse stored = Stored(Answer({}));
  EXPECT_EQ(AgeOf(stored, {At({}).steady, SystemTime::max()}), kCacheSecondsMax);
  EXPECT_EQ(AgeOf(stored, {At({}).steady, SystemTime::min()}), seconds(0));
}

// ---- Storing

struct StoreRow {
  const char* name;
  http::Headers response;
  const char* why_not;  // Empty: it may be stored.
  int status = 200;
  const char* method = "GET";
  http::Headers request = {};
};
std::ostream& operator<<(std::ostream& out, const StoreRow& row) { return out << row.name; }

class StoringTest : public testing::TestWithParam<StoreRow> {};

TEST_P(StoringTest, IsAllowedOrNotForTheReasonOfTheRow) {
  const StoreRow& row = GetParam();
  http::Request request;
  request.method = http::Method(row.method);
  request.headers = row.request;
  EXPECT_EQ(ReasonNotToStore(request, Answer(row.response, row.status)), row.why_not);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, StoringTest,
    testing::Values(StoreRow{"Plain200", {}, ""},
                    StoreRow{"MaxAge", {{"Cache-Control", "max-age=1"}}, ""},
                    StoreRow{"NoStore", {{"Cache-Control", "max-age=1, no-store"}}, "no-store"},
                    StoreRow{"NoStoreOfTheRequest",
                             {},
                             "no-store in the request",
                             200,
                             "GET",
                             {{"Cache-Control", "no-store"}}},
                    StoreRow{"NoCacheMayBeStored", {{"Cache-Control", "no-cache"}}, ""},
                    StoreRow{"PrivateIsForUs", {{"Cache-Control", "private"}}, ""},
                    StoreRow{"AuthorizationDoesNotMatterToAPrivateCache",
                             {},
                             "",
                             200,
                             "GET",
                             {{"Authorization", "Bearer x"}}},
                    StoreRow{"MustUnderstandOverridesNoStore",
                             {{"Cache-Control", "must-understand, no-store, max-age=1"}},
                             ""},
                    StoreRow{"MustUnderstandOfAnUnknownStatus",
                             {{"Cache-Control", "must-understand, no-store, max-age=1"}},
                             "status",
                             299},
                    StoreRow{"Post", {{"Cache-Control", "max-age=1"}}, "method", 200, "POST"},
                    StoreRow{"Head", {{"Cache-Control", "max-age=1"}}, "method", 200, "HEAD"},
                    StoreRow{"VaryStar", {{"Vary", "*"}}, "Vary: *"},
                    StoreRow{"VaryStarAmongOthers", {{"Vary", "Accept, *"}}, "Vary: *"},
                    StoreRow{
                        "VaryStarInASecondField", {{"Vary", "Accept"}, {"Vary", " * "}}, "Vary: *"},
                    StoreRow{"NotFound", {}, "", 404}, StoreRow{"Gone", {}, "", 410},
                    StoreRow{"Moved", {}, "", 301}, StoreRow{"NoContent", {}, "", 204},
                    StoreRow{"NotImplemented", {}, "", 501},
                    StoreRow{"FoundWithoutFreshTime", {}, "status without a fresh time", 302},
                    StoreRow{"FoundWithMaxAge", {{"Cache-Control", "max-age=1"}}, "", 302},
                    StoreRow{"FoundWithExpires", {{"Expires", kHourLater}}, "", 302},
                    StoreRow{"FoundThatIsPublic", {{"Cache-Control", "public"}}, "", 302},
                    StoreRow{"Partial", {{"Cache-Control", "max-age=1"}}, "status", 206},
                    StoreRow{"NotModified", {{"Cache-Control", "max-age=1"}}, "status", 304},
                    StoreRow{"Unauthorized", {{"Cache-Control", "max-age=1"}}, "status", 401},
                    StoreRow{"Forbidden", {{"Cache-Control", "max-age=1"}}, "status", 403},
                    StoreRow{"TooMany", {{"Cache-Control", "max-age=1"}}, "status", 429},
                    StoreRow{"ServerError", {{"Cache-Control", "max-age=1"}}, "status", 500},
                    StoreRow{"Unavailable", {{"Cache-Control", "max-age=1"}}, "status", 503}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(StoringTest, AVaryOfMoreThan32NamesIsNotStored) {
  std::string names = "a0";
  for (int i = 1; i < 32; ++i) names += ",a" + std::to_string(i);
  EXPECT_EQ(ReasonNotToStore({}, Answer({{"Vary", names}})), "");
  EXPECT_EQ(ReasonNotToStore({}, Answer({{"Vary", names + ",a32"}})), "too long a Vary");
}

TEST(StoringTest, FieldsOfTheConnectionAreNotStored) {
  const StoredResponse stored = Stored(Answer({{"Connection", "X-Hop, close"},
                                               {"X-Hop", "1"},
                                               {"Keep-Alive", "timeout=5"},
                                               {"Transfer-Encoding", "chunked"},
                                               {"Proxy-Authenticate", "Basic"},
                                               {"Date", kNow},
                                               {"X-End", "1"}}));
  EXPECT_THAT(stored.response.headers, ElementsAre(Pair("Date", kNow), Pair("X-End", "1")));
}

TEST(StoringTest, AMissingOrBadDateBecomesTheTimeOfReceipt) {
  EXPECT_EQ(Stored(Answer({})).response.headers.Get("Date"), kNow);
  EXPECT_EQ(Stored(Answer({{"Date", "x"}})).response.headers.Get("Date"), kNow);
  EXPECT_EQ(Stored(Answer({{"Date", kHourLater}})).response.headers.Get("Date"), kHourLater);
}

TEST(StoringTest, TheVendorsWindowsBeatTheApplications) {
  const CacheRules rules = {.stale_while_revalidate = seconds(7), .stale_if_error = seconds(8)};
  const Freshness silent = Stored(Answer({}), {}, rules).freshness;
  EXPECT_EQ(silent.stale_while_revalidate, seconds(7));
  EXPECT_EQ(silent.stale_if_error, seconds(8));
  const Freshness said =
      Stored(Answer({{"Cache-Control", "stale-while-revalidate=0, stale-if-error=99"}}), {}, rules)
          .freshness;
  EXPECT_EQ(said.stale_while_revalidate, seconds(0));
  EXPECT_EQ(said.stale_if_error, seconds(99));
}

// ---- Sharing among concurrent callers

struct ShareRow {
  const char* name;
  http::Headers headers;
  int status;
  bool expected;
};
std::ostream& operator<<(std::ostream& out, const ShareRow& row) { return out << row.name; }

class SharingTest : public testing::TestWithParam<ShareRow> {};

TEST_P(SharingTest, IsAllowedAsTheRowSays) {
  EXPECT_EQ(MayShare(Answer(GetParam().headers, GetParam().status), kStart), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, SharingTest,
    testing::Values(ShareRow{"NothingSaid", {}, 200, true},
                    ShareRow{"Fresh", {{"Cache-Control", "max-age=1"}}, 200, true},
                    ShareRow{"NoStore", {{"Cache-Control", "no-store"}}, 200, false},
                    ShareRow{"NoCache", {{"Cache-Control", "no-cache"}}, 200, false},
                    ShareRow{"MaxAgeZero", {{"Cache-Control", "max-age=0"}}, 200, false},
                    ShareRow{"Expired", {{"Expires", kNow}}, 200, false},
                    ShareRow{"VaryStar", {{"Vary", "*"}}, 200, false},
                    ShareRow{"ARedirectThatSaysNothing", {}, 302, false},
                    ShareRow{"AFailure", {{"Cache-Control", "no-store"}}, 503, true},
                    ShareRow{"ARefusal", {{"Cache-Control", "no-store"}}, 403, true}),
    [](const auto& test) { return std::string(test.param.name); });

// ---- Vary and identity

TEST(VaryTest, OnlyTheNamedFieldsSelect) {
  const StoredResponse stored =
      Stored(Answer({{"Vary", "Accept-Language"}}), {{"Accept-Language", "de"}, {"Accept", "a/b"}});
  EXPECT_TRUE(Matches(stored, {{"accept-language", "de"}, {"Accept", "c/d"}}));
  EXPECT_FALSE(Matches(stored, {{"Accept-Language", "en"}, {"Accept", "a/b"}}));
}

TEST(VaryTest, AFieldThatIsAbsentMatchesOnlyAbsence) {
  const StoredResponse absent = Stored(Answer({{"Vary", "Accept"}}));
  EXPECT_TRUE(Matches(absent, {}));
  EXPECT_FALSE(Matches(absent, {{"Accept", ""}}));
  const StoredResponse empty = Stored(Answer({{"Vary", "Accept"}}), {{"Accept", ""}});
  EXPECT_TRUE(Matches(empty, {{"Accept", ""}}));
  EXPECT_FALSE(Matches(empty, {}));
}

TEST(VaryTest, SeveralFieldsAreOneListInTheirOrder) {
  const StoredResponse stored =
      Stored(Answer({{"Vary", "Accept"}}), {{"Accept", "a"}, {"Accept", "b"}});
  EXPECT_TRUE(Matches(stored, {{"Accept", "a, b"}}));
  EXPECT_TRUE(Matches(stored, {{"Accept", "a"}, {"Accept", "b"}}));
  EXPECT_FALSE(Matches(stored, {{"Accept", "b"}, {"Accept", "a"}}));
}

TEST(VaryTest, AllNamesOfAllFieldsMustMatch) {
  const StoredResponse stored =
      Stored(Answer({{"Vary", "B, a,"}, {"Vary", "b"}}), {{"A", "1"}, {"B", "2"}});
  EXPECT_THAT(stored.selecting, ElementsAre(Pair("a", "1"), Pair("b", "2")));
  EXPECT_TRUE(Matches(stored, {{"B", "2"}, {"A", "1"}}));
  EXPECT_FALSE(Matches(stored, {{"B", "2"}, {"A", "0"}}));
}

TEST(IdentityTest, NegotiationDoesNotTellWhoAsks) {
  EXPECT_EQ(IdentityOf({{"Accept", "a"}, {"User-Agent", "b"}, {"traceparent", "c"}}), "");
}

TEST(IdentityTest, AnythingElseDoes) {
  const std::string anne = IdentityOf({{"Authorization", "Bearer anne"}});
  EXPECT_NE(anne, IdentityOf({{"Authorization", "Bearer bob"}}));
  EXPECT_NE(anne, IdentityOf({}));
  EXPECT_NE(IdentityOf({{"Stripe-Account", "1"}}), IdentityOf({{"Stripe-Account", "2"}}));
  EXPECT_NE(IdentityOf({{"X-Never-Heard-Of", "1"}}), IdentityOf({}));
}

TEST(IdentityTest, OrderAndCaseOfNamesDoNotMatter) {
  EXPECT_EQ(IdentityOf({{"X-A", "1"}, {"x-b", "2"}}), IdentityOf({{"X-B", "2"}, {"x-a", "1"}}));
  EXPECT_NE(IdentityOf({{"X-A", "1"}, {"X-A", "2"}}), IdentityOf({{"X-A", "2"}, {"X-A", "1"}}));
}

TEST(FingerprintTest, LeavesOutOnlyTheNamesOfTheCall) {
  EXPECT_EQ(FingerprintOf({{"Accept", "a"}, {"X-Request-Id", "1"}, {"traceparent", "x"}}),
            FingerprintOf({{"X-Request-Id", "2"}, {"accept", "a"}}));
  EXPECT_NE(FingerprintOf({{"Accept", "a"}}), FingerprintOf({{"Accept", "b"}}));
  EXPECT_NE(FingerprintOf({{"Cache-Control", "no-cache"}}), FingerprintOf({}));
}

// ---- Bypass

TEST(BypassTest, WhatTheCacheCannotJudgeGoesPastIt) {
  const auto reason = [](http::Headers headers, std::string body = {}) {
    http::Request request;
    request.headers = std::move(headers);
    request.body = std::move(body);
    return ReasonToBypass(request, ParseRequestCacheControl(request));
  };
  EXPECT_EQ(reason({}), "");
  EXPECT_EQ(reason({{"Cache-Control", "no-cache"}}), "");
  EXPECT_EQ(reason({{"Cache-Control", "no-store"}}), "no-store");
  EXPECT_EQ(reason({{"Range", "bytes=0-1"}}), "range request");
  EXPECT_EQ(reason({{"If-None-Match", "\"a\""}}), "own precondition");
  EXPECT_EQ(reason({{"If-Modified-Since", kNow}}), "own precondition");
  EXPECT_EQ(reason({{"If-Match", "\"a\""}}), "own precondition");
  EXPECT_EQ(reason({}, "{}"), "request with a body");
}

TEST(BypassTest, PragmaCountsOnlyWithoutCacheControl) {
  http::Request request;
  request.headers = {{"Pragma", "foo, No-Cache"}};
  EXPECT_TRUE(ParseRequestCacheControl(request).no_cache);
  request.headers = {{"Pragma", "no-cache"}, {"Cache-Control", "max-age=9"}};
  EXPECT_FALSE(ParseRequestCacheControl(request).no_cache);
}

// ---- What a request may get

struct UseRow {
  const char* name;
  const char* response;  // Its Cache-Control.
  const char* request;
  Duration age;
  CacheUse expected;
};
std::ostream& operator<<(std::ostream& out, const UseRow& row) { return out << row.name; }

class JudgeTest : public testing::TestWithParam<UseRow> {};

TEST_P(JudgeTest, DecidesAsTheRowSays) {
  const UseRow& row = GetParam();
  const StoredResponse stored = Stored(Answer({{"Cache-Control", row.response}}));
  EXPECT_EQ(Judge(Wishes(row.request), stored, At(row.age)).use, row.expected);
}

constexpr Duration kTick = Duration(1);
constexpr Duration k60 = seconds(60);

INSTANTIATE_TEST_SUITE_P(
    Response, JudgeTest,
    testing::Values(
        UseRow{"FreshAtOnce", "max-age=60", "", seconds(0), CacheUse::kFresh},
        UseRow{"FreshUntilJustBefore", "max-age=60", "", k60 - kTick, CacheUse::kFresh},
        UseRow{"StaleWhenTheAgeReachesTheLifetime", "max-age=60", "", k60, CacheUse::kValidate},
        UseRow{"LifetimeZero", "max-age=0", "", seconds(0), CacheUse::kValidate},
        UseRow{"NoCacheIsNeverServed", "max-age=60, no-cache", "", seconds(0), CacheUse::kValidate},
        UseRow{"QualifiedNoCacheNeither", "max-age=60, no-cache=\"X\"", "", seconds(0),
               CacheUse::kValidate},
        UseRow{"MustRevalidateWhileFresh", "max-age=60, must-revalidate", "", k60 - kTick,
               CacheUse::kFresh},
        UseRow{"WindowBegins", "max-age=60, stale-while-revalidate=10", "", k60,
               CacheUse::kStaleWhileRevalidate},
        UseRow{"WindowEnds", "max-age=60, stale-while-revalidate=10", "", k60 + seconds(10) - kTick,
               CacheUse::kStaleWhileRevalidate},
        UseRow{"WindowIsOver", "max-age=60, stale-while-revalidate=10", "", k60 + seconds(10),
               CacheUse::kValidate},
        UseRow{"NoWindowWithMustRevalidate",
               "max-age=60, stale-while-revalidate=10, must-revalidate", "", k60,
               CacheUse::kValidate},
        UseRow{"NoWindowWithNoCache", "max-age=60, stale-while-revalidate=10, no-cache", "", k60,
               CacheUse::kValidate},
        UseRow{"StaleIfErrorIsNoWindow", "max-age=60, stale-if-error=10", "", k60,
               CacheUse::kValidate}),
    [](const auto& test) { return std::string(test.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Request, JudgeTest,
    testing::Values(
        UseRow{"NoCache", "max-age=60", "no-cache", seconds(0), CacheUse::kValidate},
        UseRow{"YoungEnough", "max-age=60", "max-age=30", seconds(30), CacheUse::kFresh},
        UseRow{"TooOldForMaxAge", "max-age=60", "max-age=30", seconds(30) + kTick,
               CacheUse::kValidate},
        UseRow{"MaxAgeZeroAsksForValidation", "max-age=60", "max-age=0", seconds(0),
               CacheUse::kValidate},
        UseRow{"MaxAgeDoesNotMakeFresh", "max-age=60", "max-age=600", k60, CacheUse::kValidate},
        UseRow{"FreshLongEnough", "max-age=60", "min-fresh=30", seconds(30), CacheUse::kFresh},
        UseRow{"NotFreshLongEnough", "max-age=60", "min-fresh=30", seconds(30) + kTick,
               CacheUse::kValidate},
        UseRow{"BadMinFresh", "max-age=60", "min-fresh=x", seconds(0), CacheUse::kValidate},
        UseRow{"AnyStale", "max-age=60", "max-stale", hours(1), CacheUse::kStale},
        UseRow{"StaleUpTo", "max-age=60", "max-stale=10", k60 + seconds(10), CacheUse::kStale},
        UseRow{"TooStale", "max-age=60", "max-stale=10", k60 + seconds(10) + kTick,
               CacheUse::kValidate},
        UseRow{"BadMaxStale", "max-age=60", "max-stale=x", k60, CacheUse::kValidate},
        UseRow{"MaxStaleOfAFreshOne", "max-age=60", "max-stale=10", seconds(0), CacheUse::kFresh},
        UseRow{"MaxStaleAgainstMustRevalidate", "max-age=60, must-revalidate", "max-stale", k60,
               CacheUse::kValidate},
        UseRow{"MaxStaleAgainstNoCache", "max-age=60, no-cache", "max-stale", seconds(0),
               CacheUse::kValidate},
        UseRow{"MaxAgeExceededWithinMaxStale", "max-age=60", "max-age=30, max-stale=10",
               seconds(40), CacheUse::kStale},
        UseRow{"MaxAgeExceededBeyondMaxStale", "max-age=60", "max-age=30, max-stale=10",
               seconds(40) + kTick, CacheUse::kValidate},
        UseRow{"MinFreshBeatsMaxStale", "max-age=60", "min-fresh=5, max-stale", k60,
               CacheUse::kValidate},
        UseRow{"MaxAgeWantsNoStaleWhileRevalidate", "max-age=60, stale-while-revalidate=10",
               "max-age=600", k60, CacheUse::kValidate},
        UseRow{"MinFreshWantsNoStaleWhileRevalidate", "max-age=60, stale-while-revalidate=10",
               "min-fresh=0", k60 + seconds(1), CacheUse::kValidate},
        UseRow{"BeyondMaxStaleTheWindowStillCounts", "max-age=60, stale-while-revalidate=10",
               "max-stale=1", k60 + seconds(5), CacheUse::kStaleWhileRevalidate}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(JudgeTest, SaysWhetherTheRequestDemandedTheValidation) {
  const StoredResponse stored = Stored(Answer({{"Cache-Control", "max-age=60"}}));
  EXPECT_TRUE(Judge(Wishes("no-cache"), stored, At({})).demanded);
  EXPECT_TRUE(Judge(Wishes("max-age=0"), stored, At({})).demanded);
  EXPECT_FALSE(Judge(Wishes(""), stored, At(k60)).demanded);
  EXPECT_FALSE(Judge(Wishes("max-age=9"), stored, At(k60)).demanded);
}

TEST(JudgeTest, SaysAgeAndTimeToLive) {
  const StoredResponse stored = Stored(Answer({{"Cache-Control", "max-age=60"}, {"Age", "10"}}));
  const CacheVerdict verdict = Judge({}, stored, At(seconds(70)));
  EXPECT_EQ(verdict.age, seconds(80));
  EXPECT_EQ(verdict.ttl, seconds(-20));
}

struct ErrorRow {
  const char* name;
  const char* response;
  const char* request;
  Duration age;
  bool expected;
};
std::ostream& operator<<(std::ostream& out, const ErrorRow& row) { return out << row.name; }

class StaleIfErrorTest : public testing::TestWithParam<ErrorRow> {};

TEST_P(StaleIfErrorTest, IsAllowedAsTheRowSays) {
  const ErrorRow& row = GetParam();
  const StoredResponse stored = Stored(Answer({{"Cache-Control", row.response}}));
  EXPECT_EQ(MayServeOnError(Wishes(row.request), stored, At(row.age)), row.expected);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, StaleIfErrorTest,
    testing::Values(
        ErrorRow{"NothingSaid", "max-age=60", "", k60, false},
        ErrorRow{"StillFresh", "max-age=60", "", k60 - kTick, true},
        ErrorRow{"WindowBegins", "max-age=60, stale-if-error=10", "", k60, true},
        ErrorRow{"WindowEnds", "max-age=60, stale-if-error=10", "", k60 + seconds(10) - kTick,
                 true},
        ErrorRow{"WindowIsOver", "max-age=60, stale-if-error=10", "", k60 + seconds(10), false},
        ErrorRow{"MustRevalidate", "max-age=60, stale-if-error=10, must-revalidate", "", k60,
                 false},
        ErrorRow{"NoCache", "max-age=60, stale-if-error=10, no-cache", "", seconds(0), false},
        ErrorRow{"TheRequestMayAskForIt", "max-age=60", "stale-if-error=10", k60, true},
        ErrorRow{"TheRequestMayAskForLess", "max-age=60, stale-if-error=10", "stale-if-error=5",
                 k60 + seconds(5), false},
        ErrorRow{"NotAgainstMustRevalidate", "max-age=60, must-revalidate", "stale-if-error=10",
                 k60, false},
        ErrorRow{"TheRequestWantsValidation", "max-age=60, stale-if-error=10", "no-cache", k60,
                 false},
        ErrorRow{"TheRequestWantsAYoungOne", "max-age=60, stale-if-error=10", "max-age=5", k60,
                 false}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(FailureForStaleTest, OnlyTheFourStatuses) {
  for (const int status : {500, 502, 503, 504}) {
    EXPECT_TRUE(IsFailureForStale(Answer({}, status))) << status;
  }
  for (const int status : {200, 304, 400, 401, 403, 404, 408, 429, 501, 505, 599}) {
    EXPECT_FALSE(IsFailureForStale(Answer({}, status))) << status;
  }
}

TEST(FailureForStaleTest, OnlyErrorsForWantOfAvailability) {
  for (const ErrorCode code :
       {ErrorCode::kTimeout, ErrorCode::kDeadlineExceeded, ErrorCode::kConnection,
        ErrorCode::kCircuitOpen, ErrorCode::kRateLimited, ErrorCode::kOverloaded,
        ErrorCode::kProtocol}) {
    EXPECT_TRUE(IsFailureForStale(Error{code})) << ToString(code);
  }
  for (const ErrorCode code : {ErrorCode::kInvalidArgument, ErrorCode::kCancelled, ErrorCode::kTls,
                               ErrorCode::kAuth, ErrorCode::kInternal, ErrorCode::kUnverified}) {
    EXPECT_FALSE(IsFailureForStale(Error{code})) << ToString(code);
  }
}

// ---- Validation

TEST(ValidationTest, SendsTheValidatorsThatThereAre) {
  http::Request request;
  EXPECT_FALSE(AddValidators(Stored(Answer({})), request));
  EXPECT_THAT(request.headers, IsEmpty());
  EXPECT_TRUE(
      AddValidators(Stored(Answer({{"ETag", "W/\"a\""}, {"Last-Modified", kNow}})), request));
  EXPECT_THAT(request.headers,
              ElementsAre(Pair("If-None-Match", "W/\"a\""), Pair("If-Modified-Since", kNow)));
}

struct ConfirmRow {
  const char* name;
  http::Headers stored;
  http::Headers not_modified;
  bool expected;
};
std::ostream& operator<<(std::ostream& out, const ConfirmRow& row) { return out << row.name; }

class ConfirmsTest : public testing::TestWithParam<ConfirmRow> {};

TEST_P(ConfirmsTest, ComparesValidators) {
  EXPECT_EQ(Confirms(Answer(GetParam().not_modified, 304), Stored(Answer(GetParam().stored))),
            GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, ConfirmsTest,
    testing::Values(
        ConfirmRow{"SameTag", {{"ETag", "\"a\""}}, {{"ETag", "\"a\""}}, true},
        ConfirmRow{"OtherTag", {{"ETag", "\"a\""}}, {{"ETag", "\"b\""}}, false},
        ConfirmRow{"SameWeakTag", {{"ETag", "W/\"a\""}}, {{"ETag", "W/\"a\""}}, true},
        ConfirmRow{"WeakTagOfAStrongOne", {{"ETag", "\"a\""}}, {{"ETag", "W/\"a\""}}, true},
        ConfirmRow{"StrongTagOfAWeakOne", {{"ETag", "W/\"a\""}}, {{"ETag", "\"a\""}}, false},
        ConfirmRow{"TagThatWasNotStored", {{"Last-Modified", kNow}}, {{"ETag", "\"a\""}}, false},
        ConfirmRow{"NoValidatorInThe304", {{"ETag", "\"a\""}}, {}, true},
        ConfirmRow{"SameDate", {{"Last-Modified", kNow}}, {{"Last-Modified", kNow}}, true},
        ConfirmRow{"OtherDate", {{"Last-Modified", kNow}}, {{"Last-Modified", kHourLater}}, false}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(FreshenedTest, TheFieldsOfThe304ReplaceTheStoredOnes) {
  const StoredResponse stored = Stored(Answer({{"Date", kNow},
                                               {"Cache-Control", "max-age=1"},
                                               {"X-Old", "stays"},
                                               {"X-List", "1"},
                                               {"X-List", "2"},
                                               {"Age", "50"},
                                               {"Content-Length", "2"},
                                               {"Content-Encoding", "gzip"}}));
  const http::Response update = Answer({{"Date", kHourLater},
                                        {"cache-control", "max-age=60"},
                                        {"X-List", "3"},
                                        {"X-List", "4"},
                                        {"X-New", "1"},
                                        {"Content-Length", "0"},
                                        {"Content-Encoding", "br"},
                                        {"Connection", "X-Hop"},
                                        {"X-Hop", "1"}},
                                       304);
  const Moment later = At(hours(1));
  const StoredResponse fresh = Freshened(stored, {}, update, later, later);
  EXPECT_THAT(fresh.response.headers,
              ElementsAre(Pair("X-Old", "stays"), Pair("Content-Length", "2"),
                          Pair("Content-Encoding", "gzip"), Pair("Date", kHourLater),
                          Pair("cache-control", "max-age=60"), Pair("X-List", "3"),
                          Pair("X-List", "4"), Pair("X-New", "1")));
  EXPECT_EQ(fresh.response.status, 200);
  EXPECT_EQ(fresh.response.body, "{}");
  EXPECT_EQ(AgeOf(fresh, later), seconds(0));
  EXPECT_EQ(fresh.freshness.lifetime, seconds(60));
}

TEST(FreshenedTest, A304WithoutDateIsAsYoungAsItsArrival) {
  const StoredResponse stored = Stored(Answer({{"Date", kNow}, {"Cache-Control", "max-age=60"}}));
  const Moment later = At(hours(1));
  const StoredResponse fresh = Freshened(stored, {}, Answer({}, 304), later, later);
  EXPECT_EQ(fresh.response.headers.Get("Date"), kHourLater);
  EXPECT_EQ(Judge({}, fresh, later).use, CacheUse::kFresh);
}

TEST(FreshenedTest, ANewVarySelectsFromNowOn) {
  const StoredResponse stored = Stored(Answer({}), {{"Accept", "a"}});
  const StoredResponse fresh =
      Freshened(stored, {{"Accept", "b"}}, Answer({{"Vary", "Accept"}}, 304), At({}), At({}));
  EXPECT_THAT(fresh.selecting, ElementsAre(Pair("accept", "b")));
}

TEST(HeadTest, ConfirmsOnlyWhatAgrees) {
  const StoredResponse stored =
      Stored(Answer({{"ETag", "\"a\""}, {"Last-Modified", kNow}, {"Content-Length", "2"}}));
  EXPECT_TRUE(ConfirmsHead(Answer({}), stored));
  EXPECT_TRUE(ConfirmsHead(Answer({{"ETag", "\"a\""}, {"Content-Length", "2"}}), stored));
  EXPECT_FALSE(ConfirmsHead(Answer({{"ETag", "\"b\""}}), stored));
  EXPECT_FALSE(ConfirmsHead(Answer({{"Last-Modified", kHourLater}}), stored));
  EXPECT_FALSE(ConfirmsHead(Answer({{"Content-Length", "3"}}), stored));
  // The stored body may have been decoded; there is no length to compare.
  EXPECT_TRUE(ConfirmsHead(Answer({{"Content-Length", "3"}}), Stored(Answer({}))));
  EXPECT_FALSE(ConfirmsHead(Answer({{"ETag", "\"a\""}}), Stored(Answer({}))));
}

TEST(SupersedesTest, OnlyAnswersThatTellOfTheResource) {
  for (const int status : {200, 204, 302, 400, 401, 403, 404, 410, 422}) {
    EXPECT_TRUE(Supersedes(status)) << status;
  }
  for (const int status : {100, 304, 408, 425, 429, 500, 503, 599}) {
    EXPECT_FALSE(Supersedes(status)) << status;
  }
}

// ---- Invalidation

std::vector<std::string> Invalidated(const char* method, const Result<http::Response>& result) {
  http::Request request;
  request.method = http::Method(method);
  request.url = http::Url::Parse("https://api.vendor.example/v1/orders?x=1").value();
  std::vector<std::string> urls;
  for (const http::Url& url : InvalidatedBy(request, result)) urls.push_back(url.ToString());
  return urls;
}

constexpr const char* kOrders = "https://api.vendor.example/v1/orders?x=1";

TEST(InvalidationTest, SuccessOfAnUnsafeMethodInvalidatesItsUrl) {
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE", "MKCOL", "get"}) {
    EXPECT_THAT(Invalidated(method, Answer({})), ElementsAre(kOrders)) << method;
  }
  EXPECT_THAT(Invalidated("POST", Answer({}, 399)), ElementsAre(kOrders));
}

TEST(InvalidationTest, SafeMethodsAndRefusalsInvalidateNothing) {
  for (const char* method : {"GET", "HEAD", "OPTIONS", "TRACE"}) {
    EXPECT_THAT(Invalidated(method, Answer({})), IsEmpty()) << method;
  }
  EXPECT_THAT(Invalidated("POST", Answer({}, 400)), IsEmpty());
  EXPECT_THAT(Invalidated("POST", Answer({}, 503)), IsEmpty());
  EXPECT_THAT(Invalidated("POST", Error{ErrorCode::kCircuitOpen}), IsEmpty());
}

TEST(InvalidationTest, AnUnknownOutcomeInvalidatesToo) {
  EXPECT_THAT(
      Invalidated("POST", Error{.code = ErrorCode::kTimeout, .delivery = Delivery::kMaybeSent}),
      ElementsAre(kOrders));
}

TEST(InvalidationTest, LocationsOfTheSameOriginGoToo) {
  EXPECT_THAT(
      Invalidated("POST",
                  Answer({{"Location", "/v1/orders/7"}, {"Content-Location", "latest"}}, 201)),
      ElementsAre(kOrders, "https://api.vendor.example/v1/orders/7",
                  "https://api.vendor.example/v1/latest"));
}

TEST(InvalidationTest, LocationsElsewhereStay) {
  for (const char* location :
       {"https://other.example/v1/orders", "http://api.vendor.example/v1/orders",
        "https://api.vendor.example:444/v1/orders", "//other.example/", "https://[", "a b"}) {
    EXPECT_THAT(Invalidated("POST", Answer({{"Location", location}})), ElementsAre(kOrders))
        << location;
  }
}

// ---- For models

TEST(ModelFreshnessTest, IsWhatIsLeftOfTheResponse) {
  const ModelFreshness freshness = FreshnessOf(Answer({{"Cache-Control",
                                                        "max-age=60, stale-while-revalidate=30, "
                                                        "stale-if-error=90"},
                                                       {"Age", "20"}}),
                                               kStart);
  EXPECT_EQ(freshness.fresh_for, seconds(40));
  EXPECT_EQ(freshness.stale_while_revalidate, seconds(30));
  EXPECT_EQ(freshness.stale_if_error, seconds(90));
}

TEST(ModelFreshnessTest, WhatArrivesStaleHasUsedUpItsWindows) {
  const ModelFreshness freshness = FreshnessOf(
      Answer({{"Cache-Control", "max-age=60, stale-while-revalidate=30, stale-if-error=90"},
              {"Age", "100"}}),
      kStart);
  EXPECT_EQ(freshness.fresh_for, seconds(0));
  EXPECT_EQ(freshness.stale_while_revalidate, seconds(0));
  EXPECT_EQ(freshness.stale_if_error, seconds(50));
}

TEST(ModelFreshnessTest, IsNoneForWhatMustNotBeKept) {
  const CacheRules rules = {seconds(60), seconds(60), seconds(60)};
  for (const char* field : {"no-store", "no-cache"}) {
    const ModelFreshness freshness = FreshnessOf(Answer({{"Cache-Control", field}}), kStart, rules);
    EXPECT_EQ(freshness.fresh_for, seconds(0)) << field;
    EXPECT_EQ(freshness.stale_while_revalidate, seconds(0)) << field;
    EXPECT_EQ(freshness.stale_if_error, seconds(0)) << field;
  }
  EXPECT_EQ(FreshnessOf(Answer({}, 500), kStart, rules).fresh_for, seconds(0));
  EXPECT_EQ(FreshnessOf(Answer({}), kStart, rules).fresh_for, seconds(60));
}

TEST(ModelFreshnessTest, MustRevalidateLeavesNoWindows) {
  const ModelFreshness freshness = FreshnessOf(
      Answer({{"Cache-Control", "max-age=60, must-revalidate, stale-if-error=90"}}), kStart);
  EXPECT_EQ(freshness.fresh_for, seconds(60));
  EXPECT_EQ(freshness.stale_if_error, seconds(0));
}

}  // namespace
}  // namespace understudy
