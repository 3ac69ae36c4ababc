// Proof that the harness can fail: each mutant breaks the middleware on purpose, and a scenario of
// the set must notice.
#include <functional>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/scenario/builtin_programs.h"
#include "harness/scenario/cell_runner.h"
#include "harness/scenario/effect_store.h"
#include "harness/scenario/oauth_client.h"
#include "harness/scenario/scenario_loader.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/system_clock.h"

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals

// Which expectations of which scenarios fail under a mutant, in simulation.
class MutantTest : public ::testing::Test {
 protected:
  std::set<std::string> Failures(const std::string& file) {
    std::set<std::string> failures;
    LoadOptions options;
    options.program_operations =
        [this](std::string_view name) -> std::optional<std::vector<std::string>> {
      const ProgramInfo* const info = programs_.Find(name);
      return info == nullptr ? std::nullopt : std::optional(info->operations);
    };
    const LoadResult loaded =
        LoadScenarioFile(std::string(UNDERSTUDY_SOURCE_DIR) + "/scenarios/" + file, options);
    EXPECT_TRUE(loaded.ok()) << loaded.ErrorText();
    for (Cell cell : loaded.cells) {
      if (change_) change_(cell.scenario);
      const CellReport report = RunCell(
          cell.scenario, {.modes = RunModes::kSim, .seeds = seeds_, .stack = hooks_},
          {.programs = programs_, .crypto = crypto_, .pool = pool_, .wall_clock = clock_}, "test");
      for (const auto* const run : {&report.sim, &report.failing_seed}) {
        if (!*run) continue;
        for (const ExpectationResult& result : (*run)->expectations) {
          if (result.failed()) failures.insert(result.id);
        }
      }
    }
    return failures;
  }

  // The unbroken middleware passes, so that what a mutant fails is the mutant's doing.
  void ExpectHealthy(const std::string& file) {
    const StackHooks broken = std::exchange(hooks_, {});
    const ProgramRegistry mutant = std::exchange(programs_, BuiltinPrograms());
    const auto change = std::exchange(change_, {});
    EXPECT_THAT(Failures(file), ::testing::IsEmpty()) << file;
    hooks_ = broken;
    programs_ = mutant;
    change_ = change;
  }

  StackHooks hooks_;
  std::function<void(Scenario&)> change_;  // For what no hook reaches.
  ProgramRegistry programs_ = BuiltinPrograms();
  std::uint64_t seeds_ = 20;
  OpensslCrypto crypto_;
  SystemClock clock_;
  WorkerPool pool_;
};

// ---- broken policies
// ---------------------------------------------------------------------------------------------

TEST_F(MutantTest, ABreakerThatNeverOpensIsCaught) {
  hooks_.without = {"breaker"};
  ExpectHealthy("breaker/opens-probes-and-closes.scn.json");
  EXPECT_TRUE(Failures("breaker/opens-probes-and-closes.scn.json").contains("transitions"));
  EXPECT_TRUE(Failures("breaker/two-services-apart.scn.json").contains("ledger-is-spared"));
}

// Opens like the real one, but admits everybody once the open period is over.
class HerdBreaker final : public Interceptor {
 public:
  explicit HerdBreaker(Runtime runtime) : runtime_(runtime) {}

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override {
    {
      const MutexLock lock(mutex_);
      if (runtime_.clock.Now() < open_until_) {
        return Error{.code = ErrorCode::kCircuitOpen, .message = "open", .reason = "breaker-open"};
      }
    }
    auto response = next(request, context);
    const MutexLock lock(mutex_);
    const bool failed = !response || response->status >= 500;
    failures_ = failed ? failures_ + 1 : 0;
    if (failures_ >= 5) open_until_ = runtime_.clock.Now() + 30s;
    return response;
  }
  std::string Describe() const override { return "mutant"; }

 private:
  Runtime runtime_;
  Mutex mutex_;
  TimePoint open_until_ GUARDED_BY(mutex_){};
  int failures_ GUARDED_BY(mutex_) = 0;
};

TEST_F(MutantTest, AHalfOpenBreakerThatAdmitsTheHerdIsCaught) {
  hooks_.without = {"breaker"};
  hooks_.adjust = [](ClientBuilder& builder, const ProgramEnvironment& environment) {
    builder.AddAttemptInterceptor(std::make_unique<HerdBreaker>(environment.runtime));
  };
  EXPECT_TRUE(Failures("breaker/opens-probes-and-closes.scn.json").contains("one-probe"));
}

// Repeats whatever fails, as often as told, after a fixed pause: no idempotency, no hint, no
// budget, no deadline.
class NaiveRetry final : public Interceptor {
 public:
  NaiveRetry(Runtime runtime, int attempts, Duration pause)
      : runtime_(runtime), attempts_(attempts), pause_(pause) {}

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override {
    auto response = next(request, context);
    for (int attempt = 2; attempt <= attempts_ && (!response || response->status >= 429);
         ++attempt) {
      runtime_.clock.SleepFor(pause_);
      context.set_attempt(attempt);
      response = next(request, context);
    }
    return response;
  }
  std::string Describe() const override { return "mutant"; }

 private:
  Runtime runtime_;
  int attempts_;
  Duration pause_;
};

StackHooks WithNaiveRetry(int attempts, Duration pause) {
  return {.without = {"retry"},
          .adjust = [=](ClientBuilder& builder, const ProgramEnvironment& environment) {
            builder.AddCallInterceptor(
                std::make_unique<NaiveRetry>(environment.runtime, attempts, pause));
          }};
}

TEST_F(MutantTest, APostRepeatedWithoutAKeyIsCaught) {
  hooks_ = WithNaiveRetry(3, 10ms);
  ExpectHealthy("retry/post-without-key-is-sent-once.scn.json");
  EXPECT_TRUE(Failures("retry/post-without-key-is-sent-once.scn.json").contains("sent-once"));
}

