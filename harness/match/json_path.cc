#include "harness/match/json_path.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>
#include <re2/re2.h>

#include "middleware/base/utf8.h"

namespace understudy::harness {
namespace {

using nlohmann::json;

constexpr std::int64_t kIntegerMax = (std::int64_t{1} << 53) - 1;  // RFC 9535 section 2.1.
constexpr std::size_t kSelectorsMax = 256;                         // Of one pair of brackets.

struct Expression;

struct Selector {
  enum class Kind { kName, kWildcard, kIndex, kSlice, kFilter };
  Kind kind = Kind::kWildcard;
  std::string name = {};
  std::int64_t index = 0;
  std::optional<std::int64_t> from = {};
  std::optional<std::int64_t> to = {};
  std::int64_t step = 1;
  std::shared_ptr<const Expression> filter = {};
};

struct Segment {
  bool descendant = false;
  bool length = false;  // ".length()": has no selectors.
  std::vector<Selector> selectors = {};
};

struct Query {
  bool relative = false;  // Starts at "@".
  std::vector<Segment> segments = {};

  bool singular() const {
    return std::all_of(segments.begin(), segments.end(), [](const Segment& segment) {
      if (segment.length) return true;
      return !segment.descendant && segment.selectors.size() == 1 &&
             (segment.selectors[0].kind == Selector::Kind::kName ||
              segment.selectors[0].kind == Selector::Kind::kIndex);
    });
  }
};

enum class Function { kLength, kCount, kMatch, kSearch, kValue };

// A value in a filter.
struct Operand {
  enum class Kind { kLiteral, kQuery, kFunction };
  Kind kind = Kind::kLiteral;
  json literal = {};
  Query query = {};
  Function function = Function::kLength;
  std::vector<Operand> arguments = {};
};

struct Expression {
  enum class Kind {
    kOr,
    kAnd,
    kNot,
    kExists,
    kTest,  // match() or search().
    kEqual,
    kUnequal,
    kLess,
    kLessOrEqual,
    kGreater,
    kGreaterOrEqual,
    kRegex,
    kIn,
    kNotIn,
    kContains,
    kSize,
    kEmpty,
  };
  Kind kind = Kind::kExists;
  std::vector<std::shared_ptr<const Expression>> children = {};
  Operand left = {};
  Operand right = {};
  std::shared_ptr<const re2::RE2> regex = {};
};

std::shared_ptr<const re2::RE2> CompileRegex(std::string_view pattern, bool ignore_case,
                                             bool whole) {
  re2::RE2::Options options(re2::RE2::Quiet);
  options.set_case_sensitive(!ignore_case);
  std::string text(pattern);
  if (whole) text = "\\A(?:" + text + ")\\z";
  return std::make_shared<const re2::RE2>(text, options);
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// The characters of a name written without quotes. More than RFC 9535 allows ("first-name", "1st"),
// as other libraries do; every character that could go on as an operator is left out.
bool IsNameCharacter(char c) {
  return static_cast<unsigned char>(c) >= 0x80 || IsDigit(c) || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == ':' || c == '$' || c == '#' ||
         c == '%';
}

bool IsWordCharacter(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

std::optional<std::uint32_t> HexDigits(std::string_view text) {
  if (text.size() < 4) return std::nullopt;
  std::uint32_t value = 0;
  for (const char c : text.substr(0, 4)) {
    const int digit = IsDigit(c)               ? c - '0'
                      : (c >= 'a' && c <= 'f') ? c - 'a' + 10
                      : (c >= 'A' && c <= 'F') ? c - 'A' + 10
                                               : -1;
    if (digit < 0) return std::nullopt;
    value = value * 16 + static_cast<std::uint32_t>(digit);
  }
  return value;
}

void AppendCodePoint(std::string& out, std::uint32_t code) {
  const auto byte = [&](std::uint32_t value) { out.push_back(static_cast<char>(value)); };
  if (code < 0x80) return byte(code);
  if (code < 0x800) {
    byte(0xc0 | (code >> 6));
  } else {
    if (code < 0x10000) {
      byte(0xe0 | (code >> 12));
    } else {
      byte(0xf0 | (code >> 18));
      byte(0x80 | ((code >> 12) & 0x3f));
    }
    byte(0x80 | ((code >> 6) & 0x3f));
  }
  byte(0x80 | (code & 0x3f));
}

// Length as RFC 9535 section 2.4.4 defines it: characters, elements or members.
std::optional<std::int64_t> LengthOf(const json& value) {
  if (value.is_structured()) return static_cast<std::int64_t>(value.size());
  if (!value.is_string()) return std::nullopt;
  const std::string& text = value.get_ref<const std::string&>();
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

}  // namespace

class JsonPath::Program {
 public:
  std::string text = {};
  Flavour flavour = Flavour::kStandard;
  Query query = {};
};

// A recursive-descent parser; every member function that returns a Result leaves `at_` behind what
// it has read.
class JsonPathParser {
 public:
  JsonPathParser(std::string_view text, JsonPath::Flavour flavour)
      : text_(text), flavour_(flavour) {}

  Result<JsonPath> Parse();

 private:
  using Node = std::shared_ptr<const Expression>;

  Error Bad(const std::string& why) const {
    return InvalidArgument("JSONPath, byte " + std::to_string(at_) + ": " + why);
  }
  char Peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool AtEnd() const { return at_ >= text_.size(); }
  void SkipBlanks() {
    while (!AtEnd() && IsBlank(Peek())) ++at_;
  }
  bool Take(std::string_view token) {
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  // A word operator such as "in": not the beginning of a longer word.
  bool TakeWord(std::string_view word) {
    if (text_.substr(at_, word.size()) != word || IsWordCharacter(Peek(word.size()))) return false;
    at_ += word.size();
    return true;
  }

  Result<std::vector<Segment>> ParseSegments();
  Result<Segment> ParseAfterDot(bool descendant);
  Result<Segment> ParseBrackets();
  Result<Selector> ParseSelector();
  Result<Selector> ParseIndexOrSlice();
  Result<std::optional<std::int64_t>> ParseInteger();
  Result<std::string> ParseQuoted();
  Result<void> ParseEscape(std::string& out);
  Result<std::uint32_t> ParseUnicodeEscape();

  Result<Node> ParseOr();
  Result<Node> ParseAnd();
  Result<Node> ParseUnary();
  Result<Node> ParseComparison();
  Result<Node> ParseRegexLiteral(Expression expression);
  std::optional<Expression::Kind> TakeOperator();
  Result<Node> Finish(Expression expression);
  Result<Node> Tested(Expression expression);
  Result<Operand> ParseOperand();
  Result<Operand> ParseNumber();
  Result<Operand> ParseList();
  Result<Operand> ParseFunction(std::string_view name);
  Result<void> CheckArguments(const Operand& call, std::string_view name) const;

  const std::string_view text_;
  const JsonPath::Flavour flavour_;
  std::size_t at_ = 0;
  std::size_t nesting_ = 0;
};

Result<JsonPath> JsonPathParser::Parse() {
  if (text_.size() > JsonPath::kTextMax) {
    return Bad("longer than " + std::to_string(JsonPath::kTextMax) + " bytes");
  }
  if (!IsUtf8(text_)) return Bad("not UTF-8");
  auto program = std::make_shared<JsonPath::Program>();
  program->text = std::string(text_);
  program->flavour = flavour_;
  if (text_.empty()) return Bad("it is empty; \"$\" is the whole document");
  if (Peek() == '$' && !IsNameCharacter(Peek(1))) {
    ++at_;
  } else if (Peek() == '[' || Peek() == '.') {
    // Relative to the root, as is a bare name below.
  } else {
    UNDERSTUDY_ASSIGN_OR_RETURN(Segment first, ParseAfterDot(false));
    program->query.segments.push_back(std::move(first));
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(auto rest, ParseSegments());
  for (Segment& segment : rest) program->query.segments.push_back(std::move(segment));
  if (!AtEnd()) return Bad("expected \".\" or \"[\"");
  return JsonPath(std::move(program));
}

Result<std::vector<Segment>> JsonPathParser::ParseSegments() {
  std::vector<Segment> segments;
  for (;;) {
    const std::size_t before = at_;
    SkipBlanks();
    if (Peek() == '[') {
      UNDERSTUDY_ASSIGN_OR_RETURN(Segment segment, ParseBrackets());
      segments.push_back(std::move(segment));
    } else if (Take("..")) {
      if (Peek() == '[') {
        UNDERSTUDY_ASSIGN_OR_RETURN(Segment segment, ParseBrackets());
        segment.descendant = true;
        segments.push_back(std::move(segment));
      } else {
        UNDERSTUDY_ASSIGN_OR_RETURN(Segment segment, ParseAfterDot(true));
        segments.push_back(std::move(segment));
      }
    } else if (Take(".")) {
      UNDERSTUDY_ASSIGN_OR_RETURN(Segment segment, ParseAfterDot(false));
      segments.push_back(std::move(segment));
    } else {
      at_ = before;  // The blanks belong to what follows the path.
      return segments;
    }
  }
}

Result<Segment> JsonPathParser::ParseAfterDot(bool descendant) {
  Segment segment{.descendant = descendant};
  if (Take("*")) {
    segment.selectors.push_back({.kind = Selector::Kind::kWildcard});
    return segment;
  }
  const std::size_t start = at_;
  while (!AtEnd() && IsNameCharacter(Peek())) ++at_;
  const std::string_view name = text_.substr(start, at_ - start);
  if (name.empty()) return Bad("expected a name or \"*\"");
  if (!descendant && (name == "length" || name == "size") && Take("()")) {
    segment.length = true;
    return segment;
  }
  if (Peek() == '(') return Bad("unknown function \"" + std::string(name) + "\"");
  segment.selectors.push_back({.kind = Selector::Kind::kName, .name = std::string(name)});
  return segment;
}

Result<Segment> JsonPathParser::ParseBrackets() {
  ++at_;  // "["
  Segment segment;
  do {
    SkipBlanks();
    UNDERSTUDY_ASSIGN_OR_RETURN(Selector selector, ParseSelector());
    segment.selectors.push_back(std::move(selector));
    if (segment.selectors.size() > kSelectorsMax) return Bad("too many selectors");
    SkipBlanks();
  } while (Take(","));
  if (!Take("]")) return Bad("expected \",\" or \"]\"");
  return segment;
}

Result<Selector> JsonPathParser::ParseSelector() {
  if (Peek() == '\'' || Peek() == '"') {
    UNDERSTUDY_ASSIGN_OR_RETURN(std::string name, ParseQuoted());
    return Selector{.kind = Selector::Kind::kName, .name = std::move(name)};
  }
  if (Take("*")) return Selector{.kind = Selector::Kind::kWildcard};
  if (!Take("?")) return ParseIndexOrSlice();
  UNDERSTUDY_ASSIGN_OR_RETURN(Node filter, ParseOr());
  return Selector{.kind = Selector::Kind::kFilter, .filter = std::move(filter)};
}

Result<Selector> JsonPathParser::ParseIndexOrSlice() {
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto first, ParseInteger());
  SkipBlanks();
  if (!Take(":")) {
    if (!first) return Bad("expected a quoted name, a number, a slice, \"*\" or \"?\"");
    return Selector{.kind = Selector::Kind::kIndex, .index = *first};
  }
  Selector slice{.kind = Selector::Kind::kSlice, .from = first};
  SkipBlanks();
  UNDERSTUDY_ASSIGN_OR_RETURN(slice.to, ParseInteger());
  SkipBlanks();
  if (Take(":")) {
    SkipBlanks();
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto step, ParseInteger());
    slice.step = step.value_or(1);
  }
  return slice;
}

Result<std::optional<std::int64_t>> JsonPathParser::ParseInteger() {
  const bool negative = Peek() == '-';
  const std::size_t digits = at_ + (negative ? 1U : 0U);
  if (digits >= text_.size() || !IsDigit(text_[digits])) {
    if (negative) return Bad("a number is missing after \"-\"");
    return std::optional<std::int64_t>();
  }
  if (text_[digits] == '0' && (negative || IsDigit(Peek(1)))) {
    return Bad("a number has no leading zeros and no \"-0\"");
  }
  at_ = digits;
  std::int64_t value = 0;
  for (; IsDigit(Peek()); ++at_) {
    value = value * 10 + (Peek() - '0');
    if (value > kIntegerMax) return Bad("the number is too large");
  }
  return std::optional(negative ? -value : value);
}

Result<std::string> JsonPathParser::ParseQuoted() {
  const char quote = text_[at_++];
  std::string out;
  while (Peek() != quote) {
    if (AtEnd()) return Bad("the closing quote is missing");
    if (static_cast<unsigned char>(Peek()) < 0x20) return Bad("a control character in quotes");
    if (Peek() != '\\') {
      out.push_back(text_[at_++]);
      continue;
    }
    ++at_;
    UNDERSTUDY_RETURN_IF_ERROR(ParseEscape(out));
  }
  ++at_;
  return out;
}

Result<void> JsonPathParser::ParseEscape(std::string& out) {
  constexpr std::string_view kLetters = "bfnrt/\\'\"";
  constexpr std::string_view kMeanings = "\b\f\n\r\t/\\'\"";
  if (Take("u")) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::uint32_t code, ParseUnicodeEscape());
    AppendCodePoint(out, code);
    return {};
  }
  const std::size_t letter = AtEnd() ? std::string_view::npos : kLetters.find(Peek());
  if (letter == std::string_view::npos) return Bad("unknown escape");
  out.push_back(kMeanings[letter]);
  ++at_;
  return {};
}

Result<std::uint32_t> JsonPathParser::ParseUnicodeEscape() {
  const auto high = HexDigits(text_.substr(at_));
  if (!high) return Bad("\"\\u\" needs four hexadecimal digits");
  at_ += 4;
  if (*high < 0xd800 || *high > 0xdfff) return *high;
  if (*high > 0xdbff || !Take("\\u")) return Bad("a lone surrogate");
  const auto low = HexDigits(text_.substr(at_));
  if (!low || *low < 0xdc00 || *low > 0xdfff) return Bad("a lone surrogate");
  at_ += 4;
  return 0x10000 + ((*high - 0xd800) << 10) + (*low - 0xdc00);
}

Result<JsonPathParser::Node> JsonPathParser::Finish(Expression expression) {
  return std::make_shared<const Expression>(std::move(expression));
}

Result<JsonPathParser::Node> JsonPathParser::ParseOr() {
  if (++nesting_ > JsonPath::kNestingMax) return Bad("filters are nested too deeply");
  Expression any{.kind = Expression::Kind::kOr};
  do {
    UNDERSTUDY_ASSIGN_OR_RETURN(Node child, ParseAnd());
    any.children.push_back(std::move(child));
    SkipBlanks();
  } while (Take("||"));
  --nesting_;
  return any.children.size() == 1 ? Result<Node>(any.children.front()) : Finish(std::move(any));
}

Result<JsonPathParser::Node> JsonPathParser::ParseAnd() {
  Expression all{.kind = Expression::Kind::kAnd};
  do {
    UNDERSTUDY_ASSIGN_OR_RETURN(Node child, ParseUnary());
    all.children.push_back(std::move(child));
    SkipBlanks();
  } while (Take("&&"));
  return all.children.size() == 1 ? Result<Node>(all.children.front()) : Finish(std::move(all));
}

Result<JsonPathParser::Node> JsonPathParser::ParseUnary() {
  bool negated = false;
  for (SkipBlanks(); Peek() == '!' && Peek(1) != '='; SkipBlanks()) {
    ++at_;
    negated = !negated;
  }
  Node inner;
  if (Take("(")) {
    UNDERSTUDY_ASSIGN_OR_RETURN(inner, ParseOr());
    SkipBlanks();
    if (!Take(")")) return Bad("expected \")\"");
  } else {
    UNDERSTUDY_ASSIGN_OR_RETURN(inner, ParseComparison());
  }
  if (!negated) return inner;
  return Finish({.kind = Expression::Kind::kNot, .children = {std::move(inner)}});
}

std::optional<Expression::Kind> JsonPathParser::TakeOperator() {
  using Kind = Expression::Kind;
  if (Take("=~")) return Kind::kRegex;
  if (Take("==")) return Kind::kEqual;
  if (Take("!=")) return Kind::kUnequal;
  if (Take("<=")) return Kind::kLessOrEqual;
  if (Take(">=")) return Kind::kGreaterOrEqual;
  if (Take("<")) return Kind::kLess;
  if (Take(">")) return Kind::kGreater;
  if (TakeWord("in") || TakeWord("IN")) return Kind::kIn;
  if (TakeWord("nin") || TakeWord("NIN")) return Kind::kNotIn;
  if (TakeWord("contains") || TakeWord("CONTAINS")) return Kind::kContains;
  if (TakeWord("size") || TakeWord("SIZE")) return Kind::kSize;
  if (TakeWord("empty") || TakeWord("EMPTY")) return Kind::kEmpty;
  return std::nullopt;
}

Result<JsonPathParser::Node> JsonPathParser::ParseComparison() {
  Expression expression;
  UNDERSTUDY_ASSIGN_OR_RETURN(expression.left, ParseOperand());
  SkipBlanks();
  const auto kind = TakeOperator();
  if (!kind) return Tested(std::move(expression));
  expression.kind = *kind;
  SkipBlanks();
  if (*kind == Expression::Kind::kRegex) return ParseRegexLiteral(std::move(expression));
  UNDERSTUDY_ASSIGN_OR_RETURN(expression.right, ParseOperand());
  for (const Operand* side : {&expression.left, &expression.right}) {
    if (side->kind == Operand::Kind::kQuery && !side->query.singular()) {
      return Bad("only a path to one value can be compared");
    }
    const bool logical = side->function == Function::kMatch || side->function == Function::kSearch;
    if (side->kind == Operand::Kind::kFunction && logical) {
      return Bad("match() and search() stand alone; they cannot be compared");
    }
  }
  return Finish(std::move(expression));
}

Result<JsonPathParser::Node> JsonPathParser::Tested(Expression expression) {
  if (expression.left.kind == Operand::Kind::kLiteral) {
    return Bad("a value alone is no condition; compare it with ==");
  }
  if (expression.left.kind == Operand::Kind::kFunction) {
    const Function function = expression.left.function;
    if (function != Function::kMatch && function != Function::kSearch) {
      return Bad("the function gives a value; compare it");
    }
    expression.kind = Expression::Kind::kTest;
    const Operand& pattern = expression.left.arguments[1];
    if (pattern.kind == Operand::Kind::kLiteral && pattern.literal.is_string()) {
      expression.regex = CompileRegex(pattern.literal.get_ref<const std::string&>(), false,
                                      function == Function::kMatch);
      // RFC 9535 2.4.6: an expression that is none matches nothing. Better said at once.
      if (!expression.regex->ok()) return Bad(expression.regex->error() + " (RE2 syntax)");
    }
  }
  return Finish(std::move(expression));
}

Result<JsonPathParser::Node> JsonPathParser::ParseRegexLiteral(Expression expression) {
  std::string pattern;
  bool ignore_case = false;
  if (Peek() == '\'' || Peek() == '"') {
    UNDERSTUDY_ASSIGN_OR_RETURN(pattern, ParseQuoted());
  } else {
    if (!Take("/")) return Bad("=~ needs /an expression/");
    while (Peek() != '/') {
      if (AtEnd()) return Bad("the closing \"/\" is missing");
      if (Peek() == '\\' && Peek(1) == '/') ++at_;
      if (Peek() == '\\' && at_ + 1 < text_.size()) pattern.push_back(text_[at_++]);
      pattern.push_back(text_[at_++]);
    }
    ++at_;
    std::string flags;
    for (; Peek() == 'i' || Peek() == 's' || Peek() == 'm'; ++at_) {
      if (Peek() == 'i') ignore_case = true;
      if (Peek() != 'i') flags.push_back(Peek());
    }
    if (!flags.empty()) pattern = "(?" + flags + ")" + pattern;
  }
  // The whole text, as Jayway matches it.
  expression.regex = CompileRegex(pattern, ignore_case, true);
  if (!expression.regex->ok()) {
    return Bad(expression.regex->error() + " (RE2 syntax: no look-around, no back-references)");
  }
  return Finish(std::move(expression));
}

Result<Operand> JsonPathParser::ParseOperand() {
  if (Peek() == '@' || Peek() == '$') {
    Operand operand{.kind = Operand::Kind::kQuery};
    operand.query.relative = text_[at_++] == '@';
    UNDERSTUDY_ASSIGN_OR_RETURN(operand.query.segments, ParseSegments());
    return operand;
  }
  if (Peek() == '\'' || Peek() == '"') {
    UNDERSTUDY_ASSIGN_OR_RETURN(std::string text, ParseQuoted());
    return Operand{.literal = std::move(text)};
  }
  if (Peek() == '-' || IsDigit(Peek())) return ParseNumber();
  if (Peek() == '[') return ParseList();
  const std::size_t start = at_;
  while (!AtEnd() && IsWordCharacter(Peek())) ++at_;
  const std::string_view word = text_.substr(start, at_ - start);
  if (word == "true") return Operand{.literal = true};
  if (word == "false") return Operand{.literal = false};
  if (word == "null") return Operand{.literal = nullptr};
  if (!word.empty() && Peek() == '(') return ParseFunction(word);
  at_ = start;
  return Bad("expected \"@\", \"$\", a text in quotes, a number, true, false, null or a function");
}

Result<Operand> JsonPathParser::ParseNumber() {
  const std::size_t start = at_;
  while (!AtEnd() &&
         (IsDigit(Peek()) || std::string_view("+-.eE").find(Peek()) != std::string_view::npos)) {
    ++at_;
  }
  json number = json::parse(text_.substr(start, at_ - start), nullptr, false);
  if (!number.is_number()) return Bad("not a number");
  return Operand{.literal = std::move(number)};
}

Result<Operand> JsonPathParser::ParseList() {
  if (++nesting_ > JsonPath::kNestingMax) return Bad("lists are nested too deeply");
  ++at_;  // "["
  Operand list{.literal = json::array()};
  SkipBlanks();
  while (!Take("]")) {
    UNDERSTUDY_ASSIGN_OR_RETURN(Operand item, ParseOperand());
    if (item.kind != Operand::Kind::kLiteral) return Bad("a list holds plain values");
    list.literal.push_back(std::move(item.literal));
    SkipBlanks();
    if (Take(",")) {
      SkipBlanks();
    } else if (Peek() != ']') {
      return Bad("expected \",\" or \"]\"");
    }
  }
  --nesting_;
  return list;
}

Result<Operand> JsonPathParser::ParseFunction(std::string_view name) {
  constexpr std::string_view kNames[] = {"length", "count", "match", "search", "value"};
  const auto found = std::find(std::begin(kNames), std::end(kNames), name);
  if (found == std::end(kNames)) {
    return Bad("unknown function \"" + std::string(name) +
               "\"; there are length, count, match, search and value");
  }
  if (++nesting_ > JsonPath::kNestingMax) return Bad("functions are nested too deeply");
  ++at_;  // "("
  Operand call{.kind = Operand::Kind::kFunction,
               .function = static_cast<Function>(found - std::begin(kNames))};
  do {
    SkipBlanks();
    UNDERSTUDY_ASSIGN_OR_RETURN(Operand argument, ParseOperand());
    call.arguments.push_back(std::move(argument));
    SkipBlanks();
  } while (call.arguments.size() < 3 && Take(","));
  if (!Take(")")) return Bad("expected \")\"");
  UNDERSTUDY_RETURN_IF_ERROR(CheckArguments(call, name));
  --nesting_;
  return call;
}

Result<void> JsonPathParser::CheckArguments(const Operand& call, std::string_view name) const {
  const bool two = call.function == Function::kMatch || call.function == Function::kSearch;
  if (call.arguments.size() != (two ? 2U : 1U)) {
    return Bad(std::string(name) + "() takes " + (two ? "two values" : "one value"));
  }
  const bool takes_nodes = call.function == Function::kCount || call.function == Function::kValue;
  for (const Operand& argument : call.arguments) {
    const bool query = argument.kind == Operand::Kind::kQuery;
    if (takes_nodes && !query) return Bad(std::string(name) + "() takes a path");
    if (!takes_nodes && query && !argument.query.singular()) {
      return Bad(std::string(name) + "() takes a path to one value");
    }
    if (argument.kind == Operand::Kind::kFunction && argument.function != Function::kLength &&
        argument.function != Function::kCount && argument.function != Function::kValue) {
      return Bad("match() and search() give no value");
    }
  }
  return {};
}

namespace {

using Nodes = std::vector<const json*>;

// One evaluation. Everything it looks at is counted, so that no document and no expression make it
// long.
class Run {
 public:
  Run(const json& root, JsonPath::Flavour flavour, JsonPath::Selection& selection)
      : root_(root), flavour_(flavour), selection_(selection) {}

