#include "middleware/mock/mock_fault.h"

#include <string>

namespace understudy {
namespace {

Error Remote(ErrorCode code, std::string_view reason, Delivery delivery, std::string_view text) {
  return Error{.code = code,
               .message = "mock: " + std::string(text),
               .delivery = delivery,
               .origin = Origin::kRemote,
               .reason = std::string(reason)};
}

}  // namespace

std::string_view ToString(MockFault fault) {
  switch (fault) {
    case MockFault::kDns:
      return "dns";
    case MockFault::kRefused:
      return "refused";
    case MockFault::kConnectTimeout:
      return "connect-timeout";
    case MockFault::kTls:
      return "tls";
    case MockFault::kStaleConnection:
      return "stale-connection";
    case MockFault::kReset:
      return "reset";
    case MockFault::kResetMidBody:
      return "reset-mid-body";
    case MockFault::kTruncated:
      return "truncated";
    case MockFault::kMalformed:
      return "malformed";
    case MockFault::kTimeout:
      return "timeout";
    case MockFault::kHang:
      return "hang";
  }
  return "hang";
}

Error ErrorOf(MockFault fault) {
  using enum ErrorCode;
  using enum Delivery;
  switch (fault) {
    case MockFault::kDns:
      return Remote(kConnection, "dns", kNotSent, "the host name does not resolve");
    case MockFault::kRefused:
      return Remote(kConnection, "refused", kNotSent, "the connection was refused");
    case MockFault::kConnectTimeout:
      return Remote(kConnection, "connect", kNotSent, "no connection within the connect timeout");
    case MockFault::kTls:
      return Remote(kTls, "", kNotSent, "the certificate of the peer is not trusted");
    case MockFault::kStaleConnection:
      return Remote(kConnection, "send", kNotSent, "the reused connection was closed");
    case MockFault::kReset:
      return Remote(kConnection, "reset", kMaybeSent, "the connection broke before the answer");
    case MockFault::kResetMidBody:
      return Remote(kConnection, "reset", kMaybeSent, "the connection broke within the answer");
    case MockFault::kTruncated:
      return Remote(kConnection, "truncated", kMaybeSent,
                    "the connection was closed before the end of the answer");
    case MockFault::kMalformed:
      return Remote(kProtocol, "malformed", kAnswered, "the answer is not HTTP");
    case MockFault::kTimeout:
      return Remote(ErrorCode::kTimeout, "", kMaybeSent, "no answer in time");
    case MockFault::kHang:
      break;
  }
  return Error{.code = kDeadlineExceeded,
               .message = "mock: no answer before the deadline",
               .delivery = kMaybeSent};
}

}  // namespace understudy
