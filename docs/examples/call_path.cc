// The examples of docs/middleware.md: one function per policy. The guide shows what stands between
// the markers, and a test holds the two together.
//
// Nothing here touches a network or waits for real: `vendor` is a MockTransport in the place of the
// network, and `runtime` keeps the virtual time of a Simulation. The clients between them are those
// of production.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "harness/sim/simulation.h"
#include "harness/sim/worker_pool.h"
#include "middleware/auth/static_auth.h"
#include "middleware/client/call_scope.h"
#include "middleware/client/client_builder.h"
#include "middleware/client/client_factory.h"
#include "middleware/client/deadline_header.h"
#include "middleware/client/json_body.h"
#include "middleware/client/model_cache.h"
#include "middleware/client/provider_chain.h"
#include "middleware/client/response_problem.h"
#include "middleware/mock/mock_registry.h"
#include "middleware/mock/mock_transport.h"
#include "middleware/observe/collectors.h"
#include "middleware/observe/fan_out_sink.h"
#include "middleware/observe/log_sink.h"
#include "middleware/observe/metrics_sink.h"
#include "middleware/observe/trace_interceptor.h"
#include "middleware/platform/curl_transport.h"
#include "middleware/platform/system_random.h"
#include "middleware/platform/system_runtime.h"

namespace {

using namespace understudy;  // NOLINT: as the reader of the guide would write it.
using namespace std::chrono_literals;

// Ends the program unless it is as the guide says.
void Expect(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "not as the guide says: %.*s\n", static_cast<int>(what.size()), what.data());
  std::fflush(stderr);
  std::_Exit(1);  // Not exit: an example may have threads of its own running.
}

// ---- the client ---------------------------------------------------------------------------------

// [begin client]
Result<std::string> FetchOrder(const Runtime& runtime, http::Transport& network) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::unique_ptr<Client> acme,
                              ClientBuilder(runtime, network, "acme")
                                  .BaseUrl("https://api.acme.example")
                                  .TotalDeadline(10s)
                                  .Retry({.attempts_max = 3})
                                  .Breaker(CircuitBreakerOptions::Recommended(3s))
                                  .AttemptTimeout(3s)
                                  .Build());
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Response answer,
                              acme->Get("/v1/orders/7", {.operation = "orders.get"}));
  if (const auto problem = ResponseProblem::From(answer)) return problem->ToString();
  return answer.body;
}
// [end client]

Result<std::string> ShowClient(const Runtime& runtime, MockTransport& vendor) {
  vendor.When("GET", "/v1/orders/7")
      .Respond(503)
      .ThenRespond(200, R"({"id": 7})")
      .ThenRespond(404, R"({"title": "no such order"})");
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::string found, FetchOrder(runtime, vendor));
  Expect(found == R"({"id": 7})", "a 503 is repeated, and the second answer is the call's");
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::string missing, FetchOrder(runtime, vendor));
  Expect(missing.starts_with("404") && vendor.request_count() == 3,
         "a 404 is an answer: " + missing);
  return found;
}

// What most examples begin with.
ClientBuilder Acme(const Runtime& runtime, http::Transport& network) {
  ClientBuilder builder(runtime, network, "acme");
  builder.BaseUrl("https://api.acme.example");
  return builder;
}

Result<std::string> ShowProduction(const Runtime&, MockTransport&) {
  // [begin production]
  SystemRuntime system({.log = LogTo::kStderr});  // Real clock, threads and random numbers.
  CurlTransport network(system.clock());
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto acme, Acme(system.view(), network).Retry({}).Build());
  const std::string layers = acme->Describe();  // One line per layer, outermost first; log it.
  // [end production]
  Expect(layers.starts_with("client acme at https://api.acme.example"), "Describe says where");
  Expect(layers.find(". retry: 3 attempts") != std::string::npos, "Describe says what: " + layers);
  return layers.substr(0, layers.find('\n'));
}

