// Replays the sequences that other libraries' suites assert, as far as they fit a breaker that
// trips on consecutive failures: shared/data/breaker_oracles.json (reference resilience 5.1).
#include <fstream>
#include <map>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "middleware/resilience/circuit_breaker.h"
#include "tests/support/test_runtime.h"

namespace understudy {
namespace {

using nlohmann::json;

constexpr const char* kFile = UNDERSTUDY_SHARED_DIR "/data/breaker_oracles.json";

BreakerOutcome OutcomeOf(const json& letter) {
  if (letter == "S") return BreakerOutcome::kSuccess;
  return letter == "F" ? BreakerOutcome::kFailure : BreakerOutcome::kNeutral;
}

CircuitBreakerOptions OptionsOf(const json& config) {
  CircuitBreakerOptions options;
  options.failures = config["trip"]["n"];
  options.window = std::chrono::hours(24 * 365);
  const std::vector<Duration::rep> delays = config["open"]["delays"];
  options.open_for = Duration(delays.front());
  options.open_for_max = Duration(delays.back());
  if (delays.size() > 1)
    options.open_growth = static_cast<double>(delays[1]) / static_cast<double>(delays[0]);
  options.half_open_calls = config["half"]["permits"];
  options.half_open_successes = config["half"].value("need", 0);
  return options;
}

class Replay {
 public:
  explicit Replay(const json& config)
      : breaker_(CircuitBreaker::Create("oracle", OptionsOf(config), world_.runtime()).value()) {}

  void Step(const json& step) {
    const std::string kind = step[0];
    if (kind == "adv") world_.clock.Advance(Duration(step[1].get<Duration::rep>()));
    if (kind == "call") Call(OutcomeOf(step[1]), step.size() > 2 ? step[2].get<int>() : 1);
    if (kind == "reject") ExpectRejects(step.size() > 1 ? step[1].get<int>() : 1);
    if (kind == "start") open_.emplace(step[1], breaker_->TryAcquire().value());
    if (kind == "end") End(step[1], OutcomeOf(step[2]));
    if (kind == "release") End(step[1], BreakerOutcome::kNeutral);
    if (kind == "state") ExpectState(step[1]);
    if (kind == "events") ExpectEvents(step[1]);
  }

 private:
  void Call(BreakerOutcome outcome, int times) {
    for (int i = 0; i < times; ++i) breaker_->TryAcquire().value().Record(outcome);
  }
  void ExpectRejects(int times) {
    for (int i = 0; i < times; ++i) EXPECT_FALSE(breaker_->TryAcquire());
  }
  void End(const std::string& id, BreakerOutcome outcome) {
    open_.at(id).Record(outcome);
    open_.erase(id);
  }
  // Others show half-open as soon as the time is over; here it takes an admission (CB-9).
  void ExpectState(const std::string& expected) {
    const CircuitBreakerSnapshot snapshot = breaker_->Snapshot();
    const bool due = snapshot.open_remaining == Duration::zero();
    const std::string_view state = due ? "half-open" : ToString(snapshot.state);
    const std::map<std::string, std::string> names = {
        {"CLOSED", "closed"}, {"OPEN", "open"}, {"HALF_OPEN", "half-open"}};
    EXPECT_EQ(state, names.at(expected));
  }
  void ExpectEvents(const json& expected) {
    const std::map<std::string, std::string> names = {
        {"closed", "CLOSED"}, {"open", "OPEN"}, {"half-open", "HALF_OPEN"}};
    json seen = json::array();
    for (const test::RecordedEvent& event : world_.events.Named("breaker")) {
      seen.push_back({names.at(event.fields.at("from")), names.at(event.fields.at("to"))});
    }
    EXPECT_EQ(seen, expected);
  }

  test::TestRuntime world_;
  std::unique_ptr<CircuitBreaker> breaker_;
  std::map<std::string, CircuitBreaker::Permit> open_;
};

bool Fits(const json& oracle) {
  if (oracle["config"]["trip"]["kind"] != "consecutive" ||
      oracle["config"]["half"]["kind"] != "all")
    return false;
  for (const json& step : oracle["steps"]) {
    if (step[0] == "force" || step[0] == "isolate" || step[0] == "dispose") return false;
  }
  return true;
}

TEST(CircuitBreakerOracleTest, AgreesWithTheSequencesOfOtherLibraries) {
  std::ifstream file(kFile);
  if (!file) GTEST_SKIP() << "no shared test data";
  int replayed = 0;
  for (const json& oracle : json::parse(file)) {
    if (!Fits(oracle)) continue;
    SCOPED_TRACE(oracle["id"].get<std::string>());
    ++replayed;
    Replay replay(oracle["config"]);
    for (const json& step : oracle["steps"]) {
      SCOPED_TRACE(step.dump());
      replay.Step(step);
    }
  }
  EXPECT_GE(replayed, 8) << "the data changed: nothing was tested";
}

}  // namespace
}  // namespace understudy
