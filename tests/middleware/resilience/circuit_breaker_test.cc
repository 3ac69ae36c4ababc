#include "middleware/resilience/circuit_breaker.h"

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/test_runtime.h"

namespace understudy {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::TestRuntime;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Permit = CircuitBreaker::Permit;

class CircuitBreakerTest : public ::testing::Test {
 protected:
  void Make(const CircuitBreakerOptions& options) {
    breaker_ = CircuitBreaker::Create("vendor", options, world_.runtime()).value();
  }
  // One admitted call that ends at once.
  void Call(BreakerOutcome outcome, std::optional<Duration> retry_after = {}) {
    Result<Permit> permit = breaker_->TryAcquire();
    ASSERT_TRUE(permit) << permit.error().ToString();
    permit->Record(outcome, {.retry_after = retry_after});
  }
  void Fail(int times = 1) {
    for (int i = 0; i < times; ++i) Call(BreakerOutcome::kFailure);
  }
  void Succeed(int times = 1) {
    for (int i = 0; i < times; ++i) Call(BreakerOutcome::kSuccess);
  }
  Permit Start() { return breaker_->TryAcquire().value(); }
  bool Rejects() { return !breaker_->TryAcquire().has_value(); }
  BreakerState state() const { return breaker_->state(); }
  void OpenIt() {
    Fail(breaker_->options().failures);
    ASSERT_EQ(state(), BreakerState::kOpen);
  }
  void AdvanceToProbe() { world_.clock.Advance(breaker_->options().open_for); }

