// Fuzz target: any bytes as trace headers; the first line is a traceparent, each further one a
// tracestate field. Nothing may crash, and what is accepted is a context that others accept as the
// same.
//
//   clang++ -std=c++20 -fsanitize=fuzzer,address,undefined ... && ./trace_context_fuzz
//   tests/fuzz/corpus/trace_context
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/text.h"
#include "middleware/http/trace_context.h"

namespace {

using understudy::Result;
using understudy::Split;
using understudy::http::Headers;
using understudy::http::NormaliseTracestate;
using understudy::http::TraceContext;

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckState(std::string_view text) {
  const Result<std::string> normal = NormaliseTracestate(text);
  if (!normal) return;
  Require(normal->size() <= TraceContext::kStateBytesMax);
  Require(NormaliseTracestate(*normal).value() == *normal);
  if (normal->empty()) return;
  const std::vector<std::string_view> members = Split(*normal, ',');
  Require(members.size() <= TraceContext::kStateMembersMax);
  for (const std::string_view member : members) {
    Require(!member.empty() && std::count(member.begin(), member.end(), '=') == 1);
  }
}

void CheckContext(const TraceContext& context) {
  Require(context.Traceparent().size() == 55);
  Require(TraceContext::Parse(context.Traceparent(), context.state).value() == context);
  Headers headers;
  Require(context.WriteTo(headers).has_value());
  Require(TraceContext::FromHeaders(headers).value() == context);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::vector<std::string_view> lines = Split(text, '\n');
  Headers headers;
  bool all_added = headers.Add(TraceContext::kParentHeader, lines.front()).has_value();
  for (std::size_t i = 1; i < lines.size(); ++i) {
    CheckState(lines[i]);
    all_added = headers.Add(TraceContext::kStateHeader, lines[i]).has_value() && all_added;
  }
  const std::string_view rest =
      std::string_view(text).substr(std::min(text.size(), lines.front().size() + 1));
  const Result<TraceContext> parsed = TraceContext::Parse(lines.front(), rest);
  if (parsed) CheckContext(*parsed);
  if (!all_added) return 0;
  const Result<TraceContext> received = TraceContext::FromHeaders(headers);
  if (received) CheckContext(*received);
  // A field value has no white space around it; apart from that the header is the same.
  if (parsed) Require(received && received->trace_id == parsed->trace_id);
  return 0;
}
