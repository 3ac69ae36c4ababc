#include "harness/plan/correlation.h"

#include "middleware/base/text.h"
#include "middleware/http/form.h"

namespace understudy::harness {

void Attach(const Correlation& correlation, http::Headers& headers) {
  const std::string value = http::EncodeForm({{"lane", correlation.lane},
                                              {"step", correlation.step},
                                              {"breaker", correlation.breaker_state},
                                              {"operation", correlation.operation},
                                              {"attempt", std::to_string(correlation.attempt)},
                                              {"exchange", std::to_string(correlation.exchange)}});
  const auto set = headers.Set(kCorrelationHeader, value);
  UNDERSTUDY_CHECK(set.has_value(), "an encoded form is a valid header value");
}

std::optional<Correlation> Peek(const http::Headers& headers) {
  const auto value = headers.Get(kCorrelationHeader);
  if (!value) return std::nullopt;
  const http::FormPairs pairs = http::ParseForm(*value);
  const auto text = [&](std::string_view name) {
    return std::string(http::FormValue(pairs, name).value_or(""));
  };
  const auto attempt = ParseUnsigned(text("attempt"));
  const auto exchange = ParseUnsigned(text("exchange"));
  if (!attempt || *attempt > 1'000'000 || !exchange) return std::nullopt;
  return Correlation{.lane = text("lane"),
                     .step = text("step"),
                     .breaker_state = text("breaker"),
                     .operation = text("operation"),
                     .attempt = static_cast<int>(*attempt),
                     .exchange = *exchange};
}

std::optional<Correlation> Detach(http::Headers& headers) {
  auto correlation = Peek(headers);
  headers.Remove(kCorrelationHeader);
  return correlation;
}

}  // namespace understudy::harness
