// Replays what the suites of other libraries assert about their circuit breakers: sequences of
// calls, pauses and expected states (reference resilience 5.1).
//
//   UNDERSTUDY_BREAKER_ORACLES=my.json ctest -R breaker_oracles     # another file of the same form
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "middleware/resilience/circuit_breaker.h"
#include "tests/support/test_runtime.h"

namespace understudy {
namespace {

using nlohmann::json;

constexpr const char* kFile = UNDERSTUDY_SHARED_DIR "/data/breaker_oracles.json";
constexpr int kNever = 1'000'000;

Duration Nanoseconds(const json& value) { return Duration(value.get<Duration::rep>()); }

// ---- their configuration in our terms -----------------------------------------------------------

void ReadWindow(const json& window, CircuitBreakerOptions& options) {
  const std::string kind = window.at("kind");
  if (kind == "lifetime") {
    options.window_kind = BreakerWindow::kFixed;
    options.window = std::chrono::hours(24 * 365 * 100);
  } else if (kind == "fixed") {
    options.window_kind = BreakerWindow::kFixed;
    options.window = Nanoseconds(window.at("interval"));
  } else if (kind == "count") {
    options.window_kind = BreakerWindow::kCount;
    options.window_calls = window.at("n");
  } else if (kind == "time") {
    // The clock starts at a multiple of every bucket, so "start" and "epoch" align alike.
    options.window_kind = BreakerWindow::kTime;
    options.window_buckets = window.at("n");
    options.window = Nanoseconds(window.at("bucket")) * options.window_buckets;
  } else {
    FAIL() << "unknown window " << kind;
  }
}

void ReadTrip(const json& trip, CircuitBreakerOptions& options) {
  const std::string kind = trip.at("kind");
  options.failure_rate = 0.0;
  options.calls_min = 1;
  if (kind == "consecutive") {
    // Theirs never forget a failure; ours do after `window`.
    options.window_kind = BreakerWindow::kStreak;
    options.window = std::chrono::hours(24 * 365 * 100);
    options.failures = trip.at("n");
    return;
  }
  if (kind == "kofn") {
    options.window_failures = trip.at("k");
    return;
  }
  ASSERT_EQ(kind, "rate") << "unknown trip";
  options.calls_min = trip.at("min");
  options.slow_rate = trip.value("slow", 0.0);
  options.slow_call = Duration(trip.value("slow_ns", Duration::rep{0}));
  options.trips_on_failure_only = trip.value("on", "") == "failure";
  const double rate = trip.at("failure");
  if (rate <= 1.0) {
    options.failure_rate = trip.value("op", "ge") == "gt" ? std::nextafter(rate, 2.0) : rate;
  } else if (options.slow_rate == 0.0) {
    options.window_failures = std::min(kNever, options.window_calls);  // Above 100 %: never.
    if (options.window_kind != BreakerWindow::kCount) options.window_failures = kNever;
  }
}

void ReadOpen(const json& open, CircuitBreakerOptions& options) {
  // Those that probe only after the open period, not at its end, wait a nanosecond longer.
  const Duration after(open.value("boundary", "ge") == "gt" ? 1 : 0);
  for (const json& delay : open.at("delays")) {
    options.open_steps.push_back(Nanoseconds(delay) + after);
  }
}

void ReadHalf(const json& half, CircuitBreakerOptions& options) {
  const std::string kind = half.at("kind");
  options.half_open_calls = half.at("permits");
  options.half_open_max = std::chrono::hours(24 * 365 * 100);
  if (half.contains("max_wait")) options.half_open_max = Nanoseconds(half.at("max_wait"));
  options.half_open_max_closes = half.value("timeout_to", "OPEN") == "CLOSED";
  if (kind == "all") {
    options.half_open_successes = half.value("need", 0);
  } else if (kind == "rate") {
    options.half_open_failure_rate = half.at("failure");
    options.half_open_slow_rate = half.value("slow", 0.0);
  } else if (kind == "fail") {  // k of n failures reopen it.
    options.half_open_failures = half.at("k");
    options.half_open_successes = half.at("n").get<int>() - options.half_open_failures + 1;
  } else if (kind == "succ") {  // k of n successes close it.
    options.half_open_successes = half.at("k");
    options.half_open_failures = half.at("n").get<int>() - options.half_open_successes + 1;
  } else if (kind == "frac") {  // More than a share of the permits reopens it.
    const double allowed = half.at("threshold").get<double>() * options.half_open_calls;
    options.half_open_failures = static_cast<int>(std::floor(allowed + 1e-9)) + 1;
    options.half_open_successes = options.half_open_calls - options.half_open_failures + 1;
  } else {
    FAIL() << "unknown half-open rule " << kind;
  }
}

CircuitBreakerOptions OptionsOf(const json& config) {
  CircuitBreakerOptions options;
  ReadWindow(config.at("window"), options);
  ReadTrip(config.at("trip"), options);
  ReadOpen(config.at("open"), options);
  ReadHalf(config.at("half"), options);
  return options;
}

BreakerOutcome OutcomeOf(const json& letter) {
  if (letter == "S") return BreakerOutcome::kSuccess;
  return letter == "F" ? BreakerOutcome::kFailure : BreakerOutcome::kNeutral;
}

// ---- the replay ---------------------------------------------------------------------------------

class Replay {
 public:
  explicit Replay(const json& config)
      : config_(config),
        breaker_(CircuitBreaker::Create("oracle", OptionsOf(config), world_.runtime()).value()) {}

