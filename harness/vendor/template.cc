#include "harness/vendor/template.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include <nlohmann/json.hpp>

#include "harness/vendor/template_time.h"
#include "middleware/base/check.h"
#include "middleware/base/text.h"
#include "middleware/http/form.h"

namespace understudy::harness {
namespace {

using nlohmann::json;

constexpr std::size_t kRandomLengthMax = 1'000;
// Writing JSON recurses: a body may be nested deeper than a stack is.
constexpr std::size_t kJsonDepthMax = 200;

enum class Op {
  kText,    // A literal text.
  kNumber,  // A literal number.
  kMethod,
  kUrl,
  kPath,
  kSegment,
  kCapture,
  kRawQuery,
  kQuery,
  kHeader,
  kCookie,
  kForm,
  kBody,
  kJson,
  kNow,
  kUuid,
  kRandomInt,
  kRandomString,
  kRandomHex,
  kRandomPick,
  kCounter,
  kState,
  kN,
  kVendor,
  kRoute,
  kCaller,
  kTest,
  kUpper,
  kLower,
  kTrim,
  kString,
  kToJson,
  kToNumber,
  kBase64,
  kUrlEncode,
  kXml,
  kDefault,
  kConcat,
};

struct Node {
  Op op = Op::kText;
  std::string text = {};    // A literal, a name, or the JSON pointer of kJson.
  std::int64_t number = 0;  // Of kNumber, an index, or the low end of kRandomInt.
  std::int64_t high = 0;    // Of kRandomInt; the length of kRandomString and kRandomHex.
  std::vector<Node> arguments = {};
  std::optional<TimeFormat> time = {};
};

struct Helper {
  std::string_view name;
  Op op;
  std::size_t arguments_min;
  std::size_t arguments_max;
  std::string_view usage;
};

constexpr Helper kHelpers[] = {
    {"now", Op::kNow, 0, 0, "{{now format='unix' offset='-1h'}}"},
    {"uuid", Op::kUuid, 0, 0, "{{uuid}}"},
    {"random.int", Op::kRandomInt, 2, 2, "{{random.int 1 10}}"},
    {"random.string", Op::kRandomString, 1, 1, "{{random.string 12}}"},
    {"random.hex", Op::kRandomHex, 1, 1, "{{random.hex 16}}"},
    {"random.pick", Op::kRandomPick, 1, Template::kArgumentsMax, "{{random.pick 'a' 'b'}}"},
    {"counter", Op::kCounter, 1, 2, "{{counter 'orders'}} or {{counter 'orders' 1000}}"},
    {"state", Op::kState, 1, 1, "{{state 'cart'}}"},
    {"n", Op::kN, 0, 0, "{{n}}"},
    {"vendor", Op::kVendor, 0, 0, "{{vendor}}"},
    {"route", Op::kRoute, 0, 0, "{{route}}"},
    {"caller", Op::kCaller, 0, 0, "{{caller}}"},
    {"test", Op::kTest, 0, 0, "{{test}}"},
    {"upper", Op::kUpper, 1, 1, "{{upper request.method}}"},
    {"lower", Op::kLower, 1, 1, "{{lower request.headers.X-Name}}"},
    {"trim", Op::kTrim, 1, 1, "{{trim request.body}}"},
    {"string", Op::kString, 1, 1, "{{string request.json.total}}"},
    {"json", Op::kToJson, 1, 1, "{{json request.json.items}}"},
    {"number", Op::kToNumber, 1, 1, "{{number request.query.page}}"},
    {"base64", Op::kBase64, 1, 1, "{{base64 request.body}}"},
    {"url", Op::kUrlEncode, 1, 1, "{{url request.query.q}}"},
    {"xml", Op::kXml, 1, 1, "{{xml request.query.q}}"},
    {"default", Op::kDefault, 2, 2, "{{default request.query.page '1'}}"},
    {"concat", Op::kConcat, 1, Template::kArgumentsMax, "{{concat 'ord_' request.path.id}}"},
};

constexpr std::array<std::string_view, 9> kRequestParts = {
    "method", "url", "path", "query", "headers", "cookies", "form", "body", "json"};

const Helper* FindHelper(std::string_view name) {
  const auto* const found = std::find_if(std::begin(kHelpers), std::end(kHelpers),
                                         [&](const Helper& helper) { return helper.name == name; });
  return found == std::end(kHelpers) ? nullptr : found;
}

std::string DidYouMean(std::string_view word, std::span<const std::string_view> candidates) {
  const std::string_view close = ClosestMatch(word, candidates);
  return close.empty() ? std::string() : "; did you mean \"" + std::string(close) + "\"?";
}

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool IsIndex(std::string_view text) {
  return !text.empty() && text.size() <= 6 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Where the bracket that opens at `at` is closed; what is quoted in it may hold brackets itself.
std::size_t BracketEnd(std::string_view text, std::size_t at) {
  const char quote = at + 1 < text.size() ? text[at + 1] : ' ';
  if (quote != '\'' && quote != '"') return text.find(']', at);
  const std::string end = {quote, ']'};
  const std::size_t found = text.find(end, at + 2);
  return found == std::string_view::npos ? found : found + 1;
}

// Reads the inside of one placeholder.
class ExpressionParser {
 public:
  ExpressionParser(std::string_view text, const TemplateScope& scope)
      : text_(text), scope_(scope) {}

  Result<Node> Parse() {
    SkipSpace();
    if (at_ == text_.size()) return Bad("it is empty");
    UNDERSTUDY_ASSIGN_OR_RETURN(Node node, ParseCall(0));
    if (at_ != text_.size()) return Bad("\"" + std::string(text_.substr(at_)) + "\" is too much");
    return node;
  }

 private:
  Error Bad(const std::string& why) const {
    return InvalidArgument("{{" + std::string(TrimOws(text_)) + "}}: " + why);
  }

  void SkipSpace() {
    while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
  }
  bool AtQuote() const { return at_ < text_.size() && (text_[at_] == '\'' || text_[at_] == '"'); }
  bool AtNumber() const {
    if (at_ >= text_.size()) return false;
    const char c = text_[at_];
    const bool sign = c == '-' && at_ + 1 < text_.size();
    const char digit = sign ? text_[at_ + 1] : c;
    return digit >= '0' && digit <= '9';
  }

  // A literal, a name, or a helper with its arguments, up to the end or a ")".
  Result<Node> ParseCall(std::size_t depth) {
    if (depth > Template::kDepthMax) return Bad("it is nested too deeply");
    if (AtQuote() || AtNumber()) {
      UNDERSTUDY_ASSIGN_OR_RETURN(Node literal, ParseArgument(depth));
      SkipSpace();
      return literal;
    }
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::string word, ParseWord());
    const Helper* const helper = FindHelper(word);
    std::vector<Node> arguments;
    std::vector<std::pair<std::string, std::string>> options;
    for (;;) {
      SkipSpace();
      if (at_ == text_.size() || text_[at_] == ')') break;
      if (arguments.size() + options.size() >= Template::kArgumentsMax) {
        return Bad("it has more than " + std::to_string(Template::kArgumentsMax) + " arguments");
      }
      if (const auto key = TakeOptionKey()) {
        if (!AtQuote()) return Bad("the value of " + *key + "= is a text in quotes");
        UNDERSTUDY_ASSIGN_OR_RETURN(std::string value, ParseQuoted());
        options.emplace_back(*key, std::move(value));
        continue;
      }
      UNDERSTUDY_ASSIGN_OR_RETURN(Node argument, ParseArgument(depth));
      arguments.push_back(std::move(argument));
    }
    if (helper != nullptr) return MakeCall(*helper, std::move(arguments), options);
    if (!arguments.empty() || !options.empty()) {
      if (word.starts_with("request")) return Bad("\"" + word + "\" takes no arguments");
      return Bad(UnknownName(word));
    }
    return MakePath(word);
  }

  Result<Node> ParseArgument(std::size_t depth) {
    if (AtQuote()) {
      UNDERSTUDY_ASSIGN_OR_RETURN(std::string text, ParseQuoted());
      return Node{.op = Op::kText, .text = std::move(text)};
    }
    if (AtNumber()) return ParseNumber();
    if (text_[at_] == '(') {
      ++at_;
      SkipSpace();
      if (at_ == text_.size()) return Bad("a \"(\" is not closed");
      UNDERSTUDY_ASSIGN_OR_RETURN(Node inner, ParseCall(depth + 1));
      if (at_ == text_.size() || text_[at_] != ')') return Bad("a \"(\" is not closed");
      ++at_;
      return inner;
    }
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::string word, ParseWord());
    if (const Helper* const helper = FindHelper(word)) return MakeCall(*helper, {}, {});
    return MakePath(word);
  }

