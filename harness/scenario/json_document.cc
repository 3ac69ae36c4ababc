#include "harness/scenario/json_document.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <unordered_map>
#include <utility>

#include <nlohmann/json.hpp>

#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

using Kind = JsonNode::Kind;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

unsigned Byte(char c) { return static_cast<unsigned char>(c); }

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsWordChar(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
         c == '-' || c == '+' || c == '.';
}

// The length of the valid UTF-8 sequence at `at`, or 0: Unicode 15, table 3-7 (no overlong form, no
// surrogate, nothing above U+10FFFF).
std::size_t SequenceLength(std::string_view text, std::size_t at) {
  const unsigned first = Byte(text[at]);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (at + length > text.size()) return 0;
  const unsigned second = Byte(text[at + 1]);
  const unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (second < low || second > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((Byte(text[at + i]) & 0xC0U) != 0x80) return 0;
  }
  return length;
}

std::optional<std::size_t> FirstInvalidUtf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = SequenceLength(text, at);
    if (length == 0) return at;
    at += length;
  }
  return std::nullopt;
}

void AppendUtf8(std::string& out, std::uint32_t code) {
  const auto push = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    push(code);
  } else if (code < 0x800) {
    push(0xC0U | code >> 6U);
    push(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    push(0xE0U | code >> 12U);
    push(0x80U | (code >> 6U & 0x3FU));
    push(0x80U | (code & 0x3FU));
  } else {
    push(0xF0U | code >> 18U);
    push(0x80U | (code >> 12U & 0x3FU));
    push(0x80U | (code >> 6U & 0x3FU));
    push(0x80U | (code & 0x3FU));
  }
}

std::string HexByte(unsigned byte) {
  return "0x" + HexEncode(std::string(1, static_cast<char>(byte)));
}

void AppendQuoted(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out.push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (Byte(c) < 0x20) {
          out += "\\u00";
          out.push_back(kHex[Byte(c) >> 4U]);
          out.push_back(kHex[Byte(c) & 15U]);
        } else {
          out.push_back(c);
        }
    }
  }
  out.push_back('"');
}

void AppendJson(std::string& out, const JsonNode& node) {
  switch (node.kind()) {
    case Kind::kNull:
      out += "null";
      return;
    case Kind::kBoolean:
      out += node.boolean() ? "true" : "false";
      return;
    case Kind::kInteger:
    case Kind::kNumber:
      out += node.text();
      return;
    case Kind::kString:
      AppendQuoted(out, node.text());
      return;
    case Kind::kArray: {
      char separator = '[';
      for (const JsonNode& item : node.items()) {
        out.push_back(std::exchange(separator, ','));
        AppendJson(out, item);
      }
      out += node.items().empty() ? "[]" : "]";
      return;
    }
    case Kind::kObject: {
      char separator = '{';
      for (const JsonNode::Member& member : node.members()) {
        out.push_back(std::exchange(separator, ','));
        AppendQuoted(out, member.key);
        out.push_back(':');
        AppendJson(out, member.value);
      }
      out += node.members().empty() ? "{}" : "}";
      return;
    }
  }
}

}  // namespace

// Recursive descent over one text. Errors end it (failed_), except repeated keys, which are only
// noted.
class JsonParser {
 public:
  JsonParser(const std::string& file, std::string_view text, const JsonLimits& limits,
             std::vector<Diagnostic>& diagnostics)
      : file_(file), text_(text), limits_(limits), diagnostics_(diagnostics) {}

  JsonNode Run() {
    if (text_.size() > limits_.bytes) {
      Fail("the file has " + std::to_string(text_.size()) + " bytes; at most " +
           std::to_string(limits_.bytes) + " are read");
      return {};
    }
    if (const auto bad = FirstInvalidUtf8(text_)) {
      AdvanceTo(*bad);
      Fail("invalid UTF-8: byte " + HexByte(Byte(text_[*bad])) + " at offset " +
               std::to_string(*bad),
           "save the file as UTF-8");
      return {};
    }
    if (text_.substr(0, kByteOrderMark.size()) == kByteOrderMark)
      here_.offset = kByteOrderMark.size();
    JsonNode root = Value(0);
    SkipBlank();
    if (!failed_ && !AtEnd()) Fail("there is more text after the end of the document");
    return failed_ ? JsonNode() : std::move(root);
  }

