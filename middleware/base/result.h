// Result<T>: a value or an Error, with the member names of std::expected (ADR 0002).
//
//   Result<int> ParsePort(std::string_view text);
//
//   Result<Server> Start(std::string_view text) {
//     UNDERSTUDY_ASSIGN_OR_RETURN(const int port, ParsePort(text));
//     return Server(port);
//   }
//
// Looking at the value of an error, or at the error of a value, aborts with the message: there is
// no undefined behaviour to reach. Not thread-safe; a plain value.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "middleware/base/check.h"
#include "middleware/base/error.h"

namespace understudy {

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  using error_type = Error;

  template <typename U = T>
  requires(std::is_constructible_v<T, U&&> && !std::is_same_v<std::remove_cvref_t<U>, Result> &&
           !std::is_same_v<std::remove_cvref_t<U>, Error>) Result(U&& value)
      : state_(std::in_place_index<0>, std::forward<U>(value)) {
  }  // NOLINT: implicit, as std::expected
  Result(Error error)
      : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit, as std::unexpected

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & { return Checked(); }
  const T& value() const& {
    return const_cast<Result*>(this)->Checked();
  }  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  T&& value() && { return std::move(Checked()); }
  T& operator*() & { return Checked(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(Checked()); }
  T* operator->() { return &Checked(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    UNDERSTUDY_CHECK(!has_value(), "error() of a Result that holds a value");
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    UNDERSTUDY_CHECK(!has_value(), "error() of a Result that holds a value");
    return std::move(*std::get_if<1>(&state_));
  }

  template <typename U>
  T value_or(U&& fallback) const& {
    return has_value() ? value() : static_cast<T>(std::forward<U>(fallback));
  }

  template <typename F>
  auto and_then(F&& f) && -> std::invoke_result_t<F, T&&> {
    if (has_value()) return std::forward<F>(f)(std::move(Checked()));
    return std::move(*this).error();
  }
  template <typename F>
  auto transform(F&& f) && -> Result<std::remove_cvref_t<std::invoke_result_t<F, T&&>>> {
    if (has_value()) return std::forward<F>(f)(std::move(Checked()));
    return std::move(*this).error();
  }
  template <typename F>
  Result or_else(F&& f) && {
    if (has_value()) return std::move(*this);
    return std::forward<F>(f)(std::move(*this).error());
  }

 private:
  T& Checked() {
    T* value = std::get_if<0>(&state_);
    UNDERSTUDY_CHECK(value != nullptr, std::get_if<1>(&state_)->ToString());
    return *value;
  }

  std::variant<T, Error> state_;
};

// Success without a value, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  using error_type = Error;

  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit, as std::unexpected

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  void value() const { UNDERSTUDY_CHECK(has_value(), error_->ToString()); }

  const Error& error() const& {
    UNDERSTUDY_CHECK(!has_value(), "error() of a Result that holds a value");
    return *error_;
  }
  Error&& error() && {
    UNDERSTUDY_CHECK(!has_value(), "error() of a Result that holds a value");
    return std::move(*error_);
  }

 private:
  std::optional<Error> error_;
};

}  // namespace understudy

#define UNDERSTUDY_CONCAT_INNER(a, b) a##b
#define UNDERSTUDY_CONCAT(a, b) UNDERSTUDY_CONCAT_INNER(a, b)

// Declares `declaration` from the value of `expression`, or returns its error from the enclosing
// function.
#define UNDERSTUDY_ASSIGN_OR_RETURN(declaration, expression)                                      \
  UNDERSTUDY_ASSIGN_OR_RETURN_INNER(UNDERSTUDY_CONCAT(understudy_result_, __LINE__), declaration, \
                                    expression)
#define UNDERSTUDY_ASSIGN_OR_RETURN_INNER(temporary, declaration, expression) \
  auto temporary = (expression);                                              \
  if (!temporary) return std::move(temporary).error();                        \
  declaration = std::move(temporary).value()

// Returns the error of `expression` from the enclosing function, if it has one.
#define UNDERSTUDY_RETURN_IF_ERROR(expression) \
  UNDERSTUDY_RETURN_IF_ERROR_INNER(UNDERSTUDY_CONCAT(understudy_status_, __LINE__), expression)
#define UNDERSTUDY_RETURN_IF_ERROR_INNER(temporary, expression) \
  do {                                                          \
    if (auto temporary = (expression); !temporary) {            \
      return std::move(temporary).error();                      \
    }                                                           \
  } while (false)
