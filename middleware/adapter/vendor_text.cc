#include "middleware/adapter/vendor_text.h"

#include <algorithm>

namespace understudy {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

}  // namespace

std::string IdentifierOrEmpty(std::string_view text, std::string_view punctuation,
                              std::size_t size_max) {
  const bool fits =
      text.size() <= size_max && std::all_of(text.begin(), text.end(), [&](char c) {
        return IsDigit(c) || IsLetter(c) || punctuation.find(c) != std::string_view::npos;
      });
  return fits ? std::string(text) : std::string();
}

bool HasDigitRun(std::string_view text, std::size_t count) {
  std::size_t run = 0;
  for (const char c : text) {
    run = IsDigit(c) ? run + 1 : 0;
    if (run >= count) return true;
  }
  return false;
}

std::string VendorWord(std::string_view text) {
  if (text.empty()) return {};
  std::string word = IdentifierOrEmpty(text, "_-.", kVendorWordMax);
  return word.empty() ? "unprintable" : word;
}

}  // namespace understudy
