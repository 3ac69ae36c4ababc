// Scenario: one cell of a scenario file, checked and typed. What the loader makes and the runner
// runs.
//
//   const LoadResult loaded = LoadScenarioFile("scenarios/breaker/opens.scn.json", {});
//   for (const Cell& cell : loaded.cells) Run(cell.scenario);
//
// Plain data, copied by value. Every name in it refers to something that exists: the loader has
// refused calls of unknown operations, deliveries to unknown webhooks and so on.
// docs/scenario-format.md describes the format.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "harness/scenario/expectation_spec.h"
#include "harness/scenario/json_document.h"
#include "harness/vendor/vendor_spec.h"
#include "harness/vendor/webhook_emitter.h"
#include "middleware/base/time.h"

namespace understudy::harness {

// The name of the vendor given by the one-vendor shorthand `vendor`.
inline constexpr std::string_view kDefaultVendor = "vendor";

// ---- clock ----

struct ClockSpec {
  SystemTime start = SystemTime(std::chrono::seconds(1'767'225'600));  // 2026-01-01T00:00:00Z
  Duration skew = {};  // The vendor's clock is ahead of the client's by this much.
  Duration limit = std::chrono::hours(
      24 * 7);  // Virtual-time ceiling; exceeding it ends the run as inconclusive.
};

// ---- client ----

// What a call step named after it sends through the stack.
struct Operation {
  std::string name = {};
  std::string vendor = std::string(kDefaultVendor);
  std::string method = {};
  std::string path = {};  // "{name}" is filled from the step's args.
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::optional<std::string> json =
      {};  // The body, serialised. "{name}" in its strings is filled from the args.
  std::string idempotency_key = {};  // Empty: none. "{name}" is filled from the args.
  SourceLocation at = {};
};

struct FallbackOptions {
  bool serve_last_good = false;          // Otherwise `status` and `json` are served.
  std::optional<std::string> json = {};  // serialised
  int status = 200;
  // Asked in turn when the operation's own vendor cannot serve; before anything is made up.
  std::vector<std::string> vendors = {};
};

struct DeadlineOptions {
  std::optional<Duration> total = {};
  std::optional<Duration> attempt = {};
};

enum class RetryJitter { kFull, kNone };

struct RetryBudgetOptions {
  double ratio = 0.2;  // Retries allowed per first attempt.
  int min = 10;        // Retries that are free before the ratio counts.
};

struct RetryOptions {
  int attempts = 3;  // In total, the first included.
  Duration backoff = std::chrono::milliseconds(100);
  Duration backoff_max = std::chrono::seconds(10);
  RetryJitter jitter = RetryJitter::kFull;
  std::optional<RetryBudgetOptions> budget =
      RetryBudgetOptions();  // nullopt: no budget ("budget": false).
  std::string idempotency_header = "Idempotency-Key";
  bool generate_keys = false;
  bool respect_retry_after = true;
};

enum class BreakerScope { kClient, kVendor, kOperation };

enum class BreakerWindowKind { kStreak, kCount, kTime };

struct BreakerOptions {
  BreakerWindowKind kind = BreakerWindowKind::kStreak;
  int failures = 5;  // In a row; for the other kinds in the window, if the file gives it.
  bool has_failures = false;
  Duration window = std::chrono::seconds(60);
  int calls = 100;  // kCount.
  double failure_rate = 0.0;
  double slow_rate = 0.0;
  Duration slow_call = {};
  int min_calls = 10;
  int min_logical_calls = 1;
  Duration open_for = std::chrono::seconds(30);
  double open_growth = 1.0;
  std::optional<Duration> open_for_max = {};
  int half_open_calls = 1;
  int half_open_successes = 0;  // 0: as many as half_open_calls.
  std::optional<Duration> half_open_max = {};
  Duration ramp_up = {};
  BreakerScope scope = BreakerScope::kVendor;
};

enum class AdaptiveKind { kNone, kAimd, kVegas };

struct BulkheadOptions {
  int max = 10;
  int queue = 0;
  std::optional<Duration> wait = {};
  AdaptiveKind adaptive = AdaptiveKind::kNone;
  int min = 1;  // Of an adaptive limit.
  std::optional<int> initial = {};
};

struct BearerAuth {
  std::string token = {};
};
struct BasicAuth {
  std::string user = {};
  std::string password = {};
};
struct ApiKeyAuth {
  bool in_query = false;  // Otherwise in a header.
  std::string name = {};
  std::string value = {};
};
struct OAuthAuth {
  std::string vendor = {};  // Whose token endpoint; empty: that of the operation's vendor.
  Duration refresh_skew = std::chrono::seconds(30);
  Duration timeout = std::chrono::seconds(10);
  std::string client_id = "understudy-client";
  std::string client_secret = "understudy-secret";
};
struct AuthOptions {
  std::variant<BearerAuth, BasicAuth, ApiKeyAuth, OAuthAuth> method = {};
};

struct RateLimitOptions {
  int max = 0;
  Duration window = {};
  std::optional<int> burst = {};
  bool sliding = false;  // An exact sliding window instead of evenly spaced permits.
};

// What the vendor's own answers say about its quota.
struct QuotaOptions {
  std::string dialect = {};  // "github", "stripe", ...; empty: what most vendors mean.
  Duration wait_max = std::chrono::minutes(1);
  double keep_back = 0.0;
  double pace_below = 0.0;
};

struct HedgeOptions {
  Duration after = {};
  int max = 1;  // Extra attempts.
};

struct CacheOptions {
  Duration ttl = {};
  Duration stale_if_error = {};
  Duration stale_while_revalidate = {};
};

// A record of every call, and of every attempt, in a trail that the history shows as
// "audit.record" events.
struct AuditOptions {
  bool must = false;                        // Refuse what cannot be recorded.
  bool attempts = true;                     // A record for each attempt, too.
  Duration wait = std::chrono::seconds(1);  // How long a `must` call waits for its record.
  // While the program is this old, [from, until), the trail's sink refuses everything.
  std::optional<Duration> fails_from = {};
  std::optional<Duration> fails_until = {};  // nullopt: for ever.
};

// A monitor that probes the operation's vendor, past the other policies.
struct HealthOptions {
  std::string probe = {};  // An operation; its args are empty.
  Duration every = std::chrono::seconds(30);
  Duration timeout = std::chrono::seconds(5);
  int failures = 3;   // In a row until it is unhealthy.
  int successes = 2;  // In a row until it is healthy again.
  bool critical = true;
};

// One policy of the stack, as the file lists them: outermost first.
struct StackPolicy {
  std::variant<FallbackOptions, CacheOptions, DeadlineOptions, HedgeOptions, RetryOptions,
               BreakerOptions, QuotaOptions, RateLimitOptions, BulkheadOptions, AuthOptions,
               AuditOptions, HealthOptions>
      options = {};
  SourceLocation at = {};
};

// The policies in the order in which the pipeline is built, whatever order the file lists them in.
// The index of a StackPolicy's variant is the index here.
inline constexpr std::string_view kPolicyNames[] = {"fallback", "cache",   "deadline", "hedge",
                                                    "retry",    "breaker", "quota",    "rate_limit",
                                                    "bulkhead", "auth",    "audit",    "health"};
// So many of them are layers around a call; the others watch, and have no place among them.
inline constexpr std::size_t kLayers = 10;

inline std::string_view PolicyName(const StackPolicy& policy) {
  return kPolicyNames[policy.options.index()];
}

struct ClientSpec {
  std::map<std::string, Operation, std::less<>> operations = {};
  std::optional<std::string> program = {};  // The name of linked code that makes the calls.
  std::string config = "{}";                // For the program; a serialised JSON object.
  std::vector<StackPolicy> stack = {};

  // The options of type T in the stack; nullptr if it has no such policy. At most one of each kind
  // exists.
  template <typename T>
  const T* Find() const {
    for (const StackPolicy& policy : stack) {
      if (const T* options = std::get_if<T>(&policy.options)) return options;
    }
    return nullptr;
  }
};

// ---- steps ----

// `callers` actors at once; each calls `times` times, `every` apart.
struct CallStep {
  std::string call = {};
  std::string args = "{}";  // a serialised JSON object
  int times = 1;
  int callers = 1;
  Duration every = {};
  bool background =
      false;  // Go on with the next step at once; the run still waits for it at the end.
};

struct AdvanceStep {
  Duration advance = {};
};

struct WaitStep {
  EventMatch match = {};
  Duration within = std::chrono::hours(1);
};

struct DeliverStep {
  std::string vendor = {};  // The vendor that has the webhook; found by the loader.
  std::string webhook = {};
  std::string event_id = {};
  std::string type = {};
  std::string json = "null";  // serialised
  int copies = 1;
  LatencySpec gap = {};  // Between copies.
  bool background = false;
  // Forgeries; see OutgoingEvent.
  std::optional<std::string> altered = {};  // serialised
  OutgoingEvent::Signature signature = OutgoingEvent::Signature::kRight;
  Duration signed_ahead = {};  // Negative: behind.
};

// Arms a trap without blocking, if it has an `after`; otherwise crashes at once.
struct CrashStep {
  std::string target = {};
  std::optional<EventMatch> after = {};
  std::optional<EventMatch> before = {};
  std::optional<Duration> restart_after = {};  // nullopt: stays down.
};

// Replaces what a route answers from now on.
struct SetStep {
  std::string vendor = {};  // The vendor that has the route; found by the loader.
  std::string route = {};   // A route's id, or "oauth".
  std::vector<ResponseSpec> respond = {};
};

struct Step;

// All lanes at once; the step ends when every lane has ended.
struct ParallelStep {
  std::vector<std::vector<Step>> lanes = {};
};

using StepAction =
    std::variant<CallStep, AdvanceStep, WaitStep, DeliverStep, CrashStep, SetStep, ParallelStep>;

struct Step {
  std::string id =
      {};  // As written, or "step-<n>": the n-th step of the file, lanes counted depth first.
  std::string note = {};
  StepAction action = {};
  SourceLocation at = {};
  bool generated_id = false;
};

// ---- modes, exploration ----

enum class WireTime { kSkip, kReal };
enum class AgreeOn { kOutcomes, kTransitions, kCounts, kLaneOrder, kEffects };

struct WireSpec {
  bool enabled = true;
  WireTime clock = WireTime::kSkip;
  Duration tolerance = std::chrono::milliseconds(50);
};

struct ModesSpec {
  bool sim = true;
  WireSpec wire = {};
  // What both modes must agree on; as written, or outcomes and counts when the file does not say.
  std::vector<AgreeOn> agree_on = {AgreeOn::kOutcomes, AgreeOn::kCounts};
  std::string sim_only_because = {};
};

enum class SchedulerKind { kRandom, kPct, kUrw, kRoundRobin, kExhaustive };
enum class ExploreFault {
  kCrash,
  kDuplicateDelivery,
  kReorderDelivery,
  kDropAck,
  kLatency,
  kReset,
  kClockJump,
  kDnsFail
};
enum class FaultPoint { kAnyYield, kBeforeEffect, kAfterEffect, kBeforeAck };

struct FaultChoice {
  ExploreFault fault = ExploreFault::kLatency;
  std::string on =
      {};  // A route, "oauth", a webhook, a vendor or a crash target; empty: wherever it applies.
  std::optional<int> max = {};
  FaultPoint at = FaultPoint::kAnyYield;
};

struct PinnedReplay {
  std::string replay = {};  // "s1:..."
  std::string note = {};
  bool known_failure = false;
  SourceLocation at = {};
};

struct ExploreSpec {
  std::optional<int> seeds = {};
  std::optional<Duration> budget = {};
  SchedulerKind scheduler = SchedulerKind::kRandom;
  std::optional<int> preemptions_max = {};
  std::vector<FaultChoice> faults = {};
  std::vector<PinnedReplay> pinned = {};
};

// ---- the whole ----

struct Parameter {
  std::string name = {};
  std::string value = {};  // serialised JSON
  bool used = false;       // Some "${name}" refers to it.
  SourceLocation at = {};
};

struct Scenario {
  std::string file = {};  // As given to the loader.
  std::string cell =
      {};  // "callers=50,token_latency=5s" in the matrix's order; empty without a matrix.
  std::string name = {};
  std::string why = {};
  std::vector<std::string> tags = {};
  std::string owner = {};
  std::vector<Parameter> params = {};  // `params`, then this cell's values of `matrix`.
  ClockSpec clock = {};
  std::map<std::string, VendorSpec, std::less<>> vendors = {};
  ClientSpec client = {};
  std::vector<Step> steps = {};
  std::vector<Expectation> expects = {};
  ModesSpec modes = {};
  std::optional<ExploreSpec> explore = {};
  // Where things without a place of their own were written: "route <vendor>/<id>".
  std::map<std::string, SourceLocation, std::less<>> places = {};
};

// One combination of the matrix's values; a file without a matrix has one cell with an empty id.
struct Cell {
  std::string id = {};
  Scenario scenario = {};
};

// Words of the format, for messages and reports.
std::string_view ToString(AgreeOn what);
std::string_view ToString(SchedulerKind scheduler);
std::string_view ToString(ExploreFault fault);
// "call", "advance", ...
std::string_view VerbName(const StepAction& action);

}  // namespace understudy::harness
