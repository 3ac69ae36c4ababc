// AuthorizationCallback: what the user's browser brings back from the vendor (RFC 6749 sections
// 4.1.2 and 4.1.2.1, RFC 9207), as a typed value. Whoever can make the browser open a URL can write
// it: nothing in it is true before AuthorizationFlow has checked its state.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "middleware/base/result.h"
#include "middleware/base/secret.h"
#include "middleware/http/form.h"

namespace understudy {

struct AuthorizationCallback {
  Secret state = {};
  Secret code = {};                    // Empty if and only if `error` is not.
  std::string error = {};              // Printable ASCII, at most 64 characters.
  std::string error_description = {};  // Printable ASCII, at most 200 characters.
  std::optional<std::string> issuer = {};
  // Everything else, as it came, e.g. Intuit's realmId.
  http::FormPairs others = {};
};

// Reads the query of the redirect ("code=...&state=...", with or without "?"). kProtocol with
// reason "callback" for more than 16 KiB or 64 parameters, without a state, with both or neither of
// code and error, for a known parameter that occurs twice (section 3.1), and for a code, state or
// issuer that is empty or not printable ASCII. Total over any bytes; the message repeats nothing of
// it.
Result<AuthorizationCallback> ParseAuthorizationCallback(std::string_view query);

}  // namespace understudy
