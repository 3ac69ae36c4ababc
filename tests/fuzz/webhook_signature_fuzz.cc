// Fuzz target: any bytes as the headers of a webhook. The first line is the URL, each further one a
// header until an empty line; the rest is the body. Nothing may crash, throw or hang; nothing is
// verified, for nobody here knows the secret; and what is signed with it is verified.
//
//   clang++ -std=c++20 -fsanitize=fuzzer,address,undefined ... && ./webhook_signature_fuzz
//   tests/fuzz/corpus/webhook_signature
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/text.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/webhook/handshake.h"
#include "middleware/webhook/signature.h"
#include "middleware/webhook/signature_content.h"

namespace {

using namespace understudy;  // NOLINT: a program of its own

constexpr std::string_view kSecret = "a secret that no corpus holds 4711";
constexpr std::string_view kSeed = "0123456789abcdef0123456789abcdef";

void Require(bool condition) {
  if (!condition) std::abort();
}

const Crypto& TheCrypto() {
  static const OpensslCrypto crypto;
  return crypto;
}

Secret SecretFor(const SignatureScheme& scheme) {
  std::string bytes(kSecret);
  if (scheme.algorithm == SignatureAlgorithm::kEd25519) {
    bytes = std::string(kSeed) + TheCrypto().Ed25519PublicKey(kSeed).value();
  }
  if (scheme.secret_form == SecretForm::kHex) return Secret(HexEncode(bytes));
  if (scheme.secret_form == SecretForm::kBase64) return Secret(Base64Encode(bytes));
  return Secret(bytes);
}

std::vector<SignatureVerifier> AllVerifiers() {
  // What the resolver gives is no certificate: PayPal's answers end there.
  auto certificates = std::make_shared<PinnedCertificates>();
  certificates->PinForEveryUrl("no certificate");
  std::vector<SignatureVerifier> verifiers;
  for (const std::string_view name : SchemeNames()) {
    const SignatureScheme scheme = *FindScheme(name);
    verifiers.push_back(
        SignatureVerifier::Create(TheCrypto(), scheme, {SecretFor(scheme)},
                                  {.certificates = certificates, .certificates_pinned = true})
            .value());
  }
  return verifiers;
}

void CheckVerifier(const SignatureVerifier& verifier, const SignedRequest& request) {
  const SystemTime now{std::chrono::seconds(1'700'000'000)};
  const auto verified = verifier.Verify(request, now);
  Require(!verified);
  Require(verified.error().code == ErrorCode::kUnverified ||
          verified.error().code == ErrorCode::kInvalidArgument);
  Require(!verified.error().reason.empty());
  const SignatureScheme& scheme = verifier.scheme();
  if (scheme.algorithm == SignatureAlgorithm::kRsaSha256) return;
  SigningInput input;
  input.method = request.method;
  input.url = request.url;
  input.id = "id";
  input.timestamp = now;
  input.body = request.body;
  const std::vector<Secret> secrets = {SecretFor(scheme)};
  const auto headers = Sign(TheCrypto(), scheme, secrets, input);
  // Linear's time is in the body, and an empty one is nothing to some.
  if (!headers || request.body.empty() || !scheme.timestamp_pointer.empty()) return;
  const SignedRequest sent{
      .method = request.method, .url = request.url, .headers = *headers, .body = request.body};
  Require(verifier.Verify(sent, now).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<SignatureVerifier> verifiers = AllVerifiers();
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto line = [&] {
    const std::string_view text = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), text.size() + 1));
    return text;
  };
  const std::string_view url = line();
  http::Headers headers;
  for (std::string_view text = line(); !text.empty(); text = line()) {
    const std::size_t colon = std::min(text.find(':'), text.size());
    const std::string_view value = text.substr(std::min(text.size(), colon + 1));
    const auto added = headers.Add(text.substr(0, colon), value);
    if (!added) continue;
  }
  Require(UrlSpellings(UrlForms::kTwilio, url).size() <= 16);
  const SignedRequest request{.method = "POST", .url = url, .headers = headers, .body = rest};
  for (const SignatureVerifier& verifier : verifiers) {
    CheckVerifier(verifier, request);
    const auto answer =
        AnswerHandshake(TheCrypto(), verifier.scheme().handshake, Secret("s"), headers, rest);
    Require(!answer || answer->body.size() < 64 * 1024);
  }
  return 0;
}
