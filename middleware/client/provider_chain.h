// ProviderChain: several vendors for one purpose; when the first cannot serve, the next one is
// asked.
//
//   ProviderChain chain("geocoding", {.total = 3s}, runtime);
//   auto answer = chain.Call({{google.get(), [&](const Client& c) { return c.NewRequest(...); }},
//                             {here.get(),   [&](const Client& c) { return c.NewRequest(...); }}},
//                            {.operation = "geocode"});
//   if (answer) Use(answer->provider, answer->response);
//
// Each provider is a Client with its own breaker, quota and retries. The rules (reference
// resilience 4.1, 4.2):
//   - One deadline for the chain. A provider gets at most an equal share of what is left for it and
//     those after it, so that the first cannot use up everything; the last gets all of it.
//   - The next provider is asked after failures of availability: no answer in time, no connection,
//     an open breaker, a local refusal, 5xx, 429. Not after answers that the caller must see (other
//     4xx), wrong arguments, refused credentials, or the caller's own stop.
//   - A request that is not safe (RFC 9110 section 9.2.1) goes to the next provider only if the
//     former provably did not execute it: nothing was sent, or it was refused for its rate. Nobody
//     is charged twice by two vendors.
//   - Each provider gets an idempotency key of its own, if the call has one: keys are a vendor's.
//   - Each step to the next provider draws on the budget.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "middleware/base/problems.h"
#include "middleware/client/client.h"
#include "middleware/resilience/retry_budget.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

struct ProviderChainOptions {
  // For all providers together; a call's own timeout or deadline tightens it.
  std::optional<Duration> total = {};
  // A provider with less time than this is not asked.
  Duration min_attempt_time = std::chrono::milliseconds(1);
  // Shared with retry and hedge; none: unlimited.
  std::shared_ptr<RetryBudget> budget = {};
};

Problems FindProblems(const ProviderChainOptions& options);

// Thread-safe: stateless but for the shared budget. The clients of a call must outlive it.
class ProviderChain {
 public:
  struct Provider {
    Client* client = nullptr;
    // The request in this vendor's terms. An error ends the chain: it is the caller's mistake.
    std::function<Result<http::Request>(const Client&)> make_request = {};
  };

  struct Answer {
    http::Response response = {};
    std::string provider = {};             // Who gave it.
    std::vector<CallReport> reports = {};  // Of every provider that was asked, in order.
  };

  // `options` without problems; aborts otherwise. `name` labels events.
  ProviderChain(std::string name, ProviderChainOptions options, const Runtime& runtime);

  // The first useful answer; else the last provider's answer, or the error of the last that was
  // asked (see Client::Call). kInvalidArgument without a provider. Blocks at most for the deadline.
  //
  // Publishes "failover" before each step: operation, from, to, reason ("503", "breaker-open",
  // ...); and, when a step is refused, the same with `to` empty.
  Result<Answer> Call(const std::vector<Provider>& providers, const CallOptions& options = {});

 private:
  Result<http::Response> Ask(const Provider& provider, const CallOptions& options,
                             Deadline deadline, std::size_t providers_left, bool& safe,
                             Answer& answer);
  // Why the next provider may not be asked; empty if it may.
  std::string WhyNot(const Result<http::Response>& result, bool safe, Deadline deadline) const;
  void Publish(const CallOptions& options, const std::string& from, const std::string& to,
               const Result<http::Response>& result);

  const std::string name_;
  const ProviderChainOptions options_;
  const Runtime runtime_;
};

}  // namespace understudy
