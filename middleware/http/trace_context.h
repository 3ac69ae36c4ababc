// TraceContext: where a request stands in a distributed trace, by W3C Trace Context.
//
//   // In: the application's server got a request and calls a vendor on its behalf.
//   const auto incoming = http::TraceContext::FromHeaders(request.headers);
//   const auto trace = incoming ? *incoming : http::TraceContext::Start(random, false);
//   // Out: a new span for each request.
//   UNDERSTUDY_RETURN_IF_ERROR(trace.Child(random).WriteTo(outgoing.headers));
//
//   traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
//   tracestate: congo=t61rcWkgMzE,rojo=00f067aa0ba902b7
//
// https://www.w3.org/TR/trace-context/ (version 00)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "middleware/base/result.h"
#include "middleware/http/headers.h"
#include "middleware/runtime/random.h"

namespace understudy::http {

// A value type; not thread-safe for writes. Everything that reads is total over any bytes, takes
// time proportional to them, and never repeats them in an error.
struct TraceContext {
  using TraceId = std::array<std::uint8_t, 16>;
  using SpanId = std::array<std::uint8_t, 8>;

  static constexpr std::string_view kParentHeader = "traceparent";
  static constexpr std::string_view kStateHeader = "tracestate";
  static constexpr std::uint8_t kSampled = 0x01;   // The caller may have recorded the trace.
  static constexpr std::uint8_t kRandomId = 0x02;  // Level 2: the trace id is random.
  static constexpr std::size_t kStateBytesMax = 512;
  static constexpr std::size_t kStateMembersMax = 32;
  // Longer input is not looked at.
  static constexpr std::size_t kHeaderBytesMax = 8192;

  TraceId trace_id = {};   // Not all zero.
  SpanId parent_id = {};   // The span that sends the request; not all zero.
  std::uint8_t flags = 0;  // kSampled and kRandomId; others are not passed on.
  std::string state = {};  // A tracestate as NormaliseTracestate makes it; empty: none.

  bool operator==(const TraceContext&) const = default;

  // Strict for version 00: 55 characters, lower-case hexadecimal, no id of zeros. Of a later
  // version what version 00 knows is read, if it is in its place and followed by '-' or nothing;
  // ff is refused. A malformed `tracestate` is dropped and no error (section 3.3: it must not
  // affect the traceparent). kInvalidArgument: restart the trace.
  static Result<TraceContext> Parse(std::string_view traceparent, std::string_view tracestate = {});

  // From the headers of a request; several tracestate fields are one list (RFC 9110 section 5.3).
  // kNotFound without a traceparent; kInvalidArgument if it is malformed or there are several.
  static Result<TraceContext> FromHeaders(const Headers& headers);

  // A new trace with a new span. Draws three times.
  static TraceContext Start(Random& random, bool sampled);

  // The same trace with a new span id. Draws once.
  TraceContext Child(Random& random) const;

  bool sampled() const { return (flags & kSampled) != 0; }

  std::string TraceIdText() const;  // 32 digits
  std::string SpanIdText() const;   // 16 digits
  std::string Traceparent() const;  // 55 characters, version 00

  // Sets both headers, or removes tracestate if there is none. kInvalidArgument, and nothing
  // changed, for an id of zeros or a state that is not a tracestate.
  Result<void> WriteTo(Headers& headers) const;
};

// `tracestate` without white space around its members, empty members, and all but the first (most
// recent) member of a key; at most kStateBytesMax: first members of more than 128 bytes go, then
// the last ones (section 3.3.1.5). Empty for nothing. kInvalidArgument for a malformed member, more
// than kStateMembersMax members, or more than kHeaderBytesMax bytes: drop all of it.
Result<std::string> NormaliseTracestate(std::string_view tracestate);

}  // namespace understudy::http