  Result<std::string> ParseQuoted() {
    const char quote = text_[at_++];
    std::string out;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        const char escaped = text_[++at_];
        out.push_back(escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped);
      } else {
        out.push_back(text_[at_]);
      }
      ++at_;
    }
    if (at_ == text_.size()) return Bad("a quote is not closed");
    ++at_;
    return out;
  }

  Result<Node> ParseNumber() {
    const bool negative = text_[at_] == '-';
    if (negative) ++at_;
    const std::size_t begin = at_;
    while (at_ < text_.size() && !IsSpace(text_[at_]) && text_[at_] != ')' && text_[at_] != '(') {
      ++at_;
    }
    const auto number = ParseUnsigned(text_.substr(begin, at_ - begin));
    if (!number || *number > 9'000'000'000'000'000'000ULL) {
      return Bad("\"" + std::string(text_.substr(begin, at_ - begin)) +
                 "\" is no whole number; put text in quotes");
    }
    const auto value = static_cast<std::int64_t>(*number);
    return Node{.op = Op::kNumber, .number = negative ? -value : value};
  }

  // Up to a space, a bracket or a quote; [...] belongs to it whatever it holds.
  Result<std::string> ParseWord() {
    const std::size_t begin = at_;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (IsSpace(c) || c == '(' || c == ')' || c == '\'' || c == '"' || c == '=') break;
      if (c == '[') {
        const std::size_t end = BracketEnd(text_, at_);
        if (end == std::string_view::npos) return Bad("a \"[\" is not closed");
        at_ = end;
      }
      ++at_;
    }
    if (at_ == begin) {
      return Bad("\"" + std::string(text_.substr(begin, 1)) + "\" is not expected here");
    }
    return std::string(text_.substr(begin, at_ - begin));
  }

  // "format=" if that comes next.
  std::optional<std::string> TakeOptionKey() {
    std::size_t end = at_;
    while (end < text_.size() && text_[end] >= 'a' && text_[end] <= 'z') ++end;
    if (end == at_ || end == text_.size() || text_[end] != '=') return std::nullopt;
    std::string key(text_.substr(at_, end - at_));
    at_ = end + 1;
    return key;
  }

  std::string UnknownName(std::string_view word) const {
    std::vector<std::string_view> names = {"request"};
    for (const Helper& helper : kHelpers) names.push_back(helper.name);
    const std::string_view first = word.substr(0, word.find('.'));
    std::string message = "unknown name \"" + std::string(word) + "\"";
    std::string hint = DidYouMean(word, names);
    if (hint.empty()) hint = DidYouMean(first, names);
    return message + (hint.empty() ? "; a request's parts begin with \"request.\"" : hint);
  }

  // ---- helpers ----

  Result<Node> MakeCall(const Helper& helper, std::vector<Node> arguments,
                        const std::vector<std::pair<std::string, std::string>>& options) {
    const auto usage = [&] { return "; write e.g. " + std::string(helper.usage); };
    if (arguments.size() < helper.arguments_min || arguments.size() > helper.arguments_max) {
      return Bad("\"" + std::string(helper.name) + "\" takes " +
                 std::to_string(helper.arguments_min) +
                 (helper.arguments_max == helper.arguments_min ? "" : " or more") + " arguments" +
                 usage());
    }
    Node node{.op = helper.op};
    if (helper.op == Op::kNow) return MakeNow(options);
    if (!options.empty()) {
      return Bad("\"" + std::string(helper.name) + "\" has no option \"" + options.front().first +
                 "\"" + usage());
    }
    switch (helper.op) {
      case Op::kRandomInt:
        if (!Numbers(arguments) || arguments[0].number > arguments[1].number) {
          return Bad("it takes two whole numbers, the smaller first" + usage());
        }
        node.number = arguments[0].number;
        node.high = arguments[1].number;
        return node;
      case Op::kRandomString:
      case Op::kRandomHex:
        if (!Numbers(arguments) || arguments[0].number < 1 ||
            arguments[0].number > static_cast<std::int64_t>(kRandomLengthMax)) {
          return Bad("it takes a length from 1 to " + std::to_string(kRandomLengthMax) + usage());
        }
        node.high = arguments[0].number;
        return node;
      case Op::kCounter:
      case Op::kState:
        if (arguments[0].op != Op::kText || arguments[0].text.empty()) {
          return Bad("it takes a name in quotes" + usage());
        }
        node.text = arguments[0].text;
        node.number = 1;
        if (arguments.size() == 2) {
          if (arguments[1].op != Op::kNumber) return Bad("a start is a whole number" + usage());
          node.number = arguments[1].number;
        }
        return node;
      default:
        node.arguments = std::move(arguments);
        return node;
    }
  }

  static bool Numbers(const std::vector<Node>& arguments) {
    return std::all_of(arguments.begin(), arguments.end(),
                       [](const Node& node) { return node.op == Op::kNumber; });
  }

  Result<Node> MakeNow(const std::vector<std::pair<std::string, std::string>>& options) {
    std::string format;
    std::string offset;
    for (const auto& [key, value] : options) {
      if (key == "format") {
        format = value;
      } else if (key == "offset") {
        offset = value;
      } else {
        constexpr std::array<std::string_view, 2> kOptions = {"format", "offset"};
        return Bad("\"now\" has no option \"" + key + "\"" + DidYouMean(key, kOptions));
      }
    }
    auto time = TimeFormat::Parse(format, offset);
    if (!time) return Bad(time.error().message);
    return Node{.op = Op::kNow, .time = *std::move(time)};
  }

  // ---- the request's parts ----

  // "request.query.['a b'].1" as {"request", "query", "a b", "1"}; nullopt if it is malformed.
  static std::optional<std::vector<std::string>> SplitPath(std::string_view word) {
    std::vector<std::string> parts;
    while (true) {
      std::string part;
      if (word.starts_with('[')) {
        const std::size_t end = BracketEnd(word, 0);
        if (end == std::string_view::npos) return std::nullopt;
        std::string_view inner = word.substr(1, end - 1);
        const bool quoted = inner.size() >= 2 && inner.front() == inner.back() &&
                            (inner.front() == '\'' || inner.front() == '"');
        if (quoted) inner = inner.substr(1, inner.size() - 2);
        part = std::string(inner);
        word.remove_prefix(end + 1);
      } else {
        const std::size_t end = std::min(word.find('.'), word.find('['));
        part = std::string(word.substr(0, end));
        word.remove_prefix(std::min(end, word.size()));
      }
      if (part.empty()) return std::nullopt;
      parts.push_back(std::move(part));
      if (word.empty()) return parts;
      if (word.starts_with('.')) {
        word.remove_prefix(1);
      } else if (!word.starts_with('[')) {
        return std::nullopt;
      }
    }
  }

  Result<Node> MakePath(const std::string& word) {
    constexpr std::string_view kJsonPointer = "request.json/";
    if (word.starts_with(kJsonPointer)) {
      return Node{.op = Op::kJson, .text = word.substr(kJsonPointer.size() - 1)};
    }
    const auto parts = SplitPath(word);
    if (!parts || parts->front() != "request") return Bad(UnknownName(word));
    if (parts->size() == 1) return Bad("say which part of the request, e.g. request.method");
    const std::string& part = (*parts)[1];
    const std::span<const std::string> rest = std::span(*parts).subspan(2);
    if (part == "json") return MakeJson(rest);
    if (part == "path") return MakePathPart(rest);
    if (part == "method") return Whole(Op::kMethod, part, rest);
    if (part == "url") return Whole(Op::kUrl, part, rest);
    if (part == "body") return Whole(Op::kBody, part, rest);
    if (part == "query" && rest.empty()) return Node{.op = Op::kRawQuery};
    if (part == "query") return Named(Op::kQuery, part, rest);
    if (part == "headers") return Named(Op::kHeader, part, rest);
    if (part == "cookies") return Named(Op::kCookie, part, rest);
    if (part == "form") return Named(Op::kForm, part, rest);
    return Bad("a request has no \"" + part + "\"" + DidYouMean(part, kRequestParts));
  }

  Result<Node> Whole(Op op, const std::string& part, std::span<const std::string> rest) const {
    if (rest.empty()) return Node{.op = op};
    return Bad("\"request." + part + "\" has no parts");
  }

  Result<Node> Named(Op op, const std::string& part, std::span<const std::string> rest) const {
    if (rest.empty()) return Bad("name one, as in request." + part + ".name");
    if (rest.size() == 1) return Node{.op = op, .text = rest[0]};
    if (rest.size() == 2 && IsIndex(rest[1])) {
      return Node{.op = op, .text = rest[0], .number = ToIndex(rest[1])};
    }
    return Bad("a name with dots is written as request." + part + ".['a.b']");
  }

  static std::int64_t ToIndex(std::string_view text) {
    return static_cast<std::int64_t>(ParseUnsigned(text).value_or(0));
  }

  Result<Node> MakePathPart(std::span<const std::string> rest) const {
    if (rest.empty()) return Node{.op = Op::kPath};
    if (rest.size() != 1) return Bad("a capture has no parts");
    const std::vector<std::string>& captures = scope_.captures;
    if (std::find(captures.begin(), captures.end(), rest[0]) != captures.end()) {
      return Node{.op = Op::kCapture, .text = rest[0]};
    }
    if (IsIndex(rest[0])) return Node{.op = Op::kSegment, .number = ToIndex(rest[0])};
    const std::vector<std::string_view> names(captures.begin(), captures.end());
    std::string message = "the route's path captures no \"" + rest[0] + "\"";
    const std::string hint = DidYouMean(rest[0], names);
    if (!hint.empty()) return Bad(message + hint);
    if (names.empty()) return Bad(message + "; it has no {name} at all");
    message += "; it has";
    for (const std::string_view name : names) message += " \"" + std::string(name) + "\"";
    return Bad(message);
  }

  static Result<Node> MakeJson(std::span<const std::string> rest) {
    Node node{.op = Op::kJson};
    for (const std::string& key : rest) node.text += "/" + EscapePointerToken(key);
    return node;
  }

  std::string_view text_;
  const TemplateScope& scope_;
  std::size_t at_ = 0;
};

