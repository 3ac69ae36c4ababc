#include "harness/server/tls_context.h"

#include <algorithm>

#include <openssl/pem.h>

#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

using openssl::CleanErrors;

constexpr std::size_t kPemBytesMax = std::size_t{1024} * 1024;
constexpr std::size_t kChainMax = 16;
constexpr std::string_view kAlpnHttp11 = "http/1.1";

int VersionNumber(TlsVersion version) {
  return version == TlsVersion::kTls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

// What a client may ask a certificate for; everything else is treated as no name.
bool IsUsableName(std::string_view name) {
  if (name.empty() || name.size() > LocalCa::kNameBytesMax) return false;
  if (name.front() == '.' || name.find("..") != std::string_view::npos) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
           c == ':';
  });
}

Result<void> CheckOptions(const TlsOptions& options) {
  if (options.handshake_timeout <= Duration::zero())
    return InvalidArgument("TlsOptions.handshake_timeout must be positive");
  if (options.min_version > options.max_version)
    return InvalidArgument("TlsOptions.min_version is above max_version");
  const bool asks = options.client_certificate != ClientCertificate::kNone;
  if (asks && options.client_ca_pem.empty()) {
    return InvalidArgument(
        "client certificates are asked for, but TlsOptions.client_ca_pem names nobody who may sign "
        "them");
  }
  if (!asks && !options.client_ca_pem.empty()) {
    return InvalidArgument(
        "TlsOptions.client_ca_pem has no effect; set client_certificate to kOptional or kRequired");
  }
  return {};
}

// Every certificate of the text; kInvalidArgument if there is none, or too many.
Result<std::vector<openssl::Certificate>> ReadCertificates(std::string_view pem,
                                                           std::string_view what) {
  const CleanErrors clean;
  if (pem.size() > kPemBytesMax)
    return InvalidArgument(std::string(what) + " is larger than 1 MiB");
  const openssl::Memory memory = openssl::ReadOnly(pem);
  std::vector<openssl::Certificate> certificates;
  for (;;) {
    openssl::Certificate one(
        PEM_read_bio_X509(memory.get(), nullptr, openssl::NoPassPhrase, nullptr));
    if (one == nullptr) break;
    certificates.push_back(std::move(one));
    if (certificates.size() > kChainMax)
      return InvalidArgument(std::string(what) + " has more than 16 certificates");
  }
  // Reading stops at the end of the text, or at what looks like PEM and is broken.
  if (certificates.empty() || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
    return InvalidArgument(std::string(what) + " is not a PEM text of certificates");
  return certificates;
}

}  // namespace

TlsContext::TlsContext(TlsOptions options) : options_(std::move(options)) {}

Result<std::unique_ptr<TlsContext>> TlsContext::Create(TlsOptions options,
                                                       const std::string& host) {
  const CleanErrors clean;
  UNDERSTUDY_RETURN_IF_ERROR(CheckOptions(options));
  if (options.ca == nullptr) {
    UNDERSTUDY_ASSIGN_OR_RETURN(options.ca, LocalCa::Create());
  }
  std::unique_ptr<TlsContext> made(new TlsContext(std::move(options)));
  made->own_names_ = {"localhost", "127.0.0.1", "::1"};
  if (std::find(made->own_names_.begin(), made->own_names_.end(), host) == made->own_names_.end() &&
      IsUsableName(AsciiLower(host))) {
    made->own_names_.push_back(AsciiLower(host));
  }
  if (made->options_.identity) {
    UNDERSTUDY_ASSIGN_OR_RETURN(made->own_chain_, ParseChain(*made->options_.identity));
  }
  for (const auto flaw :
       {CertificateFlaw::kNone, CertificateFlaw::kExpired, CertificateFlaw::kNotYetValid,
        CertificateFlaw::kWrongHost, CertificateFlaw::kUnknownCa}) {
    UNDERSTUDY_RETURN_IF_ERROR(made->MakeVariant(flaw));
  }
  return made;
}

Result<void> TlsContext::MakeVariant(CertificateFlaw flaw) {
  Variant& variant = variants_.at(static_cast<std::size_t>(flaw));
  variant.owner = this;
  variant.flaw = flaw;
  variant.context.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* const context = variant.context.get();
  constexpr std::string_view kSessions = "understudy";
  const bool made =
      context != nullptr &&
      SSL_CTX_set_min_proto_version(context, VersionNumber(options_.min_version)) == 1 &&
      SSL_CTX_set_max_proto_version(context, VersionNumber(options_.max_version)) == 1 &&
      SSL_CTX_set_session_id_context(context,
                                     reinterpret_cast<const unsigned char*>(kSessions.data()),
                                     static_cast<unsigned int>(kSessions.size())) == 1;
  if (!made) return Error{.code = ErrorCode::kInternal, .message = "OpenSSL refuses to speak TLS"};
  // Sessions live in tickets that the clients keep; nothing accumulates here.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  if (flaw != CertificateFlaw::kNone) {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
  }
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_cert_cb(context, &TlsContext::OnCertificateWanted, &variant);
  SSL_CTX_set_alpn_select_cb(context, &TlsContext::OnAlpn, nullptr);
  return SetUpClientCertificates(context);
}