Result<std::string> ShowBodies(const Runtime& runtime, MockTransport& vendor) {
  vendor.When("POST", "/v1/orders")
      .WithJson(R"({"amount": 1999, "metadata": {"cart": "7"}})")
      .Respond(201, R"({"id": "or/7"})");
  vendor.When("POST", "/v1/orders/{id}/refunds")
      .WithForm("metadata[reason]", "damaged & late")
      .Respond(200, "{}");
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto acme, Acme(runtime, vendor).Build());
  // [begin bodies]
  const nlohmann::json order = {{"amount", 1999}, {"metadata", {{"cart", "7"}}}};
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Response created,
                              acme->Post("/v1/orders", order, {.operation = "orders.create"}));
  UNDERSTUDY_ASSIGN_OR_RETURN(const nlohmann::json read, ParseJson(created));
  Expect(read == nlohmann::json{{"id", "or/7"}}, "bounded and strict, no exceptions");

  const RequestBuilder refund = RequestBuilder(http::Method::Post(), "/v1/orders/{id}/refunds")
                                    .Path("id", "or/7")
                                    .Query("expand", "charge")
                                    .FormField({"metadata", "reason"}, "damaged & late");
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Response refunded,
                              acme->Call(refund, {.operation = "orders.refund"}));
  Expect(refunded.ok(), "each part was encoded where it went");
  Expect(vendor.last_request()->request.url.path() == "/v1/orders/or%2F7/refunds", "one segment");
  // [end bodies]
  return vendor.last_request()->request.body;
}

Result<std::string> ShowProfile(const Runtime& runtime, MockTransport& vendor) {
  vendor.When("POST", "/v1/charges").Respond(200, R"({"id": "ch_1"})");
  // [begin profile]
  ProviderProfile profile = *ProviderProfile::For("stripe");
  profile.headers.emplace_back("Stripe-Version", "2025-03-31.basil");  // Pin what you tested.
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const auto stripe,
      ClientBuilder(runtime, vendor, profile.name).Profile(profile).Retry({}).Build());
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Response charge,
                              stripe->Post("/v1/charges", {{"amount", 1999}, {"currency", "usd"}},
                                           {.operation = "charges.create"}));
  const http::Request sent = vendor.last_request()->request;
  Expect(charge.ok() && sent.body == "amount=1999&currency=usd", "Stripe reads forms");
  Expect(sent.headers.Has("Idempotency-Key"), "made up by the client, as Stripe honours it");
  // [end profile]
  Expect(sent.headers.Get("Stripe-Version") == "2025-03-31.basil", "default headers are sent");
  return sent.body;
}

// [begin interceptor]
class TeamHeader final : public Interceptor {
 public:
  Result<http::Response> Intercept(http::Request& request, CallContext& call, Next next) override {
    UNDERSTUDY_RETURN_IF_ERROR(request.headers.Set("X-Team", "billing"));
    Result<http::Response> answer = next(request, call);
    if (answer) answer->headers.Remove("Set-Cookie");
    return answer;
  }
  std::string Describe() const override { return "team header"; }
};
// [end interceptor]

Result<std::string> ShowInterceptor(const Runtime& runtime, MockTransport& vendor) {
  vendor.When("GET", "/v1/orders")
      .WithHeader("X-Team", "billing")
      .Respond(http::Response{200, {{"Set-Cookie", "a=b"}}, "[]"});
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const auto acme,
      Acme(runtime, vendor).AddCallInterceptor(std::make_unique<TeamHeader>()).Build());
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Response orders, acme->Get("/v1/orders"));
  Expect(orders.ok() && !orders.headers.Has("Set-Cookie"), "it saw the request and the answer");
  const std::string layers = acme->Describe();
  Expect(layers.find("1. team header") != std::string::npos, "it is the outermost layer");
  return orders.body;
}

// ---- the circuit breaker ------------------------------------------------------------------------

