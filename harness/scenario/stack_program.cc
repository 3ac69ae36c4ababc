#include "harness/scenario/stack_program.h"

#include <map>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "harness/scenario/oauth_client.h"
#include "harness/scenario/trail.h"
#include "middleware/auth/static_auth.h"
#include "middleware/client/provider_chain.h"
#include "middleware/health/health_monitor.h"
#include "middleware/http/form.h"

namespace understudy::harness {
namespace {

using nlohmann::json;

std::string ArgText(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// Fills "{name}" from args and remembers which args were taken.
class Placeholders {
 public:
  explicit Placeholders(const json& args) : args_(args) {}

  Result<std::string> Fill(std::string_view text, bool percent_encode) {
    std::string filled;
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t close = text[i] == '{' ? text.find('}', i) : std::string_view::npos;
      if (close == std::string_view::npos) {
        filled.push_back(text[i++]);
        continue;
      }
      const std::string name(text.substr(i + 1, close - i - 1));
      const auto arg = args_.find(name);
      if (arg == args_.end()) {
        return InvalidArgument("the operation needs \"" + name +
                               "\", which the step's args do not give");
      }
      taken_.insert(name);
      filled.append(percent_encode ? http::PercentEncode(ArgText(*arg)) : ArgText(*arg));
      i = close + 1;
    }
    return filled;
  }

  // Strings inside a JSON value; "{name}" alone takes the arg with its type.
  Result<json> Fill(const json& value) {
    if (value.is_string()) {
      const auto& text = value.get_ref<const std::string&>();
      if (text.size() > 2 && text.front() == '{' && text.back() == '}') {
        const auto arg = args_.find(text.substr(1, text.size() - 2));
        if (arg != args_.end()) {
          taken_.insert(arg.key());
          return *arg;
        }
      }
      UNDERSTUDY_ASSIGN_OR_RETURN(std::string filled, Fill(std::string_view(text), false));
      return json(std::move(filled));
    }
    if (!value.is_structured()) return value;
    json copy = value;
    for (auto& item : copy) {
      UNDERSTUDY_ASSIGN_OR_RETURN(item, Fill(item));
    }
    return copy;
  }

  json Rest() const {
    json rest = json::object();
    for (const auto& [name, value] : args_.items()) {
      if (!taken_.contains(name)) rest[name] = value;
    }
    return rest;
  }

 private:
  const json& args_;
  std::set<std::string> taken_;
};

Result<void> FillBody(const Operation& operation, Placeholders& placeholders,
                      http::Request& request,
                      std::vector<std::pair<std::string, std::string>>& query) {
  if (operation.json) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const json body, placeholders.Fill(json::parse(*operation.json)));
    request.body = body.dump();
  } else {
    const json rest = placeholders.Rest();
    if (rest.empty()) return {};
    const bool in_query = request.method.IsSafe() || request.method == http::Method::Delete();
    if (in_query) {
      for (const auto& [name, value] : rest.items()) query.emplace_back(name, ArgText(value));
      return {};
    }
    request.body = rest.dump();
  }
  if (request.headers.Has("Content-Type")) return {};
  return request.headers.Set("Content-Type", "application/json");
}

class StackProgram final : public Program {
 public:
  explicit StackProgram(ProgramEnvironment environment) : environment_(std::move(environment)) {}

  Result<void> Build(const ClientSpec& spec, const StackHooks& hooks) {
    operations_ = spec.operations;
    for (const auto& [name, operation] : operations_) {
      UNDERSTUDY_RETURN_IF_ERROR(AddClient(spec, operation.vendor, hooks));
    }
    if (const auto* const fallback = spec.Find<FallbackOptions>()) {
      if (!hooks.without.contains("fallback")) others_ = fallback->vendors;
    }
    for (const std::string& vendor : others_) {
      UNDERSTUDY_RETURN_IF_ERROR(AddClient(spec, vendor, hooks));
    }
    if (const auto* const deadline = spec.Find<DeadlineOptions>()) {
      if (!hooks.without.contains("deadline")) total_ = deadline->total;
    }
    const auto* const health = spec.Find<HealthOptions>();
    if (health == nullptr || hooks.without.contains("health")) return {};
    return StartHealth(*health);
  }

