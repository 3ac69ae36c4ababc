// WireMockFinding: what of a WireMock mapping does not mean here what it means there.
//
//   WireMockNotes notes("mappings/orders.json");
//   notes.Lose("/response/statusMessage", "the reason phrase is the status's own");
//   std::cerr << WireMockReport(notes.findings());
//   // mappings/orders.json: /response/statusMessage: lost: the reason phrase is the status's own
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace understudy::harness {

struct WireMockFinding {
  enum class Kind {
    kWarning,   // Nothing is lost, as far as can be told: an unknown or a repeated field.
    kLoss,      // The stub serves without this.
    kNoAnswer,  // The stub matches, and answers 500 saying why: its answer cannot be made.
    kDisabled,  // The stub serves nothing: it would match what it must not.
  };

  Kind kind = Kind::kWarning;
  std::string file = {};
  std::string pointer = {};  // RFC 6901, into the file.
  std::string text = {};

  std::string ToString() const;  // "file: pointer: lost: text"
};

// One line each, ended by a line break.
std::string WireMockReport(std::span<const WireMockFinding> findings);

// Collects the findings of one file. Not thread-safe.
class WireMockNotes {
 public:
  static constexpr std::size_t kFindingsMax = 1'000;

  explicit WireMockNotes(std::string file) : file_(std::move(file)) {}

  void Warn(std::string pointer, std::string text);
  void Lose(std::string pointer, std::string text);
  void NoAnswer(std::string pointer, std::string text);
  void Disable(std::string pointer, std::string text);

  // Since the last BeginStub.
  bool disabled() const { return disabled_; }
  const std::string& no_answer() const { return no_answer_; }
  void BeginStub();

  // The first kFindingsMax.
  const std::vector<WireMockFinding>& findings() const { return findings_; }
  const std::string& file() const { return file_; }

 private:
  void Add(WireMockFinding::Kind kind, std::string pointer, std::string text);

  std::string file_;
  std::vector<WireMockFinding> findings_;
  bool disabled_ = false;
  std::string no_answer_;
};

}  // namespace understudy::harness