  TestRuntime world_;
  std::unique_ptr<CircuitBreaker> breaker_ =
      CircuitBreaker::Create("vendor", CircuitBreakerOptions{}, world_.runtime()).value();
};

TEST_F(CircuitBreakerTest, StaysClosedBelowTheNumberOfFailures) {
  Fail(4);
  EXPECT_EQ(state(), BreakerState::kClosed);
}

TEST_F(CircuitBreakerTest, OpensAtTheNumberOfFailures) {
  Fail(5);
  EXPECT_EQ(state(), BreakerState::kOpen);
  EXPECT_TRUE(Rejects());
}

TEST_F(CircuitBreakerTest, ASuccessEndsTheStreak) {
  Fail(4);
  Succeed();
  Fail(4);
  EXPECT_EQ(state(), BreakerState::kClosed);
  Fail();
  EXPECT_EQ(state(), BreakerState::kOpen);
}

TEST_F(CircuitBreakerTest, NeutralOutcomesDoNotEndTheStreak) {
  Fail(4);
  Call(BreakerOutcome::kNeutral);
  Call(BreakerOutcome::kCancelled);
  Call(BreakerOutcome::kLocalReject);
  Fail();
  EXPECT_EQ(state(), BreakerState::kOpen);
}

TEST_F(CircuitBreakerTest, OnlyTheFirstReportOfAPermitCounts) {
  Make({.failures = 1});
  Permit permit = Start();
  permit.Record(BreakerOutcome::kSuccess);
  permit.Record(BreakerOutcome::kFailure);
  EXPECT_EQ(state(), BreakerState::kClosed);
}

TEST_F(CircuitBreakerTest, StaysOpenUntilTheLastNanosecondOfTheOpenPeriod) {
  OpenIt();
  world_.clock.Advance(seconds(30) - Duration(1));
  EXPECT_TRUE(Rejects());
  world_.clock.Advance(Duration(1));
  EXPECT_EQ(Start().state(), BreakerState::kHalfOpen);
}

TEST_F(CircuitBreakerTest, RejectsWithTheTimeToTheNextProbe) {
  OpenIt();
  world_.clock.Advance(seconds(12));
  const Error error = breaker_->TryAcquire().error();
  EXPECT_EQ(error.code, ErrorCode::kCircuitOpen);
  EXPECT_EQ(error.delivery, Delivery::kNotSent);
  EXPECT_EQ(error.origin, Origin::kLocal);
  EXPECT_EQ(error.reason, "breaker-open");
  EXPECT_EQ(error.retry_after, seconds(18));
}

TEST_F(CircuitBreakerTest, AProbeThatSucceedsCloses) {
  OpenIt();
  AdvanceToProbe();
  Succeed();
  EXPECT_EQ(state(), BreakerState::kClosed);
  Fail(4);
  EXPECT_EQ(state(), BreakerState::kClosed);
}

TEST_F(CircuitBreakerTest, AProbeThatFailsOpensAgain) {
  OpenIt();
  AdvanceToProbe();
  Fail();
  EXPECT_EQ(state(), BreakerState::kOpen);
  world_.clock.Advance(seconds(30) - Duration(1));
  EXPECT_TRUE(Rejects());
}

TEST_F(CircuitBreakerTest, AdmitsNoMoreProbesThanSuccessesAreMissing) {
  Make({.half_open_calls = 3});
  OpenIt();
  AdvanceToProbe();
  Succeed(2);
  Permit third = Start();
  EXPECT_TRUE(Rejects());
  third.Record(BreakerOutcome::kSuccess);
  EXPECT_EQ(state(), BreakerState::kClosed);
}

TEST_F(CircuitBreakerTest, SuccessesOfAnEarlierHalfOpenPhaseDoNotCount) {
  Make({.half_open_successes = 2});
  OpenIt();
  AdvanceToProbe();
  Succeed();
  Fail();
  AdvanceToProbe();
  Succeed();
  EXPECT_EQ(state(), BreakerState::kHalfOpen);
}

TEST_F(CircuitBreakerTest, GrowsTheOpenPeriodAtEachReopeningUpToTheCap) {
  Make({.failures = 1, .open_for = seconds(10), .open_growth = 2.0, .open_for_max = seconds(30)});
  OpenIt();
  for (const Duration expected : {seconds(10), seconds(20), seconds(30), seconds(30)}) {
    EXPECT_EQ(breaker_->TryAcquire().error().retry_after, expected);
    world_.clock.Advance(expected);
    Fail();
  }
}

TEST_F(CircuitBreakerTest, ClosingResetsTheGrowthOfTheOpenPeriod) {
  Make({.failures = 1, .open_for = seconds(10), .open_growth = 2.0});
  OpenIt();
  world_.clock.Advance(seconds(10));
  Fail();
  world_.clock.Advance(seconds(20));
  Succeed();
  Fail();
  EXPECT_EQ(breaker_->TryAcquire().error().retry_after, seconds(10));
}

TEST_F(CircuitBreakerTest, CB16_JitterOnlyLengthensTheOpenPeriod) {
  Make({.failures = 1, .open_for = seconds(10), .open_jitter = 0.2});  // FixedRandom draws 0.5.
  OpenIt();
  EXPECT_EQ(breaker_->TryAcquire().error().retry_after, seconds(11));
  EXPECT_THAT(world_.random.sites(), ElementsAre("breaker/open"));
}

TEST_F(CircuitBreakerTest, StaysOpenAtLeastForTheVendorsHint) {
  Make({.failures = 1, .open_for = seconds(10)});
  Call(BreakerOutcome::kFailure, seconds(45));
  EXPECT_EQ(breaker_->TryAcquire().error().retry_after, seconds(45));
}

TEST_F(CircuitBreakerTest, BoundsTheVendorsHint) {
  Make({.failures = 1, .open_for = seconds(10), .open_for_max = seconds(60)});
  Call(BreakerOutcome::kFailure, hours(24));
  EXPECT_EQ(breaker_->TryAcquire().error().retry_after, seconds(60));
}

TEST_F(CircuitBreakerTest, RemembersAHintOfAnEarlierFailureOfTheStreak) {
  Make({.failures = 2, .open_for = seconds(10)});
  Call(BreakerOutcome::kFailure, seconds(45));
  world_.clock.Advance(seconds(5));
  Fail();
  EXPECT_EQ(breaker_->TryAcquire().error().retry_after, seconds(40));
}

TEST_F(CircuitBreakerTest, CB1_DefaultHalfOpenLimitsAreNotStuck) {
  Make({.half_open_calls = 1, .half_open_successes = 2});
  OpenIt();
  AdvanceToProbe();
  Succeed();
  EXPECT_EQ(state(), BreakerState::kHalfOpen);
  Succeed();
  EXPECT_EQ(state(), BreakerState::kClosed);
}

TEST_F(CircuitBreakerTest, CB1_AHungProbeDoesNotKeepItHalfOpenForEver) {
  OpenIt();
  AdvanceToProbe();
  const Permit hung = Start();
  world_.clock.Advance(seconds(60) - Duration(1));
  EXPECT_EQ(breaker_->TryAcquire().error().reason, "breaker-half-open");
  world_.clock.Advance(Duration(1));
  EXPECT_EQ(breaker_->TryAcquire().error().reason, "breaker-open");
  AdvanceToProbe();
  Succeed();
  EXPECT_EQ(state(), BreakerState::kClosed);
}

TEST_F(CircuitBreakerTest, CB1_RareProbesStillCloseIt) {
  Make({.half_open_calls = 1, .half_open_successes = 2, .half_open_max = seconds(60)});
  OpenIt();
  AdvanceToProbe();
  Succeed();
  world_.clock.Advance(hours(1));
  Succeed();
  EXPECT_EQ(state(), BreakerState::kClosed);
}

TEST_F(CircuitBreakerTest, CB2_FiftyConcurrentCallsGetOneProbe) {
  OpenIt();
  AdvanceToProbe();
  std::vector<Result<Permit>> permits;
  for (int i = 0; i < 50; ++i) permits.push_back(breaker_->TryAcquire());
  int admitted = 0;
  for (const Result<Permit>& permit : permits) admitted += permit ? 1 : 0;
  EXPECT_EQ(admitted, 1);
}

TEST_F(CircuitBreakerTest, CB3_TenNeutralProbesGiveTheirSlotsBack) {
  OpenIt();
  AdvanceToProbe();
  for (int i = 0; i < 10; ++i) Call(BreakerOutcome::kNeutral);
  EXPECT_EQ(state(), BreakerState::kHalfOpen);
  Succeed();
  EXPECT_EQ(state(), BreakerState::kClosed);
}

TEST_F(CircuitBreakerTest, CB3_ADroppedProbeGivesItsSlotBack) {
  OpenIt();
  AdvanceToProbe();
  { const Permit dropped = Start(); }
  EXPECT_FALSE(Rejects());
  EXPECT_EQ(state(), BreakerState::kHalfOpen);
}

TEST_F(CircuitBreakerTest, CB3_AMovedPermitGivesItsSlotBackOnce) {
  Make({.half_open_calls = 2});
  OpenIt();
  AdvanceToProbe();
  const Permit other = Start();
  {
    Permit first = Start();
    const Permit moved = std::move(first);
  }
  const Permit again = Start();
  EXPECT_TRUE(Rejects());
}

TEST_F(CircuitBreakerTest, CB4_ALateSuccessOfTheClosedEraDoesNotCloseAHalfOpenBreaker) {
  Permit late = Start();
  OpenIt();
  AdvanceToProbe();
  const Permit probe = Start();
  late.Record(BreakerOutcome::kSuccess);
  EXPECT_EQ(state(), BreakerState::kHalfOpen);
}

TEST_F(CircuitBreakerTest, CB4_ALateFailureOfTheClosedEraDoesNotReopenAHalfOpenBreaker) {
  Permit late = Start();
  OpenIt();
  AdvanceToProbe();
  const Permit probe = Start();
  late.Record(BreakerOutcome::kFailure);
  EXPECT_EQ(state(), BreakerState::kHalfOpen);
}

TEST_F(CircuitBreakerTest, CB4_ALateSuccessWhileOpenDoesNotCountAsAProbe) {
  Make({.half_open_successes = 2});
  Permit late = Start();
  OpenIt();
  late.Record(BreakerOutcome::kSuccess);
  AdvanceToProbe();
  Succeed();
  EXPECT_EQ(state(), BreakerState::kHalfOpen);
}

TEST_F(CircuitBreakerTest, CB4_ALateReleaseAddsNoHalfOpenPermit) {
  std::optional<Permit> late = Start();
  OpenIt();
  AdvanceToProbe();
  const Permit probe = Start();
  late.reset();
  EXPECT_TRUE(Rejects());
}

TEST_F(CircuitBreakerTest, CB4_AProbeOfAnOlderHalfOpenPhaseIsLate) {
  Make({.half_open_calls = 2});
  OpenIt();
  AdvanceToProbe();
  Permit old = Start();
  Fail();
  AdvanceToProbe();
  const Permit probe = Start();
  old.Record(BreakerOutcome::kFailure);
  EXPECT_EQ(state(), BreakerState::kHalfOpen);
  EXPECT_EQ(breaker_->Snapshot().late, 1u);
}

TEST_F(CircuitBreakerTest, AFailureWhileOpenDoesNotExtendTheOpenPeriod) {
  Permit late = Start();
  OpenIt();
  world_.clock.Advance(seconds(29));
  late.Record(BreakerOutcome::kFailure);
  EXPECT_EQ(breaker_->TryAcquire().error().retry_after, seconds(1));
}

TEST_F(CircuitBreakerTest, CB6_FiveFailuresOnFiveDaysDoNotOpen) {
  for (int day = 0; day < 5; ++day) {
    Fail();
    world_.clock.Advance(hours(24));
  }
  EXPECT_EQ(state(), BreakerState::kClosed);
}

TEST_F(CircuitBreakerTest, CB6_AFailureExactlyAsOldAsTheWindowCounts) {
  Make({.failures = 2, .window = seconds(10)});
  Fail();
  world_.clock.Advance(seconds(10));
  Fail();
  EXPECT_EQ(state(), BreakerState::kOpen);
}

TEST_F(CircuitBreakerTest, CB6_AFailureOlderThanTheWindowDoesNotCount) {
  Make({.failures = 2, .window = seconds(10)});
  Fail();
  world_.clock.Advance(seconds(10) + Duration(1));
  Fail();
  EXPECT_EQ(state(), BreakerState::kClosed);
  Fail();
  EXPECT_EQ(state(), BreakerState::kOpen);
}

// RecordingEventSink aborts if a Mutex is held; a sink may also look at the breaker.
class LookingSink final : public EventSink {
 public:
  using EventSink::Publish;
  void Publish(std::string_view, std::span<const Field>) noexcept override {
    states.push_back(breaker->state());
    EXPECT_EQ(HeldMutexCount(), 0);
    EXPECT_EQ(breaker->Snapshot().state, states.back());
  }
  CircuitBreaker* breaker = nullptr;
  std::vector<BreakerState> states;
};

TEST_F(CircuitBreakerTest, CB8_PublishesAfterUnlocking) {
  LookingSink sink;
  const Runtime runtime{world_.clock, world_.executor, world_.random, world_.logger, sink};
  breaker_ = CircuitBreaker::Create("vendor", {}, runtime).value();
  sink.breaker = breaker_.get();
  OpenIt();
  AdvanceToProbe();
  Succeed();
  EXPECT_THAT(sink.states,
              ElementsAre(BreakerState::kOpen, BreakerState::kHalfOpen, BreakerState::kClosed));
}

TEST_F(CircuitBreakerTest, CB9_LookingAtTheStateDoesNotChangeIt) {
  OpenIt();
  world_.clock.Advance(hours(1));
  EXPECT_EQ(breaker_->Snapshot().state, BreakerState::kOpen);
  EXPECT_EQ(breaker_->Snapshot().open_remaining, Duration(0));
  EXPECT_EQ(state(), BreakerState::kOpen);
  EXPECT_EQ(world_.events.Count("breaker"), 1u);
}

TEST_F(CircuitBreakerTest, CB11_TheLastFailureIsOnTheWallClock) {
  world_.clock.JumpSystemClock(hours(5));
  Fail();
  EXPECT_EQ(breaker_->Snapshot().last_failure_at, world_.clock.SystemNow());
}

TEST_F(CircuitBreakerTest, CB13_AHalfOpenRejectionDoesNotInventARetryTime) {
  OpenIt();
  AdvanceToProbe();
  const Permit probe = Start();
  const Error error = breaker_->TryAcquire().error();
  EXPECT_EQ(error.reason, "breaker-half-open");
  EXPECT_EQ(error.retry_after, std::nullopt);
}

TEST_F(CircuitBreakerTest, CB15_ValidationNamesEveryProblem) {
  const Result<std::unique_ptr<CircuitBreaker>> result =
      CircuitBreaker::Create("vendor",
                             {.failures = 0,
                              .window = seconds(0),
                              .open_for = seconds(-1),
                              .open_growth = std::numeric_limits<double>::quiet_NaN(),
                              .open_for_max = seconds(0),
                              .open_jitter = 1.5,
                              .half_open_calls = 0,
                              .half_open_successes = -1,
                              .half_open_max = seconds(0)},
                             world_.runtime());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(result.error().message,
              AllOf(HasSubstr("failures is 0"), HasSubstr("window is"), HasSubstr("open_for is"),
                    HasSubstr("open_growth is nan"), HasSubstr("open_for_max is"),
                    HasSubstr("open_jitter is 1.5"), HasSubstr("half_open_calls is 0"),
                    HasSubstr("half_open_successes is -1"), HasSubstr("half_open_max is")));
}

TEST_F(CircuitBreakerTest, CB17_CountsRejectionsAndNeutralAndLateResultsSeparately) {
  Permit late = Start();
  OpenIt();
  EXPECT_TRUE(Rejects());
  EXPECT_TRUE(Rejects());
  late.Record(BreakerOutcome::kSuccess);
  AdvanceToProbe();
  Permit probe = Start();
  EXPECT_TRUE(Rejects());
  probe.Record(BreakerOutcome::kNeutral);
  const CircuitBreakerSnapshot snapshot = breaker_->Snapshot();
  EXPECT_EQ(snapshot.rejected_open, 2u);
  EXPECT_EQ(snapshot.rejected_half_open, 1u);
  EXPECT_EQ(snapshot.neutral, 1u);
  EXPECT_EQ(snapshot.late, 1u);
  EXPECT_EQ(snapshot.failures, 5u);
}

TEST_F(CircuitBreakerTest, CB20_PublishesEachTransitionOnceWithItsReason) {
  OpenIt();
  EXPECT_TRUE(Rejects());
  AdvanceToProbe();
  Fail();
  AdvanceToProbe();
  Succeed();
  EXPECT_THAT(world_.events.Lines("breaker"),
              ElementsAre("breaker from=closed name=vendor reason=5 failures in a row to=open",
                          "breaker from=open name=vendor reason=open period over to=half-open",
                          "breaker from=half-open name=vendor reason=probe failed to=open",
                          "breaker from=open name=vendor reason=open period over to=half-open",
                          "breaker from=half-open name=vendor reason=probes succeeded to=closed"));
  EXPECT_EQ(breaker_->Snapshot().transitions, 5u);
}

// ---- how it comes back --------------------------------------------------------------------------

TEST_F(CircuitBreakerTest, ATickShowsWhatIsDueByTimeAlone) {
  OpenIt();
  AdvanceToProbe();
  EXPECT_EQ(state(), BreakerState::kOpen);
  breaker_->Tick();
  EXPECT_EQ(state(), BreakerState::kHalfOpen);
  world_.clock.Advance(breaker_->options().half_open_max);
  breaker_->Tick();
  EXPECT_EQ(state(), BreakerState::kOpen);
}

TEST_F(CircuitBreakerTest, AHalfOpenPeriodThatEndsCountsAsOpenSinceItsEnd) {
  OpenIt();
  AdvanceToProbe();
  const Permit hung = Start();
  // Half-open for 60 s, then open for 30 s: a caller after that is the next probe.
  world_.clock.Advance(seconds(90) - Duration(1));
  EXPECT_EQ(breaker_->TryAcquire().error().retry_after, Duration(1));
  world_.clock.Advance(Duration(1));
  EXPECT_EQ(Start().state(), BreakerState::kHalfOpen);
}

TEST_F(CircuitBreakerTest, AHungProbeClosesItWhereThatIsTheLesserEvil) {
  Make({.half_open_max_closes = true});
  OpenIt();
  AdvanceToProbe();
  const Permit hung = Start();
  world_.clock.Advance(seconds(60));
  EXPECT_EQ(Start().state(), BreakerState::kClosed);
}

TEST_F(CircuitBreakerTest, TwoOfThreeProbesDecide) {
  Make({.half_open_calls = 3, .half_open_successes = 2, .half_open_failures = 2});
  OpenIt();
  AdvanceToProbe();
  Fail();
  EXPECT_EQ(state(), BreakerState::kHalfOpen);
  Succeed(2);
  EXPECT_EQ(state(), BreakerState::kClosed);
  OpenIt();
  AdvanceToProbe();
  Succeed();
  Fail(2);
  EXPECT_EQ(state(), BreakerState::kOpen);
}

TEST_F(CircuitBreakerTest, OpenStepsAreTakenInTurnAndTheLastRepeats) {
  Make({.open_steps = {seconds(1), seconds(7)}});
  OpenIt();
  for (const Duration step : {Duration(seconds(1)), Duration(seconds(7)), Duration(seconds(7))}) {
    EXPECT_EQ(breaker_->TryAcquire().error().retry_after, step);
    world_.clock.Advance(step);
    Fail();
  }
  world_.clock.Advance(seconds(7));
  Succeed();
  OpenIt();
  EXPECT_EQ(breaker_->TryAcquire().error().retry_after, Duration(seconds(1)));
}

TEST_F(CircuitBreakerTest, CB16_AfterClosingItAdmitsAShareThatGrows) {
  Make({.ramp_up = seconds(10), .ramp_up_from = 0.1});
  OpenIt();
  AdvanceToProbe();
  Succeed();
  ASSERT_EQ(state(), BreakerState::kClosed);
  // The fake draws 0.5: refused until half of the calls are admitted, at 4/9 of the ramp.
  const Result<Permit> refused = breaker_->TryAcquire();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "breaker-ramp-up");
  EXPECT_EQ(refused.error().retry_after, std::nullopt);
  world_.clock.Advance(milliseconds(4444));
  EXPECT_TRUE(Rejects());
  world_.clock.Advance(milliseconds(1));
  EXPECT_FALSE(Rejects());
  EXPECT_EQ(breaker_->Snapshot().rejected_ramp_up, 2u);
  // Neither a refusal nor the ramp itself is a result.
  EXPECT_EQ(breaker_->Snapshot().failures, 5u);
}