// ---- evaluation ----

bool TooDeep(const json& value, std::size_t depth = 0) {
  if (!value.is_structured()) return false;
  if (depth >= kJsonDepthMax) return true;
  return std::any_of(value.begin(), value.end(),
                     [&](const json& child) { return TooDeep(child, depth + 1); });
}

std::string Dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string ToText(const json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>();
  return value.is_null() ? std::string() : Dump(value);
}

std::string EscapeXml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

template <typename Pairs>
json Nth(const Pairs& pairs, std::string_view name, std::int64_t index) {
  for (const auto& [key, value] : pairs) {
    if (key == name && index-- == 0) return value;
  }
  return nullptr;
}

// RFC 6265 section 4.2: name=value pairs, with "; " between.
json Cookie(const http::Headers& headers, std::string_view name, std::int64_t index) {
  for (const std::string_view line : headers.GetAll("Cookie")) {
    for (const std::string_view pair : Split(line, ';')) {
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos || TrimOws(pair.substr(0, equals)) != name) continue;
      if (index-- == 0) return std::string(TrimOws(pair.substr(equals + 1)));
    }
  }
  return nullptr;
}

json Header(const http::Headers& headers, std::string_view name, std::int64_t index) {
  const auto values = headers.GetAll(name);
  if (static_cast<std::size_t>(index) >= values.size()) return nullptr;
  return std::string(values[static_cast<std::size_t>(index)]);
}

