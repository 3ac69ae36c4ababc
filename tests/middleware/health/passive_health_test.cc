#include "middleware/health/passive_health.h"

#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace understudy::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using enum HealthStatus;
using ::testing::HasSubstr;

PassiveDependency Stripe() {
  PassiveDependency dependency;
  dependency.name = "stripe";
  dependency.breakers = {"stripe"};
  dependency.operations = {"charges.*", "balance"};
  dependency.window = 60s;
  dependency.calls_min = 4;
  dependency.degraded_rate = 0.5;
  dependency.quiet_after = 120s;
  return dependency;
}

class PassiveHealthTest : public testing::Test {
 protected:
  void Use(PassiveDependency dependency) {
    health_ = PassiveHealth::Create(clock_, {std::move(dependency)}).value();
  }
  void Call(std::string_view operation, std::string_view klass, int attempts = 1,
            bool fallback = false) {
    health_->Publish("call.end", {{"operation", operation},
                                  {"class", klass},
                                  {"attempts", attempts},
                                  {"fallback", fallback}});
  }
  void Calls(int good, int bad) {
    for (int i = 0; i < good; ++i) Call("charges.get", "ok");
    for (int i = 0; i < bad; ++i) Call("charges.get", "unavailable");
  }
  void Breaker(std::string_view to, std::string_view name = "stripe") {
    health_->Publish("breaker", {{"name", name}, {"from", "x"}, {"to", to}});
  }
  // "status:code"
  std::string Now() const {
    const PassiveReading reading = health_->Read("stripe");
    return std::string(ToString(reading.status)) + ":" + reading.code;
  }

  FakeClock clock_;
  std::unique_ptr<PassiveHealth> health_ = PassiveHealth::Create(clock_, {Stripe()}).value();
};

TEST_F(PassiveHealthTest, WithoutTrafficItIsUnknown) {
  EXPECT_EQ(Now(), "unknown:quiet");
  EXPECT_EQ(health_->Read("stripe").at, std::nullopt);
  EXPECT_EQ(health_->Read("other").status, kUnknown);
  EXPECT_EQ(health_->Read("other").code, "not-configured");
}

TEST_F(PassiveHealthTest, HC7_FollowsTheBreaker) {
  Calls(10, 0);
  EXPECT_EQ(Now(), "healthy:ok");
  Breaker("open");
  EXPECT_EQ(Now(), "unhealthy:breaker-open");
  Breaker("half-open");
  EXPECT_EQ(Now(), "degraded:breaker-half-open");
  Breaker("closed");
  EXPECT_EQ(Now(), "healthy:ok");
  Breaker("melted");
  EXPECT_EQ(Now(), "unknown:breaker-unknown");
}

TEST_F(PassiveHealthTest, TheWorstBreakerDecides) {
  PassiveDependency dependency = Stripe();
  dependency.breakers = {"stripe*"};
  Use(dependency);
  Calls(10, 0);
  Breaker("half-open", "stripe/a");
  Breaker("open", "stripe/b");
  EXPECT_EQ(Now(), "unhealthy:breaker-open");
  Breaker("closed", "stripe/b");
  EXPECT_EQ(Now(), "degraded:breaker-half-open");
  Breaker("open", "paypal");
  EXPECT_EQ(Now(), "degraded:breaker-half-open");
}

TEST_F(PassiveHealthTest, MoreBreakersThanItRemembersAreNeverHealthyAgain) {
  PassiveDependency dependency = Stripe();
  dependency.breakers = {"*"};
  Use(dependency);
  for (std::size_t i = 0; i <= PassiveHealth::kBreakersMax; ++i) Breaker("open", std::to_string(i));
  for (std::size_t i = 0; i <= PassiveHealth::kBreakersMax; ++i) {
    Breaker("closed", std::to_string(i));
  }
  Calls(10, 0);
  EXPECT_EQ(Now(), "degraded:breaker-many");
}

TEST_F(PassiveHealthTest, WhatAnOperatorForcedOpenStaysAndCannotBeConfirmed) {
  health_->Publish("breaker.mode",
                   {{"name", "stripe"}, {"mode", "forced-open"}, {"isolated", false}});
  clock_.Advance(24h);
  EXPECT_EQ(Now(), "unhealthy:breaker-forced");
  EXPECT_FALSE(health_->Read("stripe").confirmable);
  health_->Publish("breaker.mode", {{"name", "stripe"}, {"mode", "normal"}, {"isolated", true}});
  EXPECT_EQ(Now(), "unhealthy:breaker-forced");
  health_->Publish("breaker.mode", {{"name", "stripe"}, {"mode", "normal"}, {"isolated", false}});
  Calls(10, 0);
  EXPECT_EQ(Now(), "healthy:ok");
  health_->Publish("breaker.mode", {{"name", "stripe"}, {"mode", "new-one"}, {"isolated", false}});
  EXPECT_EQ(Now(), "unknown:breaker-unknown");
}

