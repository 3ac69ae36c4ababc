// Resolves a URI reference against a base of any scheme (RFC 3986 section 5.2), as JSON Schema's
// $id and $ref need it: "urn:" and relative bases too, which http::Url refuses.
//
//   ResolveUriReference("http://acme.sim/a/b.json", "c.json#x")   // "http://acme.sim/a/c.json#x"
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace understudy::harness {

// Pure; total over any bytes. Nothing is decoded or checked.
std::string ResolveUriReference(std::string_view base, std::string_view reference);

// What stands before and behind the first "#"; the latter is empty without one.
std::pair<std::string_view, std::string_view> SplitFragment(std::string_view uri);

}  // namespace understudy::harness
