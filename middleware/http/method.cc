#include "middleware/http/method.h"

namespace understudy::http {

bool Method::IsSafe() const {
  return name_ == "GET" || name_ == "HEAD" || name_ == "OPTIONS" || name_ == "TRACE";
}

bool Method::IsIdempotent() const { return IsSafe() || name_ == "PUT" || name_ == "DELETE"; }

}  // namespace understudy::http