json AtPointer(const json* document, const std::string& pointer) {
  if (document == nullptr) return nullptr;
  const json* node = document;
  if (!pointer.empty()) {
    for (const std::string_view token : Split(std::string_view(pointer).substr(1), '/')) {
      const std::string key = UnescapePointerToken(token);
      if (node->is_object()) {
        const auto found = node->find(key);
        if (found == node->end()) return nullptr;
        node = &*found;
      } else if (node->is_array() && IsIndex(key) &&
                 static_cast<std::size_t>(*ParseUnsigned(key)) < node->size()) {
        node = &(*node)[static_cast<std::size_t>(*ParseUnsigned(key))];
      } else {
        return nullptr;
      }
    }
  }
  return TooDeep(*node) ? json(nullptr) : *node;
}

json ToNumber(const json& value) {
  if (value.is_number()) return value;
  json number = json::parse(ToText(value), nullptr, false);
  return number.is_number() ? number : json(nullptr);
}

class Evaluation {
 public:
  explicit Evaluation(const TemplateContext& context) : context_(context) {}

  json Of(const Node& node) const {
    const http::Request& request = context_.request.request();
    switch (node.op) {
      case Op::kText:
        return node.text;
      case Op::kNumber:
        return node.number;
      case Op::kMethod:
        return std::string(request.method.name());
      case Op::kUrl:
        return request.url.target();
      case Op::kPath:
        return std::string(request.url.path());
      case Op::kSegment: {
        const auto& segments = context_.request.segments();
        const auto index = static_cast<std::size_t>(node.number);
        return index < segments.size() ? json(segments[index]) : json(nullptr);
      }
      case Op::kCapture:
        return Nth(context_.captures, node.text, 0);
      case Op::kRawQuery:
        return std::string(request.url.query());
      case Op::kQuery:
        return Nth(context_.request.query(), node.text, node.number);
      case Op::kHeader:
        return Header(request.headers, node.text, node.number);
      case Op::kCookie:
        return Cookie(request.headers, node.text, node.number);
      case Op::kForm:
        return Nth(http::ParseForm(request.body), node.text, node.number);
      case Op::kBody:
        return request.body;
      case Op::kJson:
        return AtPointer(context_.request.json(), node.text);
      case Op::kN:
        return context_.n;
      case Op::kVendor:
        return std::string(context_.vendor);
      case Op::kRoute:
        return std::string(context_.route);
      case Op::kCaller:
        return std::string(context_.caller);
      case Op::kTest:
        return std::string(context_.test);
      case Op::kCounter:
        return Nth(context_.counters, node.text, 0);
      case Op::kState:
        return Nth(context_.states, node.text, 0);
      case Op::kNow:
        return Now(*node.time);
      case Op::kUuid:
      case Op::kRandomInt:
      case Op::kRandomString:
      case Op::kRandomHex:
      case Op::kRandomPick:
        return Drawn(node);
      default:
        return Helped(node);
    }
  }