Result<void> TlsContext::SetUpClientCertificates(SSL_CTX* context) const {
  if (options_.client_certificate == ClientCertificate::kNone) return {};
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto roots,
                              ReadCertificates(options_.client_ca_pem, "TlsOptions.client_ca_pem"));
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  for (const auto& root : roots) {
    if (X509_STORE_add_cert(store, root.get()) != 1 ||
        SSL_CTX_add_client_CA(context, root.get()) != 1) {
      return InvalidArgument("OpenSSL refuses a certificate of TlsOptions.client_ca_pem");
    }
  }
  const bool required = options_.client_certificate == ClientCertificate::kRequired;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  return {};
}

Result<std::shared_ptr<const TlsContext::Chain>> TlsContext::ParseChain(
    const TlsIdentity& identity) {
  auto chain = std::make_shared<Chain>();
  UNDERSTUDY_ASSIGN_OR_RETURN(
      chain->certificates, ReadCertificates(identity.certificate_pem, "the server's certificate"));
  const CleanErrors clean;
  if (identity.key_pem.Reveal().size() > kPemBytesMax)
    return InvalidArgument("the server's private key is larger than 1 MiB");
  const openssl::Memory key = openssl::ReadOnly(identity.key_pem.Reveal());
  chain->key.reset(PEM_read_bio_PrivateKey(key.get(), nullptr, openssl::NoPassPhrase, nullptr));
  if (chain->key == nullptr)
    return InvalidArgument("the server's private key is not the PEM text of an unencrypted key");
  if (X509_check_private_key(chain->certificates.front().get(), chain->key.get()) != 1)
    return InvalidArgument("the server's private key does not belong to its certificate");
  return std::shared_ptr<const Chain>(std::move(chain));
}

openssl::Connection TlsContext::NewConnection(CertificateFlaw flaw, ByteSocket& socket,
                                              const std::string& local_address) {
  openssl::Connection connection(
      SSL_new(variants_.at(static_cast<std::size_t>(flaw)).context.get()));
  BIO* const bio = connection == nullptr ? nullptr : NewSocketBio(method_.get(), socket);
  // The callback only reads it.
  auto* const address = const_cast<std::string*>(&local_address);
  if (bio == nullptr || SSL_set_app_data(connection.get(), address) != 1) {
    BIO_free(bio);
    return nullptr;
  }
  SSL_set_bio(connection.get(), bio, bio);
  SSL_set_accept_state(connection.get());
  return connection;
}

std::size_t TlsContext::cached() const {
  const MutexLock lock(mutex_);
  return cache_.size();
}

std::shared_ptr<const TlsContext::Chain> TlsContext::ChainFor(CertificateFlaw flaw,
                                                              const std::string& host) {
  CacheKey key{flaw, host};
  {
    const MutexLock lock(mutex_);
    if (const auto found = cache_.find(key); found != cache_.end()) return found->second;
  }
  // Made without the lock; two connections that want the same at once make it twice.
  std::vector<std::string> names = own_names_;
  if (!host.empty()) names = {host};
  const auto identity = ca().Issue(names, flaw);
  if (!identity) return nullptr;
  auto chain = ParseChain(*identity);
  if (!chain) return nullptr;
  const MutexLock lock(mutex_);
  const auto [place, added] = cache_.emplace(key, *chain);
  if (added) oldest_first_.push_back(std::move(key));
  std::shared_ptr<const Chain> kept = place->second;
  while (cache_.size() > kCachedMax) {
    cache_.erase(oldest_first_.front());
    oldest_first_.pop_front();
  }
  return kept;
}

bool TlsContext::UseCertificate(SSL* connection, CertificateFlaw flaw) {
  std::shared_ptr<const Chain> chain = own_chain_;
  if (chain == nullptr || flaw != CertificateFlaw::kNone) {
    const char* const asked = SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name);
    std::string host = asked == nullptr ? std::string() : AsciiLower(asked);
    if (host.ends_with('.')) host.pop_back();  // A full name is the same host.
    if (!IsUsableName(host)) {
      host = *static_cast<const std::string*>(SSL_get_app_data(connection));
      if (std::find(own_names_.begin(), own_names_.end(), host) != own_names_.end()) host.clear();
    }
    chain = ChainFor(flaw, host);
    // Not "a:b", which is neither a host name nor an address.
    if (chain == nullptr) chain = ChainFor(flaw, "");
  }
  if (chain == nullptr) return false;
  STACK_OF(X509)* const rest = sk_X509_new_null();
  for (std::size_t i = 1; i < chain->certificates.size(); ++i)
    sk_X509_push(rest, chain->certificates[i].get());
  const bool used = SSL_use_cert_and_key(connection, chain->certificates.front().get(),
                                         chain->key.get(), rest, 1) == 1;
  sk_X509_free(rest);
  return used;
}

int TlsContext::OnCertificateWanted(SSL* connection, void* variant) {
  const auto& wanted = *static_cast<const Variant*>(variant);
  return wanted.owner->UseCertificate(connection, wanted.flaw) ? 1 : 0;
}

// RFC 7301: a client that speaks only other protocols is refused; one that says nothing is not.
int TlsContext::OnAlpn(SSL*, const unsigned char** chosen, unsigned char* chosen_bytes,
                       const unsigned char* offered, unsigned int offered_bytes, void*) {
  const std::string_view list(reinterpret_cast<const char*>(offered), offered_bytes);
  for (std::size_t at = 0; at < list.size();) {
    const auto size = static_cast<unsigned char>(list[at]);
    const std::string_view name = list.substr(at + 1, size);
    if (name == kAlpnHttp11) {
      *chosen = offered + at + 1;
      *chosen_bytes = size;
      return SSL_TLSEXT_ERR_OK;
    }
    at += std::size_t{1} + size;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace understudy::harness
