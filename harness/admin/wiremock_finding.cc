#include "harness/admin/wiremock_finding.h"

namespace understudy::harness {
namespace {

std::string_view ToText(WireMockFinding::Kind kind) {
  switch (kind) {
    case WireMockFinding::Kind::kWarning:
      return "warning";
    case WireMockFinding::Kind::kLoss:
      return "lost";
    case WireMockFinding::Kind::kNoAnswer:
      return "the stub answers 500";
    case WireMockFinding::Kind::kDisabled:
      return "the stub is disabled";
  }
  return "warning";
}

}  // namespace

std::string WireMockFinding::ToString() const {
  std::string line = file;
  if (!line.empty()) line += ": ";
  line += pointer.empty() ? "/" : pointer;
  return line.append(": ").append(ToText(kind)).append(": ").append(text);
}

std::string WireMockReport(std::span<const WireMockFinding> findings) {
  std::string report;
  for (const WireMockFinding& finding : findings) report += finding.ToString() + "\n";
  return report;
}

void WireMockNotes::Warn(std::string pointer, std::string text) {
  Add(WireMockFinding::Kind::kWarning, std::move(pointer), std::move(text));
}

void WireMockNotes::Lose(std::string pointer, std::string text) {
  Add(WireMockFinding::Kind::kLoss, std::move(pointer), std::move(text));
}

void WireMockNotes::NoAnswer(std::string pointer, std::string text) {
  if (no_answer_.empty()) no_answer_ = pointer + ": " + text;
  Add(WireMockFinding::Kind::kNoAnswer, std::move(pointer), std::move(text));
}

void WireMockNotes::Disable(std::string pointer, std::string text) {
  disabled_ = true;
  Add(WireMockFinding::Kind::kDisabled, std::move(pointer), std::move(text));
}

void WireMockNotes::BeginStub() {
  disabled_ = false;
  no_answer_.clear();
}

void WireMockNotes::Add(WireMockFinding::Kind kind, std::string pointer, std::string text) {
  if (findings_.size() >= kFindingsMax) return;
  findings_.push_back(
      {.kind = kind, .file = file_, .pointer = std::move(pointer), .text = std::move(text)});
}

}  // namespace understudy::harness