 private:
  json Now(const TimeFormat& format) const {
    std::string text = format.Write(context_.now);
    return format.numeric() ? json::parse(text, nullptr, false) : json(std::move(text));
  }

  json Drawn(const Node& node) const {
    const std::string_view site = context_.random_site;
    switch (node.op) {
      case Op::kUuid:
        return context_.random.Uuid(site);
      case Op::kRandomInt: {
        const auto low = static_cast<std::uint64_t>(node.number);
        const std::uint64_t span = static_cast<std::uint64_t>(node.high) - low + 1;
        const std::uint64_t drawn =
            span == 0 ? context_.random.Next(site) : context_.random.Below(site, span);
        return static_cast<std::int64_t>(low + drawn);
      }
      case Op::kRandomPick:
        return Of(node.arguments[context_.random.Below(site, node.arguments.size())]);
      case Op::kRandomHex:
        return Letters("0123456789abcdef", node.high);
      default:
        return Letters("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", node.high);
    }
  }

  std::string Letters(std::string_view alphabet, std::int64_t length) const {
    std::string text;
    for (std::int64_t i = 0; i < length; ++i) {
      text.push_back(alphabet[context_.random.Below(context_.random_site, alphabet.size())]);
    }
    return text;
  }

  json Helped(const Node& node) const {
    const json first = Of(node.arguments[0]);
    switch (node.op) {
      case Op::kUpper: {
        std::string text = ToText(first);
        for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        return text;
      }
      case Op::kLower:
        return AsciiLower(ToText(first));
      case Op::kTrim: {
        const std::string text = ToText(first);
        std::string_view rest = text;
        while (!rest.empty() && IsSpace(rest.front())) rest.remove_prefix(1);
        while (!rest.empty() && IsSpace(rest.back())) rest.remove_suffix(1);
        return std::string(rest);
      }
      case Op::kString:
        return ToText(first);
      case Op::kToJson:
        return Dump(first);
      case Op::kToNumber:
        return ToNumber(first);
      case Op::kBase64:
        return Base64Encode(ToText(first));
      case Op::kUrlEncode:
        return http::PercentEncode(ToText(first));
      case Op::kXml:
        return EscapeXml(ToText(first));
      case Op::kDefault: {
        const bool missing = first.is_null() || (first.is_string() && ToText(first).empty());
        return missing ? Of(node.arguments[1]) : first;
      }
      case Op::kConcat: {
        std::string text = ToText(first);
        for (std::size_t i = 1; i < node.arguments.size(); ++i) {
          if (text.size() > Template::kOutputBytesMax) break;  // Refused by the caller.
          text += ToText(Of(node.arguments[i]));
        }
        return text;
      }
      default:
        UNDERSTUDY_CHECK(false, "every helper is evaluated");
        return nullptr;
    }
  }