 private:
  bool AtEnd() const { return here_.offset >= text_.size(); }
  char Current() const { return AtEnd() ? '\0' : text_[here_.offset]; }
  bool Looking(std::string_view what) const {
    return text_.substr(here_.offset, what.size()) == what;
  }

  void Next() {
    const unsigned byte = Byte(text_[here_.offset++]);
    if (byte == '\n') {
      ++here_.line;
      here_.column = 1;
    } else if (AtEnd() || (Byte(text_[here_.offset]) & 0xC0U) != 0x80) {
      ++here_.column;  // Counted once per character: at its last byte.
    }
  }
  void AdvanceTo(std::size_t offset) {
    while (here_.offset < offset) Next();
  }

  std::string Pointer() const {
    std::string pointer;
    for (const std::string& token : path_) pointer.append("/").append(token);
    return pointer;
  }

  void Report(SourcePosition at, std::string message, std::string suggestion = {}) {
    if (diagnostics_.size() >= limits_.diagnostics) return;
    diagnostics_.push_back(
        {file_, at.line, at.column, Pointer(), std::move(message), std::move(suggestion)});
  }
  void Fail(std::string message, std::string suggestion = {}) {
    FailAt(here_, std::move(message), std::move(suggestion));
  }
  void FailAt(SourcePosition at, std::string message, std::string suggestion = {}) {
    if (failed_) return;
    failed_ = true;
    Report(at, std::move(message), std::move(suggestion));
  }
  // The text ended while `what`, begun at `begin`, was open.
  void FailTruncated(std::string_view what, SourcePosition begin) {
    Fail("the text ends inside the " + std::string(what) + " that begins at line " +
             std::to_string(begin.line) + ", column " + std::to_string(begin.column),
         "is the file truncated?");
  }