TEST_F(MutantTest, ARetryBeforeTheHintIsCaught) {
  hooks_ = WithNaiveRetry(3, 1s);
  ExpectHealthy("retry/waits-for-retry-after.scn.json");
  EXPECT_TRUE(Failures("retry/waits-for-retry-after.scn.json").contains("never-before-the-hint"));
}

TEST_F(MutantTest, ARetryWithoutABudgetIsCaught) {
  hooks_ = WithNaiveRetry(4, 50ms);
  ExpectHealthy("retry/budget-ends-the-storm.scn.json");
  EXPECT_TRUE(Failures("retry/budget-ends-the-storm.scn.json").contains("no-more-than-the-budget"));
}

TEST_F(MutantTest, ASleepPastTheDeadlineIsCaught) {
  hooks_ = WithNaiveRetry(2, 60s);
  ExpectHealthy("deadline/no-sleep-past-it.scn.json");
  EXPECT_TRUE(Failures("deadline/no-sleep-past-it.scn.json").contains("hint-ends-at-once"));
}

TEST_F(MutantTest, ADeadlinePerAttemptOnlyIsCaught) {
  hooks_ = {.without = {"deadline"},
            .adjust = [](ClientBuilder& builder, const ProgramEnvironment&) {
              builder.AttemptTimeout(2s);
            }};
  EXPECT_TRUE(Failures("deadline/shrinks-with-every-attempt.scn.json").contains("three-attempts"));
}

TEST_F(MutantTest, AClientWithoutALimiterIsCaught) {
  hooks_.without = {"rate_limit"};
  ExpectHealthy("rate-limit/client-stays-within-the-quota.scn.json");
  EXPECT_TRUE(
      Failures("rate-limit/client-stays-within-the-quota.scn.json").contains("never-refused"));
}

// A new key for every attempt, so that the vendor cannot know that they are one charge.
class KeyPerAttempt final : public Interceptor {
 public:
  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override {
    const auto set =
        request.headers.Set("Idempotency-Key", "attempt-" + std::to_string(context.attempt()));
    if (!set) return set.error();
    return next(request, context);
  }
  std::string Describe() const override { return "mutant"; }
};

TEST_F(MutantTest, ANewIdempotencyKeyPerAttemptIsCaught) {
  hooks_.adjust = [](ClientBuilder& builder, const ProgramEnvironment&) {
    builder.AddAttemptInterceptor(std::make_unique<KeyPerAttempt>());
  };
  ExpectHealthy("retry/post-with-key-carries-it-every-time.scn.json");
  EXPECT_FALSE(Failures("retry/post-with-key-carries-it-every-time.scn.json").empty());
}

// ---- broken token handling
// ---------------------------------------------------------------------------------------

// What the first version of a token client does: it checks, then refreshes. Two callers that see
// the expired token both refresh it; nothing is stored; a failure is forgotten at once.
struct NaiveTokenOptions {
  Duration margin = {};                  // Refreshes so long before the expiry, while callers wait.
  bool on_401 = false;                   // Refreshes after every 401.
  std::optional<Duration> timeout = {};  // Instead of the caller's deadline.
};

class CheckThenRefresh final : public AuthStrategy {
 public:
  CheckThenRefresh(Runtime runtime, std::unique_ptr<OAuthTokenSource> source, TokenSet tokens,
                   NaiveTokenOptions options)
      : runtime_(runtime),
        source_(std::move(source)),
        options_(options),
        tokens_(std::move(tokens)) {}

  Result<void> Apply(http::Request& request, Deadline deadline,
                     const std::stop_token& stop) override {
    const SystemTime now = runtime_.clock.SystemNow();
    {
      const MutexLock lock(mutex_);
      const bool alive = !tokens_.access_token.empty() &&
                         (!tokens_.expires_at || now + options_.margin < *tokens_.expires_at);
      if (alive) return Carry(request, tokens_.access_token);
    }
    UNDERSTUDY_ASSIGN_OR_RETURN(const Secret token, Refresh(deadline, stop));
    return Carry(request, token);
  }
  bool HandleUnauthorized(const http::Request&, const http::Response&, Deadline deadline,
                          const std::stop_token& stop) override {
    return options_.on_401 && Refresh(deadline, stop).has_value();
  }
  std::string Describe() const override { return "mutant"; }

 private:
  static Result<void> Carry(http::Request& request, const Secret& token) {
    return request.headers.Set("Authorization", "Bearer " + std::string(token.Reveal()));
  }

  Result<Secret> Refresh(Deadline deadline, const std::stop_token& stop) {
    Secret refresh;
    {
      const MutexLock lock(mutex_);
      refresh = tokens_.refresh_token;
    }
    if (options_.timeout) deadline = Deadline::After(runtime_.clock.Now(), *options_.timeout);
    runtime_.events.Publish("token.refresh", {{"phase", "started"}});
    auto tokens = source_->Fetch(refresh, deadline, stop);
    runtime_.events.Publish("token.refresh", {{"phase", tokens ? "succeeded" : "failed"}});
    if (!tokens) return tokens.error();
    const MutexLock lock(mutex_);
    if (tokens->refresh_token.empty()) tokens->refresh_token = refresh;
    tokens_ = *std::move(tokens);
    return tokens_.access_token;
  }

  Runtime runtime_;
  std::unique_ptr<OAuthTokenSource> source_;
  const NaiveTokenOptions options_;
  Mutex mutex_;
  TokenSet tokens_ GUARDED_BY(mutex_);
};

std::unique_ptr<OAuthTokenSource> SourceOf(const ProgramEnvironment& environment) {
  const VendorAddress& vendor = environment.vendors.at("vendor");
  OAuthTokenSourceOptions options;
  options.token_url = vendor.origin + vendor.spec->oauth->path;
  options.allow_http_loopback = true;
  options.client_id = "mutant";
  options.grant =
      vendor.initial_tokens ? OAuthGrant::kRefreshToken : OAuthGrant::kClientCredentials;
  return *OAuthTokenSource::Create(environment.runtime.clock, environment.network, options);
}