  Result<http::Response> Call(std::string_view operation_name, const std::string& args,
                              const std::stop_token& stop) override {
    const auto operation = operations_.find(operation_name);
    if (operation == operations_.end()) return Program::Call(operation_name, args, stop);
    UNDERSTUDY_ASSIGN_OR_RETURN(const Prepared prepared, Prepare(operation->second, args));
    CallOptions options = prepared.options;
    options.operation = operation_name;
    options.stop = stop;
    Client& client = *clients_.at(operation->second.vendor);
    if (!others_.empty()) return CallChain(client, prepared, options);
    UNDERSTUDY_ASSIGN_OR_RETURN(http::Request request, prepared.For(client));
    return client.Call(std::move(request), std::move(options));
  }

  void Stop() override {
    // Probes of a life that is over fail at once, so this does not wait.
    if (health_) static_cast<void>(health_->Stop(std::chrono::seconds(10)));
  }

 private:
  // An operation with its args filled in, for whichever vendor serves it.
  struct Prepared {
    std::string path = {};
    std::vector<std::pair<std::string, std::string>> query = {};
    http::Request rest = {};  // Method, headers and body.
    CallOptions options = {};

    Result<http::Request> For(const Client& client) const {
      UNDERSTUDY_ASSIGN_OR_RETURN(http::Request request, client.NewRequest(rest.method, path));
      request.headers = rest.headers;
      request.body = rest.body;
      for (const auto& [name, value] : query) request.url.AddQuery(name, value);
      return request;
    }
  };

  static Result<Prepared> Prepare(const Operation& operation, const std::string& args) {
    const json values = json::parse(args);
    Placeholders placeholders(values);
    Prepared prepared;
    prepared.rest.method = http::Method(operation.method);
    UNDERSTUDY_ASSIGN_OR_RETURN(prepared.path, placeholders.Fill(operation.path, true));
    for (const auto& [name, value] : operation.headers) {
      UNDERSTUDY_ASSIGN_OR_RETURN(const std::string filled,
                                  placeholders.Fill(std::string_view(value), false));
      UNDERSTUDY_RETURN_IF_ERROR(prepared.rest.headers.Set(name, filled));
    }
    if (!operation.idempotency_key.empty()) {
      UNDERSTUDY_ASSIGN_OR_RETURN(
          prepared.options.idempotency_key,
          placeholders.Fill(std::string_view(operation.idempotency_key), false));
    }
    UNDERSTUDY_RETURN_IF_ERROR(FillBody(operation, placeholders, prepared.rest, prepared.query));
    return prepared;
  }

  Result<http::Response> CallChain(Client& first, const Prepared& prepared,
                                   const CallOptions& options) {
    const auto make = [&](const Client& client) { return prepared.For(client); };
    std::vector<ProviderChain::Provider> providers = {{&first, make}};
    for (const std::string& vendor : others_) {
      Client* const client = clients_.at(vendor).get();
      if (client != &first) providers.push_back({client, make});
    }
    ProviderChain chain("scenario", {.total = total_}, environment_.runtime);
    UNDERSTUDY_ASSIGN_OR_RETURN(ProviderChain::Answer answer, chain.Call(providers, options));
    return std::move(answer.response);
  }

  Result<void> AddClient(const ClientSpec& spec, const std::string& vendor,
                         const StackHooks& hooks) {
    if (clients_.contains(vendor)) return {};
    UNDERSTUDY_ASSIGN_OR_RETURN(clients_[vendor], BuildClient(spec, vendor, hooks));
    return {};
  }

