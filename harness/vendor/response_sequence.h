// ResponseSequence: the answers of a route, one after the other, each as often as it says.
//
//   auto sequence = ResponseSequence::Create({{.times = 5, .status = 503}, {.status = 200}},
//                                            WhenExhausted::kFailScenario);
//   while (auto response = sequence->Next()) Send(*response);   // five times 503, once 200
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "harness/vendor/vendor_spec.h"
#include "middleware/base/result.h"
#include "middleware/http/response.h"

namespace understudy::harness {

// A ResponseSpec, checked and ready to send.
struct PreparedResponse {
  http::Response response = {};
  std::optional<LatencySpec> latency = {};
  std::optional<FaultKind> fault = {};
};

// kInvalidArgument for a status outside 200..599 (an interim answer ends no exchange), a body with
// 204 or 304 (RFC 9110 section 6.4.1), a malformed header, a negative latency or one that ends
// before it begins.
Result<PreparedResponse> Prepare(const ResponseSpec& spec, int default_status = 200);
Result<void> CheckLatency(const LatencySpec& latency);

// Not thread-safe.
class ResponseSequence {
 public:
  using Entry = std::shared_ptr<const PreparedResponse>;

  // Has no answer.
  ResponseSequence() = default;

  // kInvalidArgument for an empty list, for negative `times`, and for what Prepare refuses; the
  // message says which response it is, counted from 1.
  static Result<ResponseSequence> Create(const std::vector<ResponseSpec>& responses,
                                         WhenExhausted when_exhausted);

  // The next answer without using it; nullptr if there is none.
  Entry Peek() const;
  // Uses the next answer; nullptr if there is none.
  Entry Next();

  // How many answers it has; nullopt if it never ends.
  std::optional<std::int64_t> Length() const;
  // Whether any answer is a connect fault (kRefuse, kDnsFail).
  bool MayRefuse() const;

 private:
  struct Step {
    Entry entry;
    std::int64_t times = 1;
  };

  std::vector<Step> steps_;  // Without those of zero times.
  WhenExhausted when_exhausted_ = WhenExhausted::kFailScenario;
  std::size_t at_ = 0;     // steps_.size() when used up.
  std::int64_t used_ = 0;  // Of steps_[at_].
};

}  // namespace understudy::harness