  void Step(const json& step) {
    const std::string kind = step.at(0);
    const auto count = [&] { return step.size() > 1 ? step.at(1).get<int>() : 1; };
    if (kind == "adv") {
      world_.clock.Advance(Nanoseconds(step.at(1)));
      if (config_.at("half").contains("max_wait")) breaker_->Tick();
    } else if (kind == "call") {
      Call(OutcomeOf(step.at(1)), step.size() > 2 ? step.at(2).get<int>() : 1,
           step.size() > 3 ? Nanoseconds(step.at(3)) : Duration(0));
    } else if (kind == "rec") {
      Call(OutcomeOf(step.at(1)), 1, step.size() > 2 ? Nanoseconds(step.at(2)) : Duration(0));
    } else if (kind == "reject") {
      ExpectRejects(count());
    } else if (kind == "start") {
      Start(step.at(1));
    } else if (kind == "end") {
      End(step.at(1), OutcomeOf(step.at(2)));
    } else if (kind == "release") {
      End(step.at(1), BreakerOutcome::kNeutral);
    } else if (kind == "state") {
      EXPECT_EQ(State(), step.at(1));
    } else if (kind == "counts") {
      ExpectCounts(step.at(1));
    } else if (kind == "retry_after") {
      ExpectRetryAfter(step.at(1));
    } else if (kind == "force") {
      Force(step.at(1));
    } else if (kind == "isolate") {
      isolations_.emplace(step.at(1), breaker_->Isolate());
    } else if (kind == "dispose") {
      isolations_.erase(step.at(1).get<std::string>());
    } else if (kind == "events") {
      ExpectEvents(step.at(1));
    } else if (kind == "threshold_events") {
      ExpectThresholdEvents(step.at(1));
    } else {
      ADD_FAILURE() << "unknown step " << kind;
    }
  }