  void SkipBlank() {
    while (!failed_ && !AtEnd()) {
      const char c = Current();
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        Next();
      } else if (Looking("//")) {
        while (!AtEnd() && Current() != '\n') Next();
      } else if (Looking("/*")) {
        SkipBlockComment();
      } else {
        return;
      }
    }
  }
  void SkipBlockComment() {
    const SourcePosition begin = here_;
    const std::size_t end = text_.find("*/", here_.offset + 2);
    AdvanceTo(end == std::string_view::npos ? text_.size() : end + 2);
    if (end == std::string_view::npos) FailTruncated("comment", begin);
  }

  JsonNode Value(std::size_t depth) {
    SkipBlank();
    JsonNode node;
    node.position_ = here_;
    if (failed_) return node;
    if (AtEnd()) {
      Fail(depth == 0 ? "the document is empty" : "the text ends where a value was expected",
           depth == 0 ? "" : "is the file truncated?");
      return node;
    }
    if (++values_ > limits_.values) {
      Fail("the document has more than " + std::to_string(limits_.values) + " values");
      return node;
    }
    const char c = Current();
    if (c == '{' || c == '[') {
      if (depth >= limits_.depth) {
        Fail("nested more than " + std::to_string(limits_.depth) + " levels deep");
      } else if (c == '{') {
        Object(node, depth);
      } else {
        Array(node, depth);
      }
    } else if (c == '"') {
      node.kind_ = Kind::kString;
      node.text_ = String();
    } else if (c == '-' || IsDigit(c)) {
      Number(node);
    } else {
      Word(node);
    }
    return node;
  }

  void Object(JsonNode& node, std::size_t depth) {
    node.kind_ = Kind::kObject;
    KeyIndex index;
    Next();
    while (Continues('}', "object", node.position_)) {
      if (Current() != '"') {
        Fail("expected a key in double quotes or \"}\", found " + Found());
        return;
      }
      JsonNode::Member member;
      member.key_position = here_;
      member.key = String();
      if (failed_) return;
      path_.push_back(EscapePointerToken(member.key));
      SkipBlank();
      if (AtEnd()) FailTruncated("object", node.position_);
      if (!failed_ && Current() != ':') Fail("expected \":\" after the key, found " + Found());
      if (failed_) return;
      Next();
      const bool duplicate = ReportDuplicate(index, node, member);
      member.value = Value(depth + 1);
      if (failed_) return;
      path_.pop_back();
      if (!duplicate) node.members_.push_back(std::move(member));
      if (!Separator('}', "object", node.position_)) return;
    }
  }

  void Array(JsonNode& node, std::size_t depth) {
    node.kind_ = Kind::kArray;
    Next();
    while (Continues(']', "array", node.position_)) {
      path_.push_back(std::to_string(node.items_.size()));
      node.items_.push_back(Value(depth + 1));
      if (failed_) return;
      path_.pop_back();
      if (!Separator(']', "array", node.position_)) return;
    }
  }

  // True if another element follows; consumes the closing bracket otherwise.
  bool Continues(char close, std::string_view what, SourcePosition begin) {
    SkipBlank();
    if (failed_) return false;
    if (AtEnd()) {
      FailTruncated(what, begin);
      return false;
    }
    if (Current() != close) return true;
    Next();
    return false;
  }

  // After an element: true after a comma, false after the closing bracket (consumed) or an error.
  bool Separator(char close, std::string_view what, SourcePosition begin) {
    SkipBlank();
    if (failed_) return false;
    if (AtEnd()) {
      FailTruncated(what, begin);
      return false;
    }
    const char c = Current();
    if (c != ',' && c != close) {
      Fail("expected \",\" or \"" + std::string(1, close) + "\", found " + Found());
      return false;
    }
    Next();
    return c == ',';
  }

  // Small objects are searched; larger ones get an index, so that a hostile file does not cost
  // quadratic time.
  class KeyIndex {
   public:
    const SourcePosition* Find(const JsonNode& node, const std::string& key) {
      constexpr std::size_t kSmall = 16;
      if (node.members_.size() > kSmall) {
        for (std::size_t i = index_.size(); i < node.members_.size(); ++i) {
          index_.emplace(node.members_[i].key, node.members_[i].key_position);
        }
        const auto found = index_.find(key);
        return found == index_.end() ? nullptr : &found->second;
      }
      for (const JsonNode::Member& member : node.members_) {
        if (member.key == key) return &member.key_position;
      }
      return nullptr;
    }

   private:
    std::unordered_map<std::string, SourcePosition> index_;
  };

  bool ReportDuplicate(KeyIndex& index, const JsonNode& node, const JsonNode::Member& member) {
    const SourcePosition* const first = index.Find(node, member.key);
    if (first == nullptr) return false;
    Report(member.key_position,
           "duplicate key \"" + member.key + "\", first at line " + std::to_string(first->line) +
               ", column " + std::to_string(first->column),
           "remove or rename one of them");
    return true;
  }

  std::string String() {
    const SourcePosition begin = here_;
    std::string value;
    Next();
    for (;;) {
      if (AtEnd()) {
        FailTruncated("string", begin);
        return value;
      }
      const char c = Current();
      if (c == '"') {
        Next();
        return value;
      }
      if (c == '\n' || c == '\r') {
        FailAt(begin, "the string is not closed on its line",
               "close it with \", or write \\n for a line break");
        return value;
      }
      if (Byte(c) < 0x20) {
        Fail("control character " + HexByte(Byte(c)) + " in a string", "write it as \\u00XX");
        return value;
      }
      if (c == '\\') {
        Escape(value, begin);
        if (failed_) return value;
      } else {
        value.push_back(c);
        Next();
      }
    }
  }

  void Escape(std::string& value, SourcePosition begin) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
    const SourcePosition at = here_;
    Next();
    if (AtEnd()) {
      FailTruncated("string", begin);
      return;
    }
    if (Current() == 'u') {
      Next();
      UnicodeEscape(value, at, begin);
      return;
    }
    const std::size_t index = kNames.find(Current());
    if (index == std::string_view::npos) {
      FailAt(at, "unknown escape \"\\" + std::string(1, Current()) + "\" in a string",
             "a backslash itself is written \\\\");
      return;
    }
    value.push_back(kValues[index]);
    Next();
  }

  std::optional<std::uint32_t> FourHex() {
    const std::string_view digits = text_.substr(here_.offset, 4);
    std::uint32_t code = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (digits.size() != 4 || error != std::errc() || end != digits.data() + 4) return std::nullopt;
    AdvanceTo(here_.offset + 4);
    return code;
  }

  void UnicodeEscape(std::string& value, SourcePosition at, SourcePosition begin) {
    auto code = FourHex();
    if (!code && text_.size() - here_.offset < 4 &&
        text_.find('"', here_.offset) == std::string_view::npos) {
      AdvanceTo(text_.size());
      FailTruncated("string", begin);
      return;
    }
    if (code && *code >= 0xD800 && *code <= 0xDBFF && Looking("\\u")) {
      AdvanceTo(here_.offset + 2);
      const auto low = FourHex();
      code = low && *low >= 0xDC00 && *low <= 0xDFFF
                 ? std::optional(0x10000 + ((*code - 0xD800) << 10U) + (*low - 0xDC00))
                 : std::nullopt;
    }
    if (!code || (*code >= 0xD800 && *code <= 0xDFFF)) {
      FailAt(at, "\"\\u\" needs four hexadecimal digits, and a surrogate its other half");
      return;
    }
    AppendUtf8(value, *code);
  }

  // RFC 8259 section 6: [-] int [frac] [exp], no leading zero.
  static bool IsJsonNumber(std::string_view text) {
    std::size_t at = text.substr(0, 1) == "-" ? 1 : 0;
    const auto digits = [&] {
      const std::size_t first = at;
      while (at < text.size() && IsDigit(text[at])) ++at;
      return at - first;
    };
    const bool zero = text.substr(at, 1) == "0";
    const std::size_t whole = digits();
    if (whole == 0 || (zero && whole > 1)) return false;
    if (at < text.size() && text[at] == '.') {
      ++at;
      if (digits() == 0) return false;
    }
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
      ++at;
      if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
      if (digits() == 0) return false;
    }
    return at == text.size();
  }

  std::string_view TakeWord() {
    const std::size_t begin = here_.offset;
    while (!AtEnd() && IsWordChar(Current())) Next();
    return text_.substr(begin, here_.offset - begin);
  }

  void Number(JsonNode& node) {
    constexpr std::size_t kMaxDigits = 400;
    const std::string_view word = TakeWord();
    const std::string shown(word.substr(0, 40));
    if (!IsJsonNumber(word)) {
      FailAt(node.position_, "\"" + shown + "\" is not a JSON number",
             ParseDuration(word) ? "durations are strings: write \"" + shown + "\"" : "");
      return;
    }
    node.text_ = std::string(word);
    const char* const begin = word.data();
    const char* const end = begin + word.size();
    const auto real = std::from_chars(begin, end, node.number_);
    if (word.size() > kMaxDigits || real.ec != std::errc()) {
      FailAt(node.position_, "the number " + shown + " is out of range");
      return;
    }
    const auto whole = std::from_chars(begin, end, node.integer_);
    node.kind_ = whole.ec == std::errc() && whole.ptr == end ? Kind::kInteger : Kind::kNumber;
    if (node.kind_ == Kind::kNumber) node.integer_ = 0;
  }

  void Word(JsonNode& node) {
    const std::string_view word = TakeWord();
    if (word == "true" || word == "false") {
      node.kind_ = Kind::kBoolean;
      node.integer_ = word == "true" ? 1 : 0;
      return;
    }
    if (word == "null") return;
    const bool cut = AtEnd() && !word.empty() &&
                     (std::string_view("true").substr(0, word.size()) == word ||
                      std::string_view("false").substr(0, word.size()) == word ||
                      std::string_view("null").substr(0, word.size()) == word);
    if (cut) {
      FailTruncated("word \"" + std::string(word) + "\"", node.position_);
    } else if (word.empty()) {
      Fail("expected a value, found " + Found());
    } else {
      FailAt(node.position_, "expected a value, found " + std::string(word.substr(0, 40)),
             "strings need double quotes");
    }
  }

  // The character here, for a message.
  std::string Found() const {
    const std::size_t length = SequenceLength(text_, here_.offset);
    if (Byte(Current()) < 0x20) return "the byte " + HexByte(Byte(Current()));
    return "\"" + std::string(text_.substr(here_.offset, length)) + "\"";
  }

  const std::string& file_;
  const std::string_view text_;
  const JsonLimits& limits_;
  std::vector<Diagnostic>& diagnostics_;
  SourcePosition here_;
  std::vector<std::string> path_;
  std::size_t values_ = 0;
  bool failed_ = false;
};

