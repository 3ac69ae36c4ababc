// Interceptor: one layer around the rest of a call, with `next` to go on.
//
//   class Stamp final : public Interceptor {
//    public:
//     Result<http::Response> Intercept(http::Request& request, CallContext& context,
//                                      Next next) override {
//       UNDERSTUDY_RETURN_IF_ERROR(request.headers.Set("X-Team", "billing"));
//       return next(request, context);
//     }
//     std::string Describe() const override { return "stamp"; }
//   };
#pragma once

#include <memory>
#include <span>
#include <string>

#include "middleware/base/result.h"
#include "middleware/client/call_context.h"
#include "middleware/http/request.h"
#include "middleware/http/response.h"
#include "middleware/http/transport.h"

namespace understudy {

class Interceptor;

// The rest of the chain: the inner interceptors, then the transport. Callable any number of times,
// also zero.
class Next {
 public:
  // `caller_may_wait`: whoever calls this may have let time pass without telling it to the context.
  Next(std::span<const std::unique_ptr<Interceptor>> inner, http::Transport& transport,
       bool caller_may_wait = false)
      : inner_(inner), transport_(&transport), caller_may_wait_(caller_may_wait) {}

  Result<http::Response> operator()(http::Request& request, CallContext& context) const;

 private:
  std::span<const std::unique_ptr<Interceptor>> inner_;
  http::Transport* transport_;
  bool caller_may_wait_;
};

// Shared by all calls of a client: stateless, or synchronised inside. Must not throw. A layer that
// changes the request sets what it changes (headers.Set, not Add), because retry sends the same
// request again through the inner layers.
class Interceptor {
 public:
  virtual ~Interceptor() = default;
  virtual Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                           Next next) = 0;
  // False for a layer that takes no time worth telling, or tells it with CallContext::Waited.
  virtual bool MayWait() const { return true; }
  // One line for Client::Describe(): name and settings, no secrets.
  virtual std::string Describe() const = 0;
};

}  // namespace understudy
