// How values appear in the messages of a mock: quoted, on one line, short, and without secrets.
//
// Pure and thread-safe; total over any bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace understudy::internal {

// At most 100 bytes, and a mark if there was more. Cuts no UTF-8 sequence.
std::string Shortened(std::string_view text);

// As a JSON string, shortened: control characters and invalid UTF-8 do not reach the terminal.
std::string Quoted(std::string_view text);

// Is a header, parameter, form field or JSON pointer of that name likely to carry a credential or
// the number of a card or account? Rather too often than too rarely: only messages are affected.
bool IsSensitiveName(std::string_view name);

// `value` quoted, or "(hidden)" if its name is sensitive.
std::string Shown(std::string_view name, std::string_view value);
// Scalars as compact JSON; of structures only the size, their content is the caller's choice.
std::string ShownJson(std::string_view name, const nlohmann::json& value);

// `value` with sensitive members hidden, compact and shortened. For JSON of bounded depth.
std::string Redacted(const nlohmann::json& value);

// JSON of at most 16 MiB and 100 levels; nullopt for anything else. The bounds keep recursive users
// of the value off the end of the stack.
std::optional<nlohmann::json> ParseBoundedJson(std::string_view text);
bool IsBoundedJson(std::string_view text);

}  // namespace understudy::internal
