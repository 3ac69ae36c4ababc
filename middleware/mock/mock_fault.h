// MockFault: what can go wrong below HTTP, as a mock plays it.
//
//   mock.When("POST", "/v1/charges").Fail(MockFault::kReset);
//
// A slow answer, and one that drips in byte by byte, are no faults: this seam hands over whole
// answers, so both are MockRoute::After, and an After beyond the deadline is a drip that never
// ends.
#pragma once

#include <string_view>

#include "middleware/base/error.h"

namespace understudy {

enum class MockFault {
  kDns,              // The name does not resolve.
  kRefused,          // Nobody listens.
  kConnectTimeout,   // No connection within the connect timeout; give its length with After.
  kTls,              // The certificate is not trusted.
  kStaleConnection,  // The reused connection was dead; provably nothing was sent.
  kReset,            // The connection broke after the request, before the answer.
  kResetMidBody,     // The connection broke within the body of the answer.
  kTruncated,        // The connection was closed before the announced end of the body.
  kMalformed,        // The answer is no HTTP.
  kTimeout,          // A layer below gave up waiting, at once: no time passes without After.
  kHang,             // No answer, ever: ends with the deadline or the stop of the call.
};

std::string_view ToString(MockFault fault);  // "dns", "reset-mid-body", ...

// The error that a real transport reports for it (http/transport.h), with the same code, reason,
// delivery and origin:
//
//   dns refused connect-timeout stale-connection   kConnection, not sent
//   reset reset-mid-body truncated                 kConnection, maybe sent
//   tls                                            kTls, not sent
//   malformed                                      kProtocol, answered
//   timeout                                        kTimeout, maybe sent
//   hang                                           kDeadlineExceeded, maybe sent, local
Error ErrorOf(MockFault fault);

}  // namespace understudy
