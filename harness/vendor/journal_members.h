// What the JSON exports of a journal (journal_json.h, har.h) have in common. Internal to vendor.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "harness/vendor/journal_entry.h"

namespace understudy::harness {

// The wire facts, members that say nothing left out.
nlohmann::ordered_json WireMembers(const WireFacts& wire, TimePoint arrival);
// Adds what the vendor knows of the request: vendor, route, why, n, caller, lane, near misses, ...
void AddFacts(const JournalEntry& entry, nlohmann::ordered_json& members);

}  // namespace understudy::harness
