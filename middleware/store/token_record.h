// How one TokenSet is written as bytes, for stores that encrypt it. An internal part of the stores.
//
// A byte for the format, a byte of flags, two times, three texts with their lengths: one TokenSet
// has exactly one form, and what cannot be written is not read. `version` is not part of it: it
// belongs to the row.
#pragma once

#include <string_view>

#include "middleware/base/result.h"
#include "middleware/store/token_store.h"

namespace understudy::internal {

Secret EncodeTokenRecord(const TokenSet& tokens);

// Total over any bytes; allocates no more than `bytes` has. kStorage with reason "format" for
// anything that EncodeTokenRecord does not write.
Result<TokenSet> DecodeTokenRecord(std::string_view bytes);

}  // namespace understudy::internal
