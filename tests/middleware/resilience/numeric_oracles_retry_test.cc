// Replays what the suites of other libraries assert about back-off, retry budgets, throttles and
// limits on concurrency (reference resilience 5.2 N5 N6, 5.3 R1 to R5).
//
// Every number comes from the file; keys that it does not know fail, so that a row of another form
// cannot pass unread.
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <memory>
#include <optional>
#include <regex>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "middleware/http/headers.h"
#include "middleware/http/retry_after.h"
#include "middleware/resilience/adaptive_throttle.h"
#include "middleware/resilience/aimd_limit.h"
#include "middleware/resilience/backoff.h"
#include "middleware/resilience/cubic_rate.h"
#include "middleware/resilience/retry_budget.h"
#include "middleware/resilience/retry_policy.h"
#include "middleware/resilience/vegas_limit.h"
#include "tests/middleware/resilience/numeric_oracles.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fixed_random.h"

namespace understudy {
namespace {

using nlohmann::json;
using test::FakeClock;

constexpr TimePoint kStart = TimePoint(std::chrono::hours(1));
constexpr double kTolerance = 1e-6;  // Of the value; their files round to seven digits.

// ---- reading the file; what is not of the known form throws, and fails the test -----------------

[[noreturn]] void Unknown(const std::string& what) { throw std::runtime_error(what); }

void RequireKeys(const json& object, std::initializer_list<std::string_view> required,
                 std::initializer_list<std::string_view> optional = {}) {
  if (!object.is_object()) Unknown("not an object: " + object.dump());
  std::set<std::string_view> known(required);
  for (const std::string_view key : required) {
    if (!object.contains(key)) Unknown("no \"" + std::string(key) + "\" in " + object.dump());
  }
  known.insert(optional.begin(), optional.end());
  known.insert("source");
  for (const auto& [key, value] : object.items()) {
    if (!known.contains(key)) Unknown("unknown \"" + key + "\" in " + object.dump());
  }
}

double Number(const json& value) {
  if (!value.is_number()) Unknown("not a number: " + value.dump());
  return value.get<double>();
}

int Integer(const json& value) {
  if (!value.is_number_integer()) Unknown("not an integer: " + value.dump());
  return value.get<int>();
}

bool Flag(const json& value) {
  return value.is_boolean() ? value.get<bool>() : Integer(value) != 0;
}

Duration Seconds(double seconds) { return Duration(std::llround(seconds * 1e9)); }
Duration Seconds(const json& value) { return Seconds(Number(value)); }
Duration Milliseconds(const json& value) { return Seconds(Number(value) / 1e3); }
TimePoint At(const json& value) { return kStart + Seconds(value); }
double InSeconds(Duration duration) { return static_cast<double>(duration.count()) / 1e9; }

// The elements of an array that is not empty: a loop over nothing would pass.
const json& Rows(const json& value, std::size_t width = 0) {
  if (!value.is_array() || value.empty()) Unknown("not an array with rows: " + value.dump());
  for (const json& row : value) {
    if (width > 0 && (!row.is_array() || row.size() != width)) Unknown("a row of " + row.dump());
  }
  return value;
}

void RequireColumns(const json& columns, const json& expected) {
  if (columns != expected) Unknown("unknown columns " + columns.dump());
}

void RequireText(const json& value, std::string_view expected) {
  if (value != expected) Unknown("unknown rule " + value.dump());
}

// The groups of a sentence that carries numbers.
std::vector<double> NumbersIn(const json& value, const std::string& pattern) {
  const std::string text = value.get<std::string>();
  std::smatch match;
  if (!std::regex_search(text, match, std::regex(pattern))) Unknown("unknown sentence: " + text);
  std::vector<double> numbers;
  for (std::size_t i = 1; i < match.size(); ++i) numbers.push_back(std::stod(match[i].str()));
  return numbers;
}

template <typename Options>
const Options& Valid(const Options& options) {
  for (const std::string& problem : FindProblems(options)) Unknown("options: " + problem);
  return options;
}

void ExpectNear(double actual, double expected, const std::string& where) {
  EXPECT_NEAR(actual, expected, kTolerance * std::max(1.0, std::abs(expected))) << where;
}

std::int64_t Thousandths(const json& tokens) { return std::llround(Number(tokens) * 1000); }

RetryBudget Budget(const RetryBudgetOptions& options, Clock& clock) {
  return RetryBudget(Valid(options), clock);
}

BackoffOptions WithoutJitter(Duration base, Duration cap = Duration::max()) {
  return {.base = base, .cap = cap, .jitter = false};
}

// ---- retry budgets ------------------------------------------------------------------------------

RetryBudgetOptions ThrottleOf(const json& config) {
  RequireKeys(config, {"max", "ratio", "retry_iff"});
  RequireText(config.at("retry_iff"), "tokens > max/2");
  return ThrottleBudget(Integer(config.at("max")), Number(config.at("ratio")));
}

void ReplayGrpcRetryThrottle(const json& section) {
  RequireKeys(section, {"config", "columns", "rows"});
  RequireColumns(section.at("columns"), {"event", "tokens_after", "retry_allowed"});
  FakeClock clock;
  RetryBudget budget = Budget(ThrottleOf(section.at("config")), clock);
  for (const json& row : Rows(section.at("rows"), 3)) {
    if (row[0] == "F") {
      EXPECT_EQ(budget.TryWithdraw(), Flag(row[2])) << row;
    } else if (row[0] == "S" && row[2].is_null()) {
      budget.RecordSuccess();
    } else {
      Unknown("an event of " + row.dump());
    }
    EXPECT_EQ(budget.available_millitokens(), Thousandths(row[1])) << row;
  }
}

void ReplayUserverRetryBudget(const json& section) {
  RequireKeys(section, {"config", "cases"});
  for (const json& row : Rows(section.at("cases"))) {
    RequireKeys(row, {"fails", "oks", "can"});
    FakeClock clock;
    RetryBudget budget = Budget(ThrottleOf(section.at("config")), clock);
    for (int i = 0; i < Integer(row.at("fails")); ++i) budget.RecordFailure();
    for (int i = 0; i < Integer(row.at("oks")); ++i) budget.RecordSuccess();
    EXPECT_EQ(budget.CanWithdraw(), Flag(row.at("can"))) << row;
  }
}

void ReplayFirstRetryOfASmallQuota(const json& extra, double cost, const BackoffOptions& backoff) {
  RequireKeys(extra, {"quota", "outcome"});
  FakeClock clock;
  RetryBudget budget = Budget(QuotaBudget(Integer(extra.at("quota")), 1), clock);
  const std::vector<double> expected =
      NumbersIn(extra.at("outcome"), R"(^first retry delay ([0-9.]+) s quota ([0-9.]+); )");
  EXPECT_TRUE(budget.TryWithdraw(cost)) << extra;
  ExpectNear(InSeconds(JitteredBackoff(backoff, 1, 0.5)), expected[0], extra.dump());
  EXPECT_EQ(budget.available_millitokens(), Thousandths(expected[1])) << extra;
  const std::string outcome = extra.at("outcome");
  if (!outcome.ends_with("second: denied") && !outcome.ends_with("second: granted")) {
    Unknown(outcome);
  }
  EXPECT_EQ(budget.TryWithdraw(cost), outcome.ends_with("granted")) << extra;
}

void ReplayTimeouts(const json& timeouts) {
  RequireKeys(timeouts, {"start", "cost", "after", "success_returns_to"});
  FakeClock clock;
  RetryBudget budget = Budget(QuotaBudget(Integer(timeouts.at("start")), 1), clock);
  const double cost = Number(timeouts.at("cost"));
  for (const json& after : Rows(timeouts.at("after"))) {
    EXPECT_TRUE(budget.TryWithdraw(cost));
    EXPECT_EQ(budget.available_millitokens(), Thousandths(after)) << timeouts;
  }
  budget.RecordSuccess(cost);
  EXPECT_EQ(budget.available_millitokens(), Thousandths(timeouts.at("success_returns_to")));
}

// The policy stops after the last attempt, whatever is left of the quota.
void ReplayAttempts(const json& then, int attempts_max, const BackoffOptions& backoff,
                    const std::vector<Duration>& delays) {
  const std::vector<double> last =
      NumbersIn(then, R"(^(\d+)(?:st|nd|rd|th) attempt fails -> MaxAttempts, no further delay$)");
  EXPECT_EQ(last.at(0), attempts_max);
  RetryOptions options;
  options.attempts_max = attempts_max;
  options.backoff = backoff;
  const RetryPolicy policy(Valid(options));
  const Outcome failed = OutcomeClassifier().Classify(http::Response{503, {}, {}}, SystemTime());
  test::FixedRandom random;
  RetryMemory memory;
  RetryFacts facts;
  facts.replayable = true;
  for (facts.attempt = 1; facts.attempt < attempts_max; ++facts.attempt) {
    const RetryDecision decision = policy.Decide(failed, facts, random, memory);
    ASSERT_TRUE(decision.retry) << "after attempt " << facts.attempt;
    ASSERT_LE(static_cast<std::size_t>(facts.attempt), delays.size());
    EXPECT_EQ(decision.delay, delays[static_cast<std::size_t>(facts.attempt) - 1]);
  }
  EXPECT_FALSE(policy.Decide(failed, facts, random, memory).retry);
}

void ReplayAwsStandardQuota(const json& section) {
  RequireKeys(section, {"config", "columns", "rows", "then", "extra"});
  const json& config = section.at("config");
  RequireKeys(config, {"quota", "cost", "base", "max_attempts", "jitter"});
  RequireText(config.at("jitter"), "identity");
  RequireColumns(section.at("columns"), {"retry", "delay_s", "quota_after"});
  const double cost = Number(config.at("cost"));
  const BackoffOptions backoff = WithoutJitter(Seconds(config.at("base")));
  FakeClock clock;
  RetryBudget budget = Budget(QuotaBudget(Integer(config.at("quota")), 1), clock);
  std::vector<Duration> delays;
  for (const json& row : Rows(section.at("rows"), 3)) {
    EXPECT_TRUE(budget.TryWithdraw(cost)) << row;
    EXPECT_EQ(BackoffCeiling(backoff, Integer(row[0])), Seconds(row[1])) << row;
    EXPECT_EQ(budget.available_millitokens(), Thousandths(row[2])) << row;
    delays.push_back(Seconds(row[1]));
  }
  ReplayAttempts(section.at("then"), Integer(config.at("max_attempts")), backoff, delays);
  for (const json& extra : Rows(section.at("extra"))) {
    if (extra.contains("quota")) {
      ReplayFirstRetryOfASmallQuota(extra, cost, backoff);
    } else if (extra.contains("timeouts")) {
      RequireKeys(extra, {"timeouts"});
      ReplayTimeouts(extra.at("timeouts"));
    } else {
      RequireKeys(extra, {"max_backoff", "delays"});
      const BackoffOptions capped = WithoutJitter(backoff.base, Seconds(extra.at("max_backoff")));
      int retry = 0;
      for (const json& delay : Rows(extra.at("delays"))) {
        EXPECT_EQ(BackoffCeiling(capped, ++retry), Seconds(delay)) << extra;
      }
    }
  }
}

void ReplayV21Costs(const json& section) {
  FakeClock clock;
  RetryBudget budget = Budget(QuotaBudget(Integer(section.at("initial_quota")), 1), clock);
  const double cost = Number(section.at("cost"));
  const double throttling_cost = Number(section.at("throttling_cost"));
  RequireText(section.at("success_refund"), "last cost, else +1");
  EXPECT_TRUE(budget.TryWithdraw(cost));
  const std::int64_t after = Thousandths(section.at("after_first_retry"));
  EXPECT_EQ(budget.available_millitokens(), after);
  budget.RecordSuccess(cost);
  EXPECT_EQ(budget.available_millitokens(), Thousandths(section.at("initial_quota")));
  EXPECT_TRUE(budget.TryWithdraw(cost));
  budget.RecordSuccess();
  EXPECT_EQ(budget.available_millitokens(), after + 1000);
  EXPECT_TRUE(budget.TryWithdraw(throttling_cost));
  EXPECT_EQ(budget.available_millitokens(), after + 1000 - std::llround(throttling_cost * 1000));
}

void ReplayAwsV21Backoff(const json& section) {
  RequireKeys(section, {"delays_s", "cost", "throttling_cost", "initial_quota", "after_first_retry",
                        "success_refund", "retry_after_ms", "rule"});
  const json& delays = Rows(section.at("delays_s"));
  const BackoffOptions options = WithoutJitter(Seconds(delays.front()), Seconds(delays.back()));
  int retry = 0;
  for (const json& delay : delays) {
    EXPECT_EQ(BackoffCeiling(options, ++retry), Seconds(delay)) << "retry " << retry;
  }
  ReplayV21Costs(section);
  const double surplus =
      NumbersIn(section.at("rule"), R"(^server hint clamped to \[t_i, t_i\+([0-9.]+) s\]$)").at(0);
  for (const json& row : Rows(section.at("retry_after_ms"), 2)) {
    http::Headers headers;
    const std::string value = row[0].is_string() ? row[0].get<std::string>() : row[0].dump();
    ASSERT_TRUE(headers.Set("retry-after-ms", value));
    const std::optional<Duration> hint = ParseRetryAfter(headers, SystemTime());
    EXPECT_EQ(HintedBackoff(Seconds(delays.front()), hint, Seconds(surplus)), Seconds(row[1]))
        << row;
  }
}

// ---- back-off forms -----------------------------------------------------------------------------

void ReplayQuarterJitter(const json& rows, const BackoffOptions& options, int retry) {
  for (const json& row : Rows(rows, 2)) {
    ExpectNear(InSeconds(JitteredBackoff(options, retry, Number(row[0]))), Number(row[1]),
               row.dump());
  }
}

void ReplayMaxDelay(const json& sentence) {
  const std::vector<double> seconds =
      NumbersIn(sentence, R"(^([0-9.]+) s x any, max ([0-9.]+) s -> ([0-9.]+) s$)");
  for (const auto growth :
       {BackoffGrowth::kConstant, BackoffGrowth::kLinear, BackoffGrowth::kExponential}) {
    for (const auto kind :
         {BackoffJitter::kFull, BackoffJitter::kQuarter, BackoffJitter::kDecorrelated}) {
      BackoffOptions options{.base = Seconds(seconds[0]), .cap = Seconds(seconds[1])};
      options.growth = growth;
      options.kind = kind;
      options.jitter = kind != BackoffJitter::kFull;  // Stands for none.
      EXPECT_EQ(JitteredBackoff(options, 3, 0.5), Seconds(seconds[2])) << sentence;
    }
  }
}

void ReplayOverflow(const json& sentence) {
  const std::vector<double> numbers = NumbersIn(
      sentence, R"(^attempt (\d+) x ([0-9.]+) days? -> max duration, or max_delay when set$)");
  const auto retry = static_cast<int>(numbers[0]);
  for (const Duration cap : {Duration::max(), Duration(std::chrono::hours(24 * 30))}) {
    for (const bool jitter : {false, true}) {
      BackoffOptions options{.base = Seconds(numbers[1] * 86'400), .cap = cap, .jitter = jitter};
      options.kind = BackoffJitter::kDecorrelated;
      EXPECT_EQ(JitteredBackoff(options, retry, 0.5), cap) << sentence;
    }
  }
}

// Polly's keys say what is tested: "constant_1s_jitter", "linear_3rd_1s_jitter", "exponential_1s".
void ReplayPollyDelays(const json& section) {
  const std::regex constant(R"(^constant_(\d+)s_jitter$)");
  const std::regex linear(R"(^linear_(\d+)(?:st|nd|rd|th)_(\d+)s_jitter$)");
  const std::regex exponential(R"(^exponential_(\d+)s$)");
  BackoffOptions quarter{.cap = Duration::max(), .kind = BackoffJitter::kQuarter};
  for (const auto& [key, value] : section.items()) {
    std::smatch match;
    if (std::regex_match(key, match, constant)) {
      quarter.base = Seconds(std::stod(match[1].str()));
      quarter.growth = BackoffGrowth::kConstant;
      ReplayQuarterJitter(value, quarter, 1);
    } else if (std::regex_match(key, match, linear)) {
      quarter.base = Seconds(std::stod(match[2].str()));
      quarter.growth = BackoffGrowth::kLinear;
      ReplayQuarterJitter(value, quarter, std::stoi(match[1].str()));
    } else if (std::regex_match(key, match, exponential)) {
      int retry = 0;
      for (const json& delay : Rows(value)) {
        EXPECT_EQ(BackoffCeiling(WithoutJitter(Seconds(std::stod(match[1].str()))), ++retry),
                  Seconds(delay));
      }
    } else if (key == "max_delay") {
      ReplayMaxDelay(value);
    } else if (key == "overflow") {
      ReplayOverflow(value);
    } else if (key != "source") {
      Unknown("unknown \"" + key + "\"");
    }
  }
}

void ReplaySeries(const json& delays, const std::vector<double>& draws, Duration base,
                  const std::string& where) {
  const BackoffOptions options{
      .base = base, .cap = Duration::max(), .kind = BackoffJitter::kDecorrelated};
  test::FixedRandom random(draws);
  DecorrelatedJitter memory;
  int retry = 0;
  for (const json& delay : Rows(delays)) {
    ++retry;
    ExpectNear(InSeconds(BackoffDelay(options, retry, random, memory)), Number(delay),
               where + ", retry " + std::to_string(retry));
  }
}

void ReplayDecorrelatedJitter(const json& section) {
  const Duration base = Seconds(NumbersIn(section.at("source"), R"(base ([0-9.]+) s)").at(0));
  for (const auto& [key, value] : section.items()) {
    if (key == "source") continue;
    std::vector<double> draws;
    if (key == "r_half") draws = {0.5};
    if (key == "r_zero") draws = {0.0};
    // "r_cycle_1937": 0.1, 0.9, 0.3, 0.7, and again.
    if (std::regex_match(key, std::regex(R"(r_cycle_\d+)"))) {
      for (const char digit : key.substr(8)) draws.push_back((digit - '0') / 10.0);
    }
    if (draws.empty()) Unknown("unknown \"" + key + "\"");
    ReplaySeries(value, draws, base, key);
  }
}

// ---- throttles ----------------------------------------------------------------------------------

double RejectionAfter(int requests, int accepts, AdaptiveThrottleOptions options) {
  options.requests_min = 1;
  AdaptiveThrottle throttle(Valid(options));
  for (int i = 0; i < requests; ++i) throttle.Record(kStart, /*accepted=*/i < accepts);
  return throttle.RejectionProbability(kStart);
}

double RejectionOf(const json& row) {
  AdaptiveThrottleOptions options;
  options.accept_share = Number(row[2]);
  options.rejection_max = Number(row[3]);
  return RejectionAfter(Integer(row[0]), Integer(row[1]), options);
}

void ReplayAdaptiveThrottle(const json& section) {
  RequireKeys(section, {"rows", "range", "one_failure"});
  for (const json& row : Rows(section.at("rows"), 5)) {
    ExpectNear(RejectionOf(row), Number(row[4]), row.dump());
  }
  for (const json& row : Rows(section.at("range"), 6)) {
    EXPECT_GE(RejectionOf(row), Number(row[4])) << row;
    EXPECT_LE(RejectionOf(row), Number(row[5])) << row;
  }
  ExpectNear(RejectionAfter(1, 0, {}), Number(section.at("one_failure")), "one_failure");
}

// The first row is the moment of a throttle: there the curve is at beta of its plateau.
CubicCurve CurveFrom(const json& time, double rate, const CubicRateOptions& options) {
  return {.rate_max = rate / options.beta,
          .throttled_at = At(time),
          .beta = options.beta,
          .scale = options.scale};
}

void ReplayCurve(const json& success, const json& mixed, const CubicRateOptions& options) {
  const json& first = Rows(success, 2).front();
  const CubicCurve curve = CurveFrom(first[0], Number(first[1]), options);
  for (const json& row : success) {
    ExpectNear(curve.RateAt(At(row[0])), Number(row[1]), row.dump());
  }
  const json& start = Rows(mixed, 3).front();
  CubicCurve latest = CurveFrom(start[0], Number(start[2]), options);
  double rate = 0;
  for (const json& row : mixed) {
    if (Flag(row[1])) {
      rate *= options.beta;
      latest.rate_max = rate;  // Their test takes the reduced rate for the plateau.
      latest.throttled_at = At(row[0]);
    } else {
      rate = latest.RateAt(At(row[0]));
    }
    ExpectNear(rate, Number(row[2]), row.dump());
  }
}

void ReplaySending(const json& section, const CubicRateOptions& options) {
  RequireColumns(section.at("sending_columns"),
                 {"t", "throttled", "measured_tx_rate", "fill_rate"});
  CubicRate rate(Valid(options), kStart);
  for (const json& row : Rows(section.at("sending"), 4)) {
    rate.Record(At(row[0]), Flag(row[1]));
    ExpectNear(rate.measured_rate(), Number(row[2]), row.dump());
    ExpectNear(rate.rate(), Number(row[3]), row.dump());
  }
}

// Limits from `at` on, at the lowest rate.
CubicRate Enabled(TimePoint at, const CubicRateOptions& options) {
  CubicRate rate(Valid(options), at);
  rate.Record(at, /*throttled=*/true);
  return rate;
}

void ReplayBucket(const json& row, CubicRateOptions options) {
  if (row.contains("shortfall")) {
    RequireKeys(row, {"shortfall", "granted"}, {"note"});
    options.initial_tokens = 1.0 - Number(row.at("shortfall"));
    CubicRate rate = Enabled(kStart, options);
    EXPECT_EQ(rate.TryAcquire(kStart) == Duration::zero(), Flag(row.at("granted"))) << row;
    EXPECT_GE(rate.tokens(kStart), 0.0);
    return;
  }
  if (row.contains("callers")) {
    RequireKeys(row, {"callers", "at", "all_wait_equal"});
    CubicRate rate = Enabled(kStart, options);
    std::set<Duration> waits;
    for (int i = 0; i < Integer(row.at("callers")); ++i) {
      waits.insert(rate.TryAcquire(At(row.at("at"))));
    }
    EXPECT_EQ(waits.size() == 1, Flag(row.at("all_wait_equal"))) << row;
    EXPECT_GE(rate.tokens(At(row.at("at"))), 0.0);
    return;
  }
  RequireKeys(row, {"enable_at", "acquire_at"}, {"wait_s", "capacity", "granted"});
  CubicRate rate = Enabled(At(row.at("enable_at")), options);
  const TimePoint now = At(row.at("acquire_at"));
  const Duration wait = rate.TryAcquire(now);
  const bool granted = row.contains("granted") && Flag(row.at("granted"));
  EXPECT_EQ(wait == Duration::zero(), granted) << row;
  if (row.contains("wait_s")) ExpectNear(InSeconds(wait), Number(row.at("wait_s")), row.dump());
  if (row.contains("capacity")) {
    ExpectNear(rate.tokens(now), Number(row.at("capacity")), row.dump());
  }
}

void ReplayAwsCubic(const json& section) {
  RequireKeys(section,
              {"beta", "scale", "success", "mixed", "sending_columns", "sending", "bucket"});
  CubicRateOptions options;
  options.beta = Number(section.at("beta"));
  options.scale = Number(section.at("scale"));
  ReplayCurve(section.at("success"), section.at("mixed"), options);
  ReplaySending(section, options);
  for (const json& row : Rows(section.at("bucket"))) ReplayBucket(row, options);
}

// ---- limits on concurrency ----------------------------------------------------------------------

constexpr int kUnbounded = 100'000;

void ReplayVegas(const json& section) {
  RequireKeys(section, {"config", "columns", "cases"});
  RequireColumns(section.at("columns"), {"rtt_ms", "inflight", "dropped"});
  const json& config = section.at("config");
  RequireKeys(config, {"initial", "alpha", "beta", "max"});
  AdaptiveLimitOptions options{.kind = AdaptiveLimitKind::kVegas};
  options.initial = Integer(config.at("initial"));
  options.alpha = Integer(config.at("alpha"));
  options.beta = Integer(config.at("beta"));
  options.max = Integer(config.at("max"));
  for (const json& row : Rows(section.at("cases"))) {
    RequireKeys(row, {"samples", "limits"});
    const json& samples = Rows(row.at("samples"), 3);
    const json& limits = Rows(row.at("limits"));
    ASSERT_EQ(samples.size(), limits.size()) << row;
    const auto limit = CreateConcurrencyLimit(Valid(options));
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const json& sample = samples[i];
      EXPECT_EQ(limit->Update(Milliseconds(sample[0]), Integer(sample[1]), Flag(sample[2])),
                Integer(limits[i]))
          << row;
    }
  }
}

void ReplayAimd(const json& section) {
  RequireKeys(section, {"cases", "rule"});
  RequireText(section.at("rule"), "increase only if inflight*2 >= limit");
  for (const json& row : Rows(section.at("cases"))) {
    RequireKeys(row, {"initial", "dropped", "limit"}, {"inflight", "rtt_ms", "backoff", "max"});
    AdaptiveLimitOptions options{.kind = AdaptiveLimitKind::kAimd};
    options.initial = Integer(row.at("initial"));
    options.max = row.contains("max") ? Integer(row.at("max")) : kUnbounded;
    if (row.contains("backoff")) options.backoff = Number(row.at("backoff"));
    const Duration round_trip = Milliseconds(row.value("rtt_ms", json(1)));
    const auto limit = CreateConcurrencyLimit(Valid(options));
    EXPECT_EQ(
        limit->Update(round_trip, Integer(row.value("inflight", json(0))), Flag(row.at("dropped"))),
        Integer(row.at("limit")))
        << row;
  }
}

// ---- the sections -------------------------------------------------------------------------------

struct Section {
  std::string_view name;
  void (*replay)(const json& section);
};

class NumericOraclesRetryTest : public ::testing::TestWithParam<Section> {};

TEST_P(NumericOraclesRetryTest, Replays) {
  std::string why_not;
  const std::optional<json> oracles = test::LoadNumericOracles(&why_not);
  if (!oracles) GTEST_SKIP() << why_not;
  ASSERT_TRUE(oracles->is_object()) << why_not;
  const auto section = oracles->find(GetParam().name);
  if (section == oracles->end()) GTEST_SKIP() << test::MissingSection(GetParam().name);
  GetParam().replay(*section);
}

INSTANTIATE_TEST_SUITE_P(
    Sections, NumericOraclesRetryTest,
    ::testing::Values(Section{"grpc_retry_throttle", ReplayGrpcRetryThrottle},
                      Section{"userver_retry_budget", ReplayUserverRetryBudget},
                      Section{"aws_standard_quota", ReplayAwsStandardQuota},
                      Section{"aws_v2_1_backoff", ReplayAwsV21Backoff},
                      Section{"aws_cubic", ReplayAwsCubic},
                      Section{"polly_delays", ReplayPollyDelays},
                      Section{"decorrelated_jitter_v2", ReplayDecorrelatedJitter},
                      Section{"adaptive_throttle", ReplayAdaptiveThrottle},
                      Section{"vegas", ReplayVegas}, Section{"aimd", ReplayAimd}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace understudy