  Nodes Select(const Query& query, const json& current);

 private:
  // Nothing, a value in the document, or a computed one.
  struct Value {
    const json* found = nullptr;
    std::optional<json> made = {};

    const json* get() const { return made ? &*made : found; }
  };

  bool Spend(std::size_t amount = 1) {
    work_ += amount;
    if (work_ > JsonPath::kWorkMax) selection_.cut = true;
    return !selection_.cut;
  }
  void Push(Nodes& out, const json& value) {
    if (out.size() >= JsonPath::kNodesMax) selection_.cut = true;
    if (Spend()) out.push_back(&value);
  }

  void Descend(const Segment& segment, const json& value, std::size_t depth, Nodes& out);
  void Apply(const Segment& segment, const json& value, Nodes& out);
  void ApplySelector(const Selector& selector, const json& value, Nodes& out);
  void ApplySlice(const Selector& slice, const json& value, Nodes& out);
  void ApplyFilter(const Expression& filter, const json& value, Nodes& out);
  void ApplyLength(const json& value, Nodes& out);

  bool Holds(const Expression& expression, const json& current);
  bool HoldsBetween(const Expression& expression, const json& current);
  bool Test(const Expression& expression, const json& current);
  bool FoundBy(const re2::RE2& regex, const json* value);
  bool Among(const json* value, const json* list);
  bool Contains(const json* whole, const json* part);
  bool Less(const json* left, const json* right) const;
  bool Equal(const json* left, const json* right);
  bool EqualValues(const json& left, const json& right, std::size_t depth);
  Value Evaluate(const Operand& operand, const json& current);
  Value Call(const Operand& call, const json& current);

