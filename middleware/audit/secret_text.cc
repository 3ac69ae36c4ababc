#include "middleware/audit/secret_text.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "middleware/base/utf8.h"

namespace understudy {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsHexDigit(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// Characters of keys and tokens; '/' would take whole paths for one.
bool IsTokenCharacter(char c) {
  return IsDigit(c) || IsLetter(c) || c == '_' || c == '-' || c == '+' || c == '=';
}

std::string Normalised(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    if (IsDigit(c) || (c >= 'a' && c <= 'z')) plain.push_back(c);
    if (c >= 'A' && c <= 'Z') plain.push_back(static_cast<char>(c - 'A' + 'a'));
  }
  return plain;
}

constexpr std::array<std::string_view, 16> kSecretNames = {
    "auth", "card",      "cvc2", "cvv2", "key", "nonce", "otp", "pan",
    "pass", "phpsessid", "pin",  "pwd",  "sid", "sig",   "ssn", "tan"};

constexpr std::array<std::string_view, 37> kSecretParts = {"accesskey",     "accountnumber",
                                                           "apikey",        "assertion",
                                                           "authorization", "authorisation",
                                                           "authkey",       "bearer",
                                                           "cardnumber",    "clientkey",
                                                           "codeverifier",  "cookie",
                                                           "credential",    "cvc",
                                                           "cvv",           "encryptionkey",
                                                           "hmac",          "iban",
                                                           "jwt",           "keyid",
                                                           "masterkey",     "passcode",
                                                           "passphrase",    "passwd",
                                                           "password",      "privatekey",
                                                           "routingnumber", "secret",
                                                           "securitycode",  "session",
                                                           "sharedkey",     "signature",
                                                           "signingkey",    "socialsecurity",
                                                           "sortcode",      "taxid",
                                                           "token"};

// Beginnings that issuers give their keys, so that scanners find them.
constexpr std::array<std::string_view, 30> kSecretPrefixes = {
    "sk_",   "rk_",         "sk-",    "whsec_",    "ghp_",   "gho_",  "ghu_",  "ghs_",
    "ghr_",  "github_pat_", "glpat-", "xoxb-",     "xoxp-",  "xoxa-", "xoxr-", "xoxs-",
    "xapp-", "shpat_",      "shpss_", "shpca_",    "shppa_", "AKIA",  "ASIA",  "AIza",
    "ya29.", "SG.",         "eyJ",    "v1.local.", "pypi-",  "npm_"};

bool StartsSecret(std::string_view word) {
  constexpr std::size_t kKeyBytesMin = 12;  // "sk_" alone is not a key yet.
  return word.size() >= kKeyBytesMin &&
         std::any_of(kSecretPrefixes.begin(), kSecretPrefixes.end(),
                     [&](std::string_view prefix) { return word.starts_with(prefix); });
}

// RFC 9562 section 4.
bool IsUuid(std::string_view word) {
  if (word.size() != 36) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? word[i] != '-' : !IsHexDigit(word[i])) return false;
  }
  return true;
}

bool IsMachineWritten(std::string_view word) {
  constexpr std::size_t kBytesMin = 32;
  if (word.size() < kBytesMin || IsUuid(word)) return false;
  // One long word of a language, with dashes or not, has no digits.
  return std::any_of(word.begin(), word.end(), IsDigit) &&
         std::any_of(word.begin(), word.end(), IsLetter);
}

bool HasCheckDigit(std::string_view digits) {
  int sum = 0;
  bool twice = false;
  for (std::size_t i = digits.size(); i-- > 0; twice = !twice) {
    const int digit = digits[i] - '0';
    sum += twice ? (digit * 2) % 10 + digit * 2 / 10 : digit;
  }
  return sum % 10 == 0 && digits.find_first_not_of('0') != std::string_view::npos;
}

// A run of 13 to 19 digits, single spaces or dashes between them allowed.
bool HoldsCardNumber(std::string_view text) {
  constexpr std::size_t kDigitsMin = 13;
  constexpr std::size_t kDigitsMax = 19;
  std::string digits;
  const auto is_card = [&] {
    return digits.size() >= kDigitsMin && digits.size() <= kDigitsMax && HasCheckDigit(digits);
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (IsDigit(text[i])) {
      digits.push_back(text[i]);
      continue;
    }
    const bool separator = (text[i] == ' ' || text[i] == '-') && !digits.empty() &&
                           i + 1 < text.size() && IsDigit(text[i + 1]);
    if (separator) continue;
    if (is_card()) return true;
    digits.clear();
  }
  return is_card();
}

template <typename Predicate>
bool AnyWord(std::string_view text, bool (*belongs)(char), Predicate&& predicate) {
  while (!text.empty()) {
    const auto begin = std::find_if(text.begin(), text.end(), belongs);
    const auto end = std::find_if_not(begin, text.end(), belongs);
    const std::string_view word(begin, end);
    if (!word.empty() && predicate(word)) return true;
    text.remove_prefix(static_cast<std::size_t>(end - text.begin()));
  }
  return false;
}

bool IsTokenOrDot(char c) { return IsTokenCharacter(c) || c == '.'; }

}  // namespace

bool IsSecretName(std::string_view name) {
  const std::string plain = Normalised(name);
  if (plain == "idempotencykey") return false;
  if (std::find(kSecretNames.begin(), kSecretNames.end(), plain) != kSecretNames.end()) return true;
  if (plain.size() > 3 && plain.ends_with("key")) return true;
  return std::any_of(kSecretParts.begin(), kSecretParts.end(),
                     [&](std::string_view part) { return plain.find(part) != std::string::npos; });
}

bool HoldsKnownSecret(std::string_view value) {
  return value.find("-----BEGIN") != std::string_view::npos || HoldsCardNumber(value) ||
         AnyWord(value, IsTokenOrDot, StartsSecret);
}

bool LooksSecret(std::string_view value) {
  return HoldsKnownSecret(value) || AnyWord(value, IsTokenCharacter, IsMachineWritten);
}

std::string CleanLine(std::string_view text, std::size_t bytes_max) {
  const auto plain_end =
      std::find_if_not(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  // Nearly all text is printable ASCII.
  std::string clean(text.begin(),
                    std::min(plain_end, text.begin() + static_cast<std::ptrdiff_t>(
                                                           std::min(bytes_max, text.size()))));
  text.remove_prefix(clean.size());
  while (!text.empty()) {
    const CodePoint character = DecodeUtf8(text);
    const bool shown = character.valid && !IsControl(character.value);
    const std::string_view piece = shown ? text.substr(0, character.bytes) : "?";
    if (clean.size() + piece.size() > bytes_max) break;
    clean.append(piece);
    text.remove_prefix(character.bytes);
  }
  return clean;
}

}  // namespace understudy