TEST_F(CircuitBreakerTest, TheRampIsOverAtItsEnd) {
  Make({.ramp_up = seconds(10), .ramp_up_from = 0.001});
  OpenIt();
  AdvanceToProbe();
  Succeed();
  world_.clock.Advance(seconds(10));
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(Rejects());
}

// ---- by hand ------------------------------------------------------------------------------------

TEST_F(CircuitBreakerTest, CB16_ForcedOpenForATimeItProbesAfterThat) {
  ASSERT_TRUE(breaker_->Force(BreakerState::kOpen, hours(2)));
  world_.clock.Advance(hours(2) - Duration(1));
  EXPECT_TRUE(Rejects());
  world_.clock.Advance(Duration(1));
  EXPECT_EQ(Start().state(), BreakerState::kHalfOpen);
}

TEST_F(CircuitBreakerTest, CB16_ForcedClosedItForgetsTheOutage) {
  OpenIt();
  ASSERT_TRUE(breaker_->Force(BreakerState::kClosed));
  Fail(4);
  EXPECT_EQ(state(), BreakerState::kClosed);
}

TEST_F(CircuitBreakerTest, AClosedBreakerCannotBeForcedHalfOpen) {
  const Result<void> result = breaker_->Force(BreakerState::kHalfOpen);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("open it first"));
  EXPECT_EQ(state(), BreakerState::kClosed);
}

