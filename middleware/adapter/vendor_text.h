// What may be copied out of a vendor's answer into errors, logs and states: identifiers, never
// prose.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace understudy {

inline constexpr std::size_t kVendorWordMax = 64;

// `text` if it is 1 to `size_max` ASCII letters, digits and characters of `punctuation`; otherwise
// empty. Pure, total.
std::string IdentifierOrEmpty(std::string_view text, std::string_view punctuation,
                              std::size_t size_max);

// Does it hold at least `count` digits in a row? Cards, accounts and phones do; codes do not.
bool HasDigitRun(std::string_view text, std::size_t count);

// A word for a state or a kind: `text` if it is an identifier of at most 64 bytes, otherwise
// "unprintable".
std::string VendorWord(std::string_view text);

}  // namespace understudy
