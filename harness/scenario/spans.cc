#include "harness/scenario/spans.h"

namespace understudy::harness {
namespace {

SpanEdge Begin(std::string_view family, const std::string& owner) {
  return {.kind = SpanEdge::Kind::kBegin, .key = std::string(family).append("/").append(owner)};
}

SpanEdge End(std::string_view family, const std::string& owner) {
  return {.kind = SpanEdge::Kind::kEnd, .key = std::string(family).append("/").append(owner)};
}

std::string Exchange(const HistoryEvent& event) {
  const HistoryEvent::Value* const exchange = event.Find("exchange");
  return exchange == nullptr ? event.lane : ToText(*exchange);
}

}  // namespace

std::optional<SpanEdge> SpanEdgeOf(const HistoryEvent& event) {
  if (event.name == "http.request") return Begin("exchange", Exchange(event));
  if (event.name == "http.response") return End("exchange", Exchange(event));
  if (event.name == "call.start") return Begin("call", event.lane);
  if (event.name == "call.end") return End("call", event.lane);
  if (event.name == "webhook.delivery") return Begin("delivery", event.lane);
  if (event.name == "webhook.ack") return End("delivery", event.lane);
  if (event.name == "fault") {
    if (event.Text("fault") == "no-ack") return End("delivery", event.lane);
    return End("exchange", Exchange(event));
  }
  if (event.name == "token.refresh") {
    const std::string_view phase = event.Text("phase");
    if (phase == "started") return Begin("refresh", event.lane);
    if (phase == "succeeded" || phase == "failed") return End("refresh", event.lane);
  }
  return std::nullopt;
}

}  // namespace understudy::harness
