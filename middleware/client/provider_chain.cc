#include "middleware/client/provider_chain.h"

#include <utility>

#include "middleware/base/check.h"
#include "middleware/base/text.h"
#include "middleware/resilience/outcome.h"

namespace understudy {
namespace {

constexpr std::size_t kProvidersMax = 16;

bool LeadsElsewhere(const Result<http::Response>& result) {
  if (result) return result->status >= 500 || result->status == 429;
  return IsUnavailable(result.error());
}

bool ProvablyNotExecuted(const Result<http::Response>& result) {
  if (result) return result->status == 429;
  return result.error().delivery == Delivery::kNotSent;
}

std::string ReasonOf(const Result<http::Response>& result) {
  return result ? std::to_string(result->status) : ReasonOf(result.error());
}

}  // namespace

Problems FindProblems(const ProviderChainOptions& options) {
  Problems problems;
  if (options.total) RequirePositive(problems, "provider_chain.total", *options.total);
  if (options.min_attempt_time < Duration::zero()) {
    problems.push_back("provider_chain.min_attempt_time is " +
                       FormatDuration(options.min_attempt_time) + "; it must not be negative");
  }
  return problems;
}

ProviderChain::ProviderChain(std::string name, ProviderChainOptions options, const Runtime& runtime)
    : name_(std::move(name)), options_(std::move(options)), runtime_(runtime) {
  UNDERSTUDY_CHECK(FindProblems(options_).empty(), "invalid provider chain options");
}

Result<ProviderChain::Answer> ProviderChain::Call(const std::vector<Provider>& providers,
                                                  const CallOptions& options) {
  if (providers.empty() || providers.size() > kProvidersMax) {
    return InvalidArgument("provider chain " + name_ + " has " + std::to_string(providers.size()) +
                           " providers; it needs 1 to " + std::to_string(kProvidersMax));
  }
  const TimePoint now = runtime_.clock.Now();
  Deadline deadline = options.deadline;
  if (options_.total) deadline = deadline.Tightened(Deadline::After(now, *options_.total));
  if (options.timeout) deadline = deadline.Tightened(Deadline::After(now, *options.timeout));
  if (options_.budget) options_.budget->RecordCall();
  Answer answer;
  for (std::size_t i = 0;; ++i) {  // Ends: WhyNot or the last provider.
    bool safe = false;
    Result<http::Response> result =
        Ask(providers[i], options, deadline, providers.size() - i, safe, answer);
    const bool last = i + 1 == providers.size();
    if (last || !LeadsElsewhere(result) || options.stop.stop_requested()) {
      if (!result) return std::move(result).error();
      answer.response = *std::move(result);
      return answer;
    }
    const std::string& from = providers[i].client->provider();
    const std::string why_not = WhyNot(result, safe, deadline);
    Publish(options, from, why_not.empty() ? providers[i + 1].client->provider() : std::string(),
            result);
    if (why_not.empty()) continue;
    answer.reports.back().decisions.push_back(
        {runtime_.clock.Now(), "failover", "no other provider: " + why_not});
    if (!result) return std::move(result).error();
    answer.response = *std::move(result);
    return answer;
  }
}

Result<http::Response> ProviderChain::Ask(const Provider& provider, const CallOptions& options,
                                          Deadline deadline, std::size_t providers_left, bool& safe,
                                          Answer& answer) {
  Client& client = *provider.client;
  answer.provider = client.provider();
  answer.reports.emplace_back();
  UNDERSTUDY_ASSIGN_OR_RETURN(http::Request request, provider.make_request(client));
  safe = request.method.IsSafe();
  const TimePoint now = runtime_.clock.Now();
  CallOptions own = options;
  own.timeout.reset();
  own.deadline = deadline;
  if (deadline.reachable()) {
    const Duration share = deadline.Remaining(now) /
                           static_cast<Duration::rep>(std::max<std::size_t>(providers_left, 1));
    own.deadline = deadline.Tightened(Deadline::After(now, share));
  }
  // A key is the vendor's to remember; the same one at two vendors would mean nothing to either,
  // but could link the two in logs.
  if (options.idempotency_key)
    own.idempotency_key = *options.idempotency_key + "-" + answer.provider;
  return client.Call(std::move(request), std::move(own), answer.reports.back());
}

std::string ProviderChain::WhyNot(const Result<http::Response>& result, bool safe,
                                  Deadline deadline) const {
  if (!safe && !ProvablyNotExecuted(result)) {
    return "the request may have been executed, and it is not safe to repeat elsewhere";
  }
  if (deadline.Remaining(runtime_.clock.Now()) < std::max(options_.min_attempt_time, Duration(1))) {
    return "the deadline leaves no time";
  }
  if (options_.budget && !options_.budget->TryWithdraw()) return "the retry budget is used up";
  return {};
}

void ProviderChain::Publish(const CallOptions& options, const std::string& from,
                            const std::string& to, const Result<http::Response>& result) {
  const std::string reason = ReasonOf(result);
  runtime_.events.Publish("failover", {{"operation", std::string_view(options.operation)},
                                       {"chain", std::string_view(name_)},
                                       {"from", std::string_view(from)},
                                       {"to", std::string_view(to)},
                                       {"reason", std::string_view(reason)}});
}

}  // namespace understudy
