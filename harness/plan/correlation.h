// Correlation: which call of which actor a request belongs to, carried across the wire in one
// request header.
//
// The harness's client side adds it, the vendor's side reads and removes it before matching and
// journalling, so it is never part of what a route sees. In memory and on sockets alike.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "middleware/http/headers.h"

namespace understudy::harness {

struct Correlation {
  std::string lane;           // The actor that made the call, e.g. "probe/3".
  std::string step;           // The scenario step it belongs to; may be empty.
  std::string breaker_state;  // "closed", "half-open" or empty.
  std::string operation;
  int attempt = 1;
  std::uint64_t exchange = 0;  // Unique per request in a run; 0 if unknown.
};

inline constexpr std::string_view kCorrelationHeader = "Understudy-Correlation";

void Attach(const Correlation& correlation, http::Headers& headers);
// Reads and removes the header; nullopt if it is absent or malformed.
std::optional<Correlation> Detach(http::Headers& headers);
// Reads without removing.
std::optional<Correlation> Peek(const http::Headers& headers);

}  // namespace understudy::harness
