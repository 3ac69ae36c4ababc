// FallbackInterceptor: an answer that is better than none, when the vendor gives none.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <optional>
#include <string>

#include "middleware/base/mutex.h"
#include "middleware/base/problems.h"
#include "middleware/client/interceptor.h"
#include "middleware/resilience/outcome.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

struct FallbackOptions {
  // Serve the last 2xx answer of the same operation, method and target. Only for safe methods: the
  // last answer to a POST is not an answer to the next one.
  bool last_good = true;
  std::size_t entries_max = 256;            // Answers kept; the least recently used one goes first.
  std::size_t body_bytes_max = 256 * 1024;  // Larger answers are not kept.
  // Served if there is no last good answer. Only for safe methods, unless static_for_all_methods.
  std::optional<http::Response> static_response = {};
  bool static_for_all_methods = false;
};

Problems FindProblems(const FallbackOptions& options);

// Outermost but for the user's own layers, so it sees the final outcome, also of an open breaker or
// a passed deadline. It acts on failures of availability (timeout, deadline, connection, open
// breaker, local refusals, malformed answers) and on 5xx; what the caller must know (wrong
// arguments, refused credentials, an untrusted peer, its own stop) passes through. Keeps answers of
// one client, so of one set of credentials.
//
// A served answer carries "Understudy-Fallback: last-good" or "static". Publishes "fallback":
// operation, reason ("breaker-open", "timeout", "deadline", "503", ...), served.
class FallbackInterceptor final : public Interceptor {
 public:
  static constexpr std::string_view kHeader = "Understudy-Fallback";

  // `options` without problems; aborts otherwise.
  FallbackInterceptor(FallbackOptions options, const Runtime& runtime);

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override;
  bool MayWait() const override { return false; }
  std::string Describe() const override;

 private:
  struct Kept {
    http::Response response;
    std::list<std::string>::iterator use;
  };

  void Keep(const std::string& key, const http::Response& response) EXCLUDES(mutex_);
  std::optional<http::Response> LastGood(const std::string& key) EXCLUDES(mutex_);
  std::optional<http::Response> Find(const http::Request& request, const std::string& key);

  const FallbackOptions options_;
  const Runtime runtime_;
  const OutcomeClassifier classifier_;
  Mutex mutex_;
  std::map<std::string, Kept> kept_ GUARDED_BY(mutex_);
  std::list<std::string> uses_ GUARDED_BY(mutex_);  // Keys, most recently used first.
};

}  // namespace understudy