Result<std::string> ShowBreaker(const Runtime& runtime, MockTransport& vendor) {
  vendor.When("GET", "/v1/orders").Respond(500).Times(10).ThenRespond(200, "[]");
  // [begin breaker]
  // Half of at least ten results within a minute failed: open for 30 s, then one probe decides.
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const auto acme,
      Acme(runtime, vendor).Breaker({.window_kind = BreakerWindow::kTime}).Build());
  for (int i = 0; i < 10; ++i) Expect(acme->Get("/v1/orders")->status == 500, "the vendor is ill");
  const Result<http::Response> refused = acme->Get("/v1/orders");
  Expect(!refused && refused.error().code == ErrorCode::kCircuitOpen, "refused at once");
  Expect(refused.error().delivery == Delivery::kNotSent, "so a POST could safely be queued");
  Expect(refused.error().retry_after == 30s, "when the next probe is due");
  runtime.clock.SleepFor(30s);
  Expect(acme->Get("/v1/orders")->ok() && acme->Get("/v1/orders")->ok(), "the probe closed it");
  // [end breaker]
  Expect(vendor.request_count() == 12, "nothing was sent while it was open");
  return refused.error().ToString();
}

Result<std::string> ShowBreakerByHand(const Runtime& runtime, MockTransport& vendor) {
  vendor.When("GET", "/v1/orders").Respond(200, "[]");
  // [begin breaker-by-hand]
  const auto breakers = std::make_shared<BreakerRegistry>(runtime);  // For all clients.
  const CircuitBreakerOptions options = CircuitBreakerOptions::Recommended(3s);
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto acme,
                              Acme(runtime, vendor).Breaker(options, breakers).Build());
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto breaker,
                              breakers->Get({"acme", "https://api.acme.example"}, options));
  CircuitBreaker::Isolation maintenance = breaker->Isolate();
  Expect(acme->Get("/v1/orders").error().reason == "breaker-isolated", "an operator said so");
  maintenance.Release();  // Or the end of the handle.
  Expect(acme->Get("/v1/orders")->ok(), "the calls go on");

  // The same breaker around what is no call of a Client, e.g. the vendor's file server:
  UNDERSTUDY_ASSIGN_OR_RETURN(CircuitBreaker::Permit permit, breaker->TryAcquire());
  permit.Record(BreakerOutcome::kSuccess);
  Expect(breaker->Snapshot().successes == 2, "both count");
  // [end breaker-by-hand]
  return std::string(ToString(breaker->state()));
}

// ---- what repeats requests ----------------------------------------------------------------------

Result<std::string> ShowRetry(const Runtime& runtime, MockTransport& vendor) {
  vendor.When("POST", "/v1/orders")
      .Respond(http::Response{503, {{"Retry-After", "2"}}, ""})
      .ThenRespond(201, R"({"id": 7})");
  vendor.When("POST", "/v1/mails").Respond(503);
  // [begin retry]
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const auto acme, Acme(runtime, vendor).TotalDeadline(10s).Retry({.attempts_max = 3}).Build());
  const TimePoint start = runtime.clock.Now();
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const http::Response order,
      acme->Post("/v1/orders", {{"amount", 1999}},
                 {.operation = "orders.create", .idempotency_key = "cart-7"}));
  Expect(order.status == 201 && runtime.clock.Now() - start >= 2s, "Retry-After was heeded");
  const http::Headers sent = vendor.last_request()->request.headers;
  Expect(sent.Get("Idempotency-Key") == "cart-7", "with the same key as the first attempt");

  const Result<http::Response> mail = acme->Post("/v1/mails", {{"to", "a@example.org"}});
  Expect(mail->status == 503, "a POST without a key may have been executed: never repeated");
  // [end retry]
  Expect(vendor.request_count() == 3, "two for the order, one for the mail");
  const std::vector<MockRequest> orders = vendor.Requests("POST", "/v1/orders");
  Expect(orders.at(0).request.headers.Get("Idempotency-Key") == "cart-7", "from the first on");
  return "201 after " + std::to_string((runtime.clock.Now() - start) / 1s) + " s";
}

Result<std::string> ShowBudget(const Runtime& runtime, MockTransport& vendor) {
  vendor.When("GET", "/v1/orders").Respond(503);
  // [begin budget]
  const auto budget = std::make_shared<RetryBudget>(
      RetryBudgetOptions{.ratio = 0.2, .minimum_per_minute = 0, .initial = 0}, runtime.clock);
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const auto acme, Acme(runtime, vendor).Retry({.attempts_max = 3, .budget = budget}).Build());
  for (int i = 0; i < 100; ++i) Expect(acme->Get("/v1/orders")->status == 503, "an outage");
  Expect(vendor.request_count() == 120, "a fifth more, not three times as many");
  // [end budget]
  return std::to_string(vendor.request_count()) + " requests";
}

