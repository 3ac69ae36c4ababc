// AuthStrategy: how requests of a client prove who they are.
//
// The client applies the strategy to every attempt, inside retry, so that a token that expires
// during a back-off is replaced. On a 401 it asks HandleUnauthorized once; if that returns true, it
// applies again and repeats the request once within the same attempt (reference resilience 4.2): a
// token expiry burns neither retries nor breaker failures.
//
//   class ApiKey final : public AuthStrategy {
//    public:
//     explicit ApiKey(Secret key) : key_(std::move(key)) {}
//     Result<void> Apply(http::Request& request, Deadline, const std::stop_token&) override {
//       return request.headers.Set("X-Api-Key", key_.Reveal());
//     }
//     bool HandleUnauthorized(const http::Request&, const http::Response&, Deadline,
//                             const std::stop_token&) override {
//       return false;
//     }
//     std::string Describe() const override { return "api-key in X-Api-Key"; }
//    ...
#pragma once

#include <stop_token>
#include <string>

#include "middleware/base/result.h"
#include "middleware/http/request.h"
#include "middleware/http/response.h"
#include "middleware/runtime/deadline.h"

namespace understudy {

// Thread-safe: one strategy serves all calls of a client at once. Must not throw. Both operations
// may block through the Clock (a token refresh) until `deadline` or a stop; none may block holding
// a Mutex.
class AuthStrategy {
 public:
  virtual ~AuthStrategy() = default;

  // Puts the credentials on `request`, replacing those of an earlier call (Headers::Set, never Add:
  // retry applies again to the same request). An error ends the attempt before anything is sent:
  // kAuth (no usable credentials), kDeadlineExceeded, kCancelled, or what a token endpoint's
  // failure maps to, with `delivery` kNotSent because the request itself was not sent.
  virtual Result<void> Apply(http::Request& request, Deadline deadline,
                             const std::stop_token& stop) = 0;

  // `sent` was answered with 401. Returns true if Apply would now use other credentials than those
  // in `sent` (they were refreshed here, or by another call meanwhile), so one repetition makes
  // sense; false if not.
  virtual bool HandleUnauthorized(const http::Request& sent, const http::Response& response,
                                  Deadline deadline, const std::stop_token& stop) = 0;

  // One line for Client::Describe(): kind and settings, never a secret.
  virtual std::string Describe() const = 0;
};

}  // namespace understudy