TEST_F(PassiveHealthTest, IsDegradedExactlyFromItsRateOn) {
  Calls(51, 49);
  EXPECT_EQ(Now(), "healthy:ok");
  Calls(0, 2);  // 51 of 102
  EXPECT_EQ(Now(), "degraded:failing");
  Calls(0, 1000);
  EXPECT_EQ(Now(), "degraded:failing");
}

TEST_F(PassiveHealthTest, IsUnhealthyByRateIfToldSo) {
  PassiveDependency dependency = Stripe();
  dependency.unhealthy_rate = 0.9;
  Use(dependency);
  Calls(1, 8);
  EXPECT_EQ(Now(), "degraded:failing");
  Calls(0, 1);  // 9 of 10
  EXPECT_EQ(Now(), "unhealthy:failing");
}

TEST_F(PassiveHealthTest, FewCallsProveHealthAndNoFailure) {
  Calls(3, 0);
  EXPECT_EQ(Now(), "healthy:ok");
  Use(Stripe());
  Calls(0, 3);
  EXPECT_EQ(Now(), "unknown:little-evidence");
  Calls(0, 1);
  EXPECT_EQ(Now(), "degraded:failing");
}

TEST_F(PassiveHealthTest, TheWindowForgets) {
  Calls(0, 10);
  EXPECT_EQ(Now(), "degraded:failing");
  clock_.Advance(30s);
  Calls(6, 0);
  EXPECT_EQ(Now(), "degraded:failing");
  clock_.Advance(30s);  // The failures have left it.
  EXPECT_EQ(Now(), "healthy:ok");
  clock_.Advance(30s);
  EXPECT_EQ(Now(), "unknown:quiet");
  clock_.Advance(600s);  // The same places of the ring, rounds later.
  Calls(4, 0);
  EXPECT_EQ(Now(), "healthy:ok");
}

TEST_F(PassiveHealthTest, AnOpenBreakerThatNobodyAsksBecomesUnknownExactlyWhenQuiet) {
  Breaker("open");
  clock_.Advance(120s - 1ns);
  EXPECT_EQ(Now(), "unhealthy:breaker-open");
  clock_.Advance(1ns);
  EXPECT_EQ(Now(), "unknown:quiet");
  Call("charges.get", "local-reject", 0);  // Somebody asks, and is refused: still open.
  EXPECT_EQ(Now(), "unhealthy:breaker-open");
  EXPECT_EQ(health_->Read("stripe").at, SaturatingAdd(clock_.Now(), -120s));
}

struct ClassCase {
  std::string name;
  std::string klass;
  int attempts;
  bool fallback;
  std::string expected;
};

class PassiveClassTest : public PassiveHealthTest, public testing::WithParamInterface<ClassCase> {};