StackHooks WithNaiveTokens(NaiveTokenOptions options) {
  return {.without = {"auth"},
          .adjust = [=](ClientBuilder& builder, const ProgramEnvironment& environment) {
            builder.Auth(std::make_shared<CheckThenRefresh>(
                environment.runtime, SourceOf(environment),
                environment.vendors.at("vendor").initial_tokens.value_or(TokenSet()), options));
          }};
}

// The production manager with options that no application should have.
class MisconfiguredTokens final : public AuthStrategy {
 public:
  MisconfiguredTokens(const ProgramEnvironment& environment, TokenManagerOptions options)
      : source_(SourceOf(environment)),
        manager_(environment.runtime, *source_, environment.tokens, std::move(options)) {}

  Result<void> Apply(http::Request& request, Deadline deadline,
                     const std::stop_token& stop) override {
    return auth_.Apply(request, deadline, stop);
  }
  bool HandleUnauthorized(const http::Request& sent, const http::Response& response,
                          Deadline deadline, const std::stop_token& stop) override {
    return auth_.HandleUnauthorized(sent, response, deadline, stop);
  }
  std::string Describe() const override { return "mutant"; }

 private:
  std::unique_ptr<OAuthTokenSource> source_;
  TokenManager manager_;
  understudy::OAuthAuth auth_{manager_};
};

StackHooks WithTokenOptions(TokenManagerOptions options) {
  options.key = TokenKey("vendor");
  return {.without = {"auth"},
          .adjust = [=](ClientBuilder& builder, const ProgramEnvironment& environment) {
            builder.Auth(std::make_shared<MisconfiguredTokens>(environment, options));
          }};
}

TEST_F(MutantTest, ASecondConcurrentRefreshIsCaught) {
  hooks_ = WithNaiveTokens({});
  ExpectHealthy("token/one-refresh-for-many-callers.scn.json");
  const auto failures = Failures("token/one-refresh-for-many-callers.scn.json");
  EXPECT_TRUE(failures.contains("one-refresh"));
  EXPECT_TRUE(failures.contains("never-two-at-once"));
  EXPECT_FALSE(Failures("token/invalid-grant-is-final.scn.json").empty());
}

// ---- broken webhook handling
// -------------------------------------------------------------------------------------

// A receiver as it is written on the first try. Each flag is one mistake.
struct Mistakes {
  bool verifies = true;
  bool remembers = true;          // the keys it has seen ...
  bool remembers_durably = true;  // ... also after a crash
  bool in_order = true;
  bool races = false;  // Lets other deliveries in between looking and remembering.
  enum class Stores { kNothing, kBeforeEffect, kAfterEffect } stores = Stores::kNothing;
};

class HomemadeReceiver final : public Program, private http::Handler {
 public:
  HomemadeReceiver(ProgramEnvironment environment, Mistakes mistakes)
      : environment_(std::move(environment)), mistakes_(mistakes) {}

  http::Handler* server() override { return this; }

 private:
  http::Response Handle(const http::Request& request) override {
    if (mistakes_.verifies) return {.status = 401};  // Its one secret is never the right one.
    const auto body = nlohmann::json::parse(request.body);
    const std::string id = body["id"];
    const std::string type = body["type"];
    const std::string order = body["data"].value("order", id);
    const std::string state = type.substr(type.rfind('.') + 1);
    const bool of_order = body["data"].contains("order");
    const std::string kind = state == "paid" ? "ledger.credit" : "order." + state;
    const std::string effect = nlohmann::json{
        {"kind", of_order ? kind : type},
        {"key", of_order ? order + ":" + state : id},
        {"order", order},
        {"state", state}}.dump();
    if (mistakes_.stores != Mistakes::Stores::kNothing) return HandleStored(id, effect);
    if (Seen(id)) return Answer(true);
    if (mistakes_.races) environment_.runtime.clock.SleepFor(1ms);
    PublishEffect(environment_.runtime.events, effect);
    if (mistakes_.remembers) Remember(id);
    return Answer(false);
  }

  // Durable, but the key and the effect are not one transaction.
  http::Response HandleStored(const std::string& id, const std::string& effect) {
    const bool before = mistakes_.stores == Mistakes::Stores::kBeforeEffect;
    const SystemTime now = environment_.runtime.clock.SystemNow();
    const WebhookKey key{.provider = "homemade", .account = {}, .event_id = id};
    const auto inserted = environment_.webhooks.Insert({.key = key, .received_at = now});
    if (!inserted) return {.status = 503};
    const bool done = before ? inserted->outcome == InsertOutcome::kDuplicate
                             : inserted->status == WebhookStatus::kCompleted;
    if (done) return Answer(true);
    PublishEffect(environment_.runtime.events, effect);
    if (before) return Answer(false);
    const auto lease = environment_.webhooks.Claim(key, now, 1s);
    if (!lease || !*lease) return {.status = 503};
    const auto nothing = [](WebhookTransaction&) { return Result<void>(); };
    if (!environment_.webhooks.Complete(**lease, nothing)) return {.status = 503};
    return Answer(false);
  }

  bool Seen(const std::string& id) {
    if (!mistakes_.remembers) return false;
    const MutexLock lock(mutex_);
    return seen_.contains(id);
  }
  void Remember(const std::string& id) {
    const MutexLock lock(mutex_);
    seen_.insert(id);
  }
  static http::Response Answer(bool duplicate) {
    return {.status = 200, .body = nlohmann::json{{"duplicate", duplicate}}.dump()};
  }

  const ProgramEnvironment environment_;
  const Mistakes mistakes_;
  Mutex mutex_;
  std::set<std::string> seen_ GUARDED_BY(mutex_);
};