Result<std::string> ShowHedge(const Runtime& runtime, MockTransport& vendor) {
  vendor.When("GET", "/v1/search")
      .Respond(200, R"("slow")")
      .After(5s)
      .ThenRespond(200, R"("quick")")
      .After(40ms);
  const auto budget = std::make_shared<RetryBudget>(RetryBudgetOptions{}, runtime.clock);
  // [begin hedge]
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto acme, Acme(runtime, vendor)
                                                   .TotalDeadline(10s)
                                                   .Hedge({.after = 300ms})
                                                   .Retry({.budget = budget})
                                                   .Build());
  const TimePoint start = runtime.clock.Now();
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Response answer, acme->Get("/v1/search?q=boots"));
  const Duration took = runtime.clock.Now() - start;
  Expect(answer.body == R"("quick")" && took < 1s, "the second won, the first was cancelled");
  // [end hedge]
  return "answered after " + std::to_string(took / 1ms) + " ms";
}

// ---- what holds requests back -------------------------------------------------------------------

Result<std::string> ShowBulkhead(const Runtime& runtime, MockTransport& vendor) {
  vendor.When("GET", "/v1/report").Respond(200, "{}").After(2s);
  // [begin bulkhead]
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const auto acme,
      Acme(runtime, vendor).Bulkhead({.concurrent_max = 1, .queue_max = 0}).Build());
  Task slow = runtime.executor.Spawn("slow call", [&](const std::stop_token&) {
    Expect(acme->Get("/v1/report")->ok(), "it got the only place");
  });
  runtime.clock.SleepFor(100ms);
  const Result<http::Response> refused = acme->Get("/v1/report");
  Expect(!refused && refused.error().code == ErrorCode::kOverloaded, "refused, not queued");
  slow.Join();
  Expect(acme->Get("/v1/report")->ok(), "the place is free again");
  // [end bulkhead]
  return refused.error().ToString();
}

Result<std::string> ShowRateLimit(const Runtime& runtime, MockTransport& vendor) {
  vendor.When("GET", "/v1/orders").Respond(200, "[]");
  // [begin rate-limit]
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto acme,
                              Acme(runtime, vendor).RateLimit({.permits = 10, .per = 1s}).Build());
  const TimePoint start = runtime.clock.Now();
  Expect(acme->Get("/v1/orders")->ok() && acme->Get("/v1/orders")->ok(), "sent");
  Expect(runtime.clock.Now() - start >= 100ms, "the second one waited for its turn");
  const Result<http::Response> hurried = acme->Get("/v1/orders", {.timeout = 20ms});
  Expect(!hurried && hurried.error().code == ErrorCode::kRateLimited, "it would come too late");
  Expect(hurried.error().retry_after <= 100ms, "the error says when it would not");
  // [end rate-limit]
  Expect(vendor.request_count() == 2, "the hurried call was not sent");
  return hurried.error().ToString();
}

Result<std::string> ShowQuota(const Runtime& runtime, MockTransport& vendor) {
  vendor.When("GET", "/v1/orders")
      .Respond(http::Response{
          200,
          {{"RateLimit-Limit", "100"}, {"RateLimit-Remaining", "0"}, {"RateLimit-Reset", "30"}},
          "[]"})
      .ThenRespond(200, "[]");
  // [begin quota]
  const auto quotas = std::make_shared<QuotaRegistry>(runtime);  // For all clients.
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto acme,
                              Acme(runtime, vendor).Quota({.wait_max = 5s}, quotas).Build());
  Expect(acme->Get("/v1/orders")->ok(), "the vendor says: this was the last one for 30 s");
  const Result<http::Response> early = acme->Get("/v1/orders");
  Expect(!early && early.error().retry_after == 30s, "more than wait_max: refused at once");
  Expect(vendor.request_count() == 1, "so no 429 was provoked");
  runtime.clock.SleepFor(31s);
  Expect(acme->Get("/v1/orders")->ok(), "the quota is full again");
  // [end quota]
  return early.error().ToString();
}

