#include "harness/scenario/scenario_loader.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <system_error>
#include <tuple>
#include <utility>

#include "harness/scenario/client_decoder.h"
#include "harness/scenario/expectation_decoder.h"
#include "harness/scenario/node_reader.h"
#include "harness/scenario/parameters.h"
#include "harness/scenario/section_decoder.h"
#include "harness/scenario/step_decoder.h"
#include "harness/scenario/vendor_decoder.h"

namespace understudy::harness {
namespace {

Result<std::string> ReadFromFileSystem(const std::string& path, std::size_t max_bytes) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return Error{.code = ErrorCode::kInvalidArgument, .message = "it is a folder"};
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    const bool exists = std::filesystem::exists(path, error);
    return Error{.code = ErrorCode::kNotFound,
                 .message = exists ? "it cannot be opened" : "there is no such file"};
  }
  // Stops after one byte too many, so that the parser can say that the file is too big.
  std::string text;
  std::array<char, 16 * 1024> piece;
  do {
    stream.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    text.append(piece.data(), static_cast<std::size_t>(stream.gcount()));
  } while (stream && text.size() <= max_bytes);
  if (stream.bad())
    return Error{.code = ErrorCode::kInvalidArgument, .message = "it cannot be read"};
  return text;
}

// Of a file that is nothing but one vendor's section.
constexpr std::array<std::string_view, 5> kVendorSections = {"routes", "oauth", "limits", "faults",
                                                             "webhooks"};

bool HasAnyOf(const NodeReader& root, std::span<const std::string_view> keys) {
  return std::any_of(keys.begin(), keys.end(), [&](std::string_view key) { return root.Has(key); });
}

bool IsOneVendor(const NodeReader& root) {
  constexpr std::array<std::string_view, 3> kNames = {"vendor", "vendors", "use"};
  return HasAnyOf(root, kVendorSections) && !HasAnyOf(root, kNames);
}

bool IsScenario(const NodeReader& root) {
  constexpr std::array<std::string_view, 3> kParts = {"client", "steps", "expect"};
  return HasAnyOf(root, kParts);
}

// "vendors/acme.vendor.json" is about "acme".
std::string VendorNameOf(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  const std::string stem = name.substr(0, name.find('.'));
  return stem.empty() ? std::string(kDefaultVendor) : stem;
}

std::string FolderOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash + 1);
}

// One file of a load: the scenario first, then what it uses.
struct Source {
  JsonDocument document;
  FileAccess files;
};

class Loader {
 public:
  explicit Loader(const LoadOptions& options)
      : options_(options), problems_(options.limits.diagnostics) {}

  LoadResult LoadPath(const std::string& path) {
    auto text = Read(path);
    if (!text) {
      problems_.Add({path, 1, 1, "", "cannot read the file: " + text.error().message, ""});
      return Finish({});
    }
    return LoadText(path, *std::move(text));
  }

  LoadResult LoadText(const std::string& path, std::string text) {
    std::vector<std::string> chain;
    AddSource(path, std::move(text), chain);
    if (sources_.empty() || unreadable_) return Finish({});
    const NodeReader root = RootOf(0);
    if (!root.ExpectObject()) return Finish({});
    const std::vector<ParameterValue> params = DecodeParams(root);
    const std::vector<MatrixAxis> axes = DecodeMatrix(root, params);
    std::vector<Cell> cells;
    for (const auto& combination : Combinations(axes, options_.max_cells, root)) {
      if (problems_.full()) break;
      std::vector<ParameterValue> values = params;
      values.insert(values.end(), combination.begin(), combination.end());
      cells.push_back({CellId(combination), DecodeCell(std::move(values))});
      cells.back().scenario.cell = cells.back().id;
      if (options_.vendors_only) break;
    }
    return Finish(std::move(cells));
  }

 private:
  // ---- files ----

  Result<std::string> Read(const std::string& path) {
    if (const auto cached = files_read_.find(path); cached != files_read_.end())
      return cached->second;
    auto text = options_.read_file ? options_.read_file(path)
                                   : ReadFromFileSystem(path, options_.limits.bytes);
    if (text) files_read_.emplace(path, *text);
    return text;
  }

  NodeReader RootOf(std::size_t index) {
    return NodeReader(sources_[index]->document.root(), sources_[index]->document.file(),
                      problems_);
  }

  // Parses a file and then, depth first, the files it uses. `chain` holds the paths on the way
  // here.
  void AddSource(const std::string& path, std::string text, std::vector<std::string>& chain) {
    auto source = std::make_unique<Source>();
    source->document = JsonDocument::Parse(path, std::move(text), options_.limits);
    source->files = {FolderOf(path), [this](const std::string& name) { return Read(name); }};
    for (const Diagnostic& problem : source->document.diagnostics()) problems_.Add(problem);
    // After a syntax error nothing is known of the document; repeated keys leave a usable one.
    unreadable_ = unreadable_ || (!source->document.ok() && !source->document.root().IsObject());
    const std::size_t index = sources_.size();
    sources_.push_back(std::move(source));
    loaded_.insert(path);
    chain.push_back(path);
    if (const auto use = RootOf(index).Find("use")) AddUsed(*use, chain);
    chain.pop_back();
  }

