// CanonicalJson: one text for every JSON text that means the same (RFC 8785, JCS).
//
//   CanonicalJson(R"({"b": 1.0, "a": [ ]})")    // {"a":[],"b":1}
//
// No white space; members sorted by the UTF-16 code units of their names at every level; numbers in
// the shortest form that reads back as the same double, written as ECMAScript does; in strings only
// the quote, the backslash and control characters are escaped; UTF-8.
//
// Pure, thread-safe, total over any bytes; does not recurse. Takes time in proportion to the text
// times its depth.
#pragma once

#include <string>
#include <string_view>

#include "middleware/base/result.h"
#include "middleware/webhook/strict_json.h"

namespace understudy {

// kProtocol [answered, remote] with no piece of the text, and as `reason`:
//   "json-size", "json-depth"  more than the limits
//   "not-json"       also: broken UTF-8, a lone surrogate as \u escape, a number that is too large
//                    for a double
//   "repeated-key"   two members of one object have the same name (also spelled differently)
//   "json-number"    a whole number, written without fraction or exponent, that a double does not
//                    hold exactly (from 2^53 on): JCS would round it, and two events with different
//                    ids would have one canonical text. Such ids belong into strings (RFC 7493 2.2)
Result<std::string> CanonicalJson(std::string_view text, const StrictJsonLimits& limits = {});

// A finite number as ECMAScript's Number::toString writes it: 1e+21, 1e-7, 0.000001, -0 as 0.
// Aborts for NaN and infinities.
std::string EcmaScriptNumber(double value);

// Does `a` come before `b` by UTF-16 code units (RFC 8785 section 3.2.3)? Both are valid UTF-8. It
// differs from the order of the bytes where one has U+E000 to U+FFFF against a character beyond
// them.
bool LessByUtf16(std::string_view a, std::string_view b);

}  // namespace understudy