// ---- deadlines ----------------------------------------------------------------------------------

Result<std::string> ShowDeadline(const Runtime& runtime, MockTransport& vendor) {
  vendor.When("GET", "/v1/scores/7").Respond(200, "{}").After(1min);
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto acme, Acme(runtime, vendor).TotalDeadline(10s).Build());
  // [begin deadline]
  // Our own user waits 2 s for a page, and rendering it takes 200 ms.
  const TimePoint start = runtime.clock.Now();
  const CallScope page = CallScope().Within(Deadline::After(start, 2s)).WithReserve(200ms);
  Task score = runtime.executor.Spawn("score", [&, page](const std::stop_token&) {
    const auto answer = acme->Get("/v1/scores/7", page.ToOptions("scores.get"));
    Expect(!answer && answer.error().code == ErrorCode::kDeadlineExceeded, "the vendor is slow");
  });
  score.Join();
  const Duration left = 2s - (runtime.clock.Now() - start);
  Expect(left >= 100ms, "the page is rendered in time, without the score");
  // [end deadline]
  Expect(left <= 200ms, "the vendor got all the time there was");
  return std::to_string(left / 1ms) + " ms left for the page";
}

Result<std::string> ShowDeadlineHeader(const Runtime& runtime, MockTransport& vendor) {
  vendor.When("GET", "/v1/orders").Respond(200, "[]");
  // [begin deadline-header]
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const auto acme, Acme(runtime, vendor)
                           .TotalDeadline(2s)
                           .AddAttemptInterceptor(std::make_unique<DeadlineHeaderInterceptor>(
                               DeadlineHeaderOptions{.reserve = 50ms}, runtime))
                           .Build());
  Expect(acme->Get("/v1/orders")->ok(), "sent with X-Request-Timeout-Ms: 1950");

  // In the server of the next hop, as soon as the request has arrived:
  const http::Headers headers = vendor.last_request()->request.headers;
  UNDERSTUDY_ASSIGN_OR_RETURN(const CallScope scope, CallScope::From(headers, runtime.clock.Now()));
  Expect(scope.deadline.Remaining(runtime.clock.Now()) <= 1950ms, "never more than we have");
  // [end deadline-header]
  Expect(headers.Get("X-Request-Timeout-Ms") == "1950", "virtual time: exactly");
  return std::string(*headers.Get("X-Request-Timeout-Ms")) + " ms told";
}

// ---- answers without the vendor -----------------------------------------------------------------

Result<std::string> ShowFallback(const Runtime& runtime, MockTransport& vendor) {
  vendor.When("GET", "/v1/rates").Respond(200, R"({"EUR": 1.1})").ThenRespond(503);
  // [begin fallback]
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const auto acme,
      Acme(runtime, vendor)
          .Fallback({.last_good = true, .static_response = http::Response{200, {}, "{}"}})
          .Build());
  Expect(acme->Get("/v1/rates")->ok(), "the vendor answered");
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Response rates, acme->Get("/v1/rates"));
  Expect(rates.body == R"({"EUR": 1.1})", "the vendor said 503, and we have this from before");
  Expect(rates.headers.Get("Understudy-Fallback") == "last-good", "so that nobody is fooled");
  // [end fallback]
  return std::string(*rates.headers.Get("Understudy-Fallback"));
}

