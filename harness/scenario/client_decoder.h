// Decoding of the `client` section: operations, program, config and stack.
#pragma once

#include "harness/scenario/node_reader.h"
#include "harness/scenario/scenario.h"

namespace understudy::harness {

// Appends what `reader` (a `client` object) has to `client`. An included file may only bring
// operations.
void DecodeClient(const NodeReader& reader, bool included, ClientSpec& client,
                  IdSet& operation_ids);

// Gives operations without a vendor the only one there is, or the one called "vendor", and reports
// operations and token sources whose vendor does not exist.
void ResolveClientVendors(Scenario& scenario, ProblemList& problems);

}  // namespace understudy::harness
