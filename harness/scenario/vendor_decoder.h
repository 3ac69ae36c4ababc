// Decoding of the `vendor` and `vendors` sections into VendorSpecs.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/match/request_match.h"
#include "harness/scenario/fault_decoder.h"
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
  IdSet faults = {};
  // What names something that a file read later may still add; for CheckLimitNames.
  std::vector<NodeReader> limit_dialects = {};
  std::vector<NodeReader> limit_routes = {};
};

// Places of things by name: "route <vendor>/<id>".
using Places = std::map<std::string, SourceLocation, std::less<>>;

// Appends what `reader` (a vendor object) has to `vendor`.
void DecodeVendor(const NodeReader& reader, const FileAccess& files, VendorSpec& vendor,
                  VendorIds& ids, Places& places);

// Once every file was decoded: reports dialects and routes that limits name and nobody has.
void CheckLimitNames(const VendorSpec& vendor, const VendorIds& ids);

// What a route's `match` is.
RequestMatch DecodeMatch(const NodeReader& reader);

// An array of responses.
std::vector<ResponseSpec> DecodeResponses(const NodeReader& reader, const FileAccess& files);

}  // namespace understudy::harness