Result<std::string> ShowProviders(const Runtime& runtime, MockTransport& vendor) {
  MockTransport other_vendor(runtime.clock);
  vendor.When("GET", "/geocode").Respond(503);
  other_vendor.When("GET", "/v2/places").WithQuery("near", "Bern").Respond(200, R"([46.9, 7.4])");
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const auto atlas,
      ClientBuilder(runtime, vendor, "atlas").BaseUrl("https://atlas.example").Build());
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const auto mercator,
      ClientBuilder(runtime, other_vendor, "mercator").BaseUrl("https://mercator.example").Build());
  // [begin providers]
  ProviderChain geocoding("geocoding", {.total = 3s}, runtime);
  const auto from_atlas = [](const Client& client) {
    return client.NewRequest(http::Method::Get(), "/geocode?q=Bern");
  };
  const auto from_mercator = [](const Client& client) {
    return client.NewRequest(http::Method::Get(), "/v2/places?near=Bern");
  };
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const ProviderChain::Answer answer,
      geocoding.Call({{atlas.get(), from_atlas}, {mercator.get(), from_mercator}},
                     {.operation = "geocode"}));
  Expect(answer.provider == "mercator" && answer.response.ok(), "atlas answered 503");
  Expect(answer.reports.size() == 2, "what happened at each of them");
  // [end providers]
  return "answered by " + answer.provider;
}

Result<std::string> ShowCache(const Runtime& runtime, MockTransport& vendor) {
  vendor.When("GET", "/v1/rates").Respond(200, R"({"EUR": 1.1})").ThenRespond(503);
  // [begin cache]
  CacheOptions options;
  options.default_ttl = 30s;    // Only where the vendor says nothing about caching.
  options.stale_if_error = 1h;  // Likewise.
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto acme, Acme(runtime, vendor).Cache(options).Build());
  Expect(acme->Get("/v1/rates")->ok() && acme->Get("/v1/rates")->ok(), "asked twice");
  Expect(vendor.request_count() == 1, "and sent once");
  runtime.clock.SleepFor(31s);
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Response old, acme->Get("/v1/rates"));
  Expect(old.ok() && vendor.request_count() == 2, "the vendor said 503: better old than none");
  Expect(old.headers.Get("Age") == "31" && old.headers.Has("Cache-Status"), "it says so");
  // [end cache]
  return std::string(*old.headers.Get("Cache-Status"));
}

struct Rate {
  double dollars = 0;
};

Result<Rate> ParseRate(const http::Response& response) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const nlohmann::json body, ParseJson(response));
  const auto dollars = body.find("usd");
  if (dollars == body.end() || !dollars->is_number()) return InvalidArgument("a rate without usd");
  return Rate{dollars->get<double>()};
}

Result<std::string> ShowModelCache(const Runtime& runtime, MockTransport& vendor) {
  vendor.When("GET", "/v1/rates/EUR").Respond(200, R"({"usd": 1.1})");
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto acme, Acme(runtime, vendor).Build());
  // [begin model-cache]
  ModelCache<Rate> rates({.name = "rates"}, runtime);
  const auto load = [&](Deadline deadline, const std::stop_token& stop) -> Result<Loaded<Rate>> {
    UNDERSTUDY_ASSIGN_OR_RETURN(
        const http::Response answer,
        acme->Get("/v1/rates/EUR", {.operation = "rates.get", .deadline = deadline, .stop = stop}));
    UNDERSTUDY_ASSIGN_OR_RETURN(const Rate rate, ParseRate(answer));
    return WithFreshnessOf(rate, answer, runtime.clock.SystemNow(), {.default_ttl = 5min});
  };
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::shared_ptr<const Rate> first, rates.Get("EUR", load));
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::shared_ptr<const Rate> second, rates.Get("EUR", load));
  Expect(first == second && vendor.request_count() == 1, "asked, parsed and checked once");
  // [end model-cache]
  return std::to_string(first->dollars);
}

// ---- mocks --------------------------------------------------------------------------------------

Result<std::string> ShowMock(const Runtime& runtime, MockTransport&) {
  // [begin mock]
  MockTransport mock(runtime.clock);
  mock.When("POST", "/v1/charges")
      .WithHeader("Idempotency-Key", AnyValue())
      .WithJson(R"({"amount": 1000})")  // At least this.
      .Fail(MockFault::kReset)
      .ThenRespond(201, R"({"id": "ch_1"})")
      .After(20ms);
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto acme,
                              Acme(runtime, mock).Retry({.attempts_max = 2}).Build());
  const auto charge = acme->Post("/v1/charges", {{"amount", 1000}}, {.idempotency_key = "cart-7"});
  Expect(charge->status == 201, "after one retry, as at the vendor");
  Expect(mock.Requests("POST", "/v1/charges").at(1).attempt == 2, "what was sent can be looked at");
  Expect(mock.VerifyAllUsed().has_value(), "every answer was given");
  const Error mistake = acme->Get("/v1/charge/1").error();
  Expect(mistake.reason == "no-mock", "the message names the nearest route, and what differs");
  // [end mock]
  return mistake.message;
}