  const TemplateContext& context_;
};

}  // namespace

class Template::Compiled {
 public:
  enum class Place {
    kText,      // As it is.
    kInString,  // Escaped, inside of a JSON string.
    kValue,     // A JSON value.
  };
  struct Piece {
    std::string literal = {};
    std::optional<Node> node = {};  // After the literal.
    Place place = Place::kText;
  };

  std::vector<Piece> pieces = {};
  std::vector<TemplateCounter> counters = {};
  std::vector<std::string> machines = {};
  bool needs_captures = false;

  void Note(const Node& node) {
    needs_captures = needs_captures || node.op == Op::kCapture;
    if (node.op == Op::kCounter) {
      const bool known = std::any_of(counters.begin(), counters.end(), [&](const auto& counter) {
        return counter.name == node.text;
      });
      if (!known) counters.push_back({node.text, node.number});
    }
    if (node.op == Op::kState &&
        std::find(machines.begin(), machines.end(), node.text) == machines.end()) {
      machines.push_back(node.text);
    }
    for (const Node& argument : node.arguments) Note(argument);
  }
};

namespace {

// Cuts a text into literals and placeholders, and knows where in the JSON each stands.
class TextScanner {
 public:
  TextScanner(std::string_view text, TemplateSyntax syntax)
      : text_(text), json_(syntax == TemplateSyntax::kJson) {}

