#include "harness/server/local_ca.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <utility>

#include <openssl/pem.h>
#include <openssl/rand.h>

#include "harness/server/openssl_types.h"
#include "middleware/base/text.h"
#include "middleware/base/utf8.h"

namespace understudy::harness {
namespace {

using openssl::Certificate;
using openssl::CleanErrors;
using openssl::Key;
using openssl::Memory;

constexpr std::size_t kPemBytesMax = std::size_t{1024} * 1024;
constexpr std::size_t kCommonNameBytesMax = 64;  // RFC 5280, ub-common-name
constexpr int kSerialBytes = 16;
constexpr std::chrono::hours kDay{24};
constexpr auto kAuthorityLife = 3650 * kDay;
constexpr auto kCertificateLife = 397 * kDay;
// For machines whose clocks differ a little.
constexpr std::chrono::hours kBackdated{1};
constexpr std::string_view kWrongHost = "wrong-host.invalid";

struct Validity {
  std::time_t from = 0;
  std::time_t until = 0;
};

// Clients check certificates against the real time, whatever the world's clock says.
Validity ValidFor(CertificateFlaw flaw, std::chrono::hours life) {
  const auto now = std::chrono::system_clock::now();
  const auto seconds = [](auto time) { return std::chrono::system_clock::to_time_t(time); };
  if (flaw == CertificateFlaw::kExpired)
    return {.from = seconds(now - 30 * kDay), .until = seconds(now - kDay)};
  if (flaw == CertificateFlaw::kNotYetValid)
    return {.from = seconds(now + kDay), .until = seconds(now + 30 * kDay)};
  return {.from = seconds(now - kBackdated), .until = seconds(now + life)};
}

Error OpensslError(std::string_view what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_peek_last_error(), text.data(), text.size());
  return Error{.code = ErrorCode::kInternal,
               .message = std::string(what) + ": " + text.data(),
               .reason = "openssl"};
}

Result<Key> NewKey() {
  Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  if (key == nullptr) return OpensslError("cannot make a key");
  return key;
}

bool SetSerial(X509& certificate) {
  std::array<unsigned char, kSerialBytes> bytes{};
  if (RAND_bytes(bytes.data(), kSerialBytes) != 1) return false;
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x3FU) | 0x40U);  // Positive, and never zero.
  using Number = std::unique_ptr<BIGNUM, openssl::Free<BN_free>>;
  const Number number(BN_bin2bn(bytes.data(), kSerialBytes, nullptr));
  return number != nullptr &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(&certificate)) != nullptr;
}

bool SetCommonName(X509_NAME* name, std::string_view text) {
  const std::string owned(text);
  return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>("Understudy"), -1, -1,
                                    0) == 1 &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(owned.data()),
                                    static_cast<int>(owned.size()), -1, 0) == 1;
}

// A certificate that still lacks issuer, extensions and signature.
Certificate NewCertificate(EVP_PKEY* key, std::string_view common_name, Validity validity) {
  Certificate certificate(X509_new());
  const bool made =
      certificate != nullptr && X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
      SetSerial(*certificate) &&
      ASN1_TIME_set(X509_getm_notBefore(certificate.get()), validity.from) != nullptr &&
      ASN1_TIME_set(X509_getm_notAfter(certificate.get()), validity.until) != nullptr &&
      X509_set_pubkey(certificate.get(), key) == 1 &&
      SetCommonName(X509_get_subject_name(certificate.get()), common_name);
  return made ? std::move(certificate) : nullptr;
}

