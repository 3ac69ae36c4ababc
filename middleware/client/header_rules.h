// Which headers a caller may set, and which belong to somebody else.
//
//   if (const std::string_view why = WhyNotFromCaller("Host"); !why.empty()) ...
#pragma once

#include <string_view>

namespace understudy {

// Why a caller must not set this header, without case: "is set by the transport", for those that
// frame the message or name the connection (RFC 9112 sections 3.2 and 6, RFC 9110 section 7.6.1),
// because a second, different one is how requests are smuggled; "comes with the body" for
// Content-Type. Empty for all others. Pure, like the one below.
std::string_view WhyNotFromCaller(std::string_view name);

// Authorization, Proxy-Authorization, Cookie, and the names vendors use for the same.
bool IsCredentialHeader(std::string_view name);

}  // namespace understudy