TEST_F(CircuitBreakerTest, ForcingTheStateItIsInPublishesNothing) {
  ASSERT_TRUE(breaker_->Force(BreakerState::kClosed));
  OpenIt();
  ASSERT_TRUE(breaker_->Force(BreakerState::kOpen));
  EXPECT_EQ(world_.events.Named("breaker").size(), 1u);
}

TEST_F(CircuitBreakerTest, CB16_IsolatedItRefusesUntilTheLastHandleIsGone) {
  std::optional<CircuitBreaker::Isolation> first = breaker_->Isolate();
  std::optional<CircuitBreaker::Isolation> second = breaker_->Isolate();
  world_.clock.Advance(hours(24));
  EXPECT_EQ(breaker_->TryAcquire().error().reason, "breaker-isolated");
  first.reset();
  EXPECT_TRUE(Rejects());
  second.reset();
  EXPECT_FALSE(Rejects());
  EXPECT_EQ(breaker_->Snapshot().rejected_forced, 2u);
}

TEST_F(CircuitBreakerTest, AResultOfACallFromBeforeAnIsolationIsLate) {
  Make({.failures = 1});
  Permit before = Start();
  breaker_->Isolate().Release();
  before.Record(BreakerOutcome::kFailure);
  EXPECT_EQ(state(), BreakerState::kClosed);
  EXPECT_EQ(breaker_->Snapshot().late, 1u);
}

