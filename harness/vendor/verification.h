// Verification: did the requests come that should have, and if not, which came close?
//
//   auto verified = Verify(journal, {.method = "POST", .path = "/v1/orders"}, Times::Exactly(2));
//   if (!verified) return verified.error();          // the description itself is wrong
//   EXPECT_TRUE(verified->ok) << verified->message;  // says what came instead, nearest first
//
//   // Waits through the clock until the webhook's effect has arrived; nothing is polled.
//   auto came = AwaitRequests(journal, *ParseRequestLine("POST /v1/refunds"), Times::AtLeast(1),
//                             Deadline::After(clock.Now(), 2s), clock);
//
// Only what the journal still holds is counted. Credentials do not show in messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "harness/match/request_matcher.h"
#include "harness/vendor/journal.h"
#include "middleware/base/result.h"
#include "middleware/runtime/clock.h"
#include "middleware/runtime/deadline.h"

namespace understudy::harness {

// How often; both ends are included.
struct Times {
  static constexpr std::size_t kUnbounded = std::numeric_limits<std::size_t>::max();

  std::size_t at_least = 1;
  std::size_t at_most = kUnbounded;

  static constexpr Times Exactly(std::size_t n) { return {n, n}; }
  static constexpr Times AtLeast(std::size_t n) { return {n, kUnbounded}; }
  static constexpr Times AtMost(std::size_t n) { return {0, n}; }
  static constexpr Times Between(std::size_t low, std::size_t high) { return {low, high}; }
  static constexpr Times Never() { return {0, 0}; }

  bool Admits(std::size_t n) const { return n >= at_least && n <= at_most; }
  // "exactly 2 requests", "no request", "at least 1 request", "2 to 5 requests".
  std::string ToString() const;
};

// A request that does not fit, and how far off it is.
struct NearRequest {
  std::uint64_t number = 0;  // Of its entry.
  double distance = 1;
  std::string text = {};  // Several lines: the request, then what was expected and what it had.
};

struct Verification {
  // The nearest this many requests that do not fit are shown.
  static constexpr std::size_t kNearMax = 3;
  // So many of those that do fit are listed in the message.
  static constexpr std::size_t kListedMax = 10;

  bool ok = false;
  std::vector<std::uint64_t> numbers = {};  // Of the entries that fit, in the order of arrival.
  std::vector<NearRequest> near = {};       // Nearest first; only if not ok.
  std::string message = {};                 // Several lines; without the last line break.
};

// Counts the requests that fit `match`. `where` narrows what is looked at (a vendor, a test, only
// requests after a number); its `matching` and `limit` are not used. kInvalidArgument for what
// RequestMatcher::Compile refuses and for Times that nothing can fulfil.
Result<Verification> Verify(const Journal& journal, const RequestMatch& match, Times times = {},
                            const JournalQuery& where = {});

// The requests came in this order; others may have come in between. On success `numbers` has one
// entry for each of `matches`. kInvalidArgument for an empty list, or as above, saying which.
Result<Verification> VerifyInOrder(const Journal& journal, std::span<const RequestMatch> matches,
                                   const JournalQuery& where = {});

// No request came that no route matched.
Verification VerifyAllMatched(const Journal& journal, const JournalQuery& where = {});

// Waits, through `clock`, until at least `times.at_least` fitting requests have come; then, or when
// `deadline` passes or a stop is requested, as Verify. Requests are seen as they arrive, before
// their latency. The caller holds no Mutex. After a Clear of the journal it counts from zero.
Result<Verification> AwaitRequests(const Journal& journal, const RequestMatch& match, Times times,
                                   Deadline deadline, Clock& clock, const JournalQuery& where = {},
                                   const std::stop_token& stop = {});

// "POST /v1/orders/{id}?limit=10": a method or "*", then a path as RequestMatch::path or "*", with
// an optional query whose values are equal. kInvalidArgument for anything else.
Result<RequestMatch> ParseRequestLine(std::string_view text);

}  // namespace understudy::harness