std::string SourceLocation::ToString() const {
  return file + ":" + std::to_string(position.line) + ":" + std::to_string(position.column);
}

std::string Diagnostic::ToString() const {
  std::string text = file + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " +
                     (pointer.empty() ? "(root)" : pointer) + ": " + message;
  if (!suggestion.empty()) text += "; " + suggestion;
  return text;
}

const JsonNode* JsonNode::Find(std::string_view key) const {
  const auto found = std::find_if(members_.begin(), members_.end(),
                                  [&](const Member& member) { return member.key == key; });
  return found == members_.end() ? nullptr : &found->value;
}

std::string_view JsonNode::KindName() const {
  constexpr std::array<std::string_view, 7> kNames = {
      "null", "a boolean", "an integer", "a number", "a string", "an array", "an object"};
  return kNames[static_cast<std::size_t>(kind_)];
}

std::string JsonNode::Serialise() const {
  std::string out;
  AppendJson(out, *this);
  return out;
}

JsonNode JsonNode::MakeString(std::string text, SourcePosition position) {
  JsonNode node;
  node.kind_ = Kind::kString;
  node.text_ = std::move(text);
  node.position_ = position;
  return node;
}

JsonNode JsonNode::At(SourcePosition position) const {
  JsonNode node = *this;
  node.position_ = position;
  return node;
}