 private:
  void Call(BreakerOutcome outcome, int times, Duration duration) {
    for (int i = 0; i < times; ++i) {
      Result<CircuitBreaker::Permit> permit = breaker_->TryAcquire();
      if (!permit) {
        ADD_FAILURE() << "not admitted: " << permit.error().ToString();
        return;
      }
      permit->Record(outcome, {.duration = duration});
    }
  }
  void Start(const std::string& id) {
    Result<CircuitBreaker::Permit> permit = breaker_->TryAcquire();
    if (!permit) {
      ADD_FAILURE() << "not admitted: " << permit.error().ToString();
      return;
    }
    open_.emplace(id, *std::move(permit));
  }
  void ExpectRejects(int times) {
    for (int i = 0; i < times; ++i) EXPECT_FALSE(breaker_->TryAcquire());
  }
  void End(const std::string& id, BreakerOutcome outcome) {
    const auto permit = open_.find(id);
    ASSERT_NE(permit, open_.end()) << id << " was never started";
    permit->second.Record(outcome);
    open_.erase(permit);
  }
  void Force(const std::string& state) {
    const std::map<std::string, BreakerMode> modes = {{"FORCED_OPEN", BreakerMode::kForcedOpen},
                                                      {"DISABLED", BreakerMode::kDisabled},
                                                      {"METRICS_ONLY", BreakerMode::kMetricsOnly}};
    if (const auto mode = modes.find(state); mode != modes.end()) {
      breaker_->SetMode(mode->second);
      return;
    }
    breaker_->SetMode(BreakerMode::kNormal);
    const std::map<std::string, BreakerState> states = {{"CLOSED", BreakerState::kClosed},
                                                        {"OPEN", BreakerState::kOpen},
                                                        {"HALF_OPEN", BreakerState::kHalfOpen}};
    ASSERT_TRUE(states.contains(state)) << "unknown state " << state;
    EXPECT_TRUE(breaker_->Force(states.at(state), std::nullopt));
  }

  // Some libraries turn half-open when one looks, others at the next call, like this one (CB-9):
  // where the expectation cannot tell them apart, an open breaker whose time is over is half-open.
  std::string State() const {
    const CircuitBreakerSnapshot snapshot = breaker_->Snapshot();
    if (snapshot.isolations > 0) return "ISOLATED";
    switch (snapshot.mode) {
      case BreakerMode::kForcedOpen:
        return "FORCED_OPEN";
      case BreakerMode::kDisabled:
        return "DISABLED";
      case BreakerMode::kMetricsOnly:
        return "METRICS_ONLY";
      case BreakerMode::kNormal:
        break;
    }
    if (snapshot.state == BreakerState::kClosed) return "CLOSED";
    const bool due = snapshot.open_remaining == Duration::zero();
    return snapshot.state == BreakerState::kHalfOpen || due ? "HALF_OPEN" : "OPEN";
  }

  void ExpectRetryAfter(const json& expected) {
    const Result<CircuitBreaker::Permit> permit = breaker_->TryAcquire();
    ASSERT_FALSE(permit);
    const std::optional<Duration> hint = permit.error().retry_after;
    if (expected.is_null()) {
      EXPECT_FALSE(hint);
    } else {
      EXPECT_EQ(hint, Nanoseconds(expected));
    }
  }

