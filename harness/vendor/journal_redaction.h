// JournalRedaction: hides credentials in what leaves a journal.
//
//   const JournalRedaction redaction(JournalSecrets::kHidden);
//   redaction.Header("Authorization", "Bearer abc");           // "[redacted]"
//   redaction.Query("limit=3&api_key=abc");                    // "limit=3&api_key=[redacted]"
//   redaction.Body("application/json", R"({"password":"x"})"); // {"password":"[redacted]"}
//
// Names decide (IsSecretName in middleware/audit/secret_text.h, and the names of headers that carry
// credentials); everything else stays byte for byte. Known: headers, query values, JSON and form
// bodies. Not known: bodies of other types, and secrets in paths.
#pragma once

#include <string>
#include <string_view>

#include "middleware/http/url.h"

namespace understudy::harness {

enum class JournalSecrets { kHidden, kShown };

// Immutable, thread-safe; total over any bytes, in time linear in them.
class JournalRedaction {
 public:
  explicit JournalRedaction(JournalSecrets secrets = JournalSecrets::kHidden)
      : hidden_(secrets == JournalSecrets::kHidden) {}

  std::string Header(std::string_view name, std::string_view value) const;
  std::string QueryValue(std::string_view name, std::string_view value) const;
  // A query or form body as sent; values of secret names are replaced.
  std::string Query(std::string_view query) const;
  std::string Target(const http::Url& url) const;  // "/path?query"
  std::string Url(const http::Url& url) const;     // The whole.
  // JSON is told by its type or by its first byte; also if it is cut off or malformed.
  std::string Body(std::string_view content_type, std::string_view body) const;

 private:
  bool Hides(std::string_view name) const;

  const bool hidden_;
};

}  // namespace understudy::harness
