// The command `understudy serve --wiremock DIR`: a folder of WireMock mappings, and WireMock's
// admin API, on one port.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "middleware/base/time.h"
#include "tools/understudy/command_line.h"

namespace understudy::tools {

struct WireMockServeOptions {
  std::string folder = {};  // With mappings/ and __files/; may be empty: no stubs at the start.
  std::string host = "127.0.0.1";
  std::vector<std::string> ports = {};  // At most one, "8080"; none or "0": any free one.
  std::uint64_t seed = 0;               // Of everything random.
  bool quiet = false;                   // Without the report of what was not carried over.
};

// Prints on the error stream what was not carried over, on the output "listening on
// http://127.0.0.1:8080 (12 stubs, 1 disabled)" when it accepts; then blocks until SIGINT, SIGTERM
// or POST /__admin/shutdown. Exit codes: 0, or 64 for a malformed mapping file, bad arguments, or a
// port that cannot be had.
//
// Another address than this machine's own is refused: whoever reaches the API decides what is
// answered.
int ServeWireMock(const WireMockServeOptions& options, Console& console);

// As ServeWireMock, until `wait` returns true. `wait` blocks for about as long as it is told; it is
// called again and again on the calling thread.
int ServeWireMockUntil(const WireMockServeOptions& options, Console& console,
                       const std::function<bool(Duration)>& wait);

}  // namespace understudy::tools