TEST_F(CircuitBreakerTest, CB16_DisabledItAdmitsAndRecordsNothing) {
  breaker_->SetMode(BreakerMode::kDisabled);
  Fail(100);
  Succeed(3);
  EXPECT_EQ(breaker_->Snapshot().failures, 0u);
  EXPECT_EQ(breaker_->Snapshot().successes, 0u);
  breaker_->SetMode(BreakerMode::kNormal);
  Fail(4);
  EXPECT_EQ(state(), BreakerState::kClosed);
}

TEST_F(CircuitBreakerTest, CB16_InMetricsOnlyModeItReportsOnceThatItWouldHaveOpened) {
  breaker_->SetMode(BreakerMode::kMetricsOnly);
  Fail(7);
  EXPECT_EQ(state(), BreakerState::kClosed);
  EXPECT_THAT(world_.events.Lines("breaker.shadow"),
              ElementsAre("breaker.shadow name=vendor reason=5 failures in a row"));
  Succeed();
  Fail(5);
  EXPECT_EQ(breaker_->Snapshot().would_have_opened, 2u);
  EXPECT_THAT(world_.events.Lines("breaker"), ElementsAre());
}

TEST_F(CircuitBreakerTest, AStateCannotBeForcedOutsideTheNormalMode) {
  breaker_->SetMode(BreakerMode::kDisabled);
  EXPECT_THAT(breaker_->Force(BreakerState::kOpen).error().message, HasSubstr("is disabled"));
}

