// EventKey: an idempotency key for vendors whose deliveries carry no id of their own.
//
//   EventKey(crypto, "intuit", realm_id, request.body,
//            InTimeBucket{.time = *verified->timestamp, .width = 10min})
//   EventKey(crypto, "xero", tenant, request.body, WithSequence{std::to_string(first_sequence)})
//
// Two deliveries have one key if provider and account are equal, their bodies mean the same JSON
// (CanonicalJson: order of members and white space do not matter, nested values do), and they are
// in the same time bucket or have the same sequence.
//
// Never of the content alone: two events that are honestly the same ("2 items added", twice) would
// be one, and the second would be lost. So there is no form without a bucket or sequence. A bucket
// is a compromise, and its width decides it:
//   - equal events inside one bucket are taken for a repeated delivery, so make it no wider than
//     the time between two events that may be equal;
//   - a repeated delivery outside it is taken for a new event, so make it wider than what the
//     vendor takes to deliver again, and use the event's own time, which stays the same, not the
//     time of receipt, with which every key near a boundary would be a gamble.
// A sequence (an event number, a version of the object, the vendor's own time as text) has neither
// problem: prefer it.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "middleware/base/result.h"
#include "middleware/base/time.h"
#include "middleware/runtime/crypto.h"

namespace understudy {

struct InTimeBucket {
  SystemTime time = {};  // Of the event.
  // At least one second. Buckets start at 1970 and at each whole width from there.
  Duration width = {};
};
struct WithSequence {
  std::string sequence = {};  // Not empty.
};
using EventDistinction = std::variant<InTimeBucket, WithSequence>;

// "ek1-" and 64 hexadecimal digits: SHA-256 over a constant that says what is hashed, and then each
// part with its length before it, so that no two lists of parts give the same bytes. `body` is at
// most 16 MiB. kInvalidArgument for an empty provider, a width below a second, an empty sequence;
// the errors of CanonicalJson. Pure and thread-safe.
Result<std::string> EventKey(const Crypto& crypto, std::string_view provider,
                             std::string_view account, std::string_view body,
                             const EventDistinction& distinction);

}  // namespace understudy
