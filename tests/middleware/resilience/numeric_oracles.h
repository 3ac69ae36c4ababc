// numeric_oracles.h: the file of numbers that the suites of other libraries assert (reference
// resilience 5.2), for the tests that replay its sections.
//
//   std::string why_not;
//   const std::optional<nlohmann::json> oracles = LoadNumericOracles(&why_not);
//   if (!oracles) GTEST_SKIP() << why_not;
//   if (!oracles->contains("gcra")) GTEST_SKIP() << MissingSection("gcra");
//
//   UNDERSTUDY_NUMERIC_ORACLES=my.json ctest -R numeric_oracles     # another file of the same form
#pragma once

#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace understudy::test {

inline constexpr const char* kSharedNumericOracles =
    UNDERSTUDY_SHARED_DIR "/data/numeric_oracles.json";

// The file that is replayed: UNDERSTUDY_NUMERIC_ORACLES if that is set, else the shared one.
inline std::string NumericOraclesPath() {
  const char* named = std::getenv("UNDERSTUDY_NUMERIC_ORACLES");
  return named != nullptr && *named != '\0' ? named : kSharedNumericOracles;
}

// nullopt with a sentence in `why_not` if the shared file is absent here: skip the test. A file
// that somebody named and that does not exist, and one that is no JSON object of at most 16 MiB,
// fail the test as well, which the skip does not hide: a typing mistake must not pass as green.
inline std::optional<nlohmann::json> LoadNumericOracles(std::string* why_not) {
  constexpr std::size_t kBytesMax = std::size_t{16} << 20;
  const std::string path = NumericOraclesPath();
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    *why_not = "no shared test data at " + path;
    if (path != kSharedNumericOracles) {
      *why_not = "cannot read " + path;
      ADD_FAILURE() << *why_not;
    }
    return std::nullopt;
  }
  std::string text(kBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  nlohmann::json parsed = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (text.size() <= kBytesMax && parsed.is_object()) return parsed;
  *why_not = path + " is not a JSON object of at most 16 MiB";
  ADD_FAILURE() << *why_not;
  return std::nullopt;
}

// The message of a test that skips because the file has no such section.
inline std::string MissingSection(std::string_view name) {
  return NumericOraclesPath() + " has no section \"" + std::string(name) + "\"";
}

}  // namespace understudy::test