  void AddUsed(const NodeReader& use, std::vector<std::string>& chain) {
    std::set<std::string> listed;
    for (const NodeReader& entry : use.Items()) {
      const auto name = entry.AsString();
      if (!name) continue;
      if (name->empty() || name->front() == '/') {
        entry.Error("\"use\" takes paths relative to the folder of this file");
        continue;
      }
      const std::string path =
          std::filesystem::path(FolderOf(entry.file()) + *name).lexically_normal().generic_string();
      if (!listed.insert(path).second) {
        entry.Error("\"" + *name + "\" is listed twice", "remove one of them");
        continue;
      }
      AddUsedFile(entry, path, chain);
    }
  }

  void AddUsedFile(const NodeReader& entry, const std::string& path,
                   std::vector<std::string>& chain) {
    const auto same = [&](const std::string& other) {
      return std::filesystem::path(other).lexically_normal().generic_string() == path;
    };
    if (const auto begin = std::find_if(chain.begin(), chain.end(), same); begin != chain.end()) {
      std::string cycle;
      for (auto step = begin; step != chain.end(); ++step) cycle += *step + " -> ";
      entry.Error("\"use\" goes in a circle: " + cycle + path);
      return;
    }
    if (loaded_.count(path) != 0) return;  // Two files may use a third: it counts once.
    if (chain.size() > options_.max_use_depth) {
      entry.Error("\"use\" is nested more than " + std::to_string(options_.max_use_depth) +
                  " files deep");
      return;
    }
    if (sources_.size() >= options_.max_files) {
      entry.Error("more than " + std::to_string(options_.max_files) + " files are used");
      return;
    }
    auto text = Read(path);
    if (!text) {
      entry.Error("cannot use \"" + path + "\": " + text.error().message,
                  "paths are relative to the folder of this file");
      return;
    }
    AddSource(path, *std::move(text), chain);
  }

  // ---- one cell ----

