// CertificateResolver: where the certificate comes from that a vendor signs with (PayPal).
//
//   // The certificate is in a file that an operator checked: nothing is fetched.
//   auto pinned = std::make_shared<PinnedCertificates>();
//   pinned->Pin("https://api.paypal.com/v1/notifications/certs/CERT-360caa42", pem);
//   SignatureVerifier::Create(crypto, *FindScheme("paypal"), {Secret(webhook_id)},
//                             {.certificates = pinned, .certificates_pinned = true});
//
//   // Or fetch it with your own client, and let the verifier check it against the roots of the
//   // system: {.certificates = fetcher, .certificate_roots = ReadFile(".../ca-certificates.crt")}.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/base/result.h"
#include "middleware/http/url.h"

namespace understudy {

// Called by the verifier only with https URLs on the default port of a host that the scheme allows;
// it must not follow a redirect elsewhere. Thread-safe. May block as long as its own deadline
// allows; should remember what it fetched, because every delivery asks.
class CertificateResolver {
 public:
  virtual ~CertificateResolver() = default;
  // PEM: the certificate first, then what leads to its root. Any error makes the delivery
  // unverified ("certificate-unavailable").
  virtual Result<std::string> Resolve(const http::Url& url) const = 0;
};

// Certificates that are given beforehand, by their URL. Does not block. Fill it before use;
// thread-safe from then on.
class PinnedCertificates final : public CertificateResolver {
 public:
  // kInvalidArgument for what is no http or https URL.
  Result<void> Pin(std::string_view url, std::string pem);
  // For every other URL, for instance in a test or at a command line.
  void PinForEveryUrl(std::string pem) { fallback_ = std::move(pem); }

  // kNotFound for another URL.
  Result<std::string> Resolve(const http::Url& url) const override;

 private:
  std::map<std::string, std::string, std::less<>> certificates_;
  std::string fallback_;
};

// Is `url` https on the default port of one of `hosts`, or of a name below one?
bool IsAllowedCertificateUrl(const http::Url& url, const std::vector<std::string>& hosts);

}  // namespace understudy
