#include "harness/match/route_index.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace understudy::harness {
namespace {

http::Request MakeRequest(std::string_view method, std::string_view target) {
  auto url = http::Url::Parse(std::string("http://acme.sim").append(target));
  EXPECT_TRUE(url.has_value()) << target;
  return {http::Method(method), *std::move(url), {}, {}};
}

RouteIndex::Route MakeRoute(const RequestMatch& spec, int priority = RouteIndex::kDefaultPriority) {
  auto matcher = RequestMatcher::Compile(spec);
  EXPECT_TRUE(matcher.has_value());
  return {*std::move(matcher), priority};
}

std::optional<std::size_t> Find(std::vector<RouteIndex::Route> routes,
                                const http::Request& request) {
  return RouteIndex(std::move(routes)).Find(PreparedRequest(request));
}

TEST(RouteIndexTest, FindsNothingInAnEmptyList) {
  EXPECT_EQ(Find({}, MakeRequest("GET", "/")), std::nullopt);
}

TEST(RouteIndexTest, TheFirstDeclaredWins) {
  EXPECT_EQ(
      Find({MakeRoute({.path = "/{a}"}), MakeRoute({.path = "/x"})}, MakeRequest("GET", "/x")), 0U);
}

TEST(RouteIndexTest, TheSmallerPriorityWins) {
  EXPECT_EQ(
      Find({MakeRoute({.path = "/{a}"}), MakeRoute({.path = "/x"}, 1)}, MakeRequest("GET", "/x")),
      1U);
}

TEST(RouteIndexTest, KindsOfPathsKeepTheirOrder) {
  const std::vector<RequestMatch> specs = {{.method = "PUT"},    {.path_regex = "/x"},
                                           {.path_exact = "/x"}, {.target_regex = "/x.*"},
                                           {.target = "/x?a=1"}, {.path = "/x"}};
  for (std::size_t first = 0; first < specs.size(); ++first) {
    std::vector<RouteIndex::Route> routes;
    for (std::size_t i = first; i < specs.size(); ++i) routes.push_back(MakeRoute(specs[i]));
    EXPECT_EQ(Find(std::move(routes), MakeRequest("PUT", "/x?a=1")), 0U) << first;
  }
}

TEST(RouteIndexTest, GoesOnWhereARouteIsNotAccepted) {
  const RouteIndex index({MakeRoute({.path = "/x"}), MakeRoute({.path = "/x"})});
  const auto request = MakeRequest("GET", "/x");
  EXPECT_EQ(index.Find(PreparedRequest(request), [](std::size_t route) { return route == 1; }), 1U);
  EXPECT_EQ(index.Find(PreparedRequest(request), [](std::size_t) { return false; }), std::nullopt);
}

TEST(RouteIndexTest, TriesOnlyRoutesWhosePathFits) {
  std::vector<RouteIndex::Route> routes;
  for (int i = 0; i < 1'000; ++i) {
    const std::string name = "/v1/r" + std::to_string(i);
    if (i % 3 == 0) routes.push_back(MakeRoute({.path = name + "/{id}"}));
    if (i % 3 == 1) routes.push_back(MakeRoute({.path_regex = name + "/\\d+"}));
    if (i % 3 == 2) routes.push_back(MakeRoute({.path_exact = name + "/7"}));
  }
  const RouteIndex index(std::move(routes));
  for (const std::size_t route : {std::size_t{0}, std::size_t{500}, std::size_t{998}}) {
    const auto request = MakeRequest("GET", "/v1/r" + std::to_string(route) + "/7");
    EXPECT_EQ(index.Find(PreparedRequest(request)), route);
    EXPECT_EQ(index.CountCandidates(PreparedRequest(request)), 1U);
  }
  const auto stranger = MakeRequest("GET", "/v2");
  EXPECT_EQ(index.CountCandidates(PreparedRequest(stranger)), 0U);
}

// An automaton that needs more memory than it gets must not hide a route.
TEST(RouteIndexTest, HugeExpressionsAreStillFound) {
  std::vector<RouteIndex::Route> routes;
  for (int i = 0; i < 20; ++i) {
    const std::string n = std::to_string(i);
    routes.push_back(MakeRoute({.path_regex = "/.*(a|b).{300}x" + n + ".{90}"}));
  }
  const RouteIndex index(std::move(routes));
  const auto request =
      MakeRequest("GET", "/zzza" + std::string(300, 'b') + "x19" + std::string(90, 'c'));
  EXPECT_EQ(index.Find(PreparedRequest(request)), 19U);
}

class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  std::size_t Below(std::size_t count) { return engine_() % count; }
  template <typename Item>
  Item Of(std::initializer_list<Item> items) {
    return *(items.begin() + static_cast<std::ptrdiff_t>(Below(items.size())));
  }

 private:
  std::mt19937 engine_;
};

std::string RandomTemplate(Dice& dice) {
  std::string path;
  const std::size_t count = 1 + dice.Below(3);
  for (std::size_t i = 0; i < count; ++i) {
    const auto piece = dice.Of<const char*>({"a", "b", "", "{}", "%61"});
    path += "/";
    path += std::string(piece) == "{}" ? "{p" + std::to_string(i) + "}" : piece;
  }
  return path;
}

std::string RandomTarget(Dice& dice) {
  std::string path;
  const std::size_t count = 1 + dice.Below(3);
  for (std::size_t i = 0; i < count; ++i) {
    path.append("/").append(dice.Of<const char*>({"a", "b", "", "c", "%61", "%zz", "a%2Fb"}));
  }
  return path + dice.Of<const char*>({"", "?", "?q=1", "?q=2"});
}

RequestMatch RandomSpec(Dice& dice) {
  RequestMatch spec;
  if (dice.Below(2) == 0) spec.method = dice.Of<const char*>({"GET", "PUT"});
  switch (dice.Below(6)) {
    case 0:
      break;
    case 1:
      spec.path_regex = dice.Of<const char*>({"/a.*", "/(a|b)/.", "/[^/]+", ".*b", "/"});
      break;
    case 2:
      spec.path_exact = RandomTarget(dice);
      spec.path_exact = spec.path_exact->substr(0, spec.path_exact->find('?'));
      break;
    case 3:
      spec.target = RandomTarget(dice);
      break;
    case 4:
      spec.target_regex = dice.Of<const char*>({"/a.*q=1", "/.*", "/b"});
      break;
    default:
      spec.path = RandomTemplate(dice);
  }
  if (dice.Below(3) == 0) spec.query = {FieldMatch::Equals("q", "1")};
  return spec;
}

TEST(RouteIndexTest, EqualsALinearScan) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    Dice dice(seed);
    std::vector<RouteIndex::Route> routes;
    const std::size_t count = dice.Below(40);
    for (std::size_t i = 0; i < count; ++i) {
      routes.push_back(MakeRoute(RandomSpec(dice), static_cast<int>(dice.Below(3))));
    }
    const RouteIndex index(routes);
    for (int i = 0; i < 40; ++i) {
      const auto request = MakeRequest(dice.Of<const char*>({"GET", "PUT"}), RandomTarget(dice));
      const PreparedRequest prepared(request);
      std::optional<std::size_t> first;
      for (std::size_t r = 0; r < routes.size(); ++r) {
        if (first && routes[*first].priority <= routes[r].priority) continue;
        if (routes[r].matcher.Match(prepared).matched) first = r;
      }
      ASSERT_EQ(index.Find(prepared), first) << "seed " << seed << " " << request.url.target();
    }
  }
}

}  // namespace
}  // namespace understudy::harness
