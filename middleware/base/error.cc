#include "middleware/base/error.h"

#include <utility>

namespace understudy {

std::string_view ToString(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid-argument";
    case ErrorCode::kTimeout:
      return "timeout";
    case ErrorCode::kDeadlineExceeded:
      return "deadline-exceeded";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kConnection:
      return "connection";
    case ErrorCode::kTls:
      return "tls";
    case ErrorCode::kCircuitOpen:
      return "circuit-open";
    case ErrorCode::kRateLimited:
      return "rate-limited";
    case ErrorCode::kOverloaded:
      return "overloaded";
    case ErrorCode::kAuth:
      return "auth";
    case ErrorCode::kProtocol:
      return "protocol";
    case ErrorCode::kStorage:
      return "storage";
    case ErrorCode::kNotFound:
      return "not-found";
    case ErrorCode::kUnverified:
      return "unverified";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "internal";
}

std::string_view ToString(Delivery delivery) {
  switch (delivery) {
    case Delivery::kNotSent:
      return "not-sent";
    case Delivery::kMaybeSent:
      return "maybe-sent";
    case Delivery::kAnswered:
      return "answered";
  }
  return "maybe-sent";
}

std::string_view ToString(Origin origin) { return origin == Origin::kLocal ? "local" : "remote"; }

std::string Error::ToString() const {
  std::string text(understudy::ToString(code));
  if (!reason.empty()) text.append(" (").append(reason).append(")");
  text.append(": ").append(message).append(" [");
  text.append(understudy::ToString(delivery)).append(", ");
  text.append(understudy::ToString(origin)).append("]");
  return text;
}

Error InvalidArgument(std::string message) {
  return Error{.code = ErrorCode::kInvalidArgument, .message = std::move(message)};
}

}  // namespace understudy
