// Who may reach an HTTP API that a command opens: this machine alone, or who has the token.
#pragma once

#include <string>
#include <string_view>

#include "middleware/base/result.h"
#include "middleware/base/secret.h"

namespace understudy::tools {

// Does `host`, a name or an address without a port, mean this machine and no other? A name that
// merely begins like such an address does not.
bool IsThisMachine(std::string_view host);

// The token in the environment variable `variable`, which the option `option` has named. Without a
// variable: no token for this machine, and kInvalidArgument with `refusal` for another `host`.
// kInvalidArgument also for a variable that is not set or empty.
Result<Secret> ReadApiToken(std::string_view host, const std::string& variable,
                            std::string_view option, std::string_view refusal);

}  // namespace understudy::tools