// ---- evidence -----------------------------------------------------------------------------------

TEST_F(CircuitBreakerTest, OneCallThatFailsInItsRetryLoopIsNoProof) {
  Make({.failures = 3, .logical_calls_min = 2});
  for (int attempt = 0; attempt < 6; ++attempt) {
    Start().Record(BreakerOutcome::kFailure, {.repeated = attempt > 0});
  }
  EXPECT_EQ(state(), BreakerState::kClosed);
  Fail();
  EXPECT_EQ(state(), BreakerState::kClosed) << "the first of the earlier call has left the row";
  Fail();
  EXPECT_EQ(state(), BreakerState::kOpen);
}

TEST_F(CircuitBreakerTest, CountsSuccessesThatTookNoLock) {
  Succeed(1000);
  EXPECT_EQ(breaker_->Snapshot().successes, 1000u);
  EXPECT_EQ(breaker_->Snapshot().successes_in_row, 1000);
  Fail();
  Succeed(10);
  EXPECT_EQ(breaker_->Snapshot().successes, 1010u);
  EXPECT_EQ(breaker_->Snapshot().successes_in_row, 10);
}

TEST_F(CircuitBreakerTest, QS7_WithTheDefaultsOneGoodProbeCloses) {
  OpenIt();
  AdvanceToProbe();
  Succeed();
  EXPECT_EQ(state(), BreakerState::kClosed);
}

