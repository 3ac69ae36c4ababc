#include "harness/vendor/journal_redaction.h"

#include <algorithm>
#include <array>
#include <optional>

#include <nlohmann/json.hpp>

#include "middleware/audit/secret_text.h"
#include "middleware/base/text.h"
#include "middleware/http/form.h"

namespace understudy::harness {
namespace {

constexpr std::array<std::string_view, 2> kSecretHeaders = {"X-Auth-Key", "X-Auth-Email"};

bool IsJsonSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Copies JSON text and leaves out the values of secret members. It does not check the text:
// whatever is malformed is copied as it stands, or left out with the value that it seems to be a
// part of.
class JsonCopier {
 public:
  explicit JsonCopier(std::string_view text) : text_(text) {}

  std::string Run() {
    while (at_ < text_.size()) {
      if (text_[at_] != '"') {
        copy_.push_back(text_[at_++]);
        continue;
      }
      const std::string_view string = TakeString();
      copy_.append(string);
      if (!TakeColon() || !NamesSecret(string)) continue;
      SkipValue();
      copy_.append("\"").append(kRedacted).append("\"");
    }
    return std::move(copy_);
  }

 private:
  // With its quotes; up to the end of the text if it is not closed.
  std::string_view TakeString() {
    const std::size_t start = at_++;
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2U : 1U;
    at_ = std::min(at_ + 1, text_.size());
    return text_.substr(start, at_ - start);
  }

  // Copies white space and a colon, if they come next: then the string was a member's name.
  bool TakeColon() {
    std::size_t at = SkipSpace(at_);
    if (at >= text_.size() || text_[at] != ':') return false;
    at = SkipSpace(at + 1);
    copy_.append(text_.substr(at_, at - at_));
    at_ = at;
    return true;
  }

  std::size_t SkipSpace(std::size_t at) const {
    while (at < text_.size() && IsJsonSpace(text_[at])) ++at;
    return at;
  }

  void SkipValue() {
    std::size_t depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        TakeString();
        if (depth == 0) return;
        continue;
      }
      const bool closes = c == '}' || c == ']';
      if (depth == 0 && (closes || c == ',' || IsJsonSpace(c))) return;
      ++at_;
      if (c == '{' || c == '[') ++depth;
      if (closes && --depth == 0) return;
    }
  }

  static bool NamesSecret(std::string_view string) {
    if (string.find('\\') == std::string_view::npos) return IsSecretName(string);
    const auto parsed = nlohmann::json::parse(string, nullptr, false);
    // What is escaped and cannot be read could be any name.
    return !parsed.is_string() || IsSecretName(parsed.get<std::string>());
  }

  const std::string_view text_;
  std::size_t at_ = 0;
  std::string copy_ = {};
};

bool IsForm(std::string_view content_type) {
  return AsciiLower(content_type).starts_with("application/x-www-form-urlencoded");
}

bool IsJson(std::string_view content_type, std::string_view body) {
  if (AsciiLower(content_type).find("json") != std::string::npos) return true;
  const auto first = std::find_if_not(body.begin(), body.end(), IsJsonSpace);
  return first != body.end() && (*first == '{' || *first == '[');
}

}  // namespace

bool JournalRedaction::Hides(std::string_view name) const { return hidden_ && IsSecretName(name); }

std::string JournalRedaction::Header(std::string_view name, std::string_view value) const {
  const bool listed =
      hidden_ && std::any_of(kSecretHeaders.begin(), kSecretHeaders.end(),
                             [&](std::string_view h) { return EqualsIgnoreAsciiCase(h, name); });
  return std::string(listed || Hides(name) ? kRedacted : value);
}

std::string JournalRedaction::QueryValue(std::string_view name, std::string_view value) const {
  return std::string(Hides(name) ? kRedacted : value);
}

std::string JournalRedaction::Query(std::string_view query) const {
  if (!hidden_ || query.empty()) return std::string(query);
  std::string shown;
  for (const std::string_view pair : Split(query, '&')) {
    if (!shown.empty() || pair.data() != query.data()) shown.push_back('&');
    const std::size_t equals = pair.find('=');
    const std::string_view name = pair.substr(0, equals);
    const bool hides = equals != std::string_view::npos &&
                       Hides(http::PercentDecode(name).value_or(std::string(name)));
    if (hides) {
      shown.append(name).append("=").append(kRedacted);
    } else {
      shown.append(pair);
    }
  }
  return shown;
}

std::string JournalRedaction::Target(const http::Url& url) const {
  if (url.query().empty()) return url.target();
  return std::string(url.path()).append("?").append(Query(url.query()));
}

std::string JournalRedaction::Url(const http::Url& url) const {
  return url.origin().append(Target(url));
}

std::string JournalRedaction::Body(std::string_view content_type, std::string_view body) const {
  if (!hidden_) return std::string(body);
  if (IsForm(content_type)) return Query(body);
  if (IsJson(content_type, body)) return JsonCopier(body).Run();
  return std::string(body);
}

}  // namespace understudy::harness