  Scenario DecodeCell(std::vector<ParameterValue> values) {
    Substitution substitution(values);
    std::vector<JsonNode> trees;
    trees.reserve(sources_.size());
    for (std::size_t i = 0; i < sources_.size(); ++i)
      trees.push_back(substitution.Apply(RootOf(i)));
    std::vector<NodeReader> roots;
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      roots.emplace_back(trees[i], sources_[i]->document.file(), problems_);
    }
    Scenario scenario;
    scenario.file = sources_.front()->document.file();
    for (const ParameterValue& value : values) {
      scenario.params.push_back({value.name, value.value.Serialise(),
                                 substitution.used().count(value.name) != 0, value.at});
    }
    if (options_.vendors_only) {
      DecodeVendorsOnly(roots, scenario);
      return scenario;
    }
    DecodeHeader(roots.front(), scenario);
    ExpectUsedKeys(roots);
    DecodeVendors(roots, scenario);
    DecodeClients(roots, scenario);
    DecodeModes(roots.front(), scenario.modes);
    IdSet step_ids;
    const StepNames names = NamesFor(scenario, roots.front());
    if (const auto steps = roots.front().Require("steps")) {
      scenario.steps = DecodeSteps(*steps, names, sources_.front()->files, step_ids);
    }
    DecodeExpectations(roots, step_ids, scenario);
    if (const auto explore = roots.front().Find("explore")) {
      scenario.explore = DecodeExplore(*explore, scenario, names.crash_targets);
    }
    return scenario;
  }

  static void ExpectUsedKeys(const std::vector<NodeReader>& roots) {
    for (std::size_t i = 1; i < roots.size(); ++i) {
      if (roots[i].ExpectKeys({"$schema", "format", "use", "vendor", "vendors", "client", "expect"},
                              true)) {
        CheckFormat(roots[i]);
      }
    }
  }

  void DecodeVendorsOnly(const std::vector<NodeReader>& roots, Scenario& scenario) {
    const NodeReader& root = roots.front();
    if (IsOneVendor(root)) {
      VendorIds ids;
      VendorSpec& vendor = scenario.vendors[VendorNameOf(root.file())];
      vendor.name = VendorNameOf(root.file());
      scenario.places.emplace("vendor " + vendor.name, root.Location());
      DecodeVendor(root, sources_.front()->files, vendor, ids, scenario.places);
      return;
    }
    if (!IsScenario(root)) {
      root.ExpectKeys(
          {"$schema", "format", "name", "why", "use", "params", "matrix", "vendor", "vendors"},
          true);
    }
    if (root.Has("format")) CheckFormat(root);
    ExpectUsedKeys(roots);
    DecodeVendors(roots, scenario);
  }

  void DecodeVendors(const std::vector<NodeReader>& roots, Scenario& scenario) {
    std::map<std::string, VendorIds> ids;
    const auto decode = [&](std::size_t source, const std::string& name, const NodeReader& reader) {
      VendorSpec& vendor = scenario.vendors[name];
      vendor.name = name;
      scenario.places.emplace("vendor " + name, reader.Location());
      DecodeVendor(reader, sources_[source]->files, vendor, ids[name], scenario.places);
    };
    for (std::size_t i = 0; i < roots.size(); ++i) {
      if (const auto vendor = roots[i].Find("vendor"))
        decode(i, std::string(kDefaultVendor), *vendor);
      const auto vendors = roots[i].Find("vendors");
      if (!vendors) continue;
      if (roots[i].Has("vendor") && vendors->Has(kDefaultVendor)) {
        vendors->ErrorAtKey(kDefaultVendor,
                            "\"vendor\" beside \"vendors\" is the vendor of this name",
                            "keep one of them");
      }
      for (const auto& [name, reader] : vendors->Members()) decode(i, name, reader);
    }
    for (const auto& [name, vendor] : scenario.vendors) CheckLimitNames(vendor, ids[name]);
    if (scenario.vendors.empty()) {
      roots.front().Error("the key \"vendor\" is missing",
                          "add \"vendor\", \"vendors\", or a file in \"use\" that has one");
    }
  }

  void DecodeClients(const std::vector<NodeReader>& roots, Scenario& scenario) {
    IdSet ids;
    roots.front().Require("client");
    for (std::size_t i = 0; i < roots.size(); ++i) {
      if (const auto client = roots[i].Find("client"))
        DecodeClient(*client, i > 0, scenario.client, ids);
    }
    ResolveClientVendors(scenario, problems_);
  }

  // What the steps may name, with the program asked for its operations.
  StepNames NamesFor(const Scenario& scenario, const NodeReader& root) {
    StepNames names = NamesOf(scenario);
    if (!scenario.client.program) return names;
    if (!options_.program_operations) {
      names.operations.reset();
      return names;
    }
    const auto operations = options_.program_operations(*scenario.client.program);
    if (operations) {
      names.operations->insert(names.operations->end(), operations->begin(), operations->end());
      return names;
    }
    root.Find("client")->Find("program")->Error(
        "unknown program \"" + *scenario.client.program + "\"", "is it linked into this binary?");
    names.operations.reset();
    return names;
  }

  void DecodeExpectations(const std::vector<NodeReader>& roots, const IdSet& step_ids,
                          Scenario& scenario) {
    IdSet ids;
    roots.front().Require("expect");
    for (std::size_t i = 0; i < roots.size(); ++i) {
      const auto section = roots[i].Find("expect");
      if (!section) continue;
      const std::vector<NodeReader> items = section->Items();
      if (items.empty() && section->node().IsArray())
        section->Error("a scenario needs at least one expectation");
      for (const NodeReader& item : items) {
        auto expectation = DecodeExpectation(item, ids);
        if (!expectation) continue;
        CheckAfter(item, step_ids, *expectation);
        expectation->source_line = sources_[i]->document.LineText(expectation->at.position.line);
        scenario.expects.push_back(*std::move(expectation));
      }
    }
  }

  static void CheckAfter(const NodeReader& reader, const IdSet& step_ids,
                         const Expectation& expectation) {
    const auto* const sequence = std::get_if<SequenceExpect>(&expectation.kind);
    if (sequence == nullptr || !sequence->after || step_ids.Contains(*sequence->after)) return;
    const std::vector<std::string_view> names = step_ids.All();
    reader.Find("after")->Error("unknown step \"" + *sequence->after + "\"",
                                DidYouMean(*sequence->after, names));
  }

  // ---- the end ----

  LoadResult Finish(std::vector<Cell> cells) {
    LoadResult result;
    result.diagnostics = problems_.problems();
    const auto file_index = [&](const Diagnostic& problem) {
      const auto found = std::find_if(sources_.begin(), sources_.end(), [&](const auto& source) {
        return source->document.file() == problem.file;
      });
      return found - sources_.begin();
    };
    std::stable_sort(result.diagnostics.begin(), result.diagnostics.end(),
                     [&](const Diagnostic& a, const Diagnostic& b) {
                       return std::tuple(file_index(a), a.line, a.column) <
                              std::tuple(file_index(b), b.line, b.column);
                     });
    if (result.ok()) result.cells = std::move(cells);
    for (const auto& source : sources_) result.files.push_back(source->document.file());
    for (const auto& [path, text] : files_read_) {
      if (std::find(result.files.begin(), result.files.end(), path) == result.files.end())
        result.files.push_back(path);
    }
    return result;
  }

  const LoadOptions& options_;
  ProblemList problems_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::set<std::string> loaded_;
  std::map<std::string, std::string> files_read_;
  bool unreadable_ = false;
};

}  // namespace

std::string LoadResult::ErrorText() const {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics) text += diagnostic.ToString() + "\n";
  return text;
}

Result<std::vector<Cell>> LoadResult::ToResult() && {
  if (!ok()) return InvalidArgument(diagnostics.front().ToString());
  return std::move(cells);
}

LoadResult LoadScenarioFile(const std::string& path, const LoadOptions& options) {
  return Loader(options).LoadPath(path);
}

LoadResult LoadScenarioText(const std::string& path, std::string text, const LoadOptions& options) {
  return Loader(options).LoadText(path, std::move(text));
}

}  // namespace understudy::harness