ProgramRegistry WithReceiver(Mistakes mistakes) {
  ProgramRegistry programs = BuiltinPrograms();
  programs.Add("webhook_receiver",
               {.start = [=](ProgramEnvironment environment) -> Result<std::unique_ptr<Program>> {
                 return std::unique_ptr<Program>(
                     std::make_unique<HomemadeReceiver>(std::move(environment), mistakes));
               }});
  return programs;
}

// Tells the vendor that all is well, whatever the handler said.
class SwallowsFailures final : public Program, private http::Handler {
 public:
  explicit SwallowsFailures(std::unique_ptr<Program> inner) : inner_(std::move(inner)) {}

  http::Handler* server() override { return this; }
  void Stop() override { inner_->Stop(); }

 private:
  http::Response Handle(const http::Request& request) override {
    http::Response response = inner_->server()->Handle(request);
    if (response.status >= 500) response.status = 200;
    return response;
  }

  std::unique_ptr<Program> inner_;
};

// The production receiver behind a handler that meddles with requests.
class Meddles final : public Program, private http::Handler {
 public:
  // Answers the request, with the production receiver or without.
  using Answer = std::function<http::Response(const http::Request&, http::Handler& production)>;

  Meddles(std::unique_ptr<Program> inner, Answer answer)
      : inner_(std::move(inner)), answer_(std::move(answer)) {}

  http::Handler* server() override { return this; }
  void Stop() override { inner_->Stop(); }

 private:
  http::Response Handle(const http::Request& request) override {
    return answer_(request, *inner_->server());
  }

  std::unique_ptr<Program> inner_;
  Answer answer_;
};

// The production receiver, started by `start`.
ProgramRegistry WithStart(
    std::function<Result<std::unique_ptr<Program>>(const ProgramInfo&, ProgramEnvironment)> start) {
  ProgramRegistry programs = BuiltinPrograms();
  const ProgramInfo production = *programs.Find("webhook_receiver");
  programs.Add("webhook_receiver", {.start = [=](ProgramEnvironment environment) {
                 return start(production, std::move(environment));
               }});
  return programs;
}

// The production receiver with another value in its configuration.
ProgramRegistry WithConfig(const std::string& key, const nlohmann::json& value) {
  return WithStart([=](const ProgramInfo& production, ProgramEnvironment environment) {
    auto config = nlohmann::json::parse(environment.config);
    config[key] = value;
    environment.config = config.dump();
    return production.start(std::move(environment));
  });
}

ProgramRegistry WithSwallowedFailures() {
  return WithStart([](const ProgramInfo& production,
                      ProgramEnvironment environment) -> Result<std::unique_ptr<Program>> {
    UNDERSTUDY_ASSIGN_OR_RETURN(auto program, production.start(std::move(environment)));
    return std::unique_ptr<Program>(std::make_unique<SwallowsFailures>(std::move(program)));
  });
}

// `make` makes the answer for one life of the program.
ProgramRegistry WithMeddling(std::function<Meddles::Answer(const ProgramEnvironment&)> make) {
  return WithStart([=](const ProgramInfo& production,
                       ProgramEnvironment environment) -> Result<std::unique_ptr<Program>> {
    Meddles::Answer answer = make(environment);
    UNDERSTUDY_ASSIGN_OR_RETURN(auto program, production.start(std::move(environment)));
    return std::unique_ptr<Program>(std::make_unique<Meddles>(std::move(program), answer));
  });
}

constexpr std::string_view kSignatureHeaders[] = {"Stripe-Signature", "webhook-signature",
                                                  "X-Hub-Signature-256"};

// Reads one signature and leaves the others.
ProgramRegistry WithTheFirstSignatureOnly() {
  return WithMeddling([](const ProgramEnvironment&) {
    return [](const http::Request& request, http::Handler& production) {
      http::Request cut = request;
      const std::string stripe(request.headers.Get("Stripe-Signature").value_or(""));
      const std::string standard(request.headers.Get("webhook-signature").value_or(""));
      if (!stripe.empty()) {
        const std::size_t second = stripe.find(",v1=", stripe.find("v1=") + 1);
        EXPECT_TRUE(cut.headers.Set("Stripe-Signature", stripe.substr(0, second)).has_value());
      }
      if (!standard.empty()) {
        EXPECT_TRUE(cut.headers.Set("webhook-signature", standard.substr(0, standard.find(' ')))
                        .has_value());
      }
      return production.Handle(cut);
    };
  });
}

// "The old sender does not sign yet": what has no signature goes by without one.
ProgramRegistry WithUnsignedAccepted() {
  return WithMeddling([](const ProgramEnvironment& environment) {
    auto homemade = std::make_shared<HomemadeReceiver>(environment, Mistakes{.verifies = false});
    return [homemade](const http::Request& request, http::Handler& production) {
      for (const std::string_view name : kSignatureHeaders) {
        if (request.headers.Has(name)) return production.Handle(request);
      }
      return homemade->server()->Handle(request);
    };
  });
}

// Looks for the duplicate before it looks at the signature.
ProgramRegistry WithIdsRememberedFirst() {
  return WithMeddling([](const ProgramEnvironment&) {
    auto seen = std::make_shared<std::set<std::string>>();  // Actors run one at a time.
    return [seen](const http::Request& request, http::Handler& production) {
      const auto body = nlohmann::json::parse(request.body, nullptr, false);
      const std::string id = body.is_object() ? body.value("id", "") : "";
      if (!seen->insert(id).second) {
        return http::Response{.status = 200, .body = R"({"duplicate":true})"};
      }
      return production.Handle(request);
    };
  });
}

struct WebhookMutant {
  const char* name;
  const char* file;
  const char* expectation;  // The one that notices.
  ProgramRegistry programs;
};