  Result<std::unique_ptr<Client>> BuildClient(const ClientSpec& spec, const std::string& vendor,
                                              const StackHooks& hooks) {
    ClientBuilder builder(environment_.runtime, environment_.network, vendor);
    const auto address = environment_.vendors.find(vendor);
    if (address == environment_.vendors.end())
      return InvalidArgument("there is no vendor \"" + vendor + "\"");
    builder.BaseUrl(address->second.origin);
    for (const StackPolicy& policy : spec.stack) {
      if (hooks.without.contains(PolicyName(policy))) continue;
      UNDERSTUDY_RETURN_IF_ERROR(std::visit(
          [&](const auto& options) { return Add(builder, options, vendor); }, policy.options));
    }
    if (hooks.adjust) hooks.adjust(builder, environment_);
    return builder.Build();
  }

  Result<void> Add(ClientBuilder& builder, const FallbackOptions& options, const std::string&) {
    // With other vendors alone there is nothing to make up.
    const bool makes_up = options.serve_last_good || options.json || options.vendors.empty();
    if (!makes_up) return {};
    understudy::FallbackOptions fallback{.last_good = options.serve_last_good};
    if (options.json || !options.serve_last_good) {
      http::Response response{.status = options.status, .body = options.json.value_or("")};
      UNDERSTUDY_RETURN_IF_ERROR(response.headers.Set("Content-Type", "application/json"));
      fallback.static_response = std::move(response);
      fallback.static_for_all_methods = true;
    }
    builder.Fallback(std::move(fallback));
    return {};
  }

  Result<void> Add(ClientBuilder& builder, const DeadlineOptions& options, const std::string&) {
    if (options.total) builder.TotalDeadline(*options.total);
    if (options.attempt) builder.AttemptTimeout(*options.attempt);
    return {};
  }

  Result<void> Add(ClientBuilder& builder, const RetryOptions& options, const std::string& vendor) {
    understudy::RetryOptions retry{.attempts_max = options.attempts,
                                   .backoff = {.base = options.backoff,
                                               .cap = options.backoff_max,
                                               .jitter = options.jitter == RetryJitter::kFull},
                                   .respect_hints = options.respect_retry_after,
                                   .idempotency_header = options.idempotency_header,
                                   .generate_idempotency_keys = options.generate_keys};
    if (options.budget) {
      std::shared_ptr<RetryBudget>& budget = budgets_[vendor];
      if (!budget) {
        budget = std::make_shared<RetryBudget>(
            understudy::RetryBudgetOptions{.ratio = options.budget->ratio,
                                           .minimum_per_minute = 0,
                                           .capacity = std::max(options.budget->min, 1000),
                                           .initial = options.budget->min},
            environment_.runtime.clock);
      }
      retry.budget = budget;
    }
    builder.Retry(std::move(retry));
    return {};
  }

  Result<void> Add(ClientBuilder& builder, const BreakerOptions& options, const std::string&) {
    CircuitBreakerOptions breaker{.failures = options.failures,
                                  .window = options.window,
                                  .window_calls = options.calls,
                                  .failure_rate = options.failure_rate,
                                  .slow_rate = options.slow_rate,
                                  .slow_call = options.slow_call,
                                  .calls_min = options.min_calls,
                                  .logical_calls_min = options.min_logical_calls,
                                  .open_for = options.open_for,
                                  .open_growth = options.open_growth,
                                  .half_open_calls = options.half_open_calls,
                                  .half_open_successes = options.half_open_successes,
                                  .ramp_up = options.ramp_up};
    if (options.kind != BreakerWindowKind::kStreak) {
      breaker.window_kind =
          options.kind == BreakerWindowKind::kCount ? BreakerWindow::kCount : BreakerWindow::kTime;
      breaker.window_failures = options.has_failures ? options.failures : 0;
    }
    breaker.open_for_max =
        options.open_for_max.value_or(std::max(breaker.open_for_max, breaker.open_for));
    if (options.half_open_max) breaker.half_open_max = *options.half_open_max;
    builder.Breaker(breaker, breakers_);
    if (options.scope == BreakerScope::kOperation) builder.BreakerPerOperation();
    if (options.scope == BreakerScope::kClient) builder.SharedBreaker("client");
    return {};
  }