  struct Found {
    std::string literal;
    std::string expression;
    bool in_string = false;
    bool whole_string = false;  // The quotes around it have been taken away.
    bool end = false;           // There is none: `literal` is what is left.
  };

  // The next placeholder with the literal before it.
  Result<Found> Next() {
    Found found;
    const std::size_t begin = FindOpening();
    if (begin == std::string_view::npos) {
      found.literal = std::string(text_.substr(literal_begin_));
      found.end = true;
      return found;
    }
    const std::size_t end = FindClosing(begin + 2);
    if (end == std::string_view::npos) {
      return InvalidArgument(
          "\"" + std::string(text_.substr(begin, 40)) +
          "\" opens a {{ that is not closed; for literal braces write {{'{{'}}, or switch "
          "templates off with \"template\": false");
    }
    found.literal = std::string(text_.substr(literal_begin_, begin - literal_begin_));
    found.in_string = in_string_;
    const std::string_view raw = text_.substr(begin + 2, end - begin - 2);
    if (in_string_) {
      const auto plain = json::parse("\"" + std::string(raw) + "\"", nullptr, false);
      if (!plain.is_string()) {
        return InvalidArgument("{{" + std::string(raw) + "}} is no valid part of a JSON string");
      }
      found.expression = plain.get<std::string>();
    } else {
      found.expression = std::string(raw);
    }
    at_ = literal_begin_ = end + 2;
    if (in_string_ && begin == string_begin_ && IsWholeValue()) {
      found.literal.pop_back();
      found.whole_string = true;
      at_ = literal_begin_ = end + 3;
      in_string_ = false;
    }
    return found;
  }

