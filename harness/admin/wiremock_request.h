// TranslateWireMockRequest: WireMock's request pattern as a RequestMatch.
//
//   WireMockNotes notes("orders.json");
//   auto match = TranslateWireMockRequest(R"({"method": "GET", "urlPath": "/orders"})", "", notes);
//   if (!match) return match.error();            // a pattern that WireMock refuses, too
//   if (notes.disabled()) Report(notes);         // one that has no counterpart: serve nothing
//
// Of the pattern as WireMock's code reads it (matching/RequestPattern.java), which its published
// schema does not always say: `basicAuth` and `basicAuthCredentials`, `host` as text or matcher.
// A condition without a counterpart disables the stub; it never matches more than was asked for.
// Expressions are Java's, matched in full; see JavaRegexToRe2.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "harness/admin/wiremock_finding.h"
#include "harness/match/request_match.h"
#include "middleware/base/result.h"

namespace understudy::harness {

// `pattern` is the object's JSON text; `pointer` says where it stands. kInvalidArgument, with the
// JSON pointer in front of the message, for a malformed pattern. Pure; total over any JSON.
Result<RequestMatch> TranslateWireMockRequest(const nlohmann::json& pattern,
                                              const std::string& pointer, WireMockNotes& notes);

// The RE2 expression that finds what the Java expression matches in full, anchored at both ends.
// kInvalidArgument for what RE2 has not, or reads differently: look-around, back-references,
// possessive quantifiers, set operations within [...].
Result<std::string> JavaRegexToRe2(std::string_view java);

}  // namespace understudy::harness
