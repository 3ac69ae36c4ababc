#include "middleware/http/structured_field.h"

#include <algorithm>
#include <array>

#include "middleware/base/text.h"
#include "middleware/base/utf8.h"
#include "middleware/http/token.h"

namespace understudy::http {
namespace {

// RFC 9651 3.3.4 has two characters more than a token of HTTP.
bool IsFieldTokenChar(char c) { return IsTokenChar(c) || c == ':' || c == '/'; }

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsAlpha(char c) { return IsLower(c) || (c >= 'A' && c <= 'Z'); }
bool IsPrintable(char c) { return c >= ' ' && c <= '~'; }

bool IsKeyChar(char c) {
  return IsDigit(c) || IsLower(c) || std::string_view("_-.*").find(c) != std::string_view::npos;
}

// Only lower case, as section 4.2.10 says. -1 for anything else.
int LowerHexValue(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Of a repeated key the place of the first and the value of the last count
// (sections 4.2.2, 4.2.3.2).
template <typename Value>
void Put(std::vector<std::pair<std::string, Value>>& entries, std::string key, Value value) {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const auto& entry) { return entry.first == key; });
  if (found != entries.end()) {
    found->second = std::move(value);
  } else {
    entries.emplace_back(std::move(key), std::move(value));
  }
}

template <typename Value>
const Value* FindIn(const std::vector<std::pair<std::string, Value>>& entries,
                    std::string_view key) {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const auto& entry) { return entry.first == key; });
  return found == entries.end() ? nullptr : &found->second;
}

