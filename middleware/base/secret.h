// Secret: a token, key or password that does not end up in a log by accident.
#pragma once

#include <string>
#include <string_view>

namespace understudy {

// Holds a secret string. There is no operator<<, no implicit conversion and no comparison with ==;
// the one way to the bytes is Reveal(), which is easy to find in a review. The memory is wiped when
// the Secret ends.
//
// A value type; not thread-safe for writes.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value);
  Secret(const Secret&) = default;
  Secret& operator=(const Secret& other);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  std::string_view Reveal() const { return value_; }
  bool empty() const { return value_.empty(); }

  // Compares in time that does not depend on where the bytes differ.
  bool Equals(std::string_view other) const;

 private:
  std::string value_;
};

// Compares in time that depends only on the lengths.
bool ConstantTimeEquals(std::string_view a, std::string_view b);

}  // namespace understudy
