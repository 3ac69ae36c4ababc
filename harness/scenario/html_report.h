// HtmlReport: one inert HTML file with every verdict and timeline. Opens from disk, needs no
// network and no server.
#pragma once

#include <string>

#include "harness/scenario/cell_runner.h"

namespace understudy::harness {

// At most 2,000 events of a run are shown; the page says when it leaves some out. Not thread-safe.
class HtmlReport {
 public:
  void Add(const CellReport& report, const std::string& hash);
  std::string ToHtml() const;

 private:
  std::string summary_;
  std::string details_;
  int passed_ = 0;
  int failed_ = 0;
};

}  // namespace understudy::harness
