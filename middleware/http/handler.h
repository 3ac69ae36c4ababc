// Handler: the inbound seam. The application's server calls it for requests from outside, e.g.
// webhooks.
#pragma once

#include "middleware/http/request.h"
#include "middleware/http/response.h"

namespace understudy::http {

// Thread-safe: called from many connections at once. May block through a Clock. Must not throw.
class Handler {
 public:
  virtual ~Handler() = default;
  // `request.url` is absolute, built from the Host header and the request target.
  virtual Response Handle(const Request& request) = 0;
};

}  // namespace understudy::http
