#include "middleware/base/secret.h"

#include <cstddef>
#include <utility>

namespace understudy {
namespace {

// Through a volatile pointer, so that the compiler cannot drop the writes as dead.
void Wipe(std::string& value) {
  volatile char* bytes = value.data();
  for (std::size_t i = 0; i < value.size(); ++i) bytes[i] = '\0';
  value.clear();
}

}  // namespace

Secret::Secret(std::string value) : value_(std::move(value)) {}

Secret& Secret::operator=(const Secret& other) {
  if (this != &other) {
    Wipe(value_);
    value_ = other.value_;
  }
  return *this;
}

Secret::Secret(Secret&& other) noexcept : value_(other.value_) { Wipe(other.value_); }

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    Wipe(value_);
    value_ = other.value_;
    Wipe(other.value_);
  }
  return *this;
}

Secret::~Secret() { Wipe(value_); }

bool Secret::Equals(std::string_view other) const { return ConstantTimeEquals(value_, other); }

bool ConstantTimeEquals(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |=
        static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]));
  }
  return difference == 0;
}

}  // namespace understudy
