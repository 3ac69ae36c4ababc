// Response: what a server answered. Any status is an answer, not an Error.
#pragma once

#include <string>

#include "middleware/http/headers.h"

namespace understudy::http {

struct Response {
  int status = 200;
  Headers headers = {};
  std::string body = {};  // Exact bytes, content codings removed by the transport.

  bool ok() const { return status >= 200 && status < 300; }
};

}  // namespace understudy::http
