#include "middleware/client/json_body.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "middleware/base/text.h"

namespace understudy {
namespace {

using Json = nlohmann::json;

struct Failure {
  std::string_view reason = {};  // Empty: none.
  std::string_view what = {};
  std::size_t offset = 0;
};

Error ToError(const Failure& failure, const std::string& subject) {
  return Error{.code = ErrorCode::kProtocol,
               .message = subject + " " + std::string(failure.what) + " at byte " +
                          std::to_string(failure.offset),
               .delivery = Delivery::kAnswered,
               .origin = Origin::kRemote,
               .reason = std::string(failure.reason)};
}

// Reads the text for the parser, and knows how far it has read: SAX events carry no position.
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
    CountingIterator old = *this;
    ++*this;
    return old;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  std::size_t* read_;
};

// Builds the value as the library's own parser does, but stops at the first breach of a limit
// instead of filling the memory first, and at the first repeated name instead of forgetting a
// value.
class Builder final : public Json::json_sax_t {
 public:
  Builder(const JsonLimits& limits, const std::size_t& read) : limits_(limits), read_(read) {}

  bool null() override { return Add(nullptr); }
  bool boolean(bool value) override { return Add(value); }
  bool number_integer(number_integer_t value) override { return Add(value); }
  bool number_unsigned(number_unsigned_t value) override { return Add(value); }
  bool number_float(number_float_t value, const string_t& text) override {
    if (IsWholeNumber(text)) return Fail("json-number", "has a whole number of more than 64 bits");
    return Add(value);
  }
  bool string(string_t& value) override { return Add(std::move(value)); }
  bool binary(binary_t&) override { return Fail("json-syntax", "has binary data"); }
  bool start_object(std::size_t) override { return Open(Json::object()); }
  bool start_array(std::size_t) override { return Open(Json::array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool key(string_t& name) override {
    auto& members = open_.back()->get_ref<Json::object_t&>();
    const auto [member, added] = members.try_emplace(std::move(name), nullptr);
    if (!added) return Fail("json-duplicate", "has a repeated member name");
    slot_ = &member->second;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const Json::exception& error) override {
    constexpr int kNumberOverflow = 406;
    if (error.id == kNumberOverflow) return Fail("json-number", "has a number that is too large");
    Fail("json-syntax", "is not JSON");
    failure_.offset = position > 0 ? position - 1 : 0;
    return false;
  }

  const Failure& failure() const { return failure_; }
  Json& root() { return root_; }

 private:
  // `read_` is past what the event is about.
  bool Fail(std::string_view reason, std::string_view what) {
    failure_ = {reason, what, read_ > 0 ? read_ - 1 : 0};
    return false;
  }

  // Where the next value goes: the root, the member just named, or a new element.
  template <typename Value>
  Json* Place(Value&& value) {
    if (open_.empty()) {
      root_ = std::forward<Value>(value);
      return &root_;
    }
    if (open_.back()->is_array()) {
      auto& elements = open_.back()->get_ref<Json::array_t&>();
      elements.emplace_back(std::forward<Value>(value));
      return &elements.back();
    }
    *slot_ = std::forward<Value>(value);
    return slot_;
  }

  template <typename Value>
  bool Add(Value&& value) {
    if (++values_ > limits_.values_max) return Fail("json-size", "has too many values");
    Place(std::forward<Value>(value));
    return true;
  }

  bool Open(Json container) {
    if (++values_ > limits_.values_max) return Fail("json-size", "has too many values");
    if (open_.size() >= static_cast<std::size_t>(limits_.depth_max))
      return Fail("json-depth", "is nested too deeply");
    // The pointers stay valid: a container does not grow while one inside it is open.
    open_.push_back(Place(std::move(container)));
    return true;
  }

  bool Close() {
    open_.pop_back();
    return true;
  }

  const JsonLimits& limits_;
  const std::size_t& read_;
  Json root_;
  std::vector<Json*> open_;
  Json* slot_ = nullptr;
  std::size_t values_ = 0;
  Failure failure_;
};

Result<Json> Parse(std::string_view text, const JsonLimits& limits, const std::string& subject) {
  UNDERSTUDY_RETURN_IF_ERROR(ToResult("JSON limits", FindProblems(limits)));
  if (text.empty()) return ToError({"json-empty", "has no body; JSON is missing"}, subject);
  if (text.size() > limits.bytes_max) {
    return ToError({"json-size", "is larger than the limit", limits.bytes_max}, subject);
  }
  // The parser takes a NUL for the end of the text, and would accept whatever follows.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos)
    return ToError({"json-syntax", "has a NUL byte", nul}, subject);
  std::size_t read = 0;
  Builder builder(limits, read);
  const CountingIterator begin(text.data(), &read);
  const CountingIterator end(text.data() + text.size(), &read);
  if (!Json::sax_parse(begin, end, &builder)) {
    Failure failure = builder.failure();
    failure.offset = std::min(failure.offset, text.size());
    return ToError(failure, subject);
  }
  return std::move(builder.root());
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$&-^_.+").find(c) != std::string_view::npos;
  });
}

// "application/json" of "application/json; charset=utf-8".
std::string_view MediaTypeOf(std::string_view content_type) {
  return TrimOws(content_type.substr(0, content_type.find(';')));
}

// What the answer says it is, for a message; nothing that could be a trick on its reader.
std::string NameOf(std::string_view content_type) {
  constexpr std::size_t kNameMax = 60;
  const std::string_view media = MediaTypeOf(content_type);
  const std::size_t slash = media.find('/');
  const bool plain = slash != std::string_view::npos && media.size() <= kNameMax &&
                     IsToken(media.substr(0, slash)) && IsToken(media.substr(slash + 1));
  return plain ? std::string(media) : "something that is no media type";
}

Result<void> CheckContentType(const http::Response& response, const std::string& subject) {
  const std::vector<std::string_view> types = response.headers.GetAll("Content-Type");
  if (types.size() == 1 && IsJsonContentType(types[0])) return {};
  std::string what = "has no content type, JSON was expected";
  if (types.size() == 1) what = "is " + NameOf(types[0]) + ", JSON was expected";
  if (types.size() > 1) what = "has several content types, JSON was expected";
  return Error{.code = ErrorCode::kProtocol,
               .message = subject + " " + what,
               .delivery = Delivery::kAnswered,
               .origin = Origin::kRemote,
               .reason = "content-type"};
}

}  // namespace

