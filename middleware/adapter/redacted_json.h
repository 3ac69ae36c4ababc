// RedactedJson: a vendor's payload for a log or a support case, without the people in it (AD-11).
//
//   RedactedJson(invoice);   // {"id":"in_1","total":1999,"customer_email":"[redacted]"}
#pragma once

#include <cstddef>
#include <string>

#include "middleware/adapter/exact_json.h"

namespace understudy {

// What an adapter keeps of the payload it converts.
enum class RawPayload {
  kDrop,
  kKeepRedacted,  // RedactedJson of it, in the model's `raw`.
};

inline constexpr std::size_t kRedactedJsonBytesMax = std::size_t{64} * 1024;

// The same structure. A string or number is kept only as the value of a member of a fixed list
// (ids, states, amounts, currencies, dates, flags), and a string of these only if it is short and
// of the letters of identifiers; everything else reads "[redacted]". So do the names and values of
// free members (metadata, custom fields), and names that are no identifiers. Null and booleans
// stay. More than kRedactedJsonBytesMax becomes {"redacted":"N bytes"}. Pure, thread-safe.
std::string RedactedJson(const ExactJson& json);

}  // namespace understudy
