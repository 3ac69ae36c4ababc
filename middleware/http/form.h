// Percent-encoding (RFC 3986 section 2) and application/x-www-form-urlencoded pairs (WHATWG URL
// section 5).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace understudy::http {

// Keeps unreserved characters (letters, digits, - . _ ~), encodes every other byte as %XX.
std::string PercentEncode(std::string_view text);
// nullopt for a % that two hexadecimal digits do not follow. `+` stays as it is.
std::optional<std::string> PercentDecode(std::string_view text);

using FormPairs = std::vector<std::pair<std::string, std::string>>;

// "a=1&b=x%20y" in order, with repeats; `+` means a space. A malformed escape is kept as it stands:
// total over any bytes.
FormPairs ParseForm(std::string_view text);
std::string EncodeForm(const FormPairs& pairs);
// The first value of that name.
std::optional<std::string_view> FormValue(const FormPairs& pairs, std::string_view name);

}  // namespace understudy::http
