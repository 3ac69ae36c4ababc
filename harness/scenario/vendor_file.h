// LoadVendorFile: reads a file of fake vendors, checks all of it, and gives one VendorSpec each.
//
//   const VendorFile file = LoadVendorFile("acme.json");
//   if (!file.ok()) {
//     std::cerr << file.ErrorText();   // acme.json:4:7: /vendors/acme/ruotes: unknown key
//     "ruotes"; return 64;                       // did you mean "routes"?
//   }
//   for (const VendorSpec& vendor : file.vendors) Host(vendor);
//
// A file has one of three forms:
//
//   {"vendors": {"acme": {"routes": [...]}, "pay": {...}}}   vendors by name; also "vendor": {...}
//   {"routes": [...], "limits": [...]}    one vendor's section alone; named like the file ("acme")
//   a scenario file                       its vendors; client, steps and the rest are not looked at
//
// The sections are those of the scenario format (docs/scenario-format.md), and so are comments,
// trailing commas, `use`, `params` and `${name}`. Of a `matrix`, the first value of each axis
// counts. Either everything is right, or nothing is returned but what is wrong: each problem with
// its file, line, column, JSON pointer and, where there is one, a suggestion; what only the vendor
// model knows is reported where the route or the vendor begins. Pure apart from reading files;
// thread-safe.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/scenario/json_document.h"
#include "harness/vendor/vendor_spec.h"
#include "middleware/base/result.h"

namespace understudy::harness {

struct VendorFileOptions {
  // Reads the file and what it names (`use`, `body_file`). Without it, the file system.
  std::function<Result<std::string>(const std::string& path)> read_file = {};
  JsonLimits limits = {};
};

struct VendorFile {
  std::vector<VendorSpec> vendors = {};      // By name; at least one, or none on errors.
  std::vector<Diagnostic> diagnostics = {};  // At most 20, in the order of the files.
  // Every file that was read, the first the given one; also on errors. Whoever reloads watches
  // these.
  std::vector<std::string> files = {};

  bool ok() const { return diagnostics.empty(); }
  // One line per diagnostic, each ended by a line break.
  std::string ErrorText() const;
  // The vendors, or kInvalidArgument with the first diagnostic.
  Result<std::vector<VendorSpec>> ToResult() &&;
};

VendorFile LoadVendorFile(const std::string& path, const VendorFileOptions& options = {});

// As LoadVendorFile, for text that is already read; `path` names it and anchors relative paths.
VendorFile LoadVendorText(const std::string& path, std::string text,
                          const VendorFileOptions& options = {});

}  // namespace understudy::harness
