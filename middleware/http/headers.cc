#include "middleware/http/headers.h"

#include <algorithm>

#include "middleware/base/text.h"
#include "middleware/http/token.h"

namespace understudy::http {
namespace {

Result<void> CheckField(std::string_view name, std::string_view value) {
  if (name.empty() || !std::all_of(name.begin(), name.end(), IsTokenChar)) {
    return InvalidArgument("a header name must be a token (letters, digits, - and a few signs)");
  }
  const bool forbidden = std::any_of(value.begin(), value.end(), [](char c) {
    // One comparison for nearly all: the three are below the space.
    return c < ' ' && (c == '\r' || c == '\n' || c == '\0');
  });
  if (forbidden) {
    return InvalidArgument("the value of header " + std::string(name) +
                           " holds CR, LF or NUL; remove them or encode the value");
  }
  return {};
}

}  // namespace

Headers::Headers(std::initializer_list<std::pair<std::string_view, std::string_view>> entries) {
  for (const auto& [name, value] : entries) {
    const auto added = Add(name, value);
    UNDERSTUDY_CHECK(added.has_value(), "a header in the source code is malformed");
  }
}

Result<void> Headers::Add(std::string_view name, std::string_view value) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckField(name, value));
  entries_.emplace_back(name, TrimOws(value));
  return {};
}

Result<void> Headers::Set(std::string_view name, std::string_view value) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckField(name, value));
  const auto same_name = [&](const Entry& entry) {
    return EqualsIgnoreAsciiCase(entry.first, name);
  };
  const auto first = std::find_if(entries_.begin(), entries_.end(), same_name);
  if (first == entries_.end()) return Add(name, value);
  first->second = TrimOws(value);
  entries_.erase(std::remove_if(first + 1, entries_.end(), same_name), entries_.end());
  return {};
}

void Headers::Remove(std::string_view name) {
  std::erase_if(entries_,
                [&](const Entry& entry) { return EqualsIgnoreAsciiCase(entry.first, name); });
}

std::optional<std::string_view> Headers::Get(std::string_view name) const {
  for (const Entry& entry : entries_) {
    if (EqualsIgnoreAsciiCase(entry.first, name)) return entry.second;
  }
  return std::nullopt;
}

std::vector<std::string_view> Headers::GetAll(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const Entry& entry : entries_) {
    if (EqualsIgnoreAsciiCase(entry.first, name)) values.emplace_back(entry.second);
  }
  return values;
}

}  // namespace understudy::http
