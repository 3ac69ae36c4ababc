#include "harness/admin/wiremock_template.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>

#include <nlohmann/json.hpp>

#include "harness/vendor/template.h"
#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

constexpr std::size_t kDepthMax = 8;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool IsNumber(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.size() <= 18 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// A literal of the template language.
std::string Literal(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\n' || c == '\t') {
      quoted += c == '\n' ? "\\n" : "\\t";
      continue;
    }
    if (c == '\'' || c == '\\') quoted.push_back('\\');
    quoted.push_back(c);
  }
  return quoted + "'";
}

struct Term {
  enum class Kind { kText, kNumber, kName, kCall };

  Kind kind = Kind::kText;
  std::string text = {};  // The literal, the name as written, or the helper's.
  std::vector<Term> arguments = {};
  std::map<std::string, Term, std::less<>> options = {};
};

// Reads the inside of one {{...}}.
class TermParser {
 public:
  explicit TermParser(std::string_view text) : text_(text) {}

  Result<Term> Parse() {
    UNDERSTUDY_ASSIGN_OR_RETURN(Term term, Call(0));
    if (at_ != text_.size()) return Bad();
    return term;
  }

 private:
  Error Bad() const { return InvalidArgument("it cannot be read"); }
  void SkipSpace() {
    while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
  }
  bool AtEnd() const { return at_ >= text_.size() || text_[at_] == ')'; }

  // Up to the end or a ")".
  Result<Term> Call(std::size_t depth) {
    if (depth > kDepthMax) return InvalidArgument("it is nested too deeply");
    SkipSpace();
    UNDERSTUDY_ASSIGN_OR_RETURN(Term head, One(depth));
    SkipSpace();
    if (AtEnd()) return head;
    if (head.kind != Term::Kind::kName) return Bad();
    head.kind = Term::Kind::kCall;
    while (!AtEnd()) {
      const std::string key = OptionKey();
      UNDERSTUDY_ASSIGN_OR_RETURN(Term term, One(depth));
      if (key.empty()) {
        head.arguments.push_back(std::move(term));
      } else {
        head.options.insert_or_assign(key, std::move(term));
      }
      SkipSpace();
    }
    return head;
  }

  Result<Term> One(std::size_t depth) {
    if (AtEnd()) return Bad();
    const char c = text_[at_];
    if (c == '(') {
      ++at_;
      UNDERSTUDY_ASSIGN_OR_RETURN(Term inner, Call(depth + 1));
      if (at_ >= text_.size()) return Bad();
      ++at_;
      return inner;
    }
    if (c == '\'' || c == '"') {
      const std::size_t end = text_.find(c, at_ + 1);
      if (end == std::string_view::npos) return Bad();
      Term term{.text = std::string(text_.substr(at_ + 1, end - at_ - 1))};
      at_ = end + 1;
      return term;
    }
    const std::size_t begin = at_;
    while (!AtEnd() && !IsSpace(text_[at_]) && text_[at_] != '(') {
      if (text_[at_] == '[') {
        const std::size_t end = text_.find(']', at_);
        if (end == std::string_view::npos) return Bad();
        at_ = end;
      }
      ++at_;
    }
    if (at_ == begin) return Bad();
    std::string word(text_.substr(begin, at_ - begin));
    const auto kind = IsNumber(word) ? Term::Kind::kNumber : Term::Kind::kName;
    return Term{.kind = kind, .text = std::move(word)};
  }

