#include "middleware/platform/openssl_crypto.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <limits>
#include <memory>
#include <vector>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include "middleware/base/check.h"

namespace understudy {
namespace {

using Digest = std::array<unsigned char, EVP_MAX_MD_SIZE>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string ToBytes(const Digest& digest, unsigned int size) {
  return std::string(reinterpret_cast<const char*>(digest.data()), size);
}

std::string Hmac(const EVP_MD* hash, std::string_view key, std::string_view data) {
  UNDERSTUDY_CHECK(key.size() <= std::size_t{std::numeric_limits<int>::max()},
                   "an HMAC key must be smaller than 2 GiB");
  // A null pointer means "no key given" to OpenSSL; an empty key is a key.
  const std::string_view some_key = key.data() == nullptr ? std::string_view("") : key;
  Digest digest = {};
  unsigned int size = 0;
  const unsigned char* const done = HMAC(hash, some_key.data(), static_cast<int>(some_key.size()),
                                         Bytes(data), data.size(), digest.data(), &size);
  UNDERSTUDY_CHECK(done != nullptr, "OpenSSL refused to compute an HMAC");
  return ToBytes(digest, size);
}

constexpr std::size_t kEd25519KeyBytes = 32;
constexpr std::size_t kEd25519SignatureBytes = 64;
constexpr int kRsaBitsMin = 2048;
constexpr std::size_t kPemBytesMax = std::size_t{4} * 1024 * 1024;
constexpr std::size_t kChainMax = 16;
constexpr std::size_t kRootsMax = 1024;

template <auto free_it>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    free_it(object);
  }
};
void FreeStack(STACK_OF(X509) * stack) { sk_X509_free(stack); }

using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Context = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Store = std::unique_ptr<X509_STORE, Free<X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, Free<X509_STORE_CTX_free>>;
using Stack = std::unique_ptr<STACK_OF(X509), Free<FreeStack>>;

// The error queue is the thread's; what foreign bytes leave there must not be found by others.
class CleanErrors {
 public:
  CleanErrors() = default;
  CleanErrors(const CleanErrors&) = delete;
  CleanErrors& operator=(const CleanErrors&) = delete;
  ~CleanErrors() { ERR_clear_error(); }
};

// Text that looks like a question for a pass phrase must not open a terminal.
int NoPassPhrase(char*, int, int, void*) { return -1; }

Bio ReadOnly(std::string_view text) {
  Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  UNDERSTUDY_CHECK(bio != nullptr, "OpenSSL has no memory for a buffer");
  return bio;
}

// Every certificate of the text, up to the first that is none.
Result<std::vector<Certificate>> ReadCertificates(std::string_view pem, std::size_t count_max) {
  if (pem.size() > kPemBytesMax) return InvalidArgument("certificates of more than 4 MiB");
  std::vector<Certificate> certificates;
  if (!pem.empty()) {
    const Bio bio = ReadOnly(pem);
    while (certificates.size() < count_max) {
      Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, NoPassPhrase, nullptr));
      if (certificate == nullptr) break;
      certificates.push_back(std::move(certificate));
    }
  }
  if (certificates.empty()) return InvalidArgument("there is no certificate in the PEM text");
  return certificates;
}

Result<void> RequireEd25519Key(std::string_view key) {
  if (key.size() == kEd25519KeyBytes) return {};
  return InvalidArgument("an Ed25519 key must be 32 bytes, not " + std::to_string(key.size()));
}

Result<Key> Ed25519Seed(std::string_view seed) {
  UNDERSTUDY_RETURN_IF_ERROR(RequireEd25519Key(seed));
  Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, Bytes(seed), seed.size()));
  UNDERSTUDY_CHECK(key != nullptr, "OpenSSL refused an Ed25519 key");
  return key;
}

Context NewContext() {
  Context context(EVP_MD_CTX_new());
  UNDERSTUDY_CHECK(context != nullptr, "OpenSSL has no memory for a digest");
  return context;
}

// `hash` is null for Ed25519, which hashes by itself.
bool VerifyDigest(EVP_PKEY* key, const EVP_MD* hash, std::string_view data,
                  std::string_view signature) {
  const Context context = NewContext();
  const int started = EVP_DigestVerifyInit(context.get(), nullptr, hash, nullptr, key);
  UNDERSTUDY_CHECK(started == 1, "OpenSSL refused to verify a signature");
  return EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(data),
                          data.size()) == 1;
}

std::string SignDigest(EVP_PKEY* key, const EVP_MD* hash, std::string_view data) {
  const Context context = NewContext();
  std::size_t size = 0;
  std::string signature;
  bool done = EVP_DigestSignInit(context.get(), nullptr, hash, nullptr, key) == 1 &&
              EVP_DigestSign(context.get(), nullptr, &size, Bytes(data), data.size()) == 1;
  signature.resize(size);
  done = done && EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()),
                                &size, Bytes(data), data.size()) == 1;
  UNDERSTUDY_CHECK(done, "OpenSSL refused to sign");
  signature.resize(size);
  return signature;
}

Error NotTrusted(std::string message) {
  return Error{.code = ErrorCode::kUnverified,
               .message = std::move(message),
               .origin = Origin::kRemote,
               .reason = "certificate-untrusted"};
}

class OpensslRoots final : public CertificateRoots {
 public:
  explicit OpensslRoots(Store store) : store_(std::move(store)) {}