  Result<void> Add(ClientBuilder& builder, const QuotaOptions& options, const std::string&) {
    if (!options.dialect.empty()) {
      std::optional<RateLimitDialect> dialect = RateLimitDialect::ForVendor(options.dialect);
      if (!dialect) {
        return InvalidArgument("client.stack: quota: no dialect \"" + options.dialect +
                               "\" is known; leave it out for what most vendors mean");
      }
      builder.Dialect(*std::move(dialect));
    }
    builder.Quota({.wait_max = options.wait_max,
                   .keep_back = options.keep_back,
                   .pace_below = options.pace_below},
                  quotas_);
    return {};
  }

  Result<void> Add(ClientBuilder& builder, const RateLimitOptions& options, const std::string&) {
    RateLimiterOptions limit{.permits = options.max,
                             .per = options.window,
                             .burst = options.burst.value_or(options.max)};
    if (options.sliding) limit.algorithm = RateAlgorithm::kSlidingWindow;
    builder.RateLimit(limit);
    return {};
  }

  Result<void> Add(ClientBuilder& builder, const BulkheadOptions& options, const std::string&) {
    understudy::BulkheadOptions bulkhead{
        .concurrent_max = options.max, .queue_max = options.queue, .wait_max = options.wait};
    builder.Bulkhead(bulkhead);
    return {};
  }

  Result<void> Add(ClientBuilder& builder, const AuthOptions& options, const std::string& vendor) {
    UNDERSTUDY_ASSIGN_OR_RETURN(
        std::shared_ptr<AuthStrategy> strategy,
        std::visit([&](const auto& method) { return MakeAuth(method, vendor); }, options.method));
    builder.Auth(std::move(strategy));
    return {};
  }

  Result<void> Add(ClientBuilder& builder, const HedgeOptions& options, const std::string&) {
    builder.Hedge({.after = options.after, .hedges_max = options.max});
    return {};
  }

  Result<void> Add(ClientBuilder& builder, const AuditOptions& options, const std::string&) {
    if (!audit_) {
      auto trail =
          std::make_shared<Trail>(environment_.runtime, options.fails_from, options.fails_until);
      UNDERSTUDY_ASSIGN_OR_RETURN(
          audit_, AuditLog::Create({.must_audit_wait = options.wait}, std::move(trail),
                                   environment_.crypto, environment_.runtime));
    }
    builder.Audit(*audit_, {.must_audit = options.must, .attempts = options.attempts});
    return {};
  }

  // Not a layer of a client; see StartHealth.
  Result<void> Add(ClientBuilder&, const HealthOptions&, const std::string&) { return {}; }

  Result<void> StartHealth(const HealthOptions& options) {
    const auto found = operations_.find(options.probe);
    if (found == operations_.end()) {
      return InvalidArgument("client.stack: health: no operation \"" + options.probe + "\"");
    }
    const Operation& operation = found->second;
    // Past breaker, limiter and retry: those speak for themselves.
    ClientBuilder builder(environment_.runtime, environment_.network, operation.vendor);
    builder.BaseUrl(environment_.vendors.at(operation.vendor).origin);
    UNDERSTUDY_ASSIGN_OR_RETURN(prober_, builder.Build());
    UNDERSTUDY_ASSIGN_OR_RETURN(const Prepared prepared, Prepare(operation, "{}"));
    UNDERSTUDY_ASSIGN_OR_RETURN(http::Request request, prepared.For(*prober_));
    const HealthProbe probe = [this, request, name = options.probe](const ProbeContext& context) {
      return JudgeAnswer(prober_->Call(
          request, {.operation = name, .deadline = context.deadline, .stop = context.stop}));
    };
    UNDERSTUDY_ASSIGN_OR_RETURN(health_, HealthMonitor::Create(environment_.runtime, {}));
    UNDERSTUDY_RETURN_IF_ERROR(
        health_->Register({.name = operation.vendor,
                           .critical = options.critical,
                           .probe = probe,
                           .timeout = options.timeout,
                           .interval = options.every,
                           .jitter = 0,
                           .hysteresis = {.failures_to_fail = options.failures,
                                          .successes_to_recover = options.successes,
                                          .stale_after = 3 * (options.every + options.timeout)}}));
    health_->Start();
    return {};
  }

