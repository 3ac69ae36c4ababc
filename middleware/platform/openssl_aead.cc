#include "middleware/platform/openssl_aead.h"

#include <memory>
#include <utility>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "middleware/base/check.h"

namespace understudy {
namespace {

constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kTextBytesMax = std::size_t{1} << 30U;  // OpenSSL counts in int.

struct Free {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, Free>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

void Must(bool succeeded) {
  UNDERSTUDY_CHECK(succeeded, "OpenSSL refused AES-256-GCM or its random generator failed");
}

Result<void> CheckSizes(const Secret& key, std::string_view text, std::string_view associated) {
  if (key.Reveal().size() != Aead::kKeyBytes) {
    return InvalidArgument("an encryption key must be 32 bytes");
  }
  if (text.size() > kTextBytesMax || associated.size() > kTextBytesMax) {
    return InvalidArgument("a text to encrypt must not be larger than 1 GiB");
  }
  return {};
}

Error NotOpened() {
  return Error{.code = ErrorCode::kUnverified,
               .message =
                   "the encrypted text was made with another key or for another place, or "
                   "was changed",
               .reason = "undecryptable"};
}

// The context after key, nonce and associated data.
Context Begin(const Secret& key, std::string_view nonce, std::string_view associated, bool seal) {
  Context context(EVP_CIPHER_CTX_new());
  Must(context != nullptr);
  Must(EVP_CipherInit_ex2(context.get(), EVP_aes_256_gcm(), Bytes(key.Reveal()), Bytes(nonce),
                          seal ? 1 : 0, nullptr) == 1);
  int written = 0;
  if (!associated.empty()) {
    Must(EVP_CipherUpdate(context.get(), nullptr, &written, Bytes(associated),
                          static_cast<int>(associated.size())) == 1);
  }
  return context;
}

// `out` is as long as `text`.
void Transform(EVP_CIPHER_CTX* context, std::string_view text, unsigned char* out) {
  if (text.empty()) return;
  int written = 0;
  Must(EVP_CipherUpdate(context, out, &written, Bytes(text), static_cast<int>(text.size())) == 1);
  Must(static_cast<std::size_t>(written) == text.size());
}

}  // namespace

Result<std::string> OpensslAead::Seal(const Secret& key, std::string_view text,
                                      std::string_view associated_data) const {
  UNDERSTUDY_RETURN_IF_ERROR(CheckSizes(key, text, associated_data));
  std::string sealed(kNonceBytes + text.size() + kTagBytes, '\0');
  Must(RAND_bytes(Bytes(sealed), static_cast<int>(kNonceBytes)) == 1);
  const Context context =
      Begin(key, std::string_view(sealed).substr(0, kNonceBytes), associated_data, true);
  unsigned char* const out = Bytes(sealed) + kNonceBytes;
  Transform(context.get(), text, out);
  unsigned char* const tag = out + text.size();
  int written = 0;
  Must(EVP_CipherFinal_ex(context.get(), tag, &written) == 1 && written == 0);
  Must(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kTagBytes),
                           tag) == 1);
  return sealed;
}

Result<Secret> OpensslAead::Open(const Secret& key, std::string_view sealed,
                                 std::string_view associated_data) const {
  UNDERSTUDY_RETURN_IF_ERROR(CheckSizes(key, {}, associated_data));
  constexpr std::size_t kAround = kNonceBytes + kTagBytes;
  if (sealed.size() < kAround || sealed.size() - kAround > kTextBytesMax) return NotOpened();
  const std::string_view nonce = sealed.substr(0, kNonceBytes);
  const std::string_view text = sealed.substr(kNonceBytes, sealed.size() - kNonceBytes - kTagBytes);
  std::string tag(sealed.substr(sealed.size() - kTagBytes));
  const Context context = Begin(key, nonce, associated_data, false);
  std::string opened(text.size(), '\0');
  Transform(context.get(), text, Bytes(opened));
  Must(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(kTagBytes),
                           tag.data()) == 1);
  int written = 0;
  unsigned char none = 0;
  if (EVP_CipherFinal_ex(context.get(), &none, &written) != 1) {
    OPENSSL_cleanse(opened.data(), opened.size());
    return NotOpened();
  }
  return Secret(std::move(opened));
}

}  // namespace understudy
