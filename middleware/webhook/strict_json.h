// Strict JSON for signed bodies: bounded in size and depth, no key twice.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(const nlohmann::json event, ParseStrictJson(body));
//   const nlohmann::json* type = FindJsonPointer(event, "/event/type");
//
// Pure, thread-safe, total over any bytes; does not recurse.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "middleware/base/result.h"

namespace understudy {

struct StrictJsonLimits {
  std::size_t bytes_max = std::size_t{16} * 1024 * 1024;
  int depth_max = 64;  // Lists and objects in each other.
};

// RFC 8259. kProtocol [answered, remote], without a piece of the body, and as `reason` "json-size",
// "not-json", "json-depth" or "repeated-key": which of two equal keys counts would depend on the
// reader.
Result<nlohmann::json> ParseStrictJson(std::string_view text, const StrictJsonLimits& limits = {});

// RFC 6901, through objects and arrays; nullptr if there is nothing, or the pointer is malformed.
const nlohmann::json* FindJsonPointer(const nlohmann::json& document, std::string_view pointer);

// The string at `pointer`; nullopt for anything else.
std::optional<std::string> FindJsonString(const nlohmann::json& document, std::string_view pointer);

// One such error, for other readers of signed bodies.
Error MalformedJson(std::string message, std::string reason);

}  // namespace understudy
