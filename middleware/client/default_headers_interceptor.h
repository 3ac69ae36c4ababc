// DefaultHeadersInterceptor: what a vendor wants to see on every request, e.g. a pinned version.
//
//   builder.AddCallInterceptor(
//       std::make_unique<DefaultHeadersInterceptor>(ProviderProfile::For("github")->headers));
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "middleware/client/interceptor.h"

namespace understudy {

// Sets each header that the request does not have yet; several of one name go together. Around the
// whole call: retries send what the first attempt sent. Thread-safe: stateless.
class DefaultHeadersInterceptor final : public Interceptor {
 public:
  // Names and values that http::Headers takes (checked by FindProblems(ProviderProfile)); aborts
  // otherwise.
  explicit DefaultHeadersInterceptor(std::vector<std::pair<std::string, std::string>> headers);

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override;
  // Names only: a value may be confidential.
  bool MayWait() const override { return false; }
  std::string Describe() const override;

 private:
  const std::vector<std::pair<std::string, std::string>> headers_;
};

}  // namespace understudy
