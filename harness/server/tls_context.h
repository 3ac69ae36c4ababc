// TlsContext: what all TLS connections of one server share: settings, certificates, ticket keys.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/server/openssl_types.h"
#include "harness/server/socket_bio.h"
#include "harness/server/tls_options.h"
#include "middleware/base/mutex.h"
#include "middleware/base/result.h"

namespace understudy::harness {

// Thread-safe.
class TlsContext {
 public:
  // Certificates kept per server: SNI is the client's choice, so it must not fill the memory.
  static constexpr std::size_t kCachedMax = 256;

  // `host` is what the server listens on. Errors: those of LocalCa::Create; kInvalidArgument for an
  // identity or client_ca_pem that cannot be read or does not fit, a required client certificate
  // without a client_ca_pem, min_version above max_version, or a timeout that is not positive.
  static Result<std::unique_ptr<TlsContext>> Create(TlsOptions options, const std::string& host);

  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // A new server side of a session over `socket`; null if OpenSSL has no memory. Without SNI the
  // client gets a certificate that names `local_address`, too. All three must outlive it.
  openssl::Connection NewConnection(CertificateFlaw flaw, ByteSocket& socket,
                                    const std::string& local_address);

  const TlsOptions& options() const { return options_; }
  const LocalCa& ca() const { return *options_.ca; }
  std::size_t cached() const;

 private:
  struct Chain {
    std::vector<openssl::Certificate> certificates;  // The server's own first.
    openssl::Key key;
  };
  using CacheKey = std::pair<CertificateFlaw, std::string>;
  // One SSL_CTX per flaw: each has ticket keys of its own, so that a client cannot resume a good
  // session on a connection that is to show a flawed certificate.
  struct Variant {
    TlsContext* owner = nullptr;
    CertificateFlaw flaw = CertificateFlaw::kNone;
    openssl::Context context;
  };

  explicit TlsContext(TlsOptions options);

  static Result<std::shared_ptr<const Chain>> ParseChain(const TlsIdentity& identity);
  Result<void> MakeVariant(CertificateFlaw flaw);
  Result<void> SetUpClientCertificates(SSL_CTX* context) const;
  std::shared_ptr<const Chain> ChainFor(CertificateFlaw flaw, const std::string& host)
      EXCLUDES(mutex_);
  bool UseCertificate(SSL* connection, CertificateFlaw flaw);

  static int OnCertificateWanted(SSL* connection, void* variant);
  static int OnAlpn(SSL* connection, const unsigned char** chosen, unsigned char* chosen_bytes,
                    const unsigned char* offered, unsigned int offered_bytes, void* unused);

  TlsOptions options_;
  std::vector<std::string> own_names_;      // For clients that ask for none.
  std::shared_ptr<const Chain> own_chain_;  // Of options_.identity.
  openssl::Method method_ = NewSocketMethod();
  std::array<Variant, 5> variants_ = {};  // By CertificateFlaw.
  mutable Mutex mutex_;
  std::map<CacheKey, std::shared_ptr<const Chain>> cache_ GUARDED_BY(mutex_);
  std::deque<CacheKey> oldest_first_ GUARDED_BY(mutex_);
};

}  // namespace understudy::harness
