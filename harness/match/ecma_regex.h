// Regular expressions of ECMA-262 (with the "u" flag), as JSON Schema writes them, in RE2's syntax.
#pragma once

#include <string>
#include <string_view>

namespace understudy::harness {

// Rewrites \uXXXX, \u{...}, \cX, \p{Letter} and the like, and (?<name>...). What RE2 cannot do
// (look-around, back-references) is left as it is, for RE2 to refuse. Pure; total over any bytes.
std::string EcmaToRe2(std::string_view pattern);

}  // namespace understudy::harness
