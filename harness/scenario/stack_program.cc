#include "harness/scenario/stack_program.h"

#include <map>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "harness/scenario/oauth_client.h"
#include "middleware/auth/static_auth.h"
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
                      http::Request& request) {
  if (operation.json) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const json body, placeholders.Fill(json::parse(*operation.json)));
    request.body = body.dump();
  } else {
    const json rest = placeholders.Rest();
    if (rest.empty()) return {};
    const bool in_query = request.method.IsSafe() || request.method == http::Method::Delete();
    if (in_query) {
      for (const auto& [name, value] : rest.items()) request.url.AddQuery(name, ArgText(value));
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
      if (clients_.contains(operation.vendor)) continue;
      UNDERSTUDY_ASSIGN_OR_RETURN(clients_[operation.vendor],
                                  BuildClient(spec, operation.vendor, hooks));
    }
    return {};
  }

  Result<http::Response> Call(std::string_view operation_name, const std::string& args,
                              const std::stop_token& stop) override {
    const auto operation = operations_.find(operation_name);
    if (operation == operations_.end()) return Program::Call(operation_name, args, stop);
    Client& client = *clients_.at(operation->second.vendor);
    const json values = json::parse(args);
    Placeholders placeholders(values);
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::string path,
                                placeholders.Fill(operation->second.path, true));
    UNDERSTUDY_ASSIGN_OR_RETURN(http::Request request,
                                client.NewRequest(http::Method(operation->second.method), path));
    for (const auto& [name, value] : operation->second.headers) {
      UNDERSTUDY_ASSIGN_OR_RETURN(const std::string filled,
                                  placeholders.Fill(std::string_view(value), false));
      UNDERSTUDY_RETURN_IF_ERROR(request.headers.Set(name, filled));
    }
    CallOptions options{.operation = std::string(operation_name), .stop = stop};
    if (!operation->second.idempotency_key.empty()) {
      UNDERSTUDY_ASSIGN_OR_RETURN(
          options.idempotency_key,
          placeholders.Fill(std::string_view(operation->second.idempotency_key), false));
    }
    UNDERSTUDY_RETURN_IF_ERROR(FillBody(operation->second, placeholders, request));
    return client.Call(std::move(request), std::move(options));
  }

 private:
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
                                  .open_for = options.open_for,
                                  .half_open_calls = options.half_open_calls};
    breaker.open_for_max = std::max(breaker.open_for_max, breaker.open_for);
    if (options.half_open_max) breaker.half_open_max = *options.half_open_max;
    builder.Breaker(breaker, breakers_);
    if (options.scope == BreakerScope::kOperation) builder.BreakerPerOperation();
    return {};
  }

  Result<void> Add(ClientBuilder& builder, const RateLimitOptions& options, const std::string&) {
    builder.RateLimit({.permits = options.max,
                       .per = options.window,
                       .burst = options.burst.value_or(options.max)});
    return {};
  }

  Result<void> Add(ClientBuilder& builder, const BulkheadOptions& options, const std::string&) {
    builder.Bulkhead({.concurrent_max = options.max, .queue_max = options.queue});
    return {};
  }

  Result<void> Add(ClientBuilder& builder, const AuthOptions& options, const std::string& vendor) {
    UNDERSTUDY_ASSIGN_OR_RETURN(
        std::shared_ptr<AuthStrategy> strategy,
        std::visit([&](const auto& method) { return MakeAuth(method, vendor); }, options.method));
    builder.Auth(std::move(strategy));
    return {};
  }

  Result<void> Add(ClientBuilder&, const HedgeOptions&, const std::string&) {
    return InvalidArgument("the stack policy \"hedge\" is not available");
  }
  Result<void> Add(ClientBuilder&, const CacheOptions&, const std::string&) {
    return InvalidArgument("the stack policy \"cache\" is not available");
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
  std::map<std::string, std::shared_ptr<RetryBudget>> budgets_;
  std::map<std::string, std::shared_ptr<OAuthClient>> oauth_;
  std::map<std::string, std::unique_ptr<Client>> clients_;
};

}  // namespace

Result<void> CheckStack(const ClientSpec& client) {
  const auto unavailable = [](std::string_view what) {
    return InvalidArgument(
        "client.stack: " + std::string(what) +
        " is part of the format, but this version of the middleware does not have it; remove it");
  };
  for (const StackPolicy& policy : client.stack) {
    const std::string_view name = PolicyName(policy);
    if (name == "hedge" || name == "cache")
      return unavailable("the policy \"" + std::string(name) + "\"");
  }
  const auto* const retry = client.Find<RetryOptions>();
  if (retry != nullptr && !retry->respect_retry_after)
    return unavailable("retry with \"respect_retry_after\": false");
  const auto* const breaker = client.Find<BreakerOptions>();
  if (breaker != nullptr && breaker->scope == BreakerScope::kClient)
    return unavailable("a breaker of scope \"client\"");
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
