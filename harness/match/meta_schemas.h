// The schemas of JSON Schema itself, for documents that refer to them: drafts 4, 7 and 2020-12 with
// its vocabularies.
#pragma once

#include <string_view>

namespace understudy::harness {

// The text of the meta-schema of that URI (without fragment); empty if it is none of them. Valid
// for ever.
std::string_view FindMetaSchema(std::string_view uri);

}  // namespace understudy::harness
