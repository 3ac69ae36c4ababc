#include "tools/understudy/api_access.h"

#include <utility>

#include "middleware/base/text.h"
#include "middleware/http/url.h"
#include "middleware/platform/environment.h"

namespace understudy::tools {

bool IsThisMachine(std::string_view host) {
  std::string authority(host);
  if (host.find(':') != std::string_view::npos) authority = "[" + authority + "]";
  const auto url = http::Url::Parse("http://" + authority + "/");
  // All of it is the host, and none of it a path.
  return url && EqualsIgnoreAsciiCase(url->host(), authority) && url->IsLoopback();
}

Result<Secret> ReadApiToken(std::string_view host, const std::string& variable,
                            std::string_view option, std::string_view refusal) {
  if (variable.empty()) {
    if (IsThisMachine(host)) return Secret();
    return InvalidArgument(std::string(refusal));
  }
  auto token = GetEnvironment(variable);
  if (!token || token->empty()) {
    return InvalidArgument(std::string(option) + ": the variable " + variable + " is not set");
  }
  return Secret(std::move(*token));
}

}  // namespace understudy::tools
