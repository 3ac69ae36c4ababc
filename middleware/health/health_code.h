// Health codes: why a dependency stands as it does, in a few characters that are safe to show.
//
// Reports leave the process, so they hold no text of an error, an exception or a vendor: only codes
// of a fixed alphabet.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace understudy {

inline constexpr std::size_t kHealthCodeBytesMax = 48;
inline constexpr std::size_t kHealthNameBytesMax = 64;

// `code` if it is 1 to kHealthCodeBytesMax characters of a-z 0-9 . _ -, else "other"; "none" for an
// empty one.
std::string CleanHealthCode(std::string_view code);

// Is it 1 to kHealthNameBytesMax characters of a-z A-Z 0-9 . _ - ?
bool IsHealthName(std::string_view name);

}  // namespace understudy
