#include "harness/vendor/response_sequence.h"

#include <algorithm>
#include <string>
#include <utility>

#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

constexpr int kStatusMin = 200;
constexpr int kStatusMax = 599;

Result<void> CheckStatus(int status, const ResponseSpec& spec) {
  if (status < kStatusMin || status > kStatusMax) {
    return InvalidArgument("status " + std::to_string(status) +
                           ": a final status is in 200..599; an interim one ends no exchange");
  }
  if ((status == 204 || status == 304) && spec.body && !spec.body->empty()) {
    return InvalidArgument("status " + std::to_string(status) + " carries no body; remove it");
  }
  return {};
}

// RFC 6839: "application/problem+json" is JSON too.
bool IsJson(std::string_view content_type) {
  const std::string type = AsciiLower(TrimOws(content_type.substr(0, content_type.find(';'))));
  return type == "application/json" || type == "text/json" || type.ends_with("+json");
}

Result<void> CompileTemplates(const TemplateScope& scope, PreparedResponse& prepared) {
  const http::Response& response = prepared.response;
  std::size_t index = 0;
  for (const auto& [name, value] : response.headers) {
    if (Template::HasPlaceholders(value)) {
      auto compiled = Template::Compile(value, scope);
      if (!compiled) return InvalidArgument("header " + name + ": " + compiled.error().message);
      prepared.header_templates.emplace_back(index, *std::move(compiled));
    }
    ++index;
  }
  if (!Template::HasPlaceholders(response.body)) return {};
  const bool json = IsJson(response.headers.Get("Content-Type").value_or(""));
  auto compiled =
      Template::Compile(response.body, scope, json ? TemplateSyntax::kJson : TemplateSyntax::kText);
  if (!compiled) return compiled.error();
  prepared.body_template = *std::move(compiled);
  return {};
}

}  // namespace

Result<void> CheckStates(const StateCondition& when, const StateChange& set) {
  for (const auto& [machine, states] : when) {
    if (machine.empty()) return InvalidArgument("when_state: a machine has no name");
    if (states.empty()) return InvalidArgument("when_state: \"" + machine + "\" has no state");
  }
  for (const auto& [machine, state] : set) {
    if (machine.empty()) return InvalidArgument("set_state: a machine has no name");
    if (state.empty())
      return InvalidArgument("set_state: the state of \"" + machine + "\" is empty");
  }
  return {};
}

std::string_view StateOf(const StateTable& states, std::string_view machine) {
  const auto found = states.find(machine);
  return found == states.end() ? kInitialState : std::string_view(found->second);
}

bool Holds(const StateCondition& condition, const StateTable& states) {
  return std::all_of(condition.begin(), condition.end(), [&](const auto& wanted) {
    const auto& [machine, any_of] = wanted;
    return std::find(any_of.begin(), any_of.end(), StateOf(states, machine)) != any_of.end();
  });
}

Result<PreparedResponse> Prepare(const ResponseSpec& spec, int default_status,
                                 const TemplateScope& scope) {
  PreparedResponse prepared{.latency = spec.latency,
                            .fault = spec.fault,
                            .fault_detail = spec.fault_detail,
                            .when_state = spec.when_state,
                            .set_state = spec.set_state};
  prepared.response.status = spec.status.value_or(default_status);
  UNDERSTUDY_RETURN_IF_ERROR(CheckStatus(prepared.response.status, spec));
  UNDERSTUDY_RETURN_IF_ERROR(CheckStates(spec.when_state, spec.set_state));
  if (spec.latency) UNDERSTUDY_RETURN_IF_ERROR(CheckLatency(*spec.latency));
  if (spec.fault) UNDERSTUDY_RETURN_IF_ERROR(CheckFault(*spec.fault, spec.fault_detail));
  http::Headers& headers = prepared.response.headers;
  for (const auto& [name, value] : spec.headers) {
    UNDERSTUDY_RETURN_IF_ERROR(headers.Add(name, value));
  }
  if (spec.body) {
    prepared.response.body = *spec.body;
    if (!spec.content_type.empty() && !headers.Has("Content-Type")) {
      UNDERSTUDY_RETURN_IF_ERROR(headers.Add("Content-Type", spec.content_type));
    }
  }
  if (spec.templated) UNDERSTUDY_RETURN_IF_ERROR(CompileTemplates(scope, prepared));
  return prepared;
}

