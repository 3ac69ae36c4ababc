// LocalCa: a certificate authority made on the fly, so that clients of a fake vendor verify
// certificates for real instead of switching verification off.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(const auto ca, LocalCa::Create());
//   Write("ca.pem", ca->certificate_pem());                       // curl --cacert ca.pem
//   https://... UNDERSTUDY_ASSIGN_OR_RETURN(const TlsIdentity identity,
//   ca->Issue({"api.acme.test"}));
//
// Keys are of the curve P-256 (FIPS 186-4), signatures ECDSA with SHA-256, certificates X.509 v3
// (RFC 5280). The names of a certificate are in its subjectAltName alone, where clients look (RFC
// 9525 section 6.3). For tests only: the keys are as safe as the process that holds them.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/result.h"
#include "middleware/base/secret.h"
#include "middleware/base/time.h"

namespace understudy::harness {

// A certificate with its key. `certificate_pem` may go on with the certificates between it and the
// root; the root itself is not part of it.
struct TlsIdentity {
  std::string certificate_pem = {};
  Secret key_pem = {};  // PKCS #8, not encrypted
};

// What is wrong with a certificate that is otherwise as asked for.
enum class CertificateFlaw {
  kNone,
  kExpired,      // Was valid until yesterday.
  kNotYetValid,  // Will be valid from tomorrow.
  kWrongHost,    // Names only "wrong-host.invalid".
  kUnknownCa,    // Signed by another authority, which nobody trusts.
};

std::string_view ToString(CertificateFlaw flaw);  // "none", "expired", "not-yet-valid", ...

// Immutable, hence thread-safe. Nothing blocks; a certificate takes some 0.1 ms.
class LocalCa {
 public:
  static constexpr std::size_t kNamesMax = 100;      // of one certificate
  static constexpr std::size_t kNameBytesMax = 253;  // of a host name (RFC 1035 section 2.3.4)

  // A new authority with a new key. Validity is counted from the real time of now, because the
  // clients are real: ten years for the authority, 397 days for what it issues (clients refuse
  // server certificates of more than 398 days).
  //
  // kInternal if the library's random generator fails.
  static Result<std::shared_ptr<const LocalCa>> Create();

  // An authority that was made before, so that clients need to trust it only once. kInvalidArgument
  // for PEM that cannot be read, a certificate that may not issue others, or a key of another
  // certificate.
  static Result<std::shared_ptr<const LocalCa>> Load(std::string_view certificate_pem,
                                                     const Secret& key_pem);

  ~LocalCa();
  LocalCa(const LocalCa&) = delete;
  LocalCa& operator=(const LocalCa&) = delete;

  // What clients are to trust. Ends with a line feed.
  const std::string& certificate_pem() const;
  // For Load; never send it to a client.
  Secret key_pem() const;

  // A server certificate for `names`: DNS names and IP addresses ("127.0.0.1", "::1"; no brackets).
  // kInvalidArgument for no name, more than kNamesMax of them, or one that is neither a host name
  // (letters, digits, '-', '_', '.', and "*." in front) nor an address.
  Result<TlsIdentity> Issue(const std::vector<std::string>& names,
                            CertificateFlaw flaw = CertificateFlaw::kNone) const;

  // A client certificate, for mutual TLS; `name` is its common name (1 to 64 bytes of UTF-8).
  Result<TlsIdentity> IssueClient(std::string_view name,
                                  CertificateFlaw flaw = CertificateFlaw::kNone) const;

 private:
  struct Keys;

  explicit LocalCa(std::unique_ptr<Keys> keys);

  std::unique_ptr<Keys> keys_;
};

}  // namespace understudy::harness
