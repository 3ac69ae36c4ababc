#include "middleware/store/key_ring.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "middleware/base/text.h"
#include "middleware/runtime/aead.h"

namespace understudy {
namespace {

constexpr std::size_t kNameCharactersMax = 32;
constexpr std::size_t kKeysMax = 64;

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

std::string_view WithoutWhiteSpace(std::string_view text) {
  constexpr std::string_view kWhiteSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kWhiteSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kWhiteSpace) - first + 1);
}

}  // namespace

Result<Secret> ParseAeadKey(const Secret& text) {
  const std::string_view key = WithoutWhiteSpace(text.Reveal());
  std::optional<std::string> bytes;
  if (key.size() == 2 * Aead::kKeyBytes) {
    bytes = HexDecode(key);
  } else {
    bytes = Base64Decode(key);
  }
  if (!bytes || bytes->size() != Aead::kKeyBytes) {
    return InvalidArgument(
        "an encryption key must be 32 bytes, written as 64 hexadecimal digits or as 44 characters "
        "of base64");
  }
  return Secret(*std::move(bytes));
}

bool IsKeyName(std::string_view name) {
  return !name.empty() && name.size() <= kNameCharactersMax &&
         std::all_of(name.begin(), name.end(), IsNameCharacter);
}

Result<KeyRing> KeyRing::Create(std::vector<std::pair<std::string, Secret>> keys,
                                std::string current) {
  if (keys.empty() || keys.size() > kKeysMax) {
    return InvalidArgument("a key ring needs 1 to 64 keys");
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto& [name, key] = keys[i];
    if (!IsKeyName(name)) {
      return InvalidArgument("a key's name must be 1 to 32 letters, digits, \"-\" or \"_\"");
    }
    if (key.Reveal().size() != Aead::kKeyBytes) {
      return InvalidArgument("the key \"" + name + "\" is not 32 bytes long");
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (keys[j].first == name || keys[j].second.Equals(key.Reveal())) {
        return InvalidArgument("the key \"" + name + "\", or its name, occurs twice");
      }
    }
  }
  KeyRing ring(std::move(keys), std::move(current));
  if (ring.Find(ring.current_) == nullptr) {
    return InvalidArgument("the current key is not on the key ring");
  }
  return ring;
}

const Secret* KeyRing::Find(std::string_view name) const {
  for (const auto& entry : keys_) {
    if (entry.first == name) return &entry.second;
  }
  return nullptr;
}

}  // namespace understudy