JsonNode JsonNode::WithChildren(std::vector<JsonNode> items, std::vector<Member> members) const {
  JsonNode node;
  node.kind_ = kind_;
  node.position_ = position_;
  node.items_ = std::move(items);
  node.members_ = std::move(members);
  return node;
}

nlohmann::json ToNlohmann(const JsonNode& node) {
  switch (node.kind()) {
    case Kind::kNull:
      break;
    case Kind::kBoolean:
      return node.boolean();
    case Kind::kInteger:
      return node.integer();
    case Kind::kNumber: {
      std::uint64_t large = 0;
      const char* const end = node.text().data() + node.text().size();
      const auto [stop, error] = std::from_chars(node.text().data(), end, large);
      if (error == std::errc() && stop == end) return large;
      return node.number();
    }
    case Kind::kString:
      return node.text();
    case Kind::kArray: {
      auto array = nlohmann::json::array();
      for (const JsonNode& item : node.items()) array.push_back(ToNlohmann(item));
      return array;
    }
    case Kind::kObject: {
      auto object = nlohmann::json::object();
      for (const auto& member : node.members()) object[member.key] = ToNlohmann(member.value);
      return object;
    }
  }
  return nullptr;
}

JsonDocument JsonDocument::Parse(std::string file, std::string text, const JsonLimits& limits) {
  JsonDocument document;
  document.file_ = std::move(file);
  document.text_ = std::move(text);
  document.root_ = JsonParser(document.file_, document.text_, limits, document.diagnostics_).Run();
  return document;
}

std::string_view JsonDocument::LineText(std::uint32_t line) const {
  std::string_view rest = text_;
  for (std::uint32_t current = 1; current < line; ++current) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) return {};
    rest.remove_prefix(end + 1);
  }
  rest = rest.substr(0, rest.find('\n'));
  if (!rest.empty() && rest.back() == '\r') rest.remove_suffix(1);
  return TrimOws(rest);
}

}  // namespace understudy::harness
