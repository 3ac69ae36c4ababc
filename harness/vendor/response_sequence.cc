#include "harness/vendor/response_sequence.h"

#include <algorithm>
#include <string>
#include <utility>

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

}  // namespace

Result<void> CheckLatency(const LatencySpec& latency) {
  if (latency.low < Duration::zero()) return InvalidArgument("latency must not be negative");
  if (latency.high < latency.low) {
    return InvalidArgument("latency: the upper end is below the lower");
  }
  return {};
}

Result<PreparedResponse> Prepare(const ResponseSpec& spec, int default_status) {
  PreparedResponse prepared{.latency = spec.latency, .fault = spec.fault};
  prepared.response.status = spec.status.value_or(default_status);
  UNDERSTUDY_RETURN_IF_ERROR(CheckStatus(prepared.response.status, spec));
  if (spec.latency) UNDERSTUDY_RETURN_IF_ERROR(CheckLatency(*spec.latency));
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
  return prepared;
}

Result<ResponseSequence> ResponseSequence::Create(const std::vector<ResponseSpec>& responses,
                                                  WhenExhausted when_exhausted) {
  if (responses.empty()) return InvalidArgument("there is no response; give at least one");
  ResponseSequence sequence;
  sequence.when_exhausted_ = when_exhausted;
  for (std::size_t i = 0; i < responses.size(); ++i) {
    const auto bad = [&](const std::string& why) {
      return InvalidArgument("response " + std::to_string(i + 1) + ": " + why);
    };
    const std::int64_t times = responses[i].times.value_or(1);
    if (times < 0) return bad("times must not be negative");
    auto prepared = Prepare(responses[i]);
    if (!prepared) return bad(prepared.error().message);
    if (times == 0) continue;
    sequence.steps_.push_back(
        {std::make_shared<const PreparedResponse>(*std::move(prepared)), times});
  }
  return sequence;
}

ResponseSequence::Entry ResponseSequence::Peek() const {
  if (steps_.empty()) return nullptr;
  if (at_ < steps_.size()) return steps_[at_].entry;
  switch (when_exhausted_) {
    case WhenExhausted::kFailScenario:
      return nullptr;
    case WhenExhausted::kRepeatLast:
      return steps_.back().entry;
    case WhenExhausted::kCycle:
      return steps_.front().entry;
  }
  return nullptr;
}

ResponseSequence::Entry ResponseSequence::Next() {
  Entry entry = Peek();
  if (entry == nullptr) return nullptr;
  if (at_ == steps_.size()) {
    if (when_exhausted_ == WhenExhausted::kRepeatLast) return entry;
    at_ = 0;
  }
  if (++used_ == steps_[at_].times) {
    ++at_;
    used_ = 0;
  }
  return entry;
}

std::optional<std::int64_t> ResponseSequence::Length() const {
  if (!steps_.empty() && when_exhausted_ != WhenExhausted::kFailScenario) return std::nullopt;
  std::int64_t length = 0;
  for (const Step& step : steps_) length += step.times;
  return length;
}

bool ResponseSequence::MayRefuse() const {
  return std::any_of(steps_.begin(), steps_.end(), [](const Step& step) {
    return step.entry->fault && IsConnectFault(*step.entry->fault);
  });
}

}  // namespace understudy::harness