std::vector<WebhookMutant> WebhookMutants() {
  using Stores = Mistakes::Stores;
  return {
      {"SwallowsFailures", "webhook/redelivery-completes-a-failed-handler.scn.json",
       "failures-are-not-acknowledged", WithSwallowedFailures()},
      {"GivesUpAfterOneFailure", "webhook/the-worker-repeats-what-it-acknowledged.scn.json",
       "applied-once-in-order", WithConfig("attempts", 1)},
      {"NeverGivesUp", "webhook/a-dead-letter-stops-and-holds-nobody-up.scn.json", "stays-dead",
       WithConfig("attempts", 1000)},
      {"LeaseWithoutEnd", "webhook/a-lease-ends-with-a-dead-worker.scn.json", "both",
       WithConfig("lease", "7d")},
      {"RemembersBeforeItActs", "webhook/crash-before-the-insert.scn.json",
       "nothing-acknowledged-before-it-happened",
       WithReceiver({.verifies = false, .stores = Stores::kBeforeEffect})},
      {"RemembersAfterItActs", "webhook/crash-between-commit-and-the-next-job.scn.json",
       "booked-once", WithReceiver({.verifies = false, .stores = Stores::kAfterEffect})},
      {"ForgetsWhatItAnswered", "webhook/a-lost-answer-costs-one-more-delivery.scn.json",
       "booked-once-each", WithReceiver({.verifies = false, .remembers_durably = false})},
      {"LooksThenActs", "webhook/a-burst-of-two-deliveries-at-once.scn.json", "once",
       WithReceiver({.verifies = false, .races = true})},
      {"AcceptsTheRetiredSecret", "webhook/the-retired-secret-is-refused.scn.json",
       "nothing-happened-before", WithReceiver({.verifies = false})},
      {"KeyWithoutTheSender", "webhook/two-vendors-may-use-the-same-id.scn.json", "both-happened",
       WithReceiver({.verifies = false})},
      {"KnowsTheNewSecretOnly", "webhook/a-rotation-loses-nothing.scn.json", "all-accepted",
       WithConfig("secrets", {"whsec_2026"})},
      {"CountsAResignedEventAgain", "webhook/a-rotation-loses-nothing.scn.json", "booked-once-each",
       WithReceiver({.verifies = false, .remembers = false})},
      {"ReadsTheFirstSignatureOnly", "webhook/either-of-two-signatures-counts.scn.json",
       "booked-once", WithTheFirstSignatureOnly()},
      {"TwoSignaturesAreEnough", "webhook/either-of-two-signatures-counts.scn.json", "nothing-else",
       WithReceiver({.verifies = false})},
      {"AcceptsAnAlteredBody", "webhook/what-is-altered-on-the-way-is-refused.scn.json",
       "not-the-altered-order", WithReceiver({.verifies = false})},
      {"AcceptsAnyAge", "webhook/a-recorded-delivery-is-worthless-later.scn.json",
       "only-the-late-one", WithConfig("tolerance_past", "30d")},
      {"AllowsNoDelay", "webhook/a-recorded-delivery-is-worthless-later.scn.json",
       "only-the-late-one", WithConfig("tolerance_past", "1s")},
      {"AcceptsAnyTimeToCome", "webhook/a-time-to-come-is-refused.scn.json", "only-the-fast-clock",
       WithConfig("tolerance_future", "30d")},
      {"AllowsNoFastClock", "webhook/a-time-to-come-is-refused.scn.json", "only-the-fast-clock",
       WithConfig("tolerance_future", "1s")},
      {"AcceptsTheUnsigned", "webhook/a-wrong-or-missing-signature-is-refused.scn.json",
       "no-effect", WithUnsignedAccepted()},
      {"AcceptsTheWrongSignature", "webhook/a-wrong-or-missing-signature-is-refused.scn.json",
       "no-effect", WithReceiver({.verifies = false})},
      {"RemembersBeforeItVerifies", "webhook/forged-copies-do-not-use-up-the-event.scn.json",
       "booked-once", WithIdsRememberedFirst()},
      {"ForgetsTheGenuine", "webhook/forged-copies-do-not-use-up-the-event.scn.json", "booked-once",
       WithReceiver({.verifies = false, .remembers = false})},
  };
}

class WebhookMutantTest : public MutantTest, public ::testing::WithParamInterface<WebhookMutant> {};

TEST_P(WebhookMutantTest, IsCaught) {
  seeds_ = 100;  // Some need a crash at one of several moments.
  ExpectHealthy(GetParam().file);
  programs_ = GetParam().programs;
  EXPECT_THAT(Failures(GetParam().file), ::testing::Contains(GetParam().expectation));
}