  // "length=" if that comes next; "" otherwise.
  std::string OptionKey() {
    std::size_t end = at_;
    while (end < text_.size() &&
           ((text_[end] >= 'a' && text_[end] <= 'z') || (text_[end] >= 'A' && text_[end] <= 'Z'))) {
      ++end;
    }
    if (end == at_ || end >= text_.size() || text_[end] != '=') return "";
    std::string key(text_.substr(at_, end - at_));
    at_ = end + 1;
    return key;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// "request.headers.[X-Id].[0]" as {"request", "headers", "X-Id", "0"}.
std::vector<std::string> PathParts(std::string_view name) {
  std::vector<std::string> parts;
  while (!name.empty()) {
    std::size_t end = 0;
    if (name.front() == '[') {
      end = std::min(name.find(']'), name.size() - 1);
      parts.emplace_back(name.substr(1, end - 1));
      ++end;
    } else {
      end = std::min(name.find('.'), name.size());
      parts.emplace_back(name.substr(0, end));
    }
    name.remove_prefix(std::min(end, name.size()));
    if (name.starts_with('.')) name.remove_prefix(1);
  }
  return parts;
}

Error None(const std::string& what) { return InvalidArgument(what + " has no counterpart"); }

// What a term is in the template language.
struct Written {
  std::string text = {};
  bool call = false;   // It has arguments, and stands in brackets within another.
  bool typed = false;  // Numbers and JSON keep their type.

  std::string AsArgument() const { return call ? "(" + text + ")" : text; }
};

class TermWriter {
 public:
  explicit TermWriter(const HandlebarsScope& scope) : scope_(scope) {}

  Result<Written> Write(const Term& term) const {
    switch (term.kind) {
      case Term::Kind::kText:
        return Written{.text = Literal(term.text)};
      case Term::Kind::kNumber:
        return Written{.text = term.text, .typed = true};
      case Term::Kind::kName:
        if (term.text.find('.') == std::string::npos) return WriteCall(term);
        return WriteName(term.text);
      case Term::Kind::kCall:
        return WriteCall(term);
    }
    return None("it");
  }

 private:
  Result<Written> WriteName(const std::string& name) const {
    std::vector<std::string> parts = PathParts(name);
    if (!parts.empty() && parts.front() == "this") parts.erase(parts.begin());
    if (parts.size() == 2 && parts[0] == "parameters") {
      for (const auto& [key, value] : scope_.parameters) {
        if (key == parts[1]) return Written{.text = Literal(value)};
      }
      return None("the transformer parameter \"" + parts[1] + "\"");
    }
    if (parts.size() < 2 || parts[0] != "request") return None("\"" + name + "\"");
    parts.erase(parts.begin());
    if (parts.size() > 1 && parts[0] == "requestLine") parts.erase(parts.begin());
    return WritePart(parts, name);
  }

  Result<Written> WritePart(const std::vector<std::string>& parts, const std::string& name) const {
    const std::string& part = parts[0];
    if (parts.size() == 1) {
      if (part == "method" || part == "url" || part == "body") return Written{"request." + part};
      if (part == "path") return Written{"request.path"};
      if (part == "bodyAsBase64") return Written{.text = "base64 request.body", .call = true};
      if (part == "scheme") return Written{"'http'"};
      if (part == "baseUrl")
        return Written{.text = "concat 'http://' request.headers.Host", .call = true};
      return None("\"" + name + "\"");
    }
    if ((part == "path" || part == "pathSegments") && parts.size() == 2) {
      if (IsNumber(parts[1]) || std::find(scope_.captures.begin(), scope_.captures.end(),
                                          parts[1]) != scope_.captures.end()) {
        return Written{"request.path." + parts[1]};
      }
      return None("\"" + name + "\"");
    }
    const bool named = part == "query" || part == "headers" || part == "cookies";
    const bool indexed = parts.size() == 3 && IsNumber(parts[2]) && !parts[2].starts_with('-');
    if (!named || (parts.size() != 2 && !indexed) || parts[1].empty() ||
        parts[1].find_first_of("'\"[]\\") != std::string::npos) {
      return None("\"" + name + "\"");
    }
    std::string text = "request." + part + ".['" + parts[1] + "']";
    if (indexed) text += "." + parts[2];
    return Written{std::move(text)};
  }

  static std::optional<std::string> Option(const Term& term, std::string_view name) {
    const auto found = term.options.find(name);
    if (found == term.options.end() || found->second.kind == Term::Kind::kCall) return std::nullopt;
    return found->second.text;
  }
  static Result<void> Only(const Term& term, std::initializer_list<std::string_view> names) {
    for (const auto& [key, value] : term.options) {
      if (std::find(names.begin(), names.end(), key) == names.end())
        return None("the option \"" + key + "\" of " + term.text);
      if (value.kind == Term::Kind::kCall) return None("a computed option of " + term.text);
    }
    return {};
  }

  Result<Written> WriteCall(const Term& term) const {
    static const std::map<std::string, std::string, std::less<>> kSame = {
        {"trim", "trim"},   {"base64", "base64"}, {"urlEncode", "url"},
        {"upper", "upper"}, {"lower", "lower"},   {"toJson", "json"}};
    if (const auto same = kSame.find(term.text); same != kSame.end()) {
      UNDERSTUDY_RETURN_IF_ERROR(Only(term, {}));
      return WriteHelper(same->second, term, 1, 1);
    }
    if (term.text == "jsonPath") return WriteJsonPath(term);
    if (term.text == "now") return WriteNow(term);
    if (term.text == "randomValue") return WriteRandomValue(term);
    if (term.text == "randomInt") return WriteRandomInt(term);
    UNDERSTUDY_RETURN_IF_ERROR(Only(term, {}));
    if (term.text == "pickRandom")
      return WriteHelper("random.pick", term, 1, Template::kArgumentsMax);
    if (term.text == "defaultIfEmpty") return WriteHelper("default", term, 2, 2);
    return None("\"" + term.text + "\"");
  }

  Result<Written> WriteHelper(const std::string& name, const Term& term, std::size_t least,
                              std::size_t most) const {
    if (term.arguments.size() < least || term.arguments.size() > most)
      return None(term.text + " with " + std::to_string(term.arguments.size()) + " arguments");
    std::string text = name;
    for (const Term& argument : term.arguments) {
      UNDERSTUDY_ASSIGN_OR_RETURN(const Written written, Write(argument));
      text += " " + written.AsArgument();
    }
    return Written{.text = std::move(text), .call = true};
  }

  Result<Written> WriteJsonPath(const Term& term) const {
    UNDERSTUDY_RETURN_IF_ERROR(Only(term, {"default"}));
    if (term.arguments.size() != 2 || term.arguments[0].text != "request.body" ||
        term.arguments[0].kind != Term::Kind::kName ||
        term.arguments[1].kind != Term::Kind::kText) {
      return None("jsonPath of anything but request.body and a literal path");
    }
    UNDERSTUDY_ASSIGN_OR_RETURN(std::string path, JsonName(term.arguments[1].text));
    if (const auto fallback = Option(term, "default")) {
      return Written{.text = "default " + path + " " + Literal(*fallback), .call = true};
    }
    return Written{.text = std::move(path), .typed = true};
  }

  // "$.items[0].sku" as request.json.['items'].['0'].['sku'].
  static Result<std::string> JsonName(std::string_view path) {
    const Error no = None("the path \"" + std::string(path) + "\"");
    if (!path.starts_with('$')) return no;
    path.remove_prefix(1);
    std::string name = "request.json";
    while (!path.empty()) {
      std::string_view key;
      if (path.starts_with("['")) {
        const std::size_t end = path.find("']");
        if (end == std::string_view::npos) return no;
        key = path.substr(2, end - 2);
        path.remove_prefix(end + 2);
      } else if (path.starts_with('[')) {
        const std::size_t end = path.find(']');
        if (end == std::string_view::npos) return no;
        key = path.substr(1, end - 1);
        if (!IsNumber(key) || key.starts_with('-')) return no;
        path.remove_prefix(end + 1);
      } else if (path.starts_with('.')) {
        const std::size_t end = std::min(path.find_first_of(".[", 1), path.size());
        key = path.substr(1, end - 1);
        if (key.find_first_of("*()@? ,:") != std::string_view::npos) return no;
        path.remove_prefix(end);
      } else {
        return no;
      }
      if (key.empty() || key.find_first_of("'\"[]\\") != std::string_view::npos) return no;
      name.append(".['").append(key).append("']");
    }
    return name;
  }

  static Result<Written> WriteNow(const Term& term) {
    UNDERSTUDY_RETURN_IF_ERROR(Only(term, {"format", "offset", "timezone"}));
    if (!term.arguments.empty()) return None("now with arguments");
    const std::string zone = Option(term, "timezone").value_or("UTC");
    if (zone != "UTC" && zone != "GMT" && zone != "Z") return None("the time zone " + zone);
    std::string format = Option(term, "format").value_or("");
    if (format == "epoch") format = "unix-ms";
    std::string text = "now";
    if (!format.empty()) text += " format=" + Literal(format);
    if (const auto offset = Option(term, "offset")) text += " offset=" + Literal(*offset);
    const bool typed = format.starts_with("unix");
    return Written{.text = std::move(text), .call = true, .typed = typed};
  }

  static std::string Letters(std::string_view alphabet, std::uint64_t length) {
    std::string pick = " (random.pick";
    for (const char c : alphabet) pick.append(" '").append(1, c).append("'");
    pick += ")";
    std::string text = "concat";
    for (std::uint64_t i = 0; i < length; ++i) text += pick;
    return text;
  }

  static Result<Written> WriteRandomValue(const Term& term) {
    UNDERSTUDY_RETURN_IF_ERROR(Only(term, {"length", "type", "uppercase"}));
    const std::string type = Option(term, "type").value_or("ALPHANUMERIC");
    if (type == "UUID") return Written{.text = "uuid"};
    const auto length = ParseUnsigned(Option(term, "length").value_or("36"));
    if (!length || *length < 1 || *length > 1'000) return None("such a length of randomValue");
    std::string text;
    if (type == "ALPHANUMERIC") {
      text = "random.string " + std::to_string(*length);
    } else if (type == "HEXADECIMAL") {
      text = "random.hex " + std::to_string(*length);
    } else if ((type == "NUMERIC" || type == "ALPHABETIC") && *length <= Template::kArgumentsMax) {
      text = Letters(type == "NUMERIC" ? "0123456789" : "abcdefghijklmnopqrstuvwxyz", *length);
    } else {
      return None("randomValue of type " + type + " and this length");
    }
    const bool upper = Option(term, "uppercase") == "true";
    if (type == "ALPHANUMERIC" || upper)
      text = std::string(upper ? "upper (" : "lower (") + text + ")";
    return Written{.text = std::move(text), .call = true};
  }

  static Result<Written> WriteRandomInt(const Term& term) {
    UNDERSTUDY_RETURN_IF_ERROR(Only(term, {"lower", "upper"}));
    const std::string lower = Option(term, "lower").value_or("-2147483648");
    const std::string upper = Option(term, "upper").value_or("2147483647");
    if (!IsNumber(lower) || !IsNumber(upper)) return None("a computed bound of randomInt");
    // The upper bound is not reached.
    const std::int64_t last = std::stoll(upper) - 1;
    return Written{
        .text = "random.int " + lower + " " + std::to_string(last), .call = true, .typed = true};
  }

  const HandlebarsScope& scope_;
};

class Translator {
 public:
  Translator(std::string_view text, const HandlebarsScope& scope) : text_(text), scope_(scope) {}

  Result<std::string> Run() {
    while (at_ < text_.size()) {
      const std::string_view rest = text_.substr(at_);
      if (rest.starts_with("\\{{")) {
        out_ += "{{'{{'}}";
        at_ += 3;
      } else if (rest.starts_with("{{")) {
        UNDERSTUDY_RETURN_IF_ERROR(Expression());
      } else {
        Literally();
      }
    }
    return std::move(out_);
  }

 private:
  void Literally() {
    const char c = text_[at_];
    if (scope_.json && in_string_ && c == '\\' && at_ + 1 < text_.size()) {
      out_.append(text_.substr(at_, 2));
      at_ += 2;
      return;
    }
    if (scope_.json && c == '"') in_string_ = !in_string_;
    out_.push_back(c);
    ++at_;
  }

  Result<void> Expression() {
    const bool triple = text_.substr(at_).starts_with("{{{");
    const std::string_view closing = triple ? "}}}" : "}}";
    if (text_.substr(at_).starts_with("{{!--")) {
      const std::size_t end = text_.find("--}}", at_);
      if (end == std::string_view::npos) return InvalidArgument("a comment is not closed");
      at_ = end + 4;
      return {};
    }
    const std::size_t begin = at_ + (triple ? 3 : 2);
    const std::size_t end = text_.find(closing, begin);
    if (end == std::string_view::npos) return InvalidArgument("a {{ is not closed");
    std::string_view inner = TrimOws(text_.substr(begin, end - begin));
    at_ = end + closing.size();
    if (inner.starts_with('!')) return {};
    const std::string shown = "{{" + std::string(inner.substr(0, 200)) + "}}";
    if (inner.starts_with('&')) inner.remove_prefix(1);
    if (inner.empty() || std::string_view("#/^>~{").find(inner.front()) != std::string_view::npos ||
        inner.ends_with('~') || inner == "else") {
      return InvalidArgument(shown + ": blocks, partials and trimming have no counterpart");
    }
    const auto written = Convert(inner);
    if (!written) return InvalidArgument(shown + ": " + written.error().message);
    out_ += "{{" + *written + "}}";
    return {};
  }

  Result<std::string> Convert(std::string_view inner) const {
    UNDERSTUDY_ASSIGN_OR_RETURN(const Term term, TermParser(inner).Parse());
    UNDERSTUDY_ASSIGN_OR_RETURN(const Written written, TermWriter(scope_).Write(term));
    if (!scope_.json) return written.text;
    if (!in_string_) {
      // Handlebars writes the text as it is, so that a number or JSON is what was meant.
      if (written.text == "request.body") return std::string("request.json");
      return written.typed ? written.text : "number " + written.AsArgument();
    }
    // In a JSON string it stays text, whatever it is.
    const std::string text = nlohmann::json("string " + written.AsArgument())
                                 .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return text.substr(1, text.size() - 2);
  }

  std::string_view text_;
  const HandlebarsScope& scope_;
  std::size_t at_ = 0;
  bool in_string_ = false;
  std::string out_;
};

}  // namespace

Result<std::string> TranslateHandlebars(std::string_view text, const HandlebarsScope& scope) {
  UNDERSTUDY_ASSIGN_OR_RETURN(std::string translated, Translator(text, scope).Run());
  if (!Template::HasPlaceholders(translated)) return translated;
  const auto compiled =
      Template::Compile(translated, {.captures = scope.captures},
                        scope.json ? TemplateSyntax::kJson : TemplateSyntax::kText);
  if (!compiled) return compiled.error();
  return translated;
}

}  // namespace understudy::harness
