#include "middleware/adapter/exact_json.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

#include "middleware/base/check.h"
#include "middleware/base/text.h"

namespace understudy {
namespace {

using Json = nlohmann::json;

// Write and the destructor recurse.
constexpr std::size_t kDepthMax = 500;

Error Fail(std::string_view reason, std::string_view what, std::size_t offset) {
  return Error{.code = ErrorCode::kProtocol,
               .message = "JSON " + std::string(what) + " at byte " + std::to_string(offset),
               .delivery = Delivery::kAnswered,
               .origin = Origin::kRemote,
               .reason = std::string(reason)};
}

// Tells how far the parser has read; SAX events carry no position.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, std::size_t* read) : at_(at), read_(read) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    ++*read_;
    return *this;
  }
  CountingIterator operator++(int) {
    const CountingIterator old = *this;
    ++*this;
    return old;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  std::size_t* read_;
};

std::string Quoted(const std::string& text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool HasRepeatedName(std::span<const ExactJsonMember> members) {
  std::vector<std::string_view> names;
  names.reserve(members.size());
  for (const ExactJsonMember& member : members) names.push_back(member.name);
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) != names.end();
}

}  // namespace

// Builds the value from the parser's events, and stops it at the first breach of a limit.
class ExactJsonBuilder final : public Json::json_sax_t {
 public:
  ExactJsonBuilder(const ExactJsonLimits& limits, const std::size_t& read)
      : limits_(limits), read_(read) {}

  bool null() override { return Add({}); }
  bool boolean(bool value) override { return Add(ExactJson::Boolean(value)); }
  bool number_integer(number_integer_t value) override {
    return Add(ExactJson::FromNumber(std::to_string(value)));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return Add(ExactJson::FromNumber(std::to_string(value)));
  }
  bool number_float(number_float_t, const string_t& text) override {
    return Add(ExactJson::FromNumber(WithDecimalPoint(text)));
  }
  bool string(string_t& value) override { return Add(ExactJson::String(value)); }
  bool binary(binary_t&) override { return Stop("json-syntax", "holds binary data"); }
  bool start_object(std::size_t) override { return Open(ExactJson::Map()); }
  bool start_array(std::size_t) override { return Open(ExactJson::List()); }
  bool key(string_t& name) override {
    auto& members = std::get<ExactJson::Object>(open_.back()->value_);
    members.push_back({std::move(name), {}});
    return true;
  }
  bool end_object() override {
    if (HasRepeatedName(open_.back()->members()))
      return Stop("json-duplicate", "has a repeated member name before it ends");
    open_.pop_back();
    return true;
  }
  bool end_array() override {
    open_.pop_back();
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const Json::exception& error) override {
    constexpr int kNumberOverflow = 406;
    if (error.id == kNumberOverflow) return Stop("json-number", "has a number that is too large");
    failure_ = Fail("json-syntax", "has a syntax error", position > 0 ? position - 1 : 0);
    return false;
  }

  Result<ExactJson> Take() {
    if (failure_) return *std::move(failure_);
    return std::move(root_);
  }
  bool failed() const { return failure_.has_value(); }

 private:
  bool Stop(std::string_view reason, std::string_view what) {
    failure_ = Fail(reason, what, read_ > 0 ? read_ - 1 : 0);
    return false;
  }

  // Puts the value to its place: the root, a new element, or the member just named.
  ExactJson* Place(ExactJson value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (auto* list = std::get_if<ExactJson::Array>(&open_.back()->value_))
      return &list->emplace_back(std::move(value));
    ExactJson& slot = std::get<ExactJson::Object>(open_.back()->value_).back().value;
    slot = std::move(value);
    return &slot;
  }

  bool Add(ExactJson value) {
    if (++values_ > limits_.values_max) return Stop("json-size", "has too many values");
    Place(std::move(value));
    return true;
  }

  bool Open(ExactJson container) {
    if (++values_ > limits_.values_max) return Stop("json-size", "has too many values");
    if (open_.size() >= std::min(limits_.depth_max, kDepthMax))
      return Stop("json-depth", "is nested too deeply");
    // The pointers stay valid: a container does not grow while one inside it is open.
    open_.push_back(Place(std::move(container)));
    return true;
  }

  const ExactJsonLimits& limits_;
  const std::size_t& read_;
  ExactJson root_;
  std::vector<ExactJson*> open_;
  std::size_t values_ = 0;
  std::optional<Error> failure_;
};