TEST_F(CircuitBreakerTest, CB7_NothingIsRecordedBeforeTheCallHasEnded) {
  Make({.failures = 1});
  Permit running = Start();
  EXPECT_EQ(breaker_->Snapshot().successes, 0u);
  running.Record(BreakerOutcome::kFailure);
  EXPECT_EQ(breaker_->Snapshot().successes, 0u);
  EXPECT_EQ(state(), BreakerState::kOpen);
}

TEST_F(CircuitBreakerTest, CB10_ASnapshotDoesNotChangeWithTheBreaker) {
  const CircuitBreakerSnapshot before = breaker_->Snapshot();
  OpenIt();
  EXPECT_EQ(before.state, BreakerState::kClosed);
  EXPECT_EQ(before.failures, 0u);
  EXPECT_EQ(breaker_->Snapshot().failures, 5u);
}

TEST_F(CircuitBreakerTest, CB12_TimeZeroIsATimeLikeAnyOther) {
  world_.clock.Advance(-world_.clock.Now().time_since_epoch());
  ASSERT_EQ(world_.clock.Now(), TimePoint());
  OpenIt();
  EXPECT_TRUE(Rejects());
  EXPECT_EQ(breaker_->Snapshot().open_remaining, seconds(30));
}

}  // namespace
}  // namespace understudy
