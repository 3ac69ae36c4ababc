// JUnitReport: test results as the XML that CI systems read.
//
//   JUnitReport report;
//   report.Add({.suite = "scenarios/token.scn.json", .classname = "oauth.token", .name =
//   "callers=50 [sim]",
//               .time = std::chrono::milliseconds(12), .properties = {{"seed", "1873"}},
//               .failure = JUnitFailure{.type = "always", .message = "2 refreshes at once", .text =
//               details}});
//   Write(file, report.ToXml());
//
// One testsuite per `suite`, in the order of first appearance; one testcase per case. The dialect
// is the common subset of the Ant, Jenkins and GitLab readers; only `properties` inside a testcase
// go beyond the oldest of them. Texts may be any bytes: what XML 1.0 (section 2.2) does not allow
// is left out or replaced. Not thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "middleware/base/time.h"

namespace understudy::harness {

struct JUnitFailure {
  std::string type = {};     // the kind of the expectation, "deadlock", ...
  std::string message = {};  // one line
  std::string text = {};     // The whole report; cut at JUnitReport::kMaxText bytes, and says so.
};

struct JUnitCase {
  std::string suite = {};  // the scenario file
  std::string classname = {};
  std::string name = {};
  Duration time = {};                                                // wall time
  std::vector<std::pair<std::string, std::string>> properties = {};  // seed, virtual time, ...
  std::optional<JUnitFailure> failure = {};
  std::optional<std::string> skipped = {};  // why; ignored if there is a failure
  std::string system_out = {};              // e.g. the command that replays it
};

class JUnitReport {
 public:
  static constexpr std::size_t kMaxText = std::size_t{64} * 1024;

  explicit JUnitReport(std::string name = "understudy") : name_(std::move(name)) {}

  void Add(JUnitCase result) { cases_.push_back(std::move(result)); }

  // The whole document, with counts and times summed up.
  std::string ToXml() const;

 private:
  std::string name_;
  std::vector<JUnitCase> cases_;
};

}  // namespace understudy::harness
