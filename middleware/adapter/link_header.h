// The Link header field (RFC 8288): where the next page is.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(const std::optional<std::string> next,
//                               FindLink(response.headers, "next"));
//   if (next) ... sent.url.Resolve(*next) ...    // A reference: absolute, or relative to the
//   request.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/base/result.h"
#include "middleware/http/headers.h"

namespace understudy {

inline constexpr std::size_t kLinkHeaderBytesMax = std::size_t{32} * 1024;
inline constexpr std::size_t kLinksMax = 64;
inline constexpr std::size_t kLinkParametersMax = 32;

struct Link {
  std::string target = {};                  // Between < and >, as it stands.
  std::vector<std::string> relations = {};  // Of the first `rel`, in lower case.
  // In their order, names in lower case, values without quotes. `title*` and the like stay encoded.
  std::vector<std::pair<std::string, std::string>> parameters = {};

  bool HasRelation(std::string_view relation) const;                       // Case does not matter.
  std::optional<std::string_view> Parameter(std::string_view name) const;  // The first.
  bool operator==(const Link&) const = default;
};

// One field value; several lines may be joined with ", ". Empty elements and white space where the
// RFC allows them are skipped.
//
// kProtocol [answered, remote], reason "link", with the place (byte from 0) and not the text: no
// "<...>", a string that is not closed, a control character, or more than the bounds above. A link
// that cannot be read is an error, and not the end of the pages.
//
// Pure, thread-safe, linear in the text.
Result<std::vector<Link>> ParseLinkHeader(std::string_view text);

// The target of the link with that relation in all Link fields; nullopt if there is none. Links
// with an `anchor` are about something else, and are skipped (section 3.2). Two links of the
// relation to two targets are an error.
Result<std::optional<std::string>> FindLink(const http::Headers& headers,
                                            std::string_view relation);

}  // namespace understudy
