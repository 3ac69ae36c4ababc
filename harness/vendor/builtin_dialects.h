// The dialect packs that come with the program: the files of harness/vendor/dialects, built in, so
// that an installed program needs no files.
#pragma once

#include <span>
#include <string_view>

namespace understudy::harness {

struct BuiltinDialect {
  std::string_view name;  // Of the file, without ".json".
  std::string_view json;
};

// In alphabetical order. The definition is generated: cmake/EmbedDialects.cmake.
std::span<const BuiltinDialect> BuiltinDialects();

}  // namespace understudy::harness
