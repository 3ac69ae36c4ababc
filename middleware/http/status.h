// Status codes (RFC 9110 section 15).
#pragma once

#include <string_view>

namespace understudy::http {

// "Too Many Requests"; empty for a code without a registered phrase.
std::string_view ReasonPhrase(int status);

}  // namespace understudy::http
