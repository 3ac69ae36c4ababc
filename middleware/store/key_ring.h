// KeyRing: the keys that protect stored secrets, by name, and which of them is for new ones.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(Secret now, ParseAeadKey(Secret(from_the_secret_manager)));
//   UNDERSTUDY_ASSIGN_OR_RETURN(KeyRing keys, KeyRing::Create({{"2026-07", now}, {"2025-01", old}},
//                                                             "2026-07"));
//
// To rotate: add the new key to all processes, then make it current in all, then move the old
// records (EncryptedTokenStore::RewrapAll), then remove the old key.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/base/result.h"
#include "middleware/base/secret.h"

namespace understudy {

// 64 hexadecimal digits, or 44 characters of base64 (RFC 4648 section 4), as 32 raw bytes; white
// space around it, as a file has at its end, is dropped. kInvalidArgument for anything else; the
// message does not repeat it.
Result<Secret> ParseAeadKey(const Secret& text);

// Immutable; thread-safe.
class KeyRing {
 public:
  // Names are 1 to 32 letters, digits, "-" and "_"; they are stored beside each record and must
  // never be given to another key. 1 to 64 keys of 32 bytes. kInvalidArgument otherwise, for a name
  // or a key that occurs twice, and for a `current` that is not among them.
  static Result<KeyRing> Create(std::vector<std::pair<std::string, Secret>> keys,
                                std::string current);

  const std::string& current() const { return current_; }
  // nullptr if there is none of that name.
  const Secret* Find(std::string_view name) const;

 private:
  KeyRing(std::vector<std::pair<std::string, Secret>> keys, std::string current)
      : keys_(std::move(keys)), current_(std::move(current)) {}

  std::vector<std::pair<std::string, Secret>> keys_;
  std::string current_;
};

// What a name of a key may be.
bool IsKeyName(std::string_view name);

}  // namespace understudy
