#include "tools/understudy/webhook_command.h"

#include <algorithm>
#include <cstdint>
#include <iomanip>
#include <memory>
#include <ostream>
#include <utility>

#include "middleware/base/text.h"
#include "middleware/base/utf8.h"
#include "middleware/platform/environment.h"
#include "middleware/platform/file.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/system_clock.h"
#include "middleware/webhook/signature.h"
#include "tools/understudy/webhook_vectors.h"

namespace understudy::tools {
namespace {

constexpr std::size_t kSecretBytesMax = std::size_t{64} * 1024;
constexpr std::size_t kFileBytesMax = std::size_t{32} * 1024 * 1024;
constexpr std::uint64_t kMillisecondsFrom = 100'000'000'000;
constexpr std::uint64_t kSecondsMax = 9'223'372'036;

// Foreign text on one line that does nothing to a terminal.
std::string Shown(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const CodePoint point = DecodeUtf8(text);
    if (!point.valid || IsControl(point.value)) {
      shown.push_back('?');
    } else {
      shown.append(text.substr(0, point.bytes));
    }
    text.remove_prefix(point.bytes);
  }
  return shown;
}

int Refuse(const Error& error, Console& console) {
  console.err << Shown(error.message) << "\n";
  return kExitUsage;
}

// ---- arguments ----------------------------------------------------------------------------------

Result<Secret> SecretFromFile(const std::string& path) {
  UNDERSTUDY_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kSecretBytesMax));
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return Secret(std::move(text));
}

Result<std::vector<Secret>> ReadSecrets(const WebhookRequestOptions& options) {
  std::vector<Secret> secrets;
  for (const std::string& name : options.secret_env) {
    auto value = GetEnvironment(name);
    if (!value || value->empty()) {
      return InvalidArgument("--secret-env: the environment variable " + name +
                             " is not set or empty");
    }
    secrets.emplace_back(*std::move(value));
  }
  for (const std::string& path : options.secret_file) {
    UNDERSTUDY_ASSIGN_OR_RETURN(Secret secret, SecretFromFile(path));
    secrets.push_back(std::move(secret));
  }
  if (secrets.empty()) {
    return InvalidArgument("there is no secret: name one with --secret-env or --secret-file");
  }
  return secrets;
}

Result<SignatureScheme> ReadScheme(const std::string& name) {
  if (name.empty()) return InvalidArgument("--scheme is missing; see understudy webhook schemes");
  if (auto scheme = FindScheme(name)) return *std::move(scheme);
  std::string message = "--scheme: there is no scheme \"" + name + "\"";
  const std::string_view closest = ClosestMatch(name, SchemeNames());
  if (!closest.empty()) message.append("; did you mean \"").append(closest).append("\"?");
  return InvalidArgument(std::move(message));
}

Result<http::Headers> ReadHeaders(const std::vector<std::string>& lines) {
  http::Headers headers;
  for (const std::string& line : lines) {
    const std::size_t colon = line.find(':');
    const bool named = colon != std::string::npos && colon > 0;
    if (!named || !headers.Add(line.substr(0, colon), line.substr(colon + 1))) {
      return InvalidArgument("--header: \"" + line + "\" is not of the form \"Name: value\"");
    }
  }
  return headers;
}

Result<std::string> ReadBody(const std::string& path) {
  if (path.empty()) return std::string();
  return ReadFile(path, kFileBytesMax);
}

Result<SystemTime> ReadNow(const std::string& text) {
  if (text.empty()) return SystemClock().SystemNow();
  const auto number = ParseUnsigned(text);
  const bool milliseconds = number && *number >= kMillisecondsFrom;
  if (!number || *number / (milliseconds ? 1000 : 1) > kSecondsMax) {
    return InvalidArgument("--now: \"" + text +
                           "\" is not a number of seconds or milliseconds since 1970");
  }
  const auto count = static_cast<std::int64_t>(*number);
  if (milliseconds) return SystemTime(std::chrono::milliseconds(count));
  return SystemTime(std::chrono::seconds(count));
}

Result<std::optional<Duration>> ReadTolerance(const char* option, const std::string& text) {
  if (text.empty()) return std::optional<Duration>();
  const auto duration = ParseDuration(text);
  if (duration) return duration;
  return InvalidArgument(std::string(option) + ": \"" + text +
                         "\" is not a duration; write it with a unit, e.g. 300s");
}

// ---- vectors ------------------------------------------------------------------------------------

const char* Word(bool valid) { return valid ? "valid" : "invalid"; }

void PrintVector(const WebhookVector& vector, const WebhookVerdict& verdict, Console& console) {
  const bool agrees = verdict.valid == vector.valid;
  std::string actual = Word(verdict.valid);
  if (!verdict.reason.empty()) actual += " (" + Shown(verdict.reason) + ")";
  console.out << std::left << std::setw(10) << (agrees ? "ok" : "DISAGREES") << std::right
              << std::setw(4) << Shown(vector.number) << "  " << std::left << std::setw(17)
              << Shown(vector.vendor) << " expected " << std::setw(8) << Word(vector.valid)
              << " actual " << std::setw(25) << actual << " " << Shown(vector.note) << "\n";
}

