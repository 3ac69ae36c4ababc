// Spans: which events begin something that a later event ends; what `open` counts.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "harness/scenario/history.h"

namespace understudy::harness {

// What an event does to a span.
struct SpanEdge {
  enum class Kind { kBegin, kEnd };
  Kind kind = Kind::kBegin;
  std::string key = {};  // identifies the span: family and who it belongs to
};

//   http.request   .. http.response, or a fault of that exchange   per exchange
//   call.start     .. call.end                                     per lane
//   token.refresh {phase: started} .. {phase: succeeded|failed}    per lane
//   webhook.delivery .. webhook.ack, or a fault no-ack             per lane
// nullopt for events that neither begin nor end a span.
std::optional<SpanEdge> SpanEdgeOf(const HistoryEvent& event);

}  // namespace understudy::harness
