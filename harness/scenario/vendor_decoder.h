// Decoding of the `vendor` and `vendors` sections into VendorSpecs.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/scenario/node_reader.h"
#include "harness/vendor/vendor_spec.h"
#include "middleware/base/result.h"

namespace understudy::harness {

// How the files that a document names are read: relative to the folder of that document.
struct FileAccess {
  std::string folder = {};  // With a "/" at the end, or empty for the current one.
  std::function<Result<std::string>(const std::string& path)> read = {};
};

// The ids of one vendor so far, over all files that add to it.
struct VendorIds {
  IdSet routes = {};
  IdSet limits = {};
  IdSet webhooks = {};
  std::optional<SourceLocation> oauth = {};
};

// Places of things by name: "route <vendor>/<id>".
using Places = std::map<std::string, SourceLocation, std::less<>>;

// Appends what `reader` (a vendor object) has to `vendor`.
void DecodeVendor(const NodeReader& reader, const FileAccess& files, VendorSpec& vendor,
                  VendorIds& ids, Places& places);

// An array of responses.
std::vector<ResponseSpec> DecodeResponses(const NodeReader& reader, const FileAccess& files);

// A duration, or {"between": [low, high]}.
std::optional<LatencySpec> DecodeLatency(const NodeReader& reader);

}  // namespace understudy::harness
