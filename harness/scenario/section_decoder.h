// Decoding of the sections that belong to the scenario as a whole: header, clock, modes and
// explore.
#pragma once

#include <string>
#include <vector>

#include "harness/scenario/node_reader.h"
#include "harness/scenario/scenario.h"
#include "harness/scenario/step_decoder.h"

namespace understudy::harness {

// Keys, format, name, why, tags, owner and clock of the document `root`.
void DecodeHeader(const NodeReader& root, Scenario& scenario);

// Reports a `format` other than 1.
void CheckFormat(const NodeReader& root);

// The section `modes` of `root`; that neither mode is on is reported.
void DecodeModes(const NodeReader& root, ModesSpec& modes);

// The section `explore`. Names that its faults refer to must exist in `scenario` or among
// `crash_targets`.
ExploreSpec DecodeExplore(const NodeReader& reader, const Scenario& scenario,
                          const std::vector<std::string>& crash_targets);

// What the steps of `scenario` may refer to, its program's operations aside.
StepNames NamesOf(const Scenario& scenario);

}  // namespace understudy::harness
