// Redactor: decides what of a request and a response an audit trail may hold, and hides the rest.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(const Redactor redactor,
//                               Redactor::Create({.headers_shown = {"X-Shop-Region"}}));
//   redactor.Url("https://u:p@api.example/v1/pay?limit=3&token=abc#x");
//   // "https://api.example/v1/pay?limit=3&token=[redacted]"
//
// Everything is hidden but what is on a list: headers and query values by name, bodies by type (and
// not captured at all unless asked for, see AuditOptions). What is on a list is shown only if it
// does not look like a secret (secret_text.h). Redaction comes before truncation.
#pragma once

#include <bitset>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/result.h"

namespace understudy {

struct RedactionOptions {
  // Header values to show beside the built-in ones. A name that says that it holds a credential
  // (IsSecretName) is refused.
  std::vector<std::string> headers_shown = {};
  // Query values to show beside the built-in ones (limit, page, ...); refused likewise.
  std::vector<std::string> query_keys_shown = {};
  // Names of JSON members and form keys to hide with all that is in them, beside those that
  // IsSecretName knows; case, and all but letters and digits, does not matter.
  std::vector<std::string> secret_keys = {};
  // JSON pointers (RFC 6901) to values to hide; a token "*" is any member or index.
  std::vector<std::string> secret_pointers = {};
  // Paths that go on with a secret, as those of incoming webhooks and bots do; what follows is
  // hidden. Beside the built-in "/services/", "/bot" and "/api/webhooks/".
  std::vector<std::string> secret_path_prefixes = {};
  // Of a body, after redaction; 0 to 65,536.
  std::size_t preview_bytes_max = 1024;
};

// What may be shown of a body.
struct BodyPreview {
  std::string text = {};    // One line of valid UTF-8; never cut within a value or a character.
  bool truncated = false;   // There is more.
  std::string hidden = {};  // Why there is no text: "type", "malformed", "too-deep"; or empty.
};

// Immutable, thread-safe; a cheap value to move. All functions are total over any bytes and take
// time in proportion to them.
class Redactor {
 public:
  static constexpr std::size_t kUrlBytesMax = 8192;
  static constexpr std::size_t kHeaderBytesMax = 1024;
  static constexpr std::size_t kMessageBytesMax = 512;

  // kInvalidArgument with everything that is wrong with the options.
  static Result<Redactor> Create(RedactionOptions options = {});

  // Is the header on the list?
  bool ShowsHeader(std::string_view name) const;
  // A quick first answer, for the thread of a call: false only if ShowsHeader is.
  bool MayShowHeader(std::string_view name) const { return header_filter_[FilterOf(name)]; }
  // The value of a header on the list; "[redacted]" of any other, or if it looks like a secret.
  std::string HeaderValue(std::string_view name, std::string_view value) const;

  // A URL without user information and fragment, with query values and secrets of the path hidden;
  // of what is longer than kUrlBytesMax, or no URL, only "[redacted]".
  std::string Url(std::string_view url) const;

  // A message of our own or of the other side, on one line of at most kMessageBytesMax bytes: URLs
  // in it redacted, what looks like a secret hidden, and everything after the name of a credential
  // and a ':' or '='.
  std::string Message(std::string_view text) const;

  // The beginning of a JSON or form body. `complete`: these are all bytes of it; otherwise they are
  // the first ones. Text that is not of the type it claims shows nothing.
  BodyPreview Body(std::string_view content_type, std::string_view bytes, bool complete) const;

  // For Body: is the value of this JSON member or form key to hide?
  bool HidesKey(std::string_view name) const;
  // For Body: are values at this path to hide?
  bool HidesPath(const std::vector<std::string>& path) const;
  bool has_pointers() const { return !pointers_.empty(); }
  std::size_t preview_bytes_max() const { return options_.preview_bytes_max; }
  // For Body: a string value, redacted as what it seems to be: a URL, nested JSON, text.
  std::string Value(std::string_view value, int nesting) const;

 private:
  explicit Redactor(RedactionOptions options);

  static std::size_t FilterOf(std::string_view name) {
    if (name.empty()) return 0;
    const auto low = [](char c) {
      return static_cast<std::size_t>(static_cast<unsigned char>(c) | 0x20U);
    };
    return (name.size() * 37 + low(name.front()) * 11 + low(name.back())) % kFilterSize;
  }
  std::string Path(std::string_view path) const;
  std::string Query(std::string_view query) const;

  static constexpr std::size_t kFilterSize = 1021;

  RedactionOptions options_;
  std::set<std::string, std::less<>> headers_;     // Lower case.
  std::set<std::string, std::less<>> query_keys_;  // Lower case.
  std::vector<std::string> secret_keys_;           // Normalised.
  std::vector<std::vector<std::string>> pointers_;
  std::bitset<kFilterSize> header_filter_;
};

}  // namespace understudy