TEST_P(PassiveClassTest, EachOutcomeCountsAsTheTableSays) {
  for (int i = 0; i < 4; ++i) {
    Call("balance", GetParam().klass, GetParam().attempts, GetParam().fallback);
  }
  EXPECT_EQ(Now(), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    PassiveHealth, PassiveClassTest,
    testing::Values(ClassCase{"Ok", "ok", 1, false, "healthy:ok"},
                    ClassCase{"Redirect", "redirect", 1, false, "healthy:ok"},
                    ClassCase{"ClientError", "client-error", 1, false, "healthy:ok"},
                    ClassCase{"InProgress", "in-progress", 1, false, "healthy:ok"},
                    ClassCase{"Unsupported", "unsupported", 1, false, "healthy:ok"},
                    ClassCase{"ServerError", "server-error", 1, false, "degraded:failing"},
                    ClassCase{"Gateway", "gateway", 1, false, "degraded:failing"},
                    ClassCase{"Unavailable", "unavailable", 1, false, "degraded:failing"},
                    ClassCase{"TimeoutRemote", "timeout-remote", 1, false, "degraded:failing"},
                    ClassCase{"TimeoutLocal", "timeout-local", 1, false, "degraded:failing"},
                    ClassCase{"Connect", "connect", 1, false, "degraded:failing"},
                    ClassCase{"Ambiguous", "ambiguous", 1, false, "degraded:failing"},
                    ClassCase{"Protocol", "protocol", 1, false, "degraded:failing"},
                    ClassCase{"Security", "security", 1, false, "degraded:failing"},
                    ClassCase{"Throttled", "throttled", 1, false, "unknown:quiet"},
                    ClassCase{"Auth", "auth", 1, false, "unknown:quiet"},
                    ClassCase{"AuthDenied", "auth-denied", 1, false, "unknown:quiet"},
                    ClassCase{"Deadline", "deadline", 1, false, "unknown:quiet"},
                    ClassCase{"Cancelled", "cancelled", 1, false, "unknown:quiet"},
                    ClassCase{"StaleConnection", "stale-connection", 1, false, "unknown:quiet"},
                    ClassCase{"LocalReject", "local-reject", 0, false, "unknown:quiet"},
                    ClassCase{"NotKnownHere", "brand-new", 1, false, "unknown:quiet"},
                    ClassCase{"CacheHit", "ok", 0, false, "unknown:quiet"},
                    ClassCase{"MadeUpAfterSending", "ok", 2, true, "degraded:failing"},
                    ClassCase{"MadeUpWithoutSending", "ok", 0, true, "unknown:quiet"}),
    [](const auto& test) { return test.param.name; });

TEST_F(PassiveHealthTest, RetriesAndStaleAnswersAreFailures) {
  for (const char* reason : {"503", "timeout", "connection:reset", "408"}) {
    health_->Publish("retry", {{"operation", "balance"}, {"reason", reason}});
  }
  EXPECT_EQ(Now(), "degraded:failing");
  Use(Stripe());
  for (const char* reason : {"429", "409", "", "breaker-open"}) {
    health_->Publish("retry", {{"operation", "balance"}, {"reason", reason}});
  }
  EXPECT_EQ(Now(), "unknown:quiet");
  for (int i = 0; i < 4; ++i) {
    health_->Publish("cache", {{"operation", "balance"}, {"result", "stale-if-error"}});
    health_->Publish("cache", {{"operation", "balance"}, {"result", "hit"}});
  }
  EXPECT_EQ(Now(), "degraded:failing");
}

TEST_F(PassiveHealthTest, HearsOnlyItsOwnOperationsAndSurvivesStrangeEvents) {
  for (int i = 0; i < 20; ++i) Call("refunds.get", "unavailable");
  for (int i = 0; i < 20; ++i) Call("balances", "unavailable");
  EXPECT_EQ(Now(), "unknown:quiet");
  health_->Publish("call.end", {});
  health_->Publish("call.end", {{"operation", 7}, {"class", true}, {"attempts", "x"}});
  health_->Publish("breaker", {});
  health_->Publish("anything", {{"operation", "balance"}});
  EXPECT_EQ(Now(), "unknown:quiet");
  for (int i = 0; i < 4; ++i) Call("charges.", "ok");
  EXPECT_EQ(Now(), "healthy:ok");
}

struct BadPassive {
  std::string name;
  std::function<void(PassiveDependency&)> spoil;
  std::string problem;
};

class BadPassiveTest : public testing::TestWithParam<BadPassive> {};

TEST_P(BadPassiveTest, IsRefused) {
  FakeClock clock;
  PassiveDependency dependency = Stripe();
  GetParam().spoil(dependency);
  const auto created = PassiveHealth::Create(clock, {dependency});
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(created.error().message, HasSubstr(GetParam().problem));
}

INSTANTIATE_TEST_SUITE_P(
    PassiveHealth, BadPassiveTest,
    testing::Values(
        BadPassive{"Name", [](PassiveDependency& d) { d.name = "\n"; }, "name must"},
        BadPassive{"NothingToHear",
                   [](PassiveDependency& d) {
                     d.breakers.clear();
                     d.operations.clear();
                   },
                   "neither"},
        BadPassive{"StarInside", [](PassiveDependency& d) { d.operations = {"a*b"}; },
                   "operations has"},
        BadPassive{"EmptyPattern", [](PassiveDependency& d) { d.breakers = {""}; }, "breakers has"},
        BadPassive{"TooMany", [](PassiveDependency& d) { d.operations.assign(33, "x"); },
                   "33 long"},
        BadPassive{"WindowShort", [](PassiveDependency& d) { d.window = 999ms; }, "window is"},
        BadPassive{"CallsZero", [](PassiveDependency& d) { d.calls_min = 0; }, "calls_min is"},
        BadPassive{"RateNaN",
                   [](PassiveDependency& d) {
                     d.degraded_rate = std::numeric_limits<double>::quiet_NaN();
                   },
                   "degraded_rate is"},
        BadPassive{"RatesCrossed", [](PassiveDependency& d) { d.unhealthy_rate = 0.4; },
                   "unhealthy_rate is"},
        BadPassive{"QuietZero", [](PassiveDependency& d) { d.quiet_after = 0s; },
                   "quiet_after is"}),
    [](const auto& test) { return test.param.name; });

TEST(PassiveHealthOptionsTest, RefusesANameTwice) {
  FakeClock clock;
  const auto created = PassiveHealth::Create(clock, {Stripe(), Stripe()});
  ASSERT_FALSE(created);
  EXPECT_THAT(created.error().message, HasSubstr("in use twice"));
}

}  // namespace
}  // namespace understudy::test
