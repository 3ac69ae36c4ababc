// The previews of JSON and form bodies; the parts of Redactor::Body.
#pragma once

#include <string_view>

#include "middleware/audit/redaction.h"

namespace understudy {

// JSON as a stream of values: those under a secret's name, at a secret pointer, or that look like a
// secret are hidden before anything is cut. `nesting`: how many JSON texts this one is within. Does
// not recurse but once for JSON in a string.
BodyPreview RedactJson(const Redactor& redactor, std::string_view text, bool complete, int nesting);

// Pairs of application/x-www-form-urlencoded. What belongs to an OAuth token request (RFC 6749) is
// hidden but for the type of the grant.
BodyPreview RedactForm(const Redactor& redactor, std::string_view text, bool complete);

}  // namespace understudy
