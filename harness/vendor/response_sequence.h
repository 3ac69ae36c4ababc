// ResponseSequence: the answers of a route, one after the other, each as often as it says.
//
//   auto sequence = ResponseSequence::Create({{.times = 5, .status = 503}, {.status = 200}},
//                                            WhenExhausted::kFailScenario);
//   while (auto response = sequence->Next()) Send(*response);   // five times 503, once 200
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/vendor/template.h"
#include "harness/vendor/vendor_spec.h"
#include "middleware/base/result.h"
#include "middleware/http/response.h"

namespace understudy::harness {

// The states of machines; one that is not there is in kInitialState.
using StateTable = std::map<std::string, std::string, std::less<>>;

// Whether every machine of `condition` is in one of its states.
bool Holds(const StateCondition& condition, const StateTable& states);
// The state of one.
std::string_view StateOf(const StateTable& states, std::string_view machine);

// A ResponseSpec, checked and ready to send.
struct PreparedResponse {
  http::Response response = {};
  std::optional<LatencySpec> latency = {};
  std::optional<FaultKind> fault = {};
  FaultDetail fault_detail = {};
  // Of `response`, to be filled in for each request; headers by their index.
  std::optional<Template> body_template = {};
  std::vector<std::pair<std::size_t, Template>> header_templates = {};
  StateCondition when_state = {};
  StateChange set_state = {};

  bool templated() const { return body_template.has_value() || !header_templates.empty(); }
};

// kInvalidArgument for a status outside 200..599 (an interim answer ends no exchange), a body with
// 204 or 304 (RFC 9110 section 6.4.1), a malformed header, what CheckLatency and
// CheckFault refuse, a template that Template refuses, and an empty condition. A body of JSON
// (application/json, anything+json) is a JSON template, any other one plain text.
Result<PreparedResponse> Prepare(const ResponseSpec& spec, int default_status = 200,
                                 const TemplateScope& scope = {});
Result<void> CheckStates(const StateCondition& when, const StateChange& set);

// Cheap to copy: copies share the answers and go on by themselves. Not thread-safe.
class ResponseSequence {
 public:
  using Entry = std::shared_ptr<const PreparedResponse>;

  // Has no answer.
  ResponseSequence() = default;

  // kInvalidArgument for an empty list, for negative `times`, and for what Prepare refuses; the
  // message says which response it is, counted from 1.
  static Result<ResponseSequence> Create(const std::vector<ResponseSpec>& responses,
                                         WhenExhausted when_exhausted,
                                         const TemplateScope& scope = {});

  // The next answer without using it; nullptr if there is none. `states` decides between answers
  // with conditions (RouteSpec::responses).
  Entry Peek(const StateTable& states = {}) const;
  // Uses the next answer; nullptr if there is none.
  Entry Next(const StateTable& states = {});

  // How many answers it has; nullopt if it never ends, or depends on states.
  std::optional<std::int64_t> Length() const;
  // Whether any answer is a connect fault (kRefuse, kDnsFail).
  bool MayRefuse() const;
  // Whether any answer has this fault.
  bool Has(FaultKind kind) const;

 private:
  struct Step {
    Entry entry;
    std::int64_t times = 1;
    bool limited = true;  // Has `times` of its own.
  };

  // With conditions: the step that answers; size() if there is none.
  std::size_t FindConditional(const StateTable& states) const;

  // Without those of zero times.
  std::shared_ptr<const std::vector<Step>> steps_ = std::make_shared<const std::vector<Step>>();
  WhenExhausted when_exhausted_ = WhenExhausted::kFailScenario;
  std::size_t at_ = 0;     // steps_->size() when used up.
  std::int64_t used_ = 0;  // Of (*steps_)[at_].
  bool conditional_ = false;
  std::vector<std::int64_t> uses_ = {};  // With conditions: of each step.
};

}  // namespace understudy::harness
