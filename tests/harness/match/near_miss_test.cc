#include "harness/match/near_miss.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy::harness {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

http::Request MakeRequest(std::string_view method, std::string_view target, std::string body = {}) {
  auto url = http::Url::Parse(std::string("http://acme.sim").append(target));
  return {http::Method(method), *std::move(url), {}, std::move(body)};
}

std::vector<RequestMatcher> Compiled(const std::vector<RequestMatch>& specs) {
  std::vector<RequestMatcher> matchers;
  for (const RequestMatch& spec : specs) matchers.push_back(*RequestMatcher::Compile(spec));
  return matchers;
}

std::vector<std::size_t> Nearest(const std::vector<RequestMatch>& specs,
                                 const http::Request& request, std::size_t limit = 3) {
  const auto matchers = Compiled(specs);
  std::vector<std::size_t> routes;
  for (const NearMiss& miss : FindNearMisses(matchers, PreparedRequest(request), limit)) {
    routes.push_back(miss.route);
  }
  return routes;
}

TEST(NearMissTest, RanksByDistance) {
  EXPECT_THAT(Nearest({{.method = "GET", .path = "/health"},
                       {.method = "GET", .path = "/v1/orders/{id}"},
                       {.method = "POST", .path = "/v1/order/{id}"},
                       {.method = "PUT", .path = "/v1/a/b/c"}},
                      MakeRequest("POST", "/v1/orders/o1")),
              ElementsAre(2U, 1U, 3U));
}

TEST(NearMissTest, OfEqualOnesTheEarlierComesFirst) {
  EXPECT_THAT(Nearest({{.path = "/b"}, {.path = "/c"}}, MakeRequest("GET", "/a"), 1),
              ElementsAre(0U));
}

TEST(NearMissTest, LeavesOutWhatFits) {
  EXPECT_THAT(Nearest({{.path = "/a"}}, MakeRequest("GET", "/a")), IsEmpty());
}

TEST(RenderDiffTest, ShowsPartsSideBySide) {
  const auto matcher = *RequestMatcher::Compile({.method = "POST",
                                                 .path = "/v1/orders",
                                                 .query = {FieldMatch::Equals("limit", "10")},
                                                 .json = R"({"total":{"currency":"EUR"}})"});
  const auto request = MakeRequest("POST", "/v1/order", R"({"total":{"currency":"USD"}})");
  const auto result = matcher.Match(PreparedRequest(request), MatchDetail::kReport);
  EXPECT_EQ(RenderDiff(matcher, result, "route \"create\""),
            "route \"create\" (distance 0.56)\n"
            "                        expected    actual\n"
            "  method                POST        POST\n"
            "! path                  /v1/orders  /v1/order\n"
            "! query limit           \"10\"        nothing\n"
            "! json /total/currency  \"EUR\"       \"USD\"\n");
}

TEST(RenderDiffTest, KeepsControlCharactersOutOfTheTable) {
  const auto matcher = *RequestMatcher::Compile({.text = R"("a")"});
  const auto request = MakeRequest("POST", "/", "\x1b[31m\nx");
  const std::string diff = RenderDiff(matcher, matcher.Match(request));
  EXPECT_THAT(diff, Not(HasSubstr("\x1b")));
}

TEST(RenderDiffTest, IsBounded) {
  RequestMatch spec;
  for (int i = 0; i < 100; ++i) spec.query.push_back({"q" + std::to_string(i), "\"x\""});
  const auto matcher = *RequestMatcher::Compile(spec);
  const auto request = MakeRequest("POST", "/?q1=" + std::string(5'000, 'y'));
  const auto result = matcher.Match(PreparedRequest(request), MatchDetail::kReport);
  EXPECT_LT(RenderDiff(matcher, result).size(), 30'000U);
}

}  // namespace
}  // namespace understudy::harness
