// WireMock mappings as routes of a vendor.
//
//   auto import = ImportWireMockDirectory("wiremock", reader);   // mappings/**.json, __files/
//   if (!import) return import.error();     // mappings/a.json: /request/url: it is a text
//   std::cerr << WireMockReport(import->findings);
//   VendorSpec spec{.name = "wiremock", .routes = RoutesOf(import->stubs)};
//
// What is carried over, and what is not, is in docs/wiremock.md; each field that is not is a
// finding with its file and JSON pointer. A stub whose request cannot be matched as asked for is
// disabled; one whose answer cannot be made answers 500 and says why. Read as WireMock's code reads
// (versions 3 and 4), not as its published schema says, where the two differ.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "harness/admin/wiremock_finding.h"
#include "harness/vendor/vendor_spec.h"
#include "middleware/base/result.h"

namespace understudy::harness {

struct WireMockStub {
  std::string id = {};
  std::string json = {};       // As it came, with its id.
  RouteSpec route = {};        // Its id is the stub's.
  bool enabled = true;         // Else the route is empty, and serves nothing.
  std::string no_answer = {};  // Why it answers 500; empty if it does not.
  std::string scenario = {};   // Its name; empty without.
};

struct WireMockImport {
  std::vector<WireMockStub> stubs = {};  // In the order of addition.
  std::vector<WireMockFinding> findings = {};
};

// How files are read; nothing else touches the file system.
struct WireMockFiles {
  // The bytes of a file.
  std::function<Result<std::string>(const std::string& path)> read = {};
  // The paths of the *.json below a folder, at any depth; empty if there is no such folder.
  std::function<std::vector<std::string>(const std::string& folder)> list = {};
};

struct WireMockTextOptions {
  std::string file = {};  // Named in findings and errors, and what ids are derived from.
  // The bytes of a bodyFileName. Without it such a stub answers 500.
  std::function<Result<std::string>(const std::string& name)> read_body = {};
  // The id of a stub without one. Without it, derived from `file` and the stub's place.
  std::function<std::string()> new_id = {};
};

inline constexpr std::size_t kWireMockBytesMax = std::size_t{16} * 1024 * 1024;
inline constexpr std::size_t kWireMockDepthMax = 64;

// One mapping, or {"mappings": [...]}. kInvalidArgument, with file and place, for a text that is no
// JSON, is larger or deeper than the bounds, or says something that WireMock would refuse.
Result<WireMockImport> ImportWireMockText(std::string_view text,
                                          const WireMockTextOptions& options);
// One stub that is parsed already.
Result<WireMockStub> ImportWireMockStub(const nlohmann::json& stub, const std::string& pointer,
                                        const WireMockTextOptions& options, WireMockNotes& notes);

// `folder` as WireMock's --root-dir: mappings/ with the files in the order of their paths, and
// __files/ with the bodies. Errors as ImportWireMockText; kNotFound without a mapping file.
Result<WireMockImport> ImportWireMockDirectory(const std::string& folder,
                                               const WireMockFiles& files);

// The routes of the enabled stubs: of equal priority, the newest first.
std::vector<RouteSpec> RoutesOf(std::span<const WireMockStub> stubs);

// {"type": "uniform", ...} as WireMock writes delays. kInvalidArgument with the pointer.
Result<LatencySpec> ReadWireMockDelay(const nlohmann::json& distribution,
                                      const std::string& pointer);

// Is it a UUID, in either case?
bool IsUuid(std::string_view text);
// The same text gives the same UUID (version 4 in form).
std::string UuidOf(std::string_view text);

}  // namespace understudy::harness
