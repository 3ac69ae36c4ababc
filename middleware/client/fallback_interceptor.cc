#include "middleware/client/fallback_interceptor.h"

#include <utility>

#include "middleware/base/check.h"

namespace understudy {
namespace {

bool IsNoAnswer(const Result<http::Response>& result) {
  return result ? result->status >= 500 : IsUnavailable(result.error());
}

// Newlines separate: none of the parts can hold one.
std::string KeyOf(const http::Request& request, const CallContext& context) {
  std::string key;
  key.reserve(128);
  key.append(context.operation()).append("\n").append(request.method.name()).append("\n");
  request.url.AppendTo(key);
  return key;
}

}  // namespace

Problems FindProblems(const FallbackOptions& options) {
  Problems problems;
  if (!options.last_good && !options.static_response) {
    problems.push_back("fallback has nothing to serve; set last_good or static_response");
  }
  if (options.last_good && options.entries_max == 0) {
    problems.push_back("fallback.entries_max is 0; last_good needs at least 1");
  }
  return problems;
}

FallbackInterceptor::FallbackInterceptor(FallbackOptions options, const Runtime& runtime)
    : options_(std::move(options)), runtime_(runtime) {
  UNDERSTUDY_CHECK(FindProblems(options_).empty(), "invalid fallback options");
}

Result<http::Response> FallbackInterceptor::Intercept(http::Request& request, CallContext& context,
                                                      Next next) {
  // Before the call: inner layers may change the request.
  const std::string key = KeyOf(request, context);
  const bool safe = request.method.IsSafe();
  Result<http::Response> result = next(request, context);
  if (!IsNoAnswer(result)) {
    if (safe && options_.last_good && result && result->ok()) Keep(key, *result);
    return result;
  }
  const std::string reason = classifier_.Classify(result, runtime_.clock).reason;
  std::optional<http::Response> substitute = Find(request, key);
  runtime_.events.Publish("fallback", {{"operation", context.operation()},
                                       {"reason", std::string_view(reason)},
                                       {"served", substitute.has_value()}});
  if (!substitute) {
    context.Explain(context.Now(runtime_.clock), "fallback",
                    "nothing to serve instead of " + reason);
    return result;
  }
  context.set_served_by_fallback();
  context.Explain(
      context.Now(runtime_.clock), "fallback",
      "served " + std::string(*substitute->headers.Get(kHeader)) + " instead of " + reason);
  return std::move(*substitute);
}

std::optional<http::Response> FallbackInterceptor::Find(const http::Request& request,
                                                        const std::string& key) {
  const bool safe = request.method.IsSafe();
  if (safe && options_.last_good) {
    if (std::optional<http::Response> last = LastGood(key)) {
      if (last->headers.Set(kHeader, "last-good")) return last;
    }
  }
  if (!options_.static_response || (!safe && !options_.static_for_all_methods)) return std::nullopt;
  http::Response substitute = *options_.static_response;
  if (!substitute.headers.Set(kHeader, "static")) return std::nullopt;
  return substitute;
}

void FallbackInterceptor::Keep(const std::string& key, const http::Response& response) {
  if (response.body.size() > options_.body_bytes_max) return;
  const MutexLock lock(mutex_);
  if (const auto found = kept_.find(key); found != kept_.end()) {
    found->second.response = response;
    uses_.splice(uses_.begin(), uses_, found->second.use);
    return;
  }
  if (kept_.size() >= options_.entries_max) {
    kept_.erase(uses_.back());
    uses_.pop_back();
  }
  uses_.push_front(key);
  kept_.emplace(key, Kept{response, uses_.begin()});
}

std::optional<http::Response> FallbackInterceptor::LastGood(const std::string& key) {
  const MutexLock lock(mutex_);
  const auto found = kept_.find(key);
  if (found == kept_.end()) return std::nullopt;
  uses_.splice(uses_.begin(), uses_, found->second.use);
  return found->second.response;
}

std::string FallbackInterceptor::Describe() const {
  std::string text = "fallback:";
  if (options_.last_good)
    text += " last good of " + std::to_string(options_.entries_max) + " answers";
  if (options_.static_response) {
    text += options_.last_good ? ", else" : "";
    text += " static " + std::to_string(options_.static_response->status);
  }
  return text;
}

}  // namespace understudy