INSTANTIATE_TEST_SUITE_P(Rows, WebhookMutantTest, ::testing::ValuesIn(WebhookMutants()),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_F(MutantTest, ADuplicateHandledTwiceIsCaught) {
  programs_ = WithReceiver({.verifies = false, .remembers = false});
  ExpectHealthy("webhook/duplicates-take-effect-once.scn.json");
  EXPECT_TRUE(Failures("webhook/duplicates-take-effect-once.scn.json").contains("once"));
}

TEST_F(MutantTest, ADedupeThatACrashForgetsIsCaught) {
  programs_ = WithReceiver({.verifies = false, .remembers_durably = false});
  ExpectHealthy("webhook/crash-between-effect-and-ack.scn.json");
  EXPECT_TRUE(Failures("webhook/crash-between-effect-and-ack.scn.json").contains("booked-once"));
}

TEST_F(MutantTest, AReceiverThatAppliesEventsAsTheyComeIsCaught) {
  programs_ = WithReceiver({.verifies = false, .in_order = false});
  ExpectHealthy("webhook/reordered-events-apply-in-order.scn.json");
  EXPECT_TRUE(Failures("webhook/reordered-events-apply-in-order.scn.json").contains("in-order"));
}

TEST_F(MutantTest, AReceiverThatDoesNotVerifyIsCaught) {
  programs_ = WithReceiver({.verifies = false});
  ExpectHealthy("webhook/bad-signature-has-no-effect.scn.json");
  EXPECT_TRUE(Failures("webhook/bad-signature-has-no-effect.scn.json").contains("no-effect"));
}

TEST_F(MutantTest, AReceiverThatRefusesEverythingIsCaught) {
  programs_ = WithReceiver({.verifies = true});
  EXPECT_TRUE(Failures("webhook/duplicates-take-effect-once.scn.json").contains("once"));
}

// ---- policies of the call path ------------------------------------------------------------------

// Replaces the policy's slot of the builder; whatever the file says of it is overwritten.
template <typename Change>
StackHooks Adjusted(Change change) {
  return {
      .adjust = [change](ClientBuilder& builder, const ProgramEnvironment&) { change(builder); }};
}

struct CallPathMutant {
  const char* name;
  const char* file;
  const char* expectation;  // The one that notices.
  StackHooks hooks;
};

// Sends a copy of whatever is slow, keyed or not.
class RecklessHedge final : public Interceptor {
 public:
  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override {
    http::Request copy = request;
    (void)next(copy, context);
    return next(request, context);
  }
  std::string Describe() const override { return "mutant"; }
};

StackHooks WithAttemptInterceptor(std::function<std::unique_ptr<Interceptor>(Runtime)> make,
                                  std::set<std::string, std::less<>> without = {}) {
  return {.without = std::move(without),
          .adjust = [make](ClientBuilder& builder, const ProgramEnvironment& environment) {
            builder.AddAttemptInterceptor(make(environment.runtime));
          }};
}

// Asks the next vendor after any failure, executed or not: what a careless fallback does.
class RepeatsElsewhere final : public Interceptor {
 public:
  explicit RepeatsElsewhere(const ProgramEnvironment& environment) : environment_(environment) {}

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override {
    Result<http::Response> result = next(request, context);
    if (result) return result;
    http::Request elsewhere = request;
    const auto base = http::Url::Parse(environment_.vendors.at("second").origin);
    elsewhere.url = base->Resolve(request.url.path()).value();
    return environment_.network.Send(elsewhere, {.deadline = context.deadline()});
  }
  std::string Describe() const override { return "mutant"; }

 private:
  const ProgramEnvironment environment_;
};

std::vector<CallPathMutant> CallPathMutants() {
  return {
      {"BreakerThatOnlyCountsStreaks", "breaker/opens-on-the-failure-rate.scn.json", "opens",
       Adjusted([](ClientBuilder& builder) { builder.Breaker({.failures = 5}); })},
      {"BreakerThatIgnoresSlowness", "breaker/opens-on-slow-calls.scn.json", "opens",
       Adjusted([](ClientBuilder& builder) {
         builder.Breaker({.window_kind = BreakerWindow::kTime, .calls_min = 5});
       })},
      {"BreakerWithoutEscalation", "breaker/opens-for-longer-each-time.scn.json",
       "the-longest-wait",
       Adjusted([](ClientBuilder& builder) { builder.Breaker({.failures = 2, .open_for = 10s}); })},
      {"BreakerThatCutsTheHint", "breaker/stays-open-as-long-as-the-vendor-asks.scn.json",
       "waits-as-asked", Adjusted([](ClientBuilder& builder) {
         builder.Breaker({.failures = 2, .open_for = 10s, .open_for_max = 10s});
       })},
      {"BreakerWithoutRamp", "breaker/ramps-up-after-closing.scn.json", "few-of-the-herd",
       Adjusted([](ClientBuilder& builder) { builder.Breaker({.failures = 2, .open_for = 10s}); })},
      {"NoHedge",
       "hedge/the-faster-of-two-answers-wins.scn.json",
       "quickly",
       {.without = {"hedge"}}},
      {"HedgeOfAPayment", "hedge/never-for-a-payment-without-a-key.scn.json", "one-request",
       WithAttemptInterceptor([](Runtime) { return std::make_unique<RecklessHedge>(); })},
      {"NoCache",
       "cache/a-fresh-answer-is-not-asked-for-again.scn.json",
       "two-requests",
       {.without = {"cache"}}},
      {"CacheWithoutLifetime", "cache/a-fresh-answer-is-not-asked-for-again.scn.json",
       "hits-send-nothing", Adjusted([](ClientBuilder& builder) {
         understudy::CacheOptions options;
         options.methods = {"HEAD"};
         builder.Cache(std::move(options));
       })},
      {"NoSingleFlight",
       "cache/one-request-for-many-callers.scn.json",
       "one-request",
       {.without = {"cache"}}},
      {"NoStaleIfError", "cache/an-old-answer-beats-none.scn.json", "served-stale",
       Adjusted([](ClientBuilder& builder) { builder.Cache(understudy::CacheOptions{}); })},
      {"NoQuota",
       "rate-limit/stops-before-the-vendor-says-no.scn.json",
       "waits-for-the-reset",
       {.without = {"quota"}}},
      {"HintKeptToOneself",
       "rate-limit/one-refusal-holds-everybody-back.scn.json",
       "nobody-earlier",
       {.without = {"quota"}}},
      {"NoBulkhead",
       "bulkhead/a-slow-vendor-does-not-take-every-caller.scn.json",
       "at-most-four",
       {.without = {"bulkhead"}}},
      {"BulkheadOutsideTheRules", "bulkhead/a-slow-vendor-does-not-take-every-caller.scn.json",
       "six-served", Adjusted([](ClientBuilder& builder) {
         builder.Bulkhead({.concurrent_max = 4, .queue_max = 0});
       })},
      {"NoFailover",
       "fallback/the-next-provider-serves.scn.json",
       "second-serves-all",
       {.without = {"fallback"}}},
      {"NoBreakerInTheChain",
       "fallback/the-next-provider-serves.scn.json",
       "first-is-spared",
       {.without = {"breaker"}}},
      {"PaymentMadeTwice",
       "fallback/a-payment-in-doubt-stays-where-it-is.scn.json",
       "not-elsewhere",
       {.adjust =
            [](ClientBuilder& builder, const ProgramEnvironment& environment) {
              builder.AddCallInterceptor(std::make_unique<RepeatsElsewhere>(environment));
            }}},
      {"ConflictIsFinal",
       "retry/a-key-in-use-is-asked-about-again.scn.json",
       "charged",
       {.without = {"retry"}}},
      {"EveryConflictIsRepeated", "retry/a-key-in-use-is-asked-about-again.scn.json",
       "a-real-conflict-is-final", Adjusted([](ClientBuilder& builder) {
         builder.Classifier(OutcomeClassifier({.also_retryable = {409}}));
       })},
      {"StackWithoutBreaker",
       "composition/everything-on-through-an-outage.scn.json",
       "opens-and-closes",
       {.without = {"breaker"}}},
      {"StackWithoutFallback",
       "composition/everything-on-through-an-outage.scn.json",
       "nobody-sees-the-outage",
       {.without = {"fallback"}}},
      {"StackWithoutCache",
       "composition/everything-on-through-an-outage.scn.json",
       "one-request-for-five",
       {.without = {"cache"}}},
  };
}

class CallPathMutantTest : public MutantTest,
                           public ::testing::WithParamInterface<CallPathMutant> {};

TEST_P(CallPathMutantTest, IsCaught) {
  ExpectHealthy(GetParam().file);
  hooks_ = GetParam().hooks;
  EXPECT_THAT(Failures(GetParam().file), ::testing::Contains(GetParam().expectation));
}

INSTANTIATE_TEST_SUITE_P(Rows, CallPathMutantTest, ::testing::ValuesIn(CallPathMutants()),
                         [](const auto& test) { return std::string(test.param.name); });

std::vector<CallPathMutant> TokenMutants() {
  return {
      {"EarlyRefreshThatEverybodyWaitsFor",
       "token/refreshes-early-and-serves-the-old-token.scn.json", "nobody-waits",
       WithNaiveTokens({.margin = 30s})},
      {"NoEarlyRefresh", "token/refreshes-early-and-serves-the-old-token.scn.json",
       "ahead-of-the-expiry", WithTokenOptions({.skew = 0s})},
      {"EarlyFailureThatFailsTheCall", "token/an-outage-before-the-expiry-is-not-noticed.scn.json",
       "all-served", WithNaiveTokens({.margin = 2min})},
      {"RefreshPerUnauthorizedCaller", "token/one-refresh-after-many-401s.scn.json", "one-refresh",
       WithNaiveTokens({.on_401 = true})},
      {"UnauthorizedIsFinal", "token/one-refresh-after-many-401s.scn.json", "everyone-served",
       WithNaiveTokens({.on_401 = false})},
      {"RefreshPerRefusal", "token/a-refused-new-token-is-not-refreshed-again.scn.json",
       "one-refresh", WithTokenOptions({.rejected_refresh_interval = 0s})},
      {"OutageThatIsHammered", "token/an-outage-is-waited-out-as-asked.scn.json", "two-requests",
       WithNaiveTokens({})},
      {"FailureIsNotShared", "token/a-failed-refresh-is-retried-for-the-caller.scn.json",
       "two-refreshes", WithNaiveTokens({})},
      {"FailureIsFinal",
       "token/a-failed-refresh-is-retried-for-the-caller.scn.json",
       "everyone-served",
       {.without = {"retry"}}},
      {"RotatedTokensInMemoryOnly", "token/a-rotated-token-survives-a-crash.scn.json",
       "never-logged-out", WithNaiveTokens({})},
      {"LeaseThatOutlivesItsHolder", "token/a-dead-refreshers-lease-ends.scn.json",
       "not-before-the-lease-ends", WithTokenOptions({.lease_margin = 1min})},
      {"NoLease", "token/a-dead-refreshers-lease-ends.scn.json", "one-refresh",
       WithNaiveTokens({})},
      {"MarginLongerThanTheLife", "token/a-short-lived-token-is-used-while-it-lives.scn.json",
       "used-for-most-of-its-life", WithTokenOptions({.skew = 1min, .skew_fraction_max = 1.0})},
      {"CallerThatWaitsPastItsDeadline",
       "token/a-silent-token-endpoint-costs-no-more-than-the-deadline.scn.json", "in-time",
       WithNaiveTokens({.timeout = 10s})},
      {"LostAnswerIsFinal", "token/a-lost-answer-is-asked-for-once-more.scn.json", "asked-again",
       WithNaiveTokens({})},
      {"TokenPerCall", "token/client-credentials-are-presented-once.scn.json", "two-tokens",
       WithNaiveTokens({.margin = 1h})},
  };
}

INSTANTIATE_TEST_SUITE_P(Tokens, CallPathMutantTest, ::testing::ValuesIn(TokenMutants()),
                         [](const auto& test) { return std::string(test.param.name); });

// ---- what watches -------------------------------------------------------------------------------

// Writes down what went well.
class RecordsSuccesses final : public Interceptor {
 public:
  explicit RecordsSuccesses(Runtime runtime) : runtime_(runtime) {}

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override {
    Result<http::Response> result = next(request, context);
    if (result && result->ok()) {
      runtime_.events.Publish("audit.record",
                              {{"kind", "call"}, {"outcome", "ok"}, {"sends", context.sends()}});
    }
    return result;
  }
  std::string Describe() const override { return "mutant"; }

 private:
  Runtime runtime_;
};

TEST_F(MutantTest, AnAuditOfSuccessesOnlyIsCaught) {
  ExpectHealthy("audit/a-failed-call-is-on-the-record.scn.json");
  hooks_ = {.without = {"audit"},
            .adjust = [](ClientBuilder& builder, const ProgramEnvironment& environment) {
              builder.AddCallInterceptor(std::make_unique<RecordsSuccesses>(environment.runtime));
            }};
  EXPECT_TRUE(Failures("audit/a-failed-call-is-on-the-record.scn.json").contains("each-call"));
}

template <typename Options>
std::function<void(Scenario&)> Changed(std::function<void(Options&)> change) {
  return [change](Scenario& scenario) {
    for (StackPolicy& policy : scenario.client.stack) {
      if (auto* const options = std::get_if<Options>(&policy.options)) change(*options);
    }
  };
}

struct WatcherMutant {
  const char* name;
  const char* file;
  const char* expectation;  // The one that notices.
  std::function<void(Scenario&)> change;
};

class WatcherMutantTest : public MutantTest, public ::testing::WithParamInterface<WatcherMutant> {};

TEST_P(WatcherMutantTest, IsCaught) {
  ExpectHealthy(GetParam().file);
  change_ = GetParam().change;
  EXPECT_THAT(Failures(GetParam().file), ::testing::Contains(GetParam().expectation));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, WatcherMutantTest,
    ::testing::Values(
        WatcherMutant{"AuditWithoutAttempts", "audit/a-failed-call-is-on-the-record.scn.json",
                      "each-attempt",
                      Changed<AuditOptions>([](auto& audit) { audit.attempts = false; })},
        WatcherMutant{"AuditThatLosesRecords", "audit/a-failed-call-is-on-the-record.scn.json",
                      "each-call",
                      Changed<AuditOptions>([](auto& audit) { audit.fails_from = 50ms; })},
        WatcherMutant{"MustAuditThatFailsOpen",
                      "audit/must-audit-refuses-what-cannot-be-recorded.scn.json", "nothing-sent",
                      Changed<AuditOptions>([](auto& audit) { audit.must = false; })},
        WatcherMutant{"MustAuditThatNeverRecovers",
                      "audit/must-audit-refuses-what-cannot-be-recorded.scn.json",
                      "served-before-and-afterwards",
                      Changed<AuditOptions>([](auto& audit) { audit.fails_until.reset(); })},
        WatcherMutant{"HealthThatTurnsAtOnce",
                      "health/turns-after-three-failures-and-back-after-two.scn.json", "changes",
                      Changed<HealthOptions>([](auto& health) { health.failures = 1; })},
        WatcherMutant{"HealthThatRecoversAtOnce",
                      "health/turns-after-three-failures-and-back-after-two.scn.json",
                      "two-good-ones-first",
                      Changed<HealthOptions>([](auto& health) { health.successes = 1; })},
        WatcherMutant{"HealthThatNeverNotices",
                      "health/turns-after-three-failures-and-back-after-two.scn.json", "readiness",
                      Changed<HealthOptions>([](auto& health) { health.failures = 100; })},
        WatcherMutant{"HealthWithoutATimeout",
                      "health/turns-after-three-failures-and-back-after-two.scn.json",
                      "how-it-looked", Changed<HealthOptions>([](auto& health) {
                        health.every = 2h;
                        health.timeout = 1h;
                      })}),
    [](const auto& test) { return std::string(test.param.name); });

// ---- lists --------------------------------------------------------------------------------------

// Follows the cursor for as long as the vendor says that there is more; stops at an empty page.
class CarelessReader final : public Program {
 public:
  CarelessReader(ProgramEnvironment environment, bool cursor)
      : environment_(std::move(environment)), cursor_(cursor) {}

  Result<http::Response> Call(std::string_view, const std::string&,
                              const std::stop_token&) override {
    ClientBuilder builder(environment_.runtime, environment_.network, "vendor");
    builder.BaseUrl(environment_.vendors.begin()->second.origin).Retry({.attempts_max = 3});
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto client, builder.Build());
    std::string from;
    for (int page = 0; page < 50; ++page) {
      UNDERSTUDY_ASSIGN_OR_RETURN(
          http::Request request,
          client->NewRequest(http::Method::Get(), cursor_ ? "/v1/invoices" : "/v1/files"));
      if (!from.empty()) request.url.AddQuery(cursor_ ? "starting_after" : "pageToken", from);
      UNDERSTUDY_ASSIGN_OR_RETURN(const http::Response answer, client->Call(request, {}));
      const auto body = nlohmann::json::parse(answer.body, nullptr, false);
      const auto items = body.value(cursor_ ? "data" : "items", nlohmann::json::array());
      for (const auto& item : items) {
        from = item.value("id", "");
        PublishEffect(environment_.runtime.events,
                      nlohmann::json{{"kind", "item"}, {"key", from}}.dump());
      }
      if (items.empty() || (cursor_ && !body.value("has_more", false))) break;
      if (!cursor_) from = body.value("nextPageToken", "");
    }
    PublishEffect(environment_.runtime.events,
                  nlohmann::json{{"kind", "list.complete"}, {"key", "read_list"}}.dump());
    return http::Response{.status = 200};
  }

 private:
  const ProgramEnvironment environment_;
  const bool cursor_;
};

ProgramRegistry WithCarelessReader(bool cursor) {
  ProgramRegistry programs = BuiltinPrograms();
  programs.Add("list_reader",
               {.operations = {"read_list"},
                .start = [=](ProgramEnvironment environment) -> Result<std::unique_ptr<Program>> {
                  return std::unique_ptr<Program>(
                      std::make_unique<CarelessReader>(std::move(environment), cursor));
                }});
  return programs;
}

TEST_F(MutantTest, AListReadInCirclesIsCaught) {
  ExpectHealthy("adapter/a-list-that-goes-in-circles-ends.scn.json");
  programs_ = WithCarelessReader(true);
  const auto failures = Failures("adapter/a-list-that-goes-in-circles-ends.scn.json");
  EXPECT_TRUE(failures.contains("two-requests"));
  EXPECT_TRUE(failures.contains("never-complete"));
}

TEST_F(MutantTest, AnEmptyPageTakenForTheEndIsCaught) {
  ExpectHealthy("adapter/every-page-through-an-outage.scn.json");
  programs_ = WithCarelessReader(false);
  EXPECT_TRUE(
      Failures("adapter/every-page-through-an-outage.scn.json").contains("every-item-in-order"));
}

}  // namespace
}  // namespace understudy::harness