  Result<void> Add(ClientBuilder& builder, const CacheOptions& options, const std::string&) {
    understudy::CacheOptions cache;
    cache.default_ttl = options.ttl;
    cache.stale_if_error = options.stale_if_error;
    cache.stale_while_revalidate = options.stale_while_revalidate;
    builder.Cache(std::move(cache));
    return {};
  }

  using Strategy = Result<std::shared_ptr<AuthStrategy>>;

  template <typename T>
  static Strategy Share(Result<std::unique_ptr<T>> strategy) {
    if (!strategy) return std::move(strategy).error();
    return std::shared_ptr<AuthStrategy>(*std::move(strategy));
  }

  Strategy MakeAuth(const BearerAuth& method, const std::string&) {
    return Share(understudy::BearerAuth::Create(Secret(method.token)));
  }
  Strategy MakeAuth(const BasicAuth& method, const std::string&) {
    return Share(understudy::BasicAuth::Create(method.user, Secret(method.password)));
  }
  Strategy MakeAuth(const ApiKeyAuth& method, const std::string&) {
    return Share(method.in_query
                     ? understudy::ApiKeyAuth::InQuery(method.name, Secret(method.value))
                     : understudy::ApiKeyAuth::InHeader(method.name, Secret(method.value)));
  }
  Strategy MakeAuth(const OAuthAuth& method, const std::string& vendor) {
    const std::string& issuer = method.vendor.empty() ? vendor : method.vendor;
    std::shared_ptr<OAuthClient>& client = oauth_[issuer];
    if (!client) {
      UNDERSTUDY_ASSIGN_OR_RETURN(client,
                                  OAuthClient::Create(environment_, issuer,
                                                      {.refresh_skew = method.refresh_skew,
                                                       .timeout = method.timeout,
                                                       .client_id = method.client_id,
                                                       .client_secret = method.client_secret}));
    }
    return client->strategy();
  }

  ProgramEnvironment environment_;
  std::map<std::string, Operation, std::less<>> operations_;
  // Before the clients, which use them.
  std::shared_ptr<BreakerRegistry> breakers_ =
      std::make_shared<BreakerRegistry>(environment_.runtime);
  std::shared_ptr<QuotaRegistry> quotas_ = std::make_shared<QuotaRegistry>(environment_.runtime);
  std::vector<std::string> others_;  // Vendors to ask when the operation's own cannot serve.
  std::optional<Duration> total_;
  std::map<std::string, std::shared_ptr<RetryBudget>> budgets_;
  std::map<std::string, std::shared_ptr<OAuthClient>> oauth_;
  std::unique_ptr<AuditLog> audit_;
  std::map<std::string, std::unique_ptr<Client>> clients_;
  std::unique_ptr<Client> prober_;
  std::unique_ptr<HealthMonitor> health_;  // Last: its probes use the others.
};

}  // namespace

Result<void> CheckStack(const ClientSpec& client) {
  const auto* const quota = client.Find<QuotaOptions>();
  if (quota != nullptr && !quota->dialect.empty() && !RateLimitDialect::ForVendor(quota->dialect)) {
    return InvalidArgument("client.stack: quota: no dialect \"" + quota->dialect +
                           "\" is known; leave it out for what most vendors mean");
  }
  return {};
}

Result<std::unique_ptr<Program>> MakeStackProgram(const ClientSpec& client,
                                                  ProgramEnvironment environment,
                                                  const StackHooks& hooks) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckStack(client));
  auto program = std::make_unique<StackProgram>(std::move(environment));
  UNDERSTUDY_RETURN_IF_ERROR(program->Build(client, hooks));
  return std::unique_ptr<Program>(std::move(program));
}

}  // namespace understudy::harness