Problems FindProblems(const JsonLimits& limits) {
  Problems problems;
  RequireRange(problems, "json.bytes_max", limits.bytes_max, std::size_t{1}, std::size_t{1} << 30U);
  RequireRange(problems, "json.depth_max", limits.depth_max, 1, 1000);
  RequireRange(problems, "json.values_max", limits.values_max, std::size_t{1},
               std::size_t{100'000'000});
  return problems;
}

bool IsJsonContentType(std::string_view content_type) {
  const std::string media = AsciiLower(MediaTypeOf(content_type));
  if (media == "application/json") return true;
  const std::size_t slash = media.find('/');
  if (slash == std::string::npos || !media.ends_with("+json")) return false;
  const std::string_view subtype = std::string_view(media).substr(slash + 1);
  return IsToken(std::string_view(media).substr(0, slash)) && IsToken(subtype) &&
         subtype.size() > std::string_view("+json").size();
}

Result<Json> ParseJson(const http::Response& response, const JsonLimits& limits) {
  const std::string subject = "the answer " + std::to_string(response.status);
  if (response.body.empty())
    return ToError({"json-empty", "has no body; JSON is missing"}, subject);
  if (!limits.any_content_type) UNDERSTUDY_RETURN_IF_ERROR(CheckContentType(response, subject));
  return Parse(response.body, limits, subject);
}

Result<Json> ParseJsonText(std::string_view text, const JsonLimits& limits) {
  return Parse(text, limits, "the text of " + std::to_string(text.size()) + " bytes");
}

}  // namespace understudy
