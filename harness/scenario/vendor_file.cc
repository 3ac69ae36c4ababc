#include "harness/scenario/vendor_file.h"

#include <utility>

#include "harness/scenario/scenario_loader.h"
#include "harness/vendor/vendor_model.h"

namespace understudy::harness {
namespace {

LoadOptions ToLoadOptions(const VendorFileOptions& options) {
  LoadOptions load;
  load.read_file = options.read_file;
  load.limits = options.limits;
  load.vendors_only = true;
  return load;
}

Diagnostic At(const Scenario& scenario, const std::string& place, const Error& error) {
  Diagnostic problem{.file = scenario.file, .message = error.message};
  const auto found = scenario.places.find(place);
  if (found == scenario.places.end()) return problem;
  problem.file = found->second.file;
  problem.line = found->second.position.line;
  problem.column = found->second.position.column;
  problem.pointer = found->second.pointer;
  return problem;
}

// What only the model knows. Each route is checked for itself first, so that its problem is
// reported where it stands.
std::vector<Diagnostic> CheckVendor(const Scenario& scenario, const VendorSpec& vendor,
                                    std::size_t max) {
  std::vector<Diagnostic> problems;
  VendorSpec alone{.name = vendor.name};
  alone.oauth = vendor.oauth;
  for (const RouteSpec& route : vendor.routes) {
    if (problems.size() >= max) return problems;
    alone.routes = {route};
    if (const auto checked = VendorModel::Check(alone); !checked) {
      problems.push_back(At(scenario, "route " + vendor.name + "/" + route.id, checked.error()));
    }
  }
  if (!problems.empty()) return problems;
  if (const auto checked = VendorModel::Check(vendor); !checked) {
    problems.push_back(At(scenario, "vendor " + vendor.name, checked.error()));
  }
  return problems;
}

VendorFile Finish(LoadResult loaded, std::size_t diagnostics_max) {
  VendorFile file{.diagnostics = std::move(loaded.diagnostics), .files = std::move(loaded.files)};
  if (!file.ok()) return file;
  Scenario& scenario = loaded.cells.front().scenario;
  for (auto& [name, vendor] : scenario.vendors) {
    for (Diagnostic& problem :
         CheckVendor(scenario, vendor, diagnostics_max - file.diagnostics.size())) {
      file.diagnostics.push_back(std::move(problem));
    }
    file.vendors.push_back(std::move(vendor));
  }
  if (!file.ok()) file.vendors.clear();
  return file;
}

}  // namespace

std::string VendorFile::ErrorText() const {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics) text += diagnostic.ToString() + "\n";
  return text;
}

Result<std::vector<VendorSpec>> VendorFile::ToResult() && {
  if (!ok()) return InvalidArgument(diagnostics.front().ToString());
  return std::move(vendors);
}

VendorFile LoadVendorFile(const std::string& path, const VendorFileOptions& options) {
  return Finish(LoadScenarioFile(path, ToLoadOptions(options)), options.limits.diagnostics);
}

VendorFile LoadVendorText(const std::string& path, std::string text,
                          const VendorFileOptions& options) {
  return Finish(LoadScenarioText(path, std::move(text), ToLoadOptions(options)),
                options.limits.diagnostics);
}

}  // namespace understudy::harness