ExactJson ExactJson::Boolean(bool value) {
  ExactJson json;
  json.value_ = value;
  return json;
}

ExactJson ExactJson::String(std::string_view text) {
  ExactJson json;
  json.value_ = std::string(text);
  return json;
}

ExactJson ExactJson::FromNumber(std::string text) {
  ExactJson json;
  json.value_ = Number{std::move(text)};
  return json;
}

ExactJson ExactJson::List() {
  ExactJson json;
  json.value_ = Array();
  return json;
}

ExactJson ExactJson::Map() {
  ExactJson json;
  json.value_ = Object();
  return json;
}

Result<ExactJson> ExactJson::Parse(std::string_view text, const ExactJsonLimits& limits) {
  if (text.empty()) return Fail("json-empty", "is missing: no text", 0);
  if (text.size() > limits.bytes_max)
    return Fail("json-size", "is larger than the limit", limits.bytes_max);
  // The parser takes a NUL for the end of the text, and would accept whatever follows.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos)
    return Fail("json-syntax", "has a NUL byte", nul);
  std::size_t read = 0;
  ExactJsonBuilder builder(limits, read);
  const CountingIterator begin(text.data(), &read);
  const CountingIterator end(text.data() + text.size(), &read);
  const bool parsed = Json::sax_parse(begin, end, &builder);
  if (!parsed && !builder.failed()) return Fail("json-syntax", "has a syntax error", read);
  return builder.Take();
}

std::optional<bool> ExactJson::BooleanValue() const {
  const bool* value = std::get_if<bool>(&value_);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<std::string_view> ExactJson::NumberText() const {
  const Number* number = std::get_if<Number>(&value_);
  return number == nullptr ? std::nullopt : std::optional<std::string_view>(number->text);
}

std::optional<std::string_view> ExactJson::StringText() const {
  const std::string* text = std::get_if<std::string>(&value_);
  return text == nullptr ? std::nullopt : std::optional<std::string_view>(*text);
}

const ExactJson* ExactJson::Find(std::string_view name) const {
  for (const ExactJsonMember& member : members())
    if (member.name == name) return member.value.IsNull() ? nullptr : &member.value;
  return nullptr;
}

const ExactJson* ExactJson::FindPath(std::string_view path) const {
  const ExactJson* at = this;
  while (at != nullptr && !path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    at = at->Find(path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return at;
}

std::span<const ExactJson> ExactJson::elements() const& {
  const Array* list = std::get_if<Array>(&value_);
  return list == nullptr ? std::span<const ExactJson>() : std::span<const ExactJson>(*list);
}

std::span<const ExactJsonMember> ExactJson::members() const& {
  const Object* object = std::get_if<Object>(&value_);
  return object == nullptr ? std::span<const ExactJsonMember>()
                           : std::span<const ExactJsonMember>(*object);
}

void ExactJson::Append(ExactJson element) {
  Array* list = std::get_if<Array>(&value_);
  UNDERSTUDY_CHECK(list != nullptr, "Append to a JSON value that is no list");
  list->push_back(std::move(element));
}

ExactJson& ExactJson::Set(std::string_view name, ExactJson value) {
  Object* object = std::get_if<Object>(&value_);
  UNDERSTUDY_CHECK(object != nullptr, "Set on a JSON value that is no object");
  object->push_back({std::string(name), std::move(value)});
  return *this;
}

std::string ExactJson::Write() const {
  if (const bool* value = std::get_if<bool>(&value_)) return *value ? "true" : "false";
  if (const Number* number = std::get_if<Number>(&value_)) return number->text;
  if (const std::string* text = std::get_if<std::string>(&value_)) return Quoted(*text);
  if (IsNull()) return "null";
  std::string written(1, IsArray() ? '[' : '{');
  for (const ExactJson& element : elements()) {
    if (written.size() > 1) written.push_back(',');
    written.append(element.Write());
  }
  for (const ExactJsonMember& member : members()) {
    if (written.size() > 1) written.push_back(',');
    written.append(Quoted(member.name)).append(":").append(member.value.Write());
  }
  written.push_back(IsArray() ? ']' : '}');
  return written;
}

bool ExactJson::operator==(const ExactJson& other) const { return value_ == other.value_; }

}  // namespace understudy
