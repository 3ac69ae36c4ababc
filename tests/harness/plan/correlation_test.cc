#include "harness/plan/correlation.h"

#include <gtest/gtest.h>

#include "harness/plan/fault.h"

namespace understudy::harness {
namespace {

TEST(CorrelationTest, TravelsInAHeaderAndLeavesNoTrace) {
  http::Headers headers{{"Accept", "*/*"}};
  Attach({.lane = "probe/3 & more",
          .step = "probe",
          .breaker_state = "half-open",
          .operation = "get",
          .attempt = 2,
          .exchange = 17},
         headers);
  const auto correlation = Detach(headers);
  ASSERT_TRUE(correlation.has_value());
  EXPECT_EQ(correlation->lane, "probe/3 & more");
  EXPECT_EQ(correlation->breaker_state, "half-open");
  EXPECT_EQ(correlation->attempt, 2);
  EXPECT_EQ(correlation->exchange, 17U);
  EXPECT_EQ(headers.size(), 1U);
}

TEST(CorrelationTest, MalformedOnesAreIgnoredAndRemoved) {
  for (const auto* const bad :
       {"", "lane=x", "attempt=-1&exchange=1", "attempt=1&exchange=x", "%zz"}) {
    http::Headers headers;
    ASSERT_TRUE(headers.Set(kCorrelationHeader, bad));
    EXPECT_FALSE(Detach(headers).has_value()) << bad;
    EXPECT_TRUE(headers.empty());
  }
}

TEST(FaultTest, NamesAreTheOnesOfTheFormat) {
  for (const auto* const name : {"reset", "reset-mid-body", "hang", "truncate", "bad-gzip",
                                 "slow-drip", "refuse", "dns-fail"}) {
    const auto kind = ParseFaultKind(name);
    ASSERT_TRUE(kind.has_value()) << name;
    EXPECT_EQ(ToString(*kind), name);
  }
  EXPECT_FALSE(ParseFaultKind("explode").has_value());
}

}  // namespace
}  // namespace understudy::harness
