#include "middleware/health/health_status.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace understudy::test {
namespace {

using enum HealthStatus;

struct AggregateCase {
  std::string name;
  std::vector<HealthPart> parts;
  HealthStatus status;
  bool ready;
};

class AggregateTest : public testing::TestWithParam<AggregateCase> {};

TEST_P(AggregateTest, HC4_TheWholeIsWhatTheTableSays) {
  const HealthVerdict verdict = Aggregate(GetParam().parts);
  EXPECT_EQ(verdict.status, GetParam().status);
  EXPECT_EQ(verdict.ready, GetParam().ready);
}

HealthPart Critical(HealthStatus status) { return {status, true, false}; }
HealthPart Optional(HealthStatus status) { return {status, false, false}; }
HealthPart Trusted() { return {kUnknown, true, true}; }

INSTANTIATE_TEST_SUITE_P(
    HealthStatus, AggregateTest,
    testing::Values(
        AggregateCase{"NothingIsUnknown", {}, kUnknown, false},
        AggregateCase{"AllHealthy", {Critical(kHealthy), Optional(kHealthy)}, kHealthy, true},
        AggregateCase{
            "CriticalUnhealthy", {Critical(kUnhealthy), Optional(kHealthy)}, kUnhealthy, false},
        AggregateCase{"CriticalUnhealthyBeatsUnknown",
                      {Critical(kUnknown), Critical(kUnhealthy)},
                      kUnhealthy,
                      false},
        AggregateCase{"CriticalUnhealthyBeatsTrustedUnknown",
                      {Trusted(), Critical(kUnhealthy)},
                      kUnhealthy,
                      false},
        AggregateCase{"CriticalUnknown", {Critical(kUnknown), Critical(kHealthy)}, kUnknown, false},
        AggregateCase{"CriticalUnknownBeatsDegraded",
                      {Critical(kUnknown), Critical(kDegraded)},
                      kUnknown,
                      false},
        AggregateCase{
            "TrustedUnknownIsReadyAndNotHealthy", {Trusted(), Critical(kHealthy)}, kUnknown, true},
        AggregateCase{
            "OneUntrustedUnknownHoldsBack", {Trusted(), Critical(kUnknown)}, kUnknown, false},
        AggregateCase{
            "CriticalDegraded", {Critical(kDegraded), Optional(kHealthy)}, kDegraded, true},
        AggregateCase{"OptionalUnhealthyOnlyDegrades",
                      {Critical(kHealthy), Optional(kUnhealthy)},
                      kDegraded,
                      true},
        AggregateCase{"OptionalUnknownIsNotHealthy",
                      {Critical(kHealthy), Optional(kUnknown)},
                      kDegraded,
                      true},
        AggregateCase{"OptionalDegraded", {Optional(kDegraded)}, kDegraded, true},
        AggregateCase{"OptionalUnhealthyAlone", {Optional(kUnhealthy)}, kDegraded, true}),
    [](const auto& test) { return test.param.name; });

TEST(HealthStatusTest, HasNames) {
  EXPECT_EQ(ToString(kUnknown), "unknown");
  EXPECT_EQ(ToString(kHealthy), "healthy");
  EXPECT_EQ(ToString(kDegraded), "degraded");
  EXPECT_EQ(ToString(kUnhealthy), "unhealthy");
  EXPECT_EQ(ToString(static_cast<HealthStatus>(99)), "unknown");
}

}  // namespace
}  // namespace understudy::test