bool AddExtension(X509* issuer, X509* certificate, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const openssl::Extension extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool IsAddress(const std::string& name) {
  if (name.find('\0') != std::string::npos) return false;
  using Address = std::unique_ptr<ASN1_OCTET_STRING, openssl::Free<ASN1_OCTET_STRING_free>>;
  const Address address(a2i_IPADDRESS(name.c_str()));
  return address != nullptr;
}

bool IsHostName(std::string_view name) {
  if (name.starts_with("*.")) name.remove_prefix(2);
  if (name.empty() || name.front() == '.' || name.find("..") != std::string_view::npos)
    return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

Result<void> CheckNames(const std::vector<std::string>& names) {
  if (names.empty()) return InvalidArgument("a certificate needs at least one host name");
  if (names.size() > LocalCa::kNamesMax) {
    return InvalidArgument("a certificate names at most " + std::to_string(LocalCa::kNamesMax) +
                           " hosts");
  }
  for (const std::string& name : names) {
    if (name.size() > LocalCa::kNameBytesMax)
      return InvalidArgument("a host name of more than 253 bytes");
    if (!IsAddress(name) && !IsHostName(name)) {
      return InvalidArgument("\"" + (IsUtf8(name) ? name : HexEncode(name)) +
                             "\" is neither a host name nor an IP address");
    }
  }
  return {};
}

// Built from objects, never from OpenSSL's configuration syntax, in which a name could say more.
bool AddNames(X509* certificate, const std::vector<std::string>& names) {
  const openssl::Names all(GENERAL_NAMES_new());
  if (all == nullptr) return false;
  for (const std::string& name : names) {
    const int kind = IsAddress(name) ? GEN_IPADD : GEN_DNS;
    GENERAL_NAME* const one = a2i_GENERAL_NAME(nullptr, nullptr, nullptr, kind, name.c_str(), 0);
    if (one == nullptr) return false;
    if (sk_GENERAL_NAME_push(all.get(), one) == 0) {
      GENERAL_NAME_free(one);
      return false;
    }
  }
  return X509_add1_ext_i2d(certificate, NID_subject_alt_name, all.get(), 0, X509V3_ADD_DEFAULT) ==
         1;
}

std::string Text(const Memory& memory) {
  const char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return {data, static_cast<std::size_t>(std::max(size, 0L))};
}

std::string CertificatePem(X509* certificate) {
  const Memory memory(BIO_new(BIO_s_mem()));
  UNDERSTUDY_CHECK(memory != nullptr && PEM_write_bio_X509(memory.get(), certificate) == 1,
                   "OpenSSL cannot write a certificate to memory");
  return Text(memory);
}

Secret KeyPem(EVP_PKEY* key) {
  const Memory memory(BIO_new(BIO_s_mem()));
  const bool written =
      memory != nullptr &&
      PEM_write_bio_PKCS8PrivateKey(memory.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1;
  UNDERSTUDY_CHECK(written, "OpenSSL cannot write a key to memory");
  return Secret(Text(memory));
}

}  // namespace

struct LocalCa::Keys {
  Key key;
  Certificate certificate;
  std::string pem;
  // Of the authority that nobody trusts.
  Key stranger_key;
  Certificate stranger;

  static Result<void> MakeAuthority(std::string_view name, Key& key, Certificate& certificate);
  Result<TlsIdentity> Sign(std::string_view common_name, CertificateFlaw flaw, const char* purpose,
                           const std::vector<std::string>& names) const;
};

Result<void> LocalCa::Keys::MakeAuthority(std::string_view name, Key& key,
                                          Certificate& certificate) {
  UNDERSTUDY_ASSIGN_OR_RETURN(key, NewKey());
  certificate = NewCertificate(key.get(), name, ValidFor(CertificateFlaw::kNone, kAuthorityLife));
  X509* const own = certificate.get();
  const bool made = own != nullptr && X509_set_issuer_name(own, X509_get_subject_name(own)) == 1 &&
                    AddExtension(own, own, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                    AddExtension(own, own, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                    AddExtension(own, own, NID_subject_key_identifier, "hash") &&
                    X509_sign(own, key.get(), EVP_sha256()) > 0;
  if (!made) return OpensslError("cannot make a certificate authority");
  return {};
}

Result<TlsIdentity> LocalCa::Keys::Sign(std::string_view common_name, CertificateFlaw flaw,
                                        const char* purpose,
                                        const std::vector<std::string>& names) const {
  const CleanErrors clean;
  const bool unknown = flaw == CertificateFlaw::kUnknownCa;
  X509* const issuer = unknown ? stranger.get() : certificate.get();
  UNDERSTUDY_ASSIGN_OR_RETURN(const Key own_key, NewKey());
  const Certificate made =
      NewCertificate(own_key.get(), common_name, ValidFor(flaw, kCertificateLife));
  const bool signed_well =
      made != nullptr && X509_set_issuer_name(made.get(), X509_get_subject_name(issuer)) == 1 &&
      AddExtension(issuer, made.get(), NID_basic_constraints, "critical,CA:FALSE") &&
      AddExtension(issuer, made.get(), NID_key_usage, "critical,digitalSignature") &&
      AddExtension(issuer, made.get(), NID_ext_key_usage, purpose) &&
      AddExtension(issuer, made.get(), NID_subject_key_identifier, "hash") &&
      AddExtension(issuer, made.get(), NID_authority_key_identifier, "keyid") &&
      (names.empty() || AddNames(made.get(), names)) &&
      X509_sign(made.get(), unknown ? stranger_key.get() : key.get(), EVP_sha256()) > 0;
  if (!signed_well) return OpensslError("cannot make a certificate");
  return TlsIdentity{.certificate_pem = CertificatePem(made.get()),
                     .key_pem = KeyPem(own_key.get())};
}

std::string_view ToString(CertificateFlaw flaw) {
  switch (flaw) {
    case CertificateFlaw::kNone:
      return "none";
    case CertificateFlaw::kExpired:
      return "expired";
    case CertificateFlaw::kNotYetValid:
      return "not-yet-valid";
    case CertificateFlaw::kWrongHost:
      return "wrong-host";
    case CertificateFlaw::kUnknownCa:
      return "unknown-ca";
  }
  return "none";
}

LocalCa::LocalCa(std::unique_ptr<Keys> keys) : keys_(std::move(keys)) {}

LocalCa::~LocalCa() = default;

Result<std::shared_ptr<const LocalCa>> LocalCa::Create() {
  const CleanErrors clean;
  auto keys = std::make_unique<Keys>();
  UNDERSTUDY_RETURN_IF_ERROR(
      Keys::MakeAuthority("Understudy local CA", keys->key, keys->certificate));
  UNDERSTUDY_RETURN_IF_ERROR(
      Keys::MakeAuthority("Understudy stranger", keys->stranger_key, keys->stranger));
  keys->pem = CertificatePem(keys->certificate.get());
  return std::shared_ptr<const LocalCa>(new LocalCa(std::move(keys)));
}

Result<std::shared_ptr<const LocalCa>> LocalCa::Load(std::string_view certificate_pem,
                                                     const Secret& key_pem) {
  const CleanErrors clean;
  if (certificate_pem.size() > kPemBytesMax || key_pem.Reveal().size() > kPemBytesMax)
    return InvalidArgument("the PEM of a certificate authority is larger than 1 MiB");
  auto keys = std::make_unique<Keys>();
  const Memory certificate = openssl::ReadOnly(certificate_pem);
  keys->certificate.reset(
      PEM_read_bio_X509(certificate.get(), nullptr, openssl::NoPassPhrase, nullptr));
  if (keys->certificate == nullptr)
    return InvalidArgument("there is no certificate in the PEM text of the authority");
  if (X509_check_ca(keys->certificate.get()) == 0)
    return InvalidArgument("the certificate is not one of an authority (basicConstraints CA:TRUE)");
  const Memory key = openssl::ReadOnly(key_pem.Reveal());
  keys->key.reset(PEM_read_bio_PrivateKey(key.get(), nullptr, openssl::NoPassPhrase, nullptr));
  if (keys->key == nullptr)
    return InvalidArgument("there is no unencrypted private key in the PEM text of the authority");
  if (X509_check_private_key(keys->certificate.get(), keys->key.get()) != 1)
    return InvalidArgument("the private key does not belong to the authority's certificate");
  UNDERSTUDY_RETURN_IF_ERROR(
      Keys::MakeAuthority("Understudy stranger", keys->stranger_key, keys->stranger));
  keys->pem = CertificatePem(keys->certificate.get());
  return std::shared_ptr<const LocalCa>(new LocalCa(std::move(keys)));
}

const std::string& LocalCa::certificate_pem() const { return keys_->pem; }

Secret LocalCa::key_pem() const { return KeyPem(keys_->key.get()); }

Result<TlsIdentity> LocalCa::Issue(const std::vector<std::string>& names,
                                   CertificateFlaw flaw) const {
  UNDERSTUDY_RETURN_IF_ERROR(CheckNames(names));
  if (flaw == CertificateFlaw::kWrongHost)
    return keys_->Sign("understudy", flaw, "serverAuth", {std::string(kWrongHost)});
  return keys_->Sign("understudy", flaw, "serverAuth", names);
}

Result<TlsIdentity> LocalCa::IssueClient(std::string_view name, CertificateFlaw flaw) const {
  if (name.empty() || name.size() > kCommonNameBytesMax || !IsUtf8(name))
    return InvalidArgument("the name of a client certificate must be 1 to 64 bytes of UTF-8");
  return keys_->Sign(name, flaw, "clientAuth", {});
}

}  // namespace understudy::harness
