// Decoding of the `steps` section.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/scenario/node_reader.h"
#include "harness/scenario/scenario.h"
#include "harness/scenario/vendor_decoder.h"

namespace understudy::harness {

// The vendors that have something of an id.
using VendorsById = std::map<std::string, std::set<std::string>>;

// What steps may refer to. An id that several vendors use is ambiguous.
struct StepNames {
  std::optional<std::vector<std::string>> operations =
      {};  // nullopt: cannot be known before the run.
  VendorsById webhooks = {};
  VendorsById routes = {};  // "oauth" is one.
  std::vector<std::string> crash_targets = {};
};

// Decodes the array `reader`. `ids` gets every step's id, the generated ones too.
std::vector<Step> DecodeSteps(const NodeReader& reader, const StepNames& names,
                              const FileAccess& files, IdSet& ids);

}  // namespace understudy::harness
