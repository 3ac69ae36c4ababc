// CacheControl: what the parser makes of well-formed, odd and hostile fields.
#include "middleware/resilience/cache_control.h"

#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace understudy {
namespace {

using std::chrono::seconds;

CacheControl Parse(const std::vector<std::string>& fields) {
  http::Headers headers;
  for (const std::string& field : fields) {
    EXPECT_TRUE(headers.Add("Cache-Control", field)) << field;
  }
  return ParseCacheControl(headers);
}

CacheControl With(void (*set)(CacheControl&)) {
  CacheControl control;
  set(control);
  return control;
}

struct Row {
  const char* name;
  std::vector<std::string> fields;
  CacheControl expected;
};
std::ostream& operator<<(std::ostream& out, const Row& row) { return out << row.name; }

class CacheControlTest : public testing::TestWithParam<Row> {};

TEST_P(CacheControlTest, IsReadAsTheRowSays) {
  EXPECT_EQ(Parse(GetParam().fields), GetParam().expected);
}

constexpr auto kNothing = [](CacheControl&) {};
constexpr auto kNoStore = [](CacheControl& c) { c.no_store = true; };
constexpr auto kNoCache = [](CacheControl& c) { c.no_cache = true; };
constexpr auto kMaxAge60 = [](CacheControl& c) { c.max_age = seconds(60); };
constexpr auto kMaxAge0 = [](CacheControl& c) { c.max_age = seconds(0); };
constexpr auto kMaxAgeMost = [](CacheControl& c) { c.max_age = kCacheSecondsMax; };

INSTANTIATE_TEST_SUITE_P(
    Directives, CacheControlTest,
    testing::Values(
        Row{"None", {}, With(kNothing)}, Row{"Empty", {""}, With(kNothing)},
        Row{"NoStore", {"no-store"}, With(kNoStore)}, Row{"NoCache", {"no-cache"}, With(kNoCache)},
        Row{"MaxAge", {"max-age=60"}, With(kMaxAge60)},
        Row{"AnyCase", {"MAX-Age=60"}, With(kMaxAge60)},
        Row{"MustRevalidate", {"must-revalidate"}, With([](CacheControl& c) {
              c.must_revalidate = true;
            })},
        Row{"MustUnderstand", {"must-understand"}, With([](CacheControl& c) {
              c.must_understand = true;
            })},
        Row{"Public", {"public"}, With([](CacheControl& c) { c.is_public = true; })},
        Row{"Private", {"private"}, With([](CacheControl& c) { c.is_private = true; })},
        Row{"OnlyIfCached", {"only-if-cached"}, With([](CacheControl& c) {
              c.only_if_cached = true;
            })},
        Row{"SMaxAge", {"s-maxage=5"}, With([](CacheControl& c) { c.s_maxage = seconds(5); })},
        Row{"MinFresh", {"min-fresh=5"}, With([](CacheControl& c) { c.min_fresh = seconds(5); })},
        Row{"MaxStale", {"max-stale=5"}, With([](CacheControl& c) { c.max_stale = seconds(5); })},
        Row{"MaxStaleOfAnyLength", {"max-stale"}, With([](CacheControl& c) {
              c.max_stale = Duration::max();
            })},
        Row{"StaleWindows",
            {"stale-while-revalidate=30, stale-if-error=86400"},
            With([](CacheControl& c) {
              c.stale_while_revalidate = seconds(30);
              c.stale_if_error = seconds(86400);
            })},
        Row{"UnknownOnesAreIgnored", {"immutable, foo=bar, max-age=60"}, With(kMaxAge60)}),
    [](const auto& test) { return std::string(test.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Syntax, CacheControlTest,
    testing::Values(
        Row{"SeveralFields", {"max-age=60", "private"}, With([](CacheControl& c) {
              c.max_age = seconds(60);
              c.is_private = true;
            })},
        Row{"WithoutSpaces", {"private,max-age=60"}, With([](CacheControl& c) {
              c.max_age = seconds(60);
              c.is_private = true;
            })},
        Row{"EmptyMembers", {", ,max-age=60,,"}, With(kMaxAge60)},
        Row{"TabsAndSpaces", {" \t max-age=60 \t "}, With(kMaxAge60)},
        Row{"QuotedNumber", {"max-age=\"60\""}, With(kMaxAge60)},
        Row{"QuotedEscapes", {"max-age=\"\\6\\0\""}, With(kMaxAge60)},
        Row{"CommaInQuotesIsNoEnd", {"foo=\"a, no-store\", max-age=60"}, With(kMaxAge60)},
        Row{"EscapedQuoteIsNoEnd", {"foo=\"a\\\", no-store\", max-age=60"}, With(kMaxAge60)},
        Row{"FieldListIsTakenForAll", {"no-cache=\"Set-Cookie, X\""}, With(kNoCache)},
        Row{"OpenQuoteHidesNothing", {"foo=\"a, no-store"}, With(kNoStore)},
        Row{"QuoteInATokenHidesNothing", {"foo=a\"b, no-store\""}, With(kNoStore)},
        Row{"QuoteInANameHidesNothing", {"foo\"b, no-store, \"c"}, With(kNoStore)},
        Row{"OpenQuoteWithEscapeAtTheEnd", {"no-store, foo=\"a\\"}, With(kNoStore)},
        Row{"RestrictionWithArgument", {"no-store=yes"}, With(kNoStore)},
        Row{"RestrictionWithGarbage", {"no-store;"}, With(kNoStore)},
        Row{"PermissionWithGarbage", {"public; x, must-understand x"}, With(kNothing)},
        Row{"OtherNameThatContainsIt", {"x-no-store, no-stored, xmax-age=5"}, With(kNothing)},
        Row{"QuotedNameIsNoName", {"\"no-store\""}, With(kNothing)}),
    [](const auto& test) { return std::string(test.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Numbers, CacheControlTest,
    testing::Values(Row{"Zero", {"max-age=0"}, With(kMaxAge0)},
                    Row{"LeadingZeros", {"max-age=00060"}, With(kMaxAge60)},
                    Row{"Largest", {"max-age=2147483648"}, With(kMaxAgeMost)},
                    Row{"OneAboveTheLargest", {"max-age=2147483649"}, With(kMaxAgeMost)},
                    Row{"TwoToThe64", {"max-age=18446744073709551616"}, With(kMaxAgeMost)},
                    Row{"HundredDigits", {"max-age=" + std::string(100, '9')}, With(kMaxAgeMost)},
                    Row{"Negative", {"max-age=-1"}, With(kMaxAge0)},
                    Row{"Fraction", {"max-age=60.5"}, With(kMaxAge0)},
                    Row{"Exponent", {"max-age=6e1"}, With(kMaxAge0)},
                    Row{"Word", {"max-age=soon"}, With(kMaxAge0)},
                    Row{"Hexadecimal", {"max-age=0x3c"}, With(kMaxAge0)},
                    Row{"Nothing", {"max-age"}, With(kMaxAge0)},
                    Row{"EmptyValue", {"max-age="}, With(kMaxAge0)},
                    Row{"EmptyQuotes", {"max-age=\"\""}, With(kMaxAge0)},
                    Row{"SingleQuotes", {"max-age='60'"}, With(kMaxAge0)},
                    Row{"SpaceBeforeEquals", {"max-age =60"}, With(kMaxAge0)},
                    Row{"SpaceAfterEquals", {"max-age= 60"}, With(kMaxAge0)},
                    Row{"SpaceInQuotes", {"max-age=\" 60\""}, With(kMaxAge0)},
                    Row{"GarbageAfterIt", {"max-age=60 60"}, With(kMaxAge0)},
                    Row{"GarbageAfterQuotes", {"max-age=\"60\"0"}, With(kMaxAge0)},
                    Row{"SameTwice", {"max-age=60, max-age=60"}, With(kMaxAge60)},
                    Row{"TwoThatDiffer", {"max-age=60, max-age=61"}, With(kMaxAge0)},
                    Row{"TwoThatDifferInTwoFields", {"max-age=61", "max-age=60"}, With(kMaxAge0)},
                    Row{"BadMinFreshIsTheMost", {"min-fresh=x"}, With([](CacheControl& c) {
                          c.min_fresh = kCacheSecondsMax;
                        })},
                    Row{"LongerMinFreshCounts",
                        {"min-fresh=5, min-fresh=9, min-fresh=7"},
                        With([](CacheControl& c) { c.min_fresh = seconds(9); })},
                    Row{"BadPermissionsAreNone",
                        {"max-stale=x, stale-if-error, stale-while-revalidate=-1, s-maxage=1.5"},
                        With(kNothing)},
                    Row{"ShorterPermissionCounts",
                        {"stale-if-error=9, stale-if-error=5, max-stale, max-stale=3"},
                        With([](CacheControl& c) {
                          c.stale_if_error = seconds(5);
                          c.max_stale = seconds(3);
                        })}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(CacheControlBoundTest, ADirectiveTooManyMeansNoStore) {
  std::string most;
  for (int i = 0; i < 127; ++i) most += "x,";
  EXPECT_EQ(Parse({most + "max-age=60"}).max_age, seconds(60));
  EXPECT_FALSE(Parse({most + "max-age=60"}).no_store);
  EXPECT_TRUE(Parse({most + "y,max-age=60"}).no_store);
  EXPECT_TRUE(Parse({most, "y", "z"}).no_store);
}

TEST(CacheControlBoundTest, OtherFieldsAreNotRead) {
  http::Headers headers{{"X-Cache-Control", "no-store"}, {"cache-control", "max-age=60"}};
  EXPECT_EQ(ParseCacheControl(headers), With(kMaxAge60));
}

}  // namespace
}  // namespace understudy