Result<int> VerifyVectors(const std::string& file, Console& console) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kFileBytesMax));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto vectors, ParseWebhookVectors(file, text));
  const OpensslCrypto crypto;
  std::size_t disagree = 0;
  for (const WebhookVector& vector : vectors) {
    const WebhookVerdict verdict = JudgeVector(crypto, vector);
    if (verdict.valid != vector.valid) ++disagree;
    PrintVector(vector, verdict, console);
  }
  console.err << vectors.size() << (vectors.size() == 1 ? " vector, " : " vectors, ")
              << vectors.size() - disagree << " agree, " << disagree << " disagree\n";
  return disagree == 0 ? 0 : 1;
}

// ---- by hand ------------------------------------------------------------------------------------

Result<SignatureVerifierOptions> VerifierOptions(const WebhookVerifyOptions& options,
                                                 const SignatureScheme& scheme) {
  SignatureVerifierOptions verifier;
  UNDERSTUDY_ASSIGN_OR_RETURN(verifier.tolerance_past,
                              ReadTolerance("--tolerance-past", options.tolerance_past));
  UNDERSTUDY_ASSIGN_OR_RETURN(verifier.tolerance_future,
                              ReadTolerance("--tolerance-future", options.tolerance_future));
  if (options.certificate.empty()) {
    if (scheme.algorithm != SignatureAlgorithm::kRsaSha256) return verifier;
    return InvalidArgument("scheme " + scheme.name +
                           " needs --certificate with a PEM file; nothing is fetched");
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(std::string pem, ReadFile(options.certificate, kFileBytesMax));
  auto pinned = std::make_shared<PinnedCertificates>();
  pinned->PinForEveryUrl(std::move(pem));
  verifier.certificates = std::move(pinned);
  verifier.certificates_pinned = true;
  return verifier;
}

Result<int> VerifyByHand(const WebhookVerifyOptions& options, Console& console) {
  const WebhookRequestOptions& request = options.request;
  UNDERSTUDY_ASSIGN_OR_RETURN(const SignatureScheme scheme, ReadScheme(request.scheme));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto secrets, ReadSecrets(request));
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Headers headers, ReadHeaders(request.headers));
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::string body, ReadBody(request.body));
  UNDERSTUDY_ASSIGN_OR_RETURN(const SystemTime now, ReadNow(request.now));
  UNDERSTUDY_ASSIGN_OR_RETURN(SignatureVerifierOptions rules, VerifierOptions(options, scheme));
  const OpensslCrypto crypto;
  UNDERSTUDY_ASSIGN_OR_RETURN(const SignatureVerifier verifier,
                              SignatureVerifier::Create(crypto, scheme, secrets, std::move(rules)));
  const auto verified = verifier.Verify(
      {.method = request.method, .url = request.url, .headers = headers, .body = body}, now);
  if (verified) {
    console.out << "verified\n";
    return 0;
  }
  // A URL that is missing is an argument that is missing.
  if (verified.error().code == ErrorCode::kInvalidArgument) {
    return InvalidArgument("scheme " + scheme.name + " signs the URL: give --url");
  }
  console.out << "not verified (" << verified.error().reason
              << "): " << Shown(verified.error().message) << "\n";
  return 1;
}

Result<int> SignByHand(const WebhookSignOptions& options, Console& console) {
  const WebhookRequestOptions& request = options.request;
  UNDERSTUDY_ASSIGN_OR_RETURN(const SignatureScheme scheme, ReadScheme(request.scheme));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto secrets, ReadSecrets(request));
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::string body, ReadBody(request.body));
  SigningInput input;
  UNDERSTUDY_ASSIGN_OR_RETURN(input.headers, ReadHeaders(request.headers));
  UNDERSTUDY_ASSIGN_OR_RETURN(input.timestamp, ReadNow(request.now));
  input.method = request.method;
  input.url = request.url;
  input.id = options.id;
  input.body = body;
  input.certificate_url = options.certificate_url;
  if (!options.private_key.empty()) {
    UNDERSTUDY_ASSIGN_OR_RETURN(std::string pem, ReadFile(options.private_key, kFileBytesMax));
    input.private_key = Secret(std::move(pem));
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Headers headers,
                              Sign(OpensslCrypto(), scheme, secrets, input));
  for (const auto& [name, value] : headers) console.out << name << ": " << value << "\n";
  return 0;
}

}  // namespace

int VerifyWebhook(const WebhookVerifyOptions& options, Console& console) {
  if (!options.vectors.empty() && !options.request.scheme.empty()) {
    return Refuse(InvalidArgument("--vectors and --scheme exclude each other"), console);
  }
  const auto exit = options.vectors.empty() ? VerifyByHand(options, console)
                                            : VerifyVectors(options.vectors, console);
  return exit ? *exit : Refuse(exit.error(), console);
}

int SignWebhook(const WebhookSignOptions& options, Console& console) {
  const auto exit = SignByHand(options, console);
  return exit ? *exit : Refuse(exit.error(), console);
}

int ListWebhookSchemes(Console& console) {
  for (const std::string_view name : SchemeNames()) {
    const auto scheme = FindScheme(name);
    console.out << std::left << std::setw(23) << name << std::setw(30) << scheme->signature_header
                << scheme->content << "\n";
  }
  return 0;
}

}  // namespace understudy::tools