Result<std::string> ShowMockMode(const Runtime& runtime, MockTransport& network) {
  const std::optional<std::string> mode = "1";
  // [begin mock-mode]
  MockRegistry mocks(runtime.clock);
  mocks.Mock("acme").When("GET", "/v1/orders").Respond(200, "[]");
  // In main: mode = GetEnvironment(kMockModeVariable), network = a CurlTransport.
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const ClientFactory factory,
      ClientFactory::Create({.mode_text = mode, .real = &network, .mocks = &mocks}, runtime));
  UNDERSTUDY_ASSIGN_OR_RETURN(ClientBuilder builder, factory.NewClient("acme"));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto acme, builder.BaseUrl("https://acme.example").Build());
  Expect(acme->Get("/v1/orders")->ok() && factory.mocking(), "a mock answered");
  // The program for production has no MockRegistry, and so:
  const auto refused = ClientFactory::Create({.mode_text = mode, .real = &network}, runtime);
  Expect(!refused && refused.error().reason == "cannot-mock", "it does not start");
  // [end mock-mode]
  Expect(network.request_count() == 0, "the vendor was never called");
  return refused.error().message;
}

// ---- seeing what happens ------------------------------------------------------------------------

// Keeps what is logged; a program would give its own logging library here.
class Lines final : public Logger {
 public:
  void Log(LogLevel level, std::string_view component, std::string_view message) override {
    text_.append(ToString(level)).append(" ").append(component).append(": ");
    text_.append(message).append("\n");
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

Result<std::string> ShowMetrics(const Runtime& runtime, MockTransport& vendor) {
  vendor.When("GET", "/v1/orders").Respond(200, "[]");
  // [begin metrics]
  MetricsSink metrics;  // With a SystemRuntime: SystemRuntime system({.events = &metrics});
  const Runtime observed{runtime.clock, runtime.executor, runtime.random, runtime.logger, metrics};
  const auto breakers = std::make_shared<BreakerRegistry>(observed);
  metrics.AddCollector(CollectBreakers(breakers));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto acme,
                              Acme(observed, vendor).Breaker({}, breakers).Build());
  Expect(acme->Get("/v1/orders", {.operation = "orders.list"})->ok(), "a call");
  std::string page;  // For the application's own handler of GET /metrics.
  metrics.WriteText(page);
  const char* calls = R"(understudy_calls_total{operation="orders.list",outcome="ok"} 1)";
  Expect(page.find(calls) != std::string::npos, "counted");
  Expect(page.find(R"(understudy_breaker_state{name="acme"} 0)") != std::string::npos, "closed");
  // [end metrics]
  return std::string(calls);
}

Result<std::string> ShowTrace(const Runtime& runtime, MockTransport& vendor) {
  vendor.When("GET", "/v1/orders").Respond(200, "[]");
  // The request that the application's own server has received:
  const http::Headers incoming{
      {"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}};
  // [begin trace]
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto acme,
                              Acme(runtime, vendor)
                                  .AddAttemptInterceptor(std::make_unique<TraceInterceptor>(
                                      TraceOptions{.sampled = true}, runtime))
                                  .Build());
  UNDERSTUDY_ASSIGN_OR_RETURN(const CallScope scope,
                              CallScope::From(incoming, runtime.clock.Now()));
  Expect(acme->Get("/v1/orders", scope.ToOptions("orders.list"))->ok(), "sent");
  const std::string sent(*vendor.last_request()->request.headers.Get("traceparent"));
  Expect(sent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"), "the same trace");
  Expect(sent.find("00f067aa0ba902b7") == std::string::npos, "and a span of its own");
  // [end trace]
  return sent.substr(0, 35);
}

Result<std::string> ShowLogs(const Runtime& runtime, MockTransport& vendor) {
  vendor.When("GET", "/v1/orders").Respond(503).ThenRespond(200, "[]");
  Lines logger;
  MetricsSink metrics;
  // [begin logs]
  LogSink log(logger, runtime.clock, {.lines_max = 20});  // Per second and kind of event.
  FanOutSink events({&metrics, &log});
  const Runtime observed{runtime.clock, runtime.executor, runtime.random, logger, events};
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto acme, Acme(observed, vendor).Retry({}).Build());
  Expect(acme->Get("/v1/orders", {.operation = "orders.list"})->ok(), "after one retry");
  Expect(logger.text().starts_with("info retry: operation=orders.list attempt=2 "), "logfmt");
  // [end logs]
  return logger.text().substr(0, logger.text().find(" delay="));
}

Result<std::string> ShowExplain(const Runtime& runtime, MockTransport& vendor) {
  vendor.When("GET", "/v1/orders")
      .Respond(http::Response{503, {{"Retry-After", "2"}}, ""})
      .ThenFail(MockFault::kHang);
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto acme,
                              Acme(runtime, vendor).TotalDeadline(5s).Retry({}).Build());
  // [begin explain]
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Request request,
                              acme->NewRequest(http::Method::Get(), "/v1/orders"));
  CallReport report;
  const auto answer = acme->Call(request, {.operation = "orders.list"}, report);
  Expect(!answer && report.sends == 2, "the second attempt never came back");
  Expect(report.ToString() ==
             "+0ms retry: 503, retry in 2s\n"
             "+5s retry: no retry: deadline is final\n"
             "+5s deadline: passed\n"
             "+5s end, 2 requests sent",
         report.ToString());
  // [end explain]
  return answer.error().ToString();
}