  void ExpectCounts(const json& expected) {
    for (const auto& [key, value] : expected.items()) {
      EXPECT_NEAR(Count(key, expected), value.get<double>(), 1e-9) << key;
    }
  }
  double Count(const std::string& key, const json& expected) const {
    const CircuitBreakerSnapshot snapshot = breaker_->Snapshot();
    const bool keeps = config_.value("on_open", "clear") == "keep";
    const bool cleared = snapshot.state == BreakerState::kOpen && !keeps;
    // Consecutive and lifetime counts are those since the transition.
    const bool lifetime = config_.at("window").at("kind") == "lifetime";
    const WindowCounts counts = cleared    ? WindowCounts{}
                                : lifetime ? snapshot.period
                                           : snapshot.window;
    const auto number = [](std::int64_t count) { return static_cast<double>(count); };
    if (key == "req") return number(counts.calls() + counts.neutral + InFlight(snapshot));
    if (key == "s") return number(counts.successes);
    if (key == "f") return number(counts.failures);
    if (key == "x") return number(counts.neutral);
    if (key == "cs") return cleared ? 0 : number(snapshot.successes_in_row);
    if (key == "cf") return cleared ? 0 : number(snapshot.failures_in_row);
    if (key == "buf") return number(counts.calls());
    if (key == "slow") return number(counts.slow);
    if (key == "np") return number(snapshot.period_rejected);
    // Theirs is -1 below the minimum of calls, where a rate says nothing.
    const bool half = snapshot.state == BreakerState::kHalfOpen ||
                      (snapshot.state == BreakerState::kOpen && counts.calls() > 0 &&
                       counts.calls() < config_.at("trip").value("min", 1));
    const int min = half ? config_.at("half").value("min", 1) : config_.at("trip").value("min", 1);
    const bool enough = counts.calls() >= min;
    if (key == "rate") return enough ? counts.FailureRate() * 100.0 : -1;
    if (key == "slow_rate") return enough ? counts.SlowRate() * 100.0 : -1;
    ADD_FAILURE() << "unknown count " << key << " in " << expected.dump();
    return 0;
  }
  std::int64_t InFlight(const CircuitBreakerSnapshot& snapshot) const {
    std::int64_t count = 0;
    for (const auto& [id, permit] : open_) {
      // A call of a fixed period that is over belongs to no period.
      const bool over =
          snapshot.period == WindowCounts{} && snapshot.state == BreakerState::kClosed;
      if (permit.generation() == snapshot.generation && !over) ++count;
    }
    return count;
  }

  // Since the last such step.
  void ExpectEvents(const json& expected) {
    const std::map<std::string, std::string> names = {
        {"closed", "CLOSED"}, {"open", "OPEN"}, {"half-open", "HALF_OPEN"}};
    // Those who turn half-open when one looks have published it by then.
    if (breaker_->Snapshot().open_remaining == Duration::zero()) breaker_->Tick();
    const std::vector<test::RecordedEvent> events = world_.events.Named("breaker");
    json seen = json::array();
    for (std::size_t i = seen_; i < events.size(); ++i) {
      seen.push_back({names.at(events[i].fields.at("from")), names.at(events[i].fields.at("to"))});
    }
    EXPECT_EQ(seen, expected);
    seen_ = events.size();
  }
  void ExpectThresholdEvents(const json& expected) {
    json seen = json::array();
    for (const std::string name : {"breaker", "breaker.shadow"}) {
      for (const test::RecordedEvent& event : world_.events.Named(name)) {
        const std::string& reason = event.fields.at("reason");
        if (reason.starts_with("failure rate")) seen.push_back("failure_rate");
        if (reason.starts_with("slow-call rate")) seen.push_back("slow_rate");
      }
    }
    EXPECT_EQ(seen, expected);
  }

  const json config_;
  test::TestRuntime world_;
  std::unique_ptr<CircuitBreaker> breaker_;
  std::map<std::string, CircuitBreaker::Permit> open_;
  std::map<std::string, CircuitBreaker::Isolation> isolations_;
  std::size_t seen_ = 0;
};

TEST(BreakerOraclesTest, EverySequenceOfTheFileReplays) {
  const char* const chosen = std::getenv("UNDERSTUDY_BREAKER_ORACLES");
  const std::string path = chosen != nullptr ? chosen : kFile;
  std::ifstream file(path);
  if (!file && chosen == nullptr) GTEST_SKIP() << "no shared test data at " << path;
  ASSERT_TRUE(file) << "cannot read " << path;
  const json oracles = json::parse(file, nullptr, false);
  ASSERT_TRUE(oracles.is_array()) << path << " is not a JSON array";
  for (const json& oracle : oracles) {
    SCOPED_TRACE(oracle.at("id").get<std::string>());
    Replay replay(oracle.at("config"));
    for (const json& step : oracle.at("steps")) {
      SCOPED_TRACE(step.dump());
      replay.Step(step);
    }
  }
  EXPECT_FALSE(oracles.empty());
}

}  // namespace
}  // namespace understudy
