#include "middleware/webhook/signature_certificate.h"

#include <algorithm>

#include "middleware/base/text.h"

namespace understudy {
namespace {

constexpr int kHttpsPort = 443;

}  // namespace

Result<void> PinnedCertificates::Pin(std::string_view url, std::string pem) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Url parsed, http::Url::Parse(url));
  certificates_.insert_or_assign(parsed.ToString(), std::move(pem));
  return {};
}

Result<std::string> PinnedCertificates::Resolve(const http::Url& url) const {
  const auto found = certificates_.find(url.ToString());
  if (found != certificates_.end()) return found->second;
  if (!fallback_.empty()) return fallback_;
  return Error{.code = ErrorCode::kNotFound, .message = "no certificate is pinned for this URL"};
}

bool IsAllowedCertificateUrl(const http::Url& url, const std::vector<std::string>& hosts) {
  if (url.scheme() != "https" || url.port() != kHttpsPort) return false;
  return std::any_of(hosts.begin(), hosts.end(), [&](const std::string& allowed) {
    const std::string host = AsciiLower(allowed);
    return !host.empty() && (url.host() == host || url.host().ends_with("." + host));
  });
}

}  // namespace understudy
