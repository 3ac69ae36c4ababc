// Decoding of faults: the `fault` of a response, the `faults` of a vendor, and latencies.
//
//   "fault": "reset"
//   "fault": { "kind": "reset", "at": { "body_byte": 100 } }
//   "faults": [ { "id": "flaky", "route": "orders", "calls": { "from": 2, "to": 4 },
//                 "fault": "reset" } ]
//   "latency": { "log_normal": { "median": "90ms", "sigma": 0.4, "max": "2s" } }
#pragma once

#include <optional>
#include <vector>

#include "harness/scenario/node_reader.h"
#include "harness/vendor/fault_rule.h"
#include "harness/vendor/latency.h"

namespace understudy::harness {

// A word, or an object with "kind" and what belongs to that kind. What is wrong is reported, and
// `kind` then left empty.
void DecodeFault(const NodeReader& reader, std::optional<FaultKind>& kind, FaultDetail& detail);

// A duration, {"between": [low, high]}, {"normal": {mean, stddev, max}} or
// {"log_normal": {median, sigma, max}}.
std::optional<LatencySpec> DecodeLatency(const NodeReader& reader);

// One element of a vendor's `faults`; `ids` are those of the elements before.
FaultRule DecodeFaultRule(const NodeReader& reader, IdSet& ids);

}  // namespace understudy::harness
