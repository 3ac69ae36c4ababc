// IdempotencyInterceptor: stamps the idempotency key once per logical call, and says whether the
// call may be repeated.
#pragma once

#include <string>

#include "middleware/client/interceptor.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

// Outside retry, so that all attempts carry the same key: that is what makes the vendor execute
// them once (IETF draft "The Idempotency-Key HTTP Header Field"). The key is, in this order: the
// request's own header, CallOptions's, or a random UUID (site "idempotency-key") if `generate` and
// the method is not idempotent.
//
// Errors: kInvalidArgument for a key that is no header value, or for a key without a header to put
// it in.
class IdempotencyInterceptor final : public Interceptor {
 public:
  // An empty `header`: the vendor knows no keys.
  IdempotencyInterceptor(std::string header, bool generate, const Runtime& runtime)
      : header_(std::move(header)), generate_(generate), runtime_(runtime) {}

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override;
  bool MayWait() const override { return false; }
  std::string Describe() const override;

 private:
  // True if the request carries a key afterwards.
  Result<bool> Stamp(http::Request& request, CallContext& context);

  const std::string header_;
  const bool generate_;
  const Runtime runtime_;
};

}  // namespace understudy
