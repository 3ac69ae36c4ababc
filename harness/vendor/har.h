// HAR: a journal's entries as an HTTP Archive (version 1.2), for browsers' network panels and other
// viewers.
//
//   file << ToHar(journal.Find());
//
// One HAR entry per request, with startedDateTime from the world's wall clock. The response is the
// planned one; an exchange of which no byte reached the client (in flight, hung, reset at once) has
// status 0 and `_error`, as browsers write it. What HAR has no member for (route, limit, fault,
// wire facts, near misses) is in `_understudy`. There are no pages. Bodies that are no text are
// base64, in requests marked with `_encoding`; a cut one is marked by `comment`.
#pragma once

#include <span>
#include <string>

#include "harness/vendor/journal_entry.h"
#include "harness/vendor/journal_redaction.h"

namespace understudy::harness {

std::string ToHar(std::span<const JournalEntry> entries,
                  JournalSecrets secrets = JournalSecrets::kHidden);

}  // namespace understudy::harness
