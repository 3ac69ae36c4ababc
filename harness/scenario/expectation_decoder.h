// Decoding of event matches and expectations from their JSON form.
#pragma once

#include <optional>

#include "harness/scenario/expectation_spec.h"
#include "harness/scenario/node_reader.h"

namespace understudy::harness {

// `{"event": ..., "where": {...}}`; nullopt, and reported, if it is none.
std::optional<EventMatch> DecodeEventMatch(const NodeReader& reader);
// The member `key`, if there is one.
std::optional<EventMatch> DecodeOptionalMatch(const NodeReader& reader, std::string_view key);

// One entry of `expect`; nullopt, and reported, if it is none. `source_line` is not set.
std::optional<Expectation> DecodeExpectation(const NodeReader& reader, IdSet& ids);

}  // namespace understudy::harness