  Result<void> Check(std::string_view chain_pem, std::string_view host,
                     SystemTime now) const override {
    const CleanErrors clean;
    if (host.empty()) return InvalidArgument("a certificate is checked for a host: name one");
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto chain, ReadCertificates(chain_pem, kChainMax));
    const Stack untrusted(sk_X509_new_null());
    const StoreContext context(X509_STORE_CTX_new());
    UNDERSTUDY_CHECK(untrusted != nullptr && context != nullptr,
                     "OpenSSL has no memory for a certificate chain");
    for (std::size_t i = 1; i < chain.size(); ++i) sk_X509_push(untrusted.get(), chain[i].get());
    // The store is only read, and locks itself.
    const int started =
        X509_STORE_CTX_init(context.get(), store_.get(), chain.front().get(), untrusted.get());
    UNDERSTUDY_CHECK(started == 1, "OpenSSL refused to check a certificate");
    X509_VERIFY_PARAM* const rules = X509_STORE_CTX_get0_param(context.get());
    X509_VERIFY_PARAM_set_time(
        rules, static_cast<std::time_t>(
                   std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count()));
    if (X509_VERIFY_PARAM_set1_host(rules, host.data(), host.size()) != 1) {
      return InvalidArgument("the certificate's host is not a name");
    }
    if (X509_verify_cert(context.get()) == 1) return {};
    const int reason = X509_STORE_CTX_get_error(context.get());
    return NotTrusted(std::string("the certificate is not trusted: ") +
                      X509_verify_cert_error_string(reason));
  }

 private:
  Store store_;
};

}  // namespace

std::string OpensslCrypto::HmacSha256(std::string_view key, std::string_view data) const {
  return Hmac(EVP_sha256(), key, data);
}

std::string OpensslCrypto::HmacSha1(std::string_view key, std::string_view data) const {
  return Hmac(EVP_sha1(), key, data);
}

std::string OpensslCrypto::HmacSha512(std::string_view key, std::string_view data) const {
  return Hmac(EVP_sha512(), key, data);
}

std::string OpensslCrypto::Sha256(std::string_view data) const {
  Digest digest = {};
  unsigned int size = 0;
  const int status =
      EVP_Digest(data.data(), data.size(), digest.data(), &size, EVP_sha256(), nullptr);
  UNDERSTUDY_CHECK(status == 1, "OpenSSL refused to compute SHA-256");
  return ToBytes(digest, size);
}

Result<bool> OpensslCrypto::VerifyEd25519(std::string_view public_key, std::string_view data,
                                          std::string_view signature) const {
  UNDERSTUDY_RETURN_IF_ERROR(RequireEd25519Key(public_key));
  if (signature.size() != kEd25519SignatureBytes) return false;
  const CleanErrors clean;
  const Key key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, Bytes(public_key), public_key.size()));
  if (key == nullptr) return InvalidArgument("the Ed25519 public key is unusable");
  return VerifyDigest(key.get(), nullptr, data, signature);
}

Result<std::string> OpensslCrypto::SignEd25519(std::string_view seed, std::string_view data) const {
  UNDERSTUDY_ASSIGN_OR_RETURN(const Key key, Ed25519Seed(seed));
  return SignDigest(key.get(), nullptr, data);
}

Result<std::string> OpensslCrypto::Ed25519PublicKey(std::string_view seed) const {
  UNDERSTUDY_ASSIGN_OR_RETURN(const Key key, Ed25519Seed(seed));
  std::array<unsigned char, kEd25519KeyBytes> bytes = {};
  std::size_t size = bytes.size();
  const int status = EVP_PKEY_get_raw_public_key(key.get(), bytes.data(), &size);
  UNDERSTUDY_CHECK(status == 1 && size == bytes.size(), "OpenSSL cannot derive an Ed25519 key");
  return std::string(reinterpret_cast<const char*>(bytes.data()), size);
}

Result<bool> OpensslCrypto::VerifyRsaSha256(std::string_view certificate_pem, std::string_view data,
                                            std::string_view signature) const {
  const CleanErrors clean;
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto certificates, ReadCertificates(certificate_pem, 1));
  EVP_PKEY* const key = X509_get0_pubkey(certificates.front().get());
  if (key == nullptr || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
    return InvalidArgument("the certificate's key is not an RSA key");
  }
  if (EVP_PKEY_get_bits(key) < kRsaBitsMin) {
    return InvalidArgument("the certificate's RSA key is shorter than 2048 bits");
  }
  return VerifyDigest(key, EVP_sha256(), data, signature);
}

Result<std::string> OpensslCrypto::SignRsaSha256(std::string_view private_key_pem,
                                                 std::string_view data) const {
  const CleanErrors clean;
  if (private_key_pem.empty() || private_key_pem.size() > kPemBytesMax) {
    return InvalidArgument("the private key is empty or larger than 4 MiB");
  }
  const Bio bio = ReadOnly(private_key_pem);
  const Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassPhrase, nullptr));
  if (key == nullptr || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) {
    return InvalidArgument("the private key is not an unencrypted RSA key in PEM");
  }
  if (EVP_PKEY_get_bits(key.get()) < kRsaBitsMin) {
    return InvalidArgument("the private RSA key is shorter than 2048 bits");
  }
  return SignDigest(key.get(), EVP_sha256(), data);
}

Result<std::shared_ptr<const CertificateRoots>> OpensslCrypto::ReadRoots(
    std::string_view roots_pem) const {
  const CleanErrors clean;
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto roots, ReadCertificates(roots_pem, kRootsMax));
  Store store(X509_STORE_new());
  UNDERSTUDY_CHECK(store != nullptr, "OpenSSL has no memory for a certificate store");
  for (const Certificate& root : roots) X509_STORE_add_cert(store.get(), root.get());
  return std::shared_ptr<const CertificateRoots>(std::make_shared<OpensslRoots>(std::move(store)));
}

}  // namespace understudy
