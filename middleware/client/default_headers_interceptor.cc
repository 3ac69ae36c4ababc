#include "middleware/client/default_headers_interceptor.h"

#include "middleware/base/check.h"

namespace understudy {

DefaultHeadersInterceptor::DefaultHeadersInterceptor(
    std::vector<std::pair<std::string, std::string>> headers)
    : headers_(std::move(headers)) {
  for (const auto& [name, value] : headers_) {
    UNDERSTUDY_CHECK(http::Headers().Add(name, value).has_value(), "malformed default header");
  }
}

Result<http::Response> DefaultHeadersInterceptor::Intercept(http::Request& request,
                                                            CallContext& context, Next next) {
  const http::Headers own = request.headers;
  for (const auto& [name, value] : headers_) {
    if (!own.Has(name)) UNDERSTUDY_RETURN_IF_ERROR(request.headers.Add(name, value));
  }
  return next(request, context);
}

std::string DefaultHeadersInterceptor::Describe() const {
  std::string text = "default headers:";
  for (const auto& [name, value] : headers_) text.append(" ").append(name);
  return text;
}

}  // namespace understudy