// One pass over one field value. Each function consumes what it parses, or fails; nothing recurses
// deeper than the grammar: a list, an inner list, an item, its parameters.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<StructuredItem> ParseItemField();
  Result<StructuredList> ParseListField();
  Result<StructuredDictionary> ParseDictionaryField();

 private:
  Error Fail(std::string_view what) const {
    return Error{.code = ErrorCode::kProtocol,
                 .message = "a structured field has " + std::string(what) + " at byte " +
                            std::to_string(at_),
                 .delivery = Delivery::kAnswered,
                 .origin = Origin::kRemote,
                 .reason = "structured-field"};
  }

  bool AtEnd() const { return at_ == text_.size(); }
  // '\0' at the end; a NUL byte in the text is no character of any rule either.
  char Peek() const { return AtEnd() ? '\0' : text_[at_]; }
  bool Take(char c) {
    if (AtEnd() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void SkipSpaces() {
    while (Peek() == ' ') ++at_;
  }
  void SkipOws() {
    while (Peek() == ' ' || Peek() == '\t') ++at_;
  }
  template <typename Predicate>
  std::string_view TakeWhile(Predicate predicate) {
    const std::size_t begin = at_;
    while (!AtEnd() && predicate(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  Result<void> Begin();
  Result<void> End();
  Result<void> CheckCount(std::size_t members) const;
  // After a member: true if another one follows.
  Result<bool> TakeComma();

  Result<StructuredMember> ParseMember();
  Result<StructuredInnerList> ParseInnerList();
  Result<StructuredItem> ParseItem();
  Result<StructuredParameters> ParseParameters();
  Result<std::string> ParseKey();
  Result<BareItem> ParseBareItem();
  Result<BareItem> ParseNumber();
  Result<BareItem> ParseString();
  Result<BareItem> ParseToken();
  Result<BareItem> ParseBytes();
  Result<BareItem> ParseBoolean();
  Result<BareItem> ParseDate();
  Result<BareItem> ParseDisplayString();

  std::string_view text_;
  std::size_t at_ = 0;
};

Result<void> Parser::Begin() {
  if (text_.size() > kStructuredFieldBytesMax) {
    at_ = kStructuredFieldBytesMax;
    return Fail("more bytes than are read");
  }
  SkipSpaces();
  return {};
}

Result<void> Parser::End() {
  SkipSpaces();
  if (!AtEnd()) return Fail("text after its value");
  return {};
}

Result<void> Parser::CheckCount(std::size_t members) const {
  if (members >= kStructuredMembersMax) return Fail("more members than are read");
  return {};
}

Result<bool> Parser::TakeComma() {
  SkipOws();
  if (AtEnd()) return false;
  if (!Take(',')) return Fail("no comma between its members");
  SkipOws();
  if (AtEnd()) return Fail("a comma without a member behind it");
  return true;
}

Result<StructuredItem> Parser::ParseItemField() {
  UNDERSTUDY_RETURN_IF_ERROR(Begin());
  UNDERSTUDY_ASSIGN_OR_RETURN(StructuredItem item, ParseItem());
  UNDERSTUDY_RETURN_IF_ERROR(End());
  return item;
}

Result<StructuredList> Parser::ParseListField() {
  UNDERSTUDY_RETURN_IF_ERROR(Begin());
  StructuredList list;
  for (bool more = !AtEnd(); more;) {
    UNDERSTUDY_RETURN_IF_ERROR(CheckCount(list.size()));
    UNDERSTUDY_ASSIGN_OR_RETURN(StructuredMember member, ParseMember());
    list.push_back(std::move(member));
    UNDERSTUDY_ASSIGN_OR_RETURN(more, TakeComma());
  }
  return list;
}

Result<StructuredDictionary> Parser::ParseDictionaryField() {
  UNDERSTUDY_RETURN_IF_ERROR(Begin());
  StructuredDictionary dictionary;
  std::size_t members = 0;
  for (bool more = !AtEnd(); more; ++members) {
    UNDERSTUDY_RETURN_IF_ERROR(CheckCount(members));
    UNDERSTUDY_ASSIGN_OR_RETURN(std::string key, ParseKey());
    StructuredMember member = StructuredItem{.value = true};
    if (Take('=')) {
      UNDERSTUDY_ASSIGN_OR_RETURN(member, ParseMember());
    } else {
      UNDERSTUDY_ASSIGN_OR_RETURN(std::get<StructuredItem>(member).parameters, ParseParameters());
    }
    Put(dictionary.entries, std::move(key), std::move(member));
    UNDERSTUDY_ASSIGN_OR_RETURN(more, TakeComma());
  }
  return dictionary;
}

Result<StructuredMember> Parser::ParseMember() {
  if (Peek() == '(') {
    UNDERSTUDY_ASSIGN_OR_RETURN(StructuredInnerList list, ParseInnerList());
    return StructuredMember(std::move(list));
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(StructuredItem item, ParseItem());
  return StructuredMember(std::move(item));
}

Result<StructuredInnerList> Parser::ParseInnerList() {
  Take('(');
  StructuredInnerList list;
  for (SkipSpaces(); !Take(')'); SkipSpaces()) {
    UNDERSTUDY_RETURN_IF_ERROR(CheckCount(list.items.size()));
    UNDERSTUDY_ASSIGN_OR_RETURN(StructuredItem item, ParseItem());
    list.items.push_back(std::move(item));
    if (Peek() != ' ' && Peek() != ')') return Fail("an inner list that is not closed");
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(list.parameters, ParseParameters());
  return list;
}

Result<StructuredItem> Parser::ParseItem() {
  StructuredItem item;
  UNDERSTUDY_ASSIGN_OR_RETURN(item.value, ParseBareItem());
  UNDERSTUDY_ASSIGN_OR_RETURN(item.parameters, ParseParameters());
  return item;
}

Result<StructuredParameters> Parser::ParseParameters() {
  StructuredParameters parameters;
  for (std::size_t count = 0; Take(';'); ++count) {
    UNDERSTUDY_RETURN_IF_ERROR(CheckCount(count));
    SkipSpaces();
    UNDERSTUDY_ASSIGN_OR_RETURN(std::string key, ParseKey());
    BareItem value = true;
    if (Take('=')) {
      UNDERSTUDY_ASSIGN_OR_RETURN(value, ParseBareItem());
    }
    Put(parameters.entries, std::move(key), std::move(value));
  }
  return parameters;
}

Result<std::string> Parser::ParseKey() {
  if (!IsLower(Peek()) && Peek() != '*') return Fail("no key (lower case letters)");
  return std::string(TakeWhile(IsKeyChar));
}

Result<BareItem> Parser::ParseBareItem() {
  const char first = Peek();
  if (first == '-' || IsDigit(first)) return ParseNumber();
  if (first == '"') return ParseString();
  if (first == '*' || IsAlpha(first)) return ParseToken();
  if (first == ':') return ParseBytes();
  if (first == '?') return ParseBoolean();
  if (first == '@') return ParseDate();
  if (first == '%') return ParseDisplayString();
  return Fail("no value");
}

// Section 4.2.4: 15 digits, or 12 and a fraction of 1 to 3.
Result<BareItem> Parser::ParseNumber() {
  constexpr std::size_t kIntegerDigitsMax = 15;
  constexpr std::size_t kWholeDigitsMax = 12;
  constexpr std::size_t kFractionDigitsMax = 3;
  const std::int64_t sign = Take('-') ? -1 : 1;
  const std::string_view whole = TakeWhile(IsDigit);
  if (whole.empty()) return Fail("a sign without a number");
  if (whole.size() > kIntegerDigitsMax) return Fail("a number that is too long");
  const auto value = static_cast<std::int64_t>(ParseUnsigned(whole).value_or(0));
  if (!Take('.')) return BareItem(sign * value);
  const std::string_view fraction = TakeWhile(IsDigit);
  if (whole.size() > kWholeDigitsMax || fraction.size() > kFractionDigitsMax)
    return Fail("a decimal that is too long");
  if (fraction.empty()) return Fail("a decimal without a fraction");
  auto thousandths = static_cast<std::int64_t>(ParseUnsigned(fraction).value_or(0));
  for (std::size_t digits = fraction.size(); digits < kFractionDigitsMax; ++digits)
    thousandths *= 10;
  return BareItem(StructuredDecimal{sign * (value * 1000 + thousandths)});
}

Result<BareItem> Parser::ParseString() {
  Take('"');
  std::string value;
  while (!AtEnd()) {
    if (Take('"')) return BareItem(std::move(value));
    if (Take('\\') && Peek() != '"' && Peek() != '\\')
      return Fail("a backslash before something else than a quote or a backslash");
    if (!IsPrintable(Peek())) return Fail("a string with a character that is not printable ASCII");
    value.push_back(text_[at_++]);
  }
  return Fail("a string that is not closed");
}

Result<BareItem> Parser::ParseToken() {
  return BareItem(StructuredToken{std::string(TakeWhile(IsFieldTokenChar))});
}

Result<BareItem> Parser::ParseBytes() {
  Take(':');
  std::string encoded(TakeWhile([](char c) { return c != ':'; }));
  if (AtEnd()) return Fail("a byte sequence that is not closed");
  if (encoded.find('=') == std::string::npos && encoded.size() % 4 > 1)
    encoded.append(4 - encoded.size() % 4, '=');
  std::optional<std::string> bytes = Base64Decode(encoded);
  if (!bytes) return Fail("a byte sequence that is not base64");
  Take(':');
  return BareItem(StructuredBytes{std::move(*bytes)});
}

Result<BareItem> Parser::ParseBoolean() {
  Take('?');
  if (Take('1')) return BareItem(true);
  if (Take('0')) return BareItem(false);
  return Fail("a boolean that is neither ?0 nor ?1");
}

Result<BareItem> Parser::ParseDate() {
  Take('@');
  UNDERSTUDY_ASSIGN_OR_RETURN(const BareItem number, ParseNumber());
  const auto* seconds = std::get_if<std::int64_t>(&number);
  if (seconds == nullptr) return Fail("a date that is not a whole number");
  return BareItem(StructuredDate{*seconds});
}

Result<BareItem> Parser::ParseDisplayString() {
  Take('%');
  if (!Take('"')) return Fail("a display string without a quote");
  std::string value;
  while (!AtEnd()) {
    if (Take('"')) {
      if (!IsUtf8(value)) return Fail("a display string that is not UTF-8");
      return BareItem(StructuredDisplayString{std::move(value)});
    }
    if (Take('%')) {
      const int high = LowerHexValue(Peek());
      if (high >= 0) ++at_;
      const int low = LowerHexValue(Peek());
      if (high < 0 || low < 0) return Fail("a % without two lower-case hexadecimal digits");
      ++at_;
      value.push_back(static_cast<char>(high * 16 + low));
      continue;
    }
    if (!IsPrintable(Peek())) return Fail("a display string with a character that is not ASCII");
    value.push_back(text_[at_++]);
  }
  return Fail("a display string that is not closed");
}

std::optional<std::int64_t> IntegerOf(const BareItem* item) {
  const auto* integer = item == nullptr ? nullptr : std::get_if<std::int64_t>(item);
  return integer == nullptr ? std::nullopt : std::optional(*integer);
}

}  // namespace

const BareItem* StructuredParameters::Find(std::string_view key) const {
  return FindIn(entries, key);
}

std::optional<std::int64_t> StructuredParameters::Integer(std::string_view key) const {
  return IntegerOf(Find(key));
}

const StructuredMember* StructuredDictionary::Find(std::string_view key) const {
  return FindIn(entries, key);
}

std::optional<std::int64_t> StructuredDictionary::Integer(std::string_view key) const {
  const StructuredMember* member = Find(key);
  const auto* item = member == nullptr ? nullptr : std::get_if<StructuredItem>(member);
  return item == nullptr ? std::nullopt : IntegerOf(&item->value);
}

Result<StructuredItem> ParseStructuredItem(std::string_view text) {
  return Parser(text).ParseItemField();
}

Result<StructuredList> ParseStructuredList(std::string_view text) {
  return Parser(text).ParseListField();
}

Result<StructuredDictionary> ParseStructuredDictionary(std::string_view text) {
  return Parser(text).ParseDictionaryField();
}

std::optional<std::string> JoinFieldLines(const Headers& headers, std::string_view name) {
  std::optional<std::string> joined;
  for (const auto& [field, value] : headers) {
    if (!EqualsIgnoreAsciiCase(field, name)) continue;
    if (joined) {
      joined->append(", ").append(value);
    } else {
      joined = value;
    }
    if (joined->size() > kStructuredFieldBytesMax) break;
  }
  return joined;
}

}  // namespace understudy::http
