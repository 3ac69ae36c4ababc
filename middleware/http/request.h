// Request and Response: plain values.
#pragma once

#include <string>

#include "middleware/http/headers.h"
#include "middleware/http/method.h"
#include "middleware/http/url.h"

namespace understudy::http {

struct Request {
  Method method = {};
  Url url = {};
  Headers headers = {};
  std::string body = {};  // Exact bytes; the transport adds Content-Length.
};

}  // namespace understudy::http
