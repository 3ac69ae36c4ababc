// A journal's entries as JSON: one object per entry, with integers and a stable order of keys, so
// that two journals can be compared with diff.
//
//   file << ToJsonLines(journal.Find());
//
// Members that say nothing are left out: {"number":1,"at_ns":...,"wall":"2026-...Z",
// "vendor":"acme","route":"orders","matched":true,"why":"GET /v1/orders/{id}","n":1,"request":
// {"method","url","headers":[["Name","value"]],"body" or "body_base64","body_bytes","body_sha256"},
// "decision":{"status","latency_ns","fault","limit"},"near_misses":[{"route","distance","text"}],
// "outcome":{"completed","ended_by","duration_ns","wire":{...}}}; no outcome while in flight.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "harness/vendor/journal_entry.h"
#include "harness/vendor/journal_redaction.h"

namespace understudy::harness {

// One object, without a line break in it.
std::string ToJson(const JournalEntry& entry, JournalSecrets secrets = JournalSecrets::kHidden);
// One line per entry, each with its line break.
std::string ToJsonLines(std::span<const JournalEntry> entries,
                        JournalSecrets secrets = JournalSecrets::kHidden);

// Can a reader of JSON show it as text: UTF-8 without controls other than tabs and line breaks?
bool IsShownAsText(std::string_view body);

}  // namespace understudy::harness