Result<ResponseSequence> ResponseSequence::Create(const std::vector<ResponseSpec>& responses,
                                                  WhenExhausted when_exhausted,
                                                  const TemplateScope& scope) {
  if (responses.empty()) return InvalidArgument("there is no response; give at least one");
  ResponseSequence sequence;
  sequence.when_exhausted_ = when_exhausted;
  std::vector<Step> steps;
  for (std::size_t i = 0; i < responses.size(); ++i) {
    const auto bad = [&](const std::string& why) {
      return InvalidArgument("response " + std::to_string(i + 1) + ": " + why);
    };
    const std::int64_t times = responses[i].times.value_or(1);
    if (times < 0) return bad("times must not be negative");
    auto prepared = Prepare(responses[i], 200, scope);
    if (!prepared) return bad(prepared.error().message);
    if (times == 0) continue;
    sequence.conditional_ = sequence.conditional_ || !prepared->when_state.empty();
    steps.push_back({std::make_shared<const PreparedResponse>(*std::move(prepared)), times,
                     responses[i].times.has_value()});
  }
  if (sequence.conditional_) sequence.uses_.resize(steps.size());
  sequence.steps_ = std::make_shared<const std::vector<Step>>(std::move(steps));
  return sequence;
}

std::size_t ResponseSequence::FindConditional(const StateTable& states) const {
  for (std::size_t i = 0; i < steps_->size(); ++i) {
    const Step& step = (*steps_)[i];
    if (step.limited && uses_[i] >= step.times) continue;
    if (Holds(step.entry->when_state, states)) return i;
  }
  return steps_->size();
}

ResponseSequence::Entry ResponseSequence::Peek(const StateTable& states) const {
  const std::vector<Step>& steps = *steps_;
  if (steps.empty()) return nullptr;
  if (conditional_) {
    const std::size_t index = FindConditional(states);
    return index < steps.size() ? steps[index].entry : nullptr;
  }
  if (at_ < steps.size()) return steps[at_].entry;
  switch (when_exhausted_) {
    case WhenExhausted::kFailScenario:
      return nullptr;
    case WhenExhausted::kRepeatLast:
      return steps.back().entry;
    case WhenExhausted::kCycle:
      return steps.front().entry;
  }
  return nullptr;
}

ResponseSequence::Entry ResponseSequence::Next(const StateTable& states) {
  Entry entry = Peek(states);
  if (entry == nullptr) return nullptr;
  if (conditional_) {
    ++uses_[FindConditional(states)];
    return entry;
  }
  if (at_ == steps_->size()) {
    if (when_exhausted_ == WhenExhausted::kRepeatLast) return entry;
    at_ = 0;
  }
  if (++used_ == (*steps_)[at_].times) {
    ++at_;
    used_ = 0;
  }
  return entry;
}

std::optional<std::int64_t> ResponseSequence::Length() const {
  if (conditional_) return std::nullopt;
  if (!steps_->empty() && when_exhausted_ != WhenExhausted::kFailScenario) return std::nullopt;
  std::int64_t length = 0;
  for (const Step& step : *steps_) length += step.times;
  return length;
}

bool ResponseSequence::MayRefuse() const {
  return std::any_of(steps_->begin(), steps_->end(), [](const Step& step) {
    return step.entry->fault && IsConnectFault(*step.entry->fault);
  });
}

bool ResponseSequence::Has(FaultKind kind) const {
  return std::any_of(steps_->begin(), steps_->end(),
                     [kind](const Step& step) { return step.entry->fault == kind; });
}

}  // namespace understudy::harness
