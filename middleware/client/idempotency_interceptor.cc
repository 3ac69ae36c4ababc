#include "middleware/client/idempotency_interceptor.h"

namespace understudy {

Result<http::Response> IdempotencyInterceptor::Intercept(http::Request& request,
                                                         CallContext& context, Next next) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const bool keyed, Stamp(request, context));
  context.set_keyed(keyed);
  context.set_replayable(keyed || request.method.IsIdempotent());
  return next(request, context);
}

Result<bool> IdempotencyInterceptor::Stamp(http::Request& request, CallContext& context) {
  const std::optional<std::string>& key = context.options().idempotency_key;
  if (header_.empty()) {
    if (key)
      return InvalidArgument(
          "the call has an idempotency key, but this vendor has no header for it");
    return false;
  }
  if (const auto own = request.headers.Get(header_); own && !own->empty()) return true;
  if (key && key->empty()) return InvalidArgument("the idempotency key is empty");
  if (key) {
    UNDERSTUDY_RETURN_IF_ERROR(request.headers.Set(header_, *key));
    return true;
  }
  if (!generate_ || request.method.IsIdempotent()) return false;
  UNDERSTUDY_RETURN_IF_ERROR(request.headers.Set(header_, runtime_.random.Uuid("idempotency-key")));
  context.Explain(context.Now(runtime_.clock), "idempotency", "generated a key");
  return true;
}

std::string IdempotencyInterceptor::Describe() const {
  if (header_.empty()) return "idempotency: no keys";
  return "idempotency: " + header_ + (generate_ ? ", generated" : ", from the caller");
}

}  // namespace understudy
