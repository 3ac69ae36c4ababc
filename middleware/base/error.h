// Error: what went wrong, whether the request may have reached the vendor, and on whose side it
// happened.
//
//   if (!reply) {
//     const Error& error = reply.error();
//     if (error.delivery == Delivery::kNotSent) Requeue(job);       // provably nothing happened at
//     the vendor log.Log(LogLevel::kError, "orders", error.ToString());
//   }
//
// A value type; copying copies two strings. An Error never holds a secret: whoever builds the
// message keeps tokens, keys and bodies out of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "middleware/base/time.h"

namespace understudy {

// What the caller can do about it. Few on purpose: details belong in the message.
enum class ErrorCode {
  kInvalidArgument,  // Fix the call or the configuration; repeating it cannot succeed.
  kTimeout,          // The vendor did not answer within the attempt's timeout. Retry if the call is
                     // idempotent.
  kDeadlineExceeded,  // The caller's own total deadline is over. Do not retry; give the call more
                      // time or do less.
  kCancelled,         // The caller asked to stop.
  kConnection,   // DNS, connect, reset or a broken connection. `delivery` says if a retry is safe.
  kTls,          // The peer could not be trusted. Never retried: an operator must look.
  kCircuitOpen,  // The breaker sheds load. Retry after `retry_after`, or use another provider.
  kRateLimited,  // A local limiter or the vendor's quota refuses. Retry after `retry_after`.
  kOverloaded,   // A local bound (bulkhead, queue) is full. Shed load or enlarge the bound.
  kAuth,  // Credentials are missing, refused or revoked. Log in again; repeating cannot succeed.
  kProtocol,    // The peer broke HTTP, JSON or a size limit.
  kStorage,     // A store failed. Nothing was acknowledged.
  kNotFound,    // The named thing does not exist.
  kUnverified,  // A signature or integrity check failed. Treat the input as hostile.
  kInternal,    // A bug in this library. Please report it.
};

// Whether the request may have had an effect at the vendor. Only kNotSent makes a non-idempotent
// call safe to repeat.
enum class Delivery {
  kNotSent,    // Not one byte of the request left this process.
  kMaybeSent,  // Some of it may have arrived; nobody can know.
  kAnswered,   // The vendor answered.
};

// Which side the problem is on. A kLocal refusal never counts against the vendor (breaker, health,
// budgets).
enum class Origin { kLocal, kRemote };

std::string_view ToString(ErrorCode code);  // "timeout", "circuit-open", ...
std::string_view ToString(Delivery delivery);
std::string_view ToString(Origin origin);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message = {};  // What, where and what to do next. One line, no secrets.
  Delivery delivery = Delivery::kNotSent;
  Origin origin = Origin::kLocal;
  std::optional<Duration> retry_after = {};  // Do not repeat earlier than this from now.
  std::string reason =
      {};  // Stable machine-readable refinement, e.g. "refused", "breaker-open"; may be empty.

  // "connection (refused): connect to 127.0.0.1 port 9 failed [not-sent, remote]"
  std::string ToString() const;
};

// A local error about a wrong argument, input or configuration.
Error InvalidArgument(std::string message);

}  // namespace understudy
