// Parameters: `params` and `matrix` of a scenario file, and the `${name}` that refer to them.
//
// A string that is nothing but "${name}" becomes the parameter's value with its type; inside a
// longer string the value becomes text. "$${" stands for "${" itself. Keys, `params`, `matrix` and
// `use` are taken as they are.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "harness/scenario/node_reader.h"

namespace understudy::harness {

struct ParameterValue {
  std::string name = {};
  JsonNode value = {};
  SourceLocation at = {};
};

struct MatrixAxis {
  std::string name = {};
  std::vector<JsonNode> values = {};
  SourceLocation at = {};
};

// The sections of a document; what is wrong with them is reported.
std::vector<ParameterValue> DecodeParams(const NodeReader& root);
std::vector<MatrixAxis> DecodeMatrix(const NodeReader& root,
                                     const std::vector<ParameterValue>& params);

// All combinations, the last axis fastest; one empty one without axes. More than `max_cells` are
// reported at `root`.
std::vector<std::vector<ParameterValue>> Combinations(const std::vector<MatrixAxis>& axes,
                                                      std::size_t max_cells,
                                                      const NodeReader& root);

// "callers=50,token_latency=5s"
std::string CellId(const std::vector<ParameterValue>& cell);

// Puts parameters into documents. Borrows nothing.
class Substitution {
 public:
  explicit Substitution(std::vector<ParameterValue> values) : values_(std::move(values)) {}

  // A copy of the value of `reader` with every reference replaced. Unknown ones are reported and
  // left.
  JsonNode Apply(const NodeReader& reader);
  // The names that were referred to.
  const std::set<std::string>& used() const { return used_; }

 private:
  JsonNode ApplyToString(const NodeReader& reader);
  const ParameterValue* Lookup(const NodeReader& reader, const std::string& name);

  std::vector<ParameterValue> values_;
  std::set<std::string> used_;
};

}  // namespace understudy::harness
