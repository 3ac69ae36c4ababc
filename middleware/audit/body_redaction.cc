#include "middleware/audit/body_redaction.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "middleware/audit/secret_text.h"
#include "middleware/base/text.h"
#include "middleware/http/form.h"

namespace understudy {
namespace {

constexpr std::size_t kDepthMax = 64;
constexpr std::size_t kStringBytesMax = 256;
constexpr std::size_t kKeyBytesMax = 64;

// Of text that CleanLine has made: only these two need an escape.
std::string Quoted(std::string_view clean) {
  std::string quoted = "\"";
  for (const char c : clean) {
    if (c == '"' || c == '\\') quoted.push_back('\\');
    quoted.push_back(c);
  }
  return quoted.append("\"");
}

std::string Shown(std::string_view text, std::size_t bytes_max) {
  std::string clean = CleanLine(text, bytes_max);
  return clean.size() < text.size() && clean.size() + 3 >= bytes_max ? clean.append("...") : clean;
}

// Writes the redacted text while nlohmann's parser goes over the body; holds one path, not a tree.
class JsonPreview final : public nlohmann::json::json_sax_t {
 public:
  JsonPreview(const Redactor& redactor, int nesting) : redactor_(redactor), nesting_(nesting) {}

  bool null() override { return Scalar("null"); }
  bool boolean(bool value) override { return Scalar(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return Number(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return Number(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override {
    return Number(WithDecimalPoint(text));
  }
  bool string(string_t& value) override {
    if (!Begin()) return true;
    return Emit(Quoted(Shown(redactor_.Value(value, nesting_), kStringBytesMax)));
  }
  bool binary(binary_t&) override { return false; }  // JSON has none.

  bool start_object(std::size_t) override { return Open('{'); }
  bool start_array(std::size_t) override { return Open('['); }
  bool end_object() override { return Close('}'); }
  bool end_array() override { return Close(']'); }
  bool key(string_t& name) override {
    levels_.back().key = name;
    levels_.back().hide = redactor_.HidesKey(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    error_at_ = position;
    return false;
  }

  std::size_t error_at() const { return error_at_; }
  bool too_deep() const { return too_deep_; }
  bool full() const { return full_; }
  std::string TakeText() { return std::move(text_); }

 private:
  struct Level {
    bool object = false;
    std::size_t index = 0;
    std::string key = {};
    bool hide = false;  // The value of `key`.
  };

  bool Scalar(std::string_view text) { return !Begin() || Emit(text); }
  bool Number(const std::string& text) {
    return Scalar(LooksSecret(text) ? Quoted(kRedacted) : text);
  }

  // Before a value: its comma and its key. False if the value is hidden, also as part of a hidden
  // one.
  bool Begin() {
    if (hidden_depth_ > 0) return false;
    std::string lead;
    bool hide = false;
    if (!levels_.empty()) {
      Level& level = levels_.back();
      if (level.index++ > 0) lead = std::string(",");
      if (level.object) {
        const bool secret = LooksSecret(level.key);
        lead += Quoted(secret ? std::string(kRedacted) : Shown(level.key, kKeyBytesMax)) + ":";
        hide = level.hide || secret;
      }
    }
    hide = hide || (redactor_.has_pointers() && redactor_.HidesPath(PathOfValue()));
    pending_ = std::move(lead);
    if (hide) Emit(Quoted(kRedacted));
    return !hide;
  }

  std::vector<std::string> PathOfValue() const {
    std::vector<std::string> path;
    for (const Level& level : levels_) {
      path.push_back(level.object ? level.key : std::to_string(level.index - 1));
    }
    return path;
  }

  // A whole token or nothing: a cut never falls into a value.
  bool Emit(std::string_view token) {
    if (text_.size() + pending_.size() + token.size() > redactor_.preview_bytes_max()) full_ = true;
    if (!full_) text_.append(pending_).append(token);
    pending_.clear();
    return true;
  }

  bool Open(char bracket) {
    if (levels_.size() + hidden_depth_ >= kDepthMax) {
      too_deep_ = true;
      return false;
    }
    if (!Begin()) {
      ++hidden_depth_;
      if (hidden_depth_ > 1) return true;
    } else {
      Emit(std::string_view(&bracket, 1));
    }
    levels_.push_back({.object = bracket == '{'});
    return true;
  }

  bool Close(char bracket) {
    if (hidden_depth_ > 1) {
      --hidden_depth_;
      return true;
    }
    levels_.pop_back();
    if (hidden_depth_ == 1) {
      hidden_depth_ = 0;
      return true;
    }
    return Emit(std::string_view(&bracket, 1));
  }

  const Redactor& redactor_;
  const int nesting_;
  std::vector<Level> levels_;
  std::size_t hidden_depth_ = 0;  // Containers open within a hidden value, itself included.
  std::string pending_;
  std::string text_;
  bool full_ = false;
  bool too_deep_ = false;
  std::size_t error_at_ = 0;
};

// Keys of a token request or an introspection (RFC 6749, 7009, 7662) that IsSecretName does not
// know.
constexpr std::array<std::string_view, 4> kOauthKeys = {"code", "state", "username", "client_id"};

bool HidesFormKey(const Redactor& redactor, const std::string& key, bool oauth) {
  if (redactor.HidesKey(key) || LooksSecret(key)) return true;
  // "card[number]", "source.key": each part by itself.
  std::string part;
  for (const char c : key + "]") {
    if (c != '[' && c != ']' && c != '.') {
      part.push_back(c);
      continue;
    }
    if (!part.empty() && redactor.HidesKey(part)) return true;
    part.clear();
  }
  return oauth &&
         std::find(kOauthKeys.begin(), kOauthKeys.end(), AsciiLower(key)) != kOauthKeys.end();
}

}  // namespace

BodyPreview RedactJson(const Redactor& redactor, std::string_view text, bool complete,
                       int nesting) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  JsonPreview preview(redactor, nesting);
  const bool parsed = nlohmann::json::sax_parse(text.begin(), text.end(), &preview);
  if (preview.too_deep()) return {.hidden = "too-deep"};
  // Of a beginning, the parser complains where it ends.
  const bool ends_early = !parsed && !complete && preview.error_at() >= text.size();
  if (!parsed && !ends_early) return {.hidden = "malformed"};
  return {.text = preview.TakeText(), .truncated = preview.full() || !complete};
}

BodyPreview RedactForm(const Redactor& redactor, std::string_view text, bool complete) {
  if (!complete) {
    // The last pair may be cut within its name or its value.
    const std::size_t last = text.rfind('&');
    text = text.substr(0, last == std::string_view::npos ? 0 : last);
  }
  const bool text_like = std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f;
  });
  if (!text_like) return {.hidden = "malformed"};
  const http::FormPairs pairs = http::ParseForm(text);
  const bool oauth = http::FormValue(pairs, "grant_type").has_value() ||
                     http::FormValue(pairs, "response_type").has_value();
  BodyPreview preview{.truncated = !complete};
  for (const auto& [key, value] : pairs) {
    std::string pair = preview.text.empty() ? "" : "&";
    pair +=
        LooksSecret(key) ? std::string(kRedacted) : http::PercentEncode(Shown(key, kKeyBytesMax));
    pair += '=';
    pair += HidesFormKey(redactor, key, oauth)
                ? std::string(kRedacted)
                : http::PercentEncode(Shown(redactor.Value(value, 0), kStringBytesMax));
    if (preview.text.size() + pair.size() > redactor.preview_bytes_max()) {
      preview.truncated = true;
      return preview;
    }
    preview.text += pair;
  }
  return preview;
}

}  // namespace understudy