// ---- running them -------------------------------------------------------------------------------

using Example = Result<std::string> (*)(const Runtime& runtime, MockTransport& vendor);

struct NamedExample {
  const char* name;
  Example run;
};

constexpr NamedExample kExamples[] = {{"client", ShowClient},
                                      {"production", ShowProduction},
                                      {"bodies", ShowBodies},
                                      {"profile", ShowProfile},
                                      {"interceptor", ShowInterceptor},
                                      {"breaker", ShowBreaker},
                                      {"breaker-by-hand", ShowBreakerByHand},
                                      {"retry", ShowRetry},
                                      {"budget", ShowBudget},
                                      {"hedge", ShowHedge},
                                      {"bulkhead", ShowBulkhead},
                                      {"rate-limit", ShowRateLimit},
                                      {"quota", ShowQuota},
                                      {"deadline", ShowDeadline},
                                      {"deadline-header", ShowDeadlineHeader},
                                      {"fallback", ShowFallback},
                                      {"providers", ShowProviders},
                                      {"cache", ShowCache},
                                      {"model-cache", ShowModelCache},
                                      {"mock", ShowMock},
                                      {"mock-mode", ShowMockMode},
                                      {"metrics", ShowMetrics},
                                      {"trace", ShowTrace},
                                      {"logs", ShowLogs},
                                      {"explain", ShowExplain}};

// Each in a world of its own, so that none depends on what another has left behind.
void Run(const NamedExample& example, harness::WorkerPool& pool) {
  constexpr SystemTime kStart(std::chrono::hours(24 * 365 * 56));
  harness::Simulation world({.start = kStart}, pool);
  SystemRandom random;
  NullLogger logger;
  NullEventSink events;
  std::optional<Result<std::string>> shown;
  const harness::SimulationReport report = world.Run([&] {
    const Runtime runtime{world.clock(), world.executor(), random, logger, events};
    MockTransport vendor(runtime.clock);
    shown = example.run(runtime, vendor);
  });
  Expect(report.end == harness::SimulationEnd::kFinished, report.detail);
  Expect(shown.has_value(), example.name);
  if (!*shown) Expect(false, shown->error().ToString());
  std::printf("%s: %s\n", example.name, shown->value().c_str());
}

}  // namespace

int main() {
  harness::WorkerPool pool;
  for (const NamedExample& example : kExamples) Run(example, pool);
  std::puts("all as the guide says");
}