 private:
  std::size_t FindOpening() {
    while (at_ < text_.size()) {
      if (text_.substr(at_, 2) == "{{") return at_;
      if (json_ && in_string_ && text_[at_] == '\\') {
        at_ = std::min(at_ + 2, text_.size());
        continue;
      }
      if (json_ && text_[at_] == '"') {
        in_string_ = !in_string_;
        string_begin_ = at_ + 1;
      }
      ++at_;
    }
    return std::string_view::npos;
  }

  // The first }} that is not inside of quotes. In a JSON string, " is written \".
  std::size_t FindClosing(std::size_t at) const {
    char quote = 0;
    for (; at < text_.size(); ++at) {
      char c = text_[at];
      bool escaped = false;
      if (c == '\\') {
        if (++at >= text_.size()) break;
        c = text_[at];
        escaped = true;
      }
      if (in_string_ && c == '"' && !escaped) return std::string_view::npos;
      const bool delimiter = (c == '\'' && !escaped) || (c == '"' && (in_string_ || !escaped));
      if (quote != 0) {
        if (delimiter && c == quote) quote = 0;
        continue;
      }
      if (delimiter) {
        quote = c;
      } else if (text_.substr(at, 2) == "}}") {
        return at;
      }
    }
    return std::string_view::npos;
  }

  // Whether the string ends here, and is no member's name.
  bool IsWholeValue() const {
    if (at_ >= text_.size() || text_[at_] != '"') return false;
    std::size_t after = at_ + 1;
    while (after < text_.size() && IsSpace(text_[after])) ++after;
    return after >= text_.size() || text_[after] != ':';
  }

  std::string_view text_;
  const bool json_;
  bool in_string_ = false;
  std::size_t string_begin_ = 0;
  std::size_t at_ = 0;
  std::size_t literal_begin_ = 0;
};

}  // namespace

Template::Template(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}

bool Template::HasPlaceholders(std::string_view text) {
  return text.find("{{") != std::string_view::npos;
}

Result<Template> Template::Compile(std::string_view text, const TemplateScope& scope,
                                   TemplateSyntax syntax) {
  auto compiled = std::make_shared<Compiled>();
  TextScanner scanner(text, syntax);
  for (;;) {
    UNDERSTUDY_ASSIGN_OR_RETURN(TextScanner::Found found, scanner.Next());
    if (found.end) {
      compiled->pieces.push_back({.literal = std::move(found.literal)});
      break;
    }
    if (compiled->pieces.size() >= kPlaceholdersMax) {
      return InvalidArgument("the template has more than " + std::to_string(kPlaceholdersMax) +
                             " placeholders");
    }
    UNDERSTUDY_ASSIGN_OR_RETURN(Node node, ExpressionParser(found.expression, scope).Parse());
    compiled->Note(node);
    Compiled::Place place = Compiled::Place::kText;
    if (syntax == TemplateSyntax::kJson) {
      place = found.in_string && !found.whole_string ? Compiled::Place::kInString
                                                     : Compiled::Place::kValue;
    }
    compiled->pieces.push_back({std::move(found.literal), std::move(node), place});
  }
  return Template(std::move(compiled));
}

Result<std::string> Template::Render(const TemplateContext& context) const {
  std::string out;
  const Evaluation evaluation(context);
  for (const Compiled::Piece& piece : compiled_->pieces) {
    out += piece.literal;
    if (piece.node) {
      const json value = evaluation.Of(*piece.node);
      switch (piece.place) {
        case Compiled::Place::kText:
          out += ToText(value);
          break;
        case Compiled::Place::kInString: {
          const std::string quoted = Dump(ToText(value));
          out.append(quoted, 1, quoted.size() - 2);
          break;
        }
        case Compiled::Place::kValue:
          out += Dump(value);
          break;
      }
    }
    if (out.size() > kOutputBytesMax) {
      return InvalidArgument("the answer would be longer than " + std::to_string(kOutputBytesMax) +
                             " bytes");
    }
  }
  return out;
}

const std::vector<TemplateCounter>& Template::counters() const { return compiled_->counters; }

const std::vector<std::string>& Template::machines() const { return compiled_->machines; }

bool Template::needs_captures() const { return compiled_->needs_captures; }

}  // namespace understudy::harness