  const json& root_;
  const JsonPath::Flavour flavour_;
  JsonPath::Selection& selection_;
  std::size_t work_ = 0;
};

Nodes Run::Select(const Query& query, const json& current) {
  Nodes nodes = {query.relative ? &current : &root_};
  for (const Segment& segment : query.segments) {
    Nodes next;
    for (const json* const node : nodes) {
      if (selection_.cut) break;
      if (segment.length) {
        ApplyLength(*node, next);
      } else if (segment.descendant) {
        Descend(segment, *node, 0, next);
      } else {
        Apply(segment, *node, next);
      }
    }
    nodes = std::move(next);
  }
  return nodes;
}

void Run::Descend(const Segment& segment, const json& value, std::size_t depth, Nodes& out) {
  if (depth > JsonPath::kDepthMax) {
    selection_.cut = true;
    return;
  }
  if (!value.is_structured() || !Spend()) return;
  Apply(segment, value, out);
  for (const json& child : value) {
    if (selection_.cut) return;
    Descend(segment, child, depth + 1, out);
  }
}

void Run::Apply(const Segment& segment, const json& value, Nodes& out) {
  for (const Selector& selector : segment.selectors) {
    if (!selection_.cut) ApplySelector(selector, value, out);
  }
}

void Run::ApplySelector(const Selector& selector, const json& value, Nodes& out) {
  switch (selector.kind) {
    case Selector::Kind::kName:
      if (const auto found = value.is_object() ? value.find(selector.name) : value.end();
          found != value.end()) {
        Push(out, *found);
      }
      return;
    case Selector::Kind::kWildcard:
      if (!value.is_structured()) return;
      for (const json& child : value) {
        if (selection_.cut) return;
        Push(out, child);
      }
      return;
    case Selector::Kind::kIndex: {
      if (!value.is_array()) return;
      const auto size = static_cast<std::int64_t>(value.size());
      const std::int64_t index = selector.index < 0 ? size + selector.index : selector.index;
      if (index >= 0 && index < size) Push(out, value[static_cast<std::size_t>(index)]);
      return;
    }
    case Selector::Kind::kSlice:
      return ApplySlice(selector, value, out);
    case Selector::Kind::kFilter:
      return ApplyFilter(*selector.filter, value, out);
  }
}

// RFC 9535 section 2.3.4.2.2.
void Run::ApplySlice(const Selector& slice, const json& value, Nodes& out) {
  if (!value.is_array() || slice.step == 0) return;
  const auto size = static_cast<std::int64_t>(value.size());
  const auto normal = [&](std::int64_t index) { return index >= 0 ? index : size + index; };
  const bool forward = slice.step > 0;
  const std::int64_t from = normal(slice.from.value_or(forward ? 0 : size - 1));
  const std::int64_t to = slice.to ? normal(*slice.to) : (forward ? size : -1);
  if (forward) {
    const std::int64_t end = std::clamp<std::int64_t>(to, 0, size);
    for (std::int64_t i = std::clamp<std::int64_t>(from, 0, size); i < end && !selection_.cut;
         i += slice.step) {
      Push(out, value[static_cast<std::size_t>(i)]);
    }
    return;
  }
  const std::int64_t end = std::clamp<std::int64_t>(to, -1, size - 1);
  for (std::int64_t i = std::clamp<std::int64_t>(from, -1, size - 1); i > end && !selection_.cut;
       i += slice.step) {
    Push(out, value[static_cast<std::size_t>(i)]);
  }
}

void Run::ApplyFilter(const Expression& filter, const json& value, Nodes& out) {
  if (!value.is_structured()) return;
  if (value.is_object() && flavour_ == JsonPath::Flavour::kJayway) {
    if (Holds(filter, value)) Push(out, value);
    return;
  }
  for (const json& child : value) {
    if (!Spend()) return;
    if (Holds(filter, child)) Push(out, child);
  }
}

void Run::ApplyLength(const json& value, Nodes& out) {
  const auto length = LengthOf(value);
  if (!length) return;
  selection_.made.push_back(std::make_shared<const json>(*length));
  Push(out, *selection_.made.back());
}

bool Run::Holds(const Expression& expression, const json& current) {
  const auto holds = [&](const std::shared_ptr<const Expression>& child) {
    return Holds(*child, current);
  };
  if (!Spend()) return false;
  switch (expression.kind) {
    case Expression::Kind::kOr:
      return std::any_of(expression.children.begin(), expression.children.end(), holds);
    case Expression::Kind::kAnd:
      return std::all_of(expression.children.begin(), expression.children.end(), holds);
    case Expression::Kind::kNot:
      return !holds(expression.children.front());
    case Expression::Kind::kExists:
      return !Select(expression.left.query, current).empty();
    case Expression::Kind::kTest:
      return Test(expression, current);
    default:
      return HoldsBetween(expression, current);
  }
}

bool Run::HoldsBetween(const Expression& expression, const json& current) {
  const Value left_value = Evaluate(expression.left, current);
  const Value right_value = Evaluate(expression.right, current);
  const json* const left = left_value.get();
  const json* const right = right_value.get();
  switch (expression.kind) {
    case Expression::Kind::kEqual:
      return Equal(left, right);
    case Expression::Kind::kUnequal:
      return !Equal(left, right);
    case Expression::Kind::kLess:
      return Less(left, right);
    case Expression::Kind::kGreater:
      return Less(right, left);
    case Expression::Kind::kLessOrEqual:
      return Less(left, right) || Equal(left, right);
    case Expression::Kind::kGreaterOrEqual:
      return Less(right, left) || Equal(left, right);
    case Expression::Kind::kRegex:
      return FoundBy(*expression.regex, left);
    case Expression::Kind::kIn:
      return Among(left, right);
    case Expression::Kind::kNotIn:
      return !Among(left, right);
    case Expression::Kind::kContains:
      return Contains(left, right);
    case Expression::Kind::kSize: {
      const auto length = left == nullptr ? std::nullopt : LengthOf(*left);
      return length && right != nullptr && right->is_number() && *right == *length;
    }
    case Expression::Kind::kEmpty: {
      const auto length = left == nullptr ? std::nullopt : LengthOf(*left);
      return length && right != nullptr && right->is_boolean() &&
             right->get<bool>() == (*length == 0);
    }
    default:
      return false;
  }
}

bool Run::Test(const Expression& expression, const json& current) {
  const Value subject = Evaluate(expression.left.arguments[0], current);
  if (expression.regex) return FoundBy(*expression.regex, subject.get());
  const Value pattern = Evaluate(expression.left.arguments[1], current);
  if (pattern.get() == nullptr || !pattern.get()->is_string()) return false;
  const std::string& text = pattern.get()->get_ref<const std::string&>();
  // Compiling an expression out of the document is the dearest thing that a filter can do.
  if (!Spend(1000 + 10 * text.size()) || text.size() > JsonPath::kTextMax) return false;
  const auto regex = CompileRegex(text, false, expression.left.function == Function::kMatch);
  return regex->ok() && FoundBy(*regex, subject.get());
}

bool Run::FoundBy(const re2::RE2& regex, const json* value) {
  if (value == nullptr || value->is_structured() || value->is_null()) return false;
  const std::string text = value->is_string() ? value->get<std::string>() : value->dump();
  return Spend(1 + text.size() / 64) && re2::RE2::PartialMatch(text, regex);
}

bool Run::Among(const json* value, const json* list) {
  if (value == nullptr || list == nullptr || !list->is_array()) return false;
  return std::any_of(list->begin(), list->end(),
                     [&](const json& item) { return EqualValues(item, *value, 0); });
}

bool Run::Contains(const json* whole, const json* part) {
  if (whole == nullptr || part == nullptr) return false;
  if (whole->is_array()) return Among(part, whole);
  if (!whole->is_string() || !part->is_string()) return false;
  const std::string& text = whole->get_ref<const std::string&>();
  return Spend(1 + text.size() / 64) &&
         text.find(part->get_ref<const std::string&>()) != std::string::npos;
}

bool Run::Less(const json* left, const json* right) const {
  if (left == nullptr || right == nullptr) return false;
  if (left->is_number() && right->is_number()) return *left < *right;
  return left->is_string() && right->is_string() && *left < *right;
}

bool Run::Equal(const json* left, const json* right) {
  if (left == nullptr || right == nullptr) return left == right;
  return EqualValues(*left, *right, 0);
}

bool Run::EqualValues(const json& left, const json& right, std::size_t depth) {
  if (!Spend() || depth > JsonPath::kDepthMax) return false;
  if (!left.is_structured() || !right.is_structured()) return left == right;
  if (left.type() != right.type() || left.size() != right.size()) return false;
  if (left.is_object()) {
    auto other = right.begin();
    for (auto member = left.begin(); member != left.end(); ++member, ++other) {
      if (member.key() != other.key() || !EqualValues(*member, *other, depth + 1)) return false;
    }
    return true;
  }
  return std::equal(left.begin(), left.end(), right.begin(),
                    [&](const json& a, const json& b) { return EqualValues(a, b, depth + 1); });
}

Run::Value Run::Evaluate(const Operand& operand, const json& current) {
  if (operand.kind == Operand::Kind::kLiteral) return {.found = &operand.literal};
  if (operand.kind == Operand::Kind::kFunction) return Call(operand, current);
  const Nodes nodes = Select(operand.query, current);
  return {.found = nodes.empty() ? nullptr : nodes.front()};
}

Run::Value Run::Call(const Operand& call, const json& current) {
  const Operand& argument = call.arguments.front();
  if (call.function == Function::kLength) {
    const Value value = Evaluate(argument, current);
    const auto length = value.get() == nullptr ? std::nullopt : LengthOf(*value.get());
    return length ? Value{.made = json(*length)} : Value{};
  }
  const Nodes nodes = Select(argument.query, current);
  if (call.function == Function::kCount) return {.made = json(nodes.size())};
  return {.found = nodes.size() == 1 ? nodes.front() : nullptr};
}

}  // namespace

JsonPath::JsonPath(std::shared_ptr<const Program> program) : program_(std::move(program)) {}

Result<JsonPath> JsonPath::Parse(std::string_view text, Flavour flavour) {
  return JsonPathParser(text, flavour).Parse();
}

JsonPath::Selection JsonPath::Select(const json& document) const {
  Selection selection;
  Run run(document, program_->flavour, selection);
  selection.nodes = run.Select(program_->query, document);
  return selection;
}

bool JsonPath::definite() const { return program_->query.singular(); }

const std::string& JsonPath::text() const { return program_->text; }

}  // namespace understudy::harness
