// The command `understudy serve --toxiproxy`: Toxiproxy's HTTP API and proxies, from the command
// line.
#pragma once

#include <cstdint>
#include <string>

#include "tools/understudy/command_line.h"

namespace understudy::tools {

struct ToxiproxyServeOptions {
  std::string host = "127.0.0.1";  // Another address than this machine's own demands a token.
  std::uint16_t port = 8474;       // 0: any free one
  std::string config = {};         // a Toxiproxy configuration file: an array of proxies
  std::uint64_t seed = 0;          // of every draw: a run with the same seed replays
  std::string token_env = {};      // the environment variable with the API's token
};

// Prints "listening on http://127.0.0.1:8474" when the API accepts, then blocks until SIGINT or
// SIGTERM; closes every proxy. Exit codes: 0, or 64 if it cannot start (the message says what to
// do).
//
// Blocks both signals in the calling thread, so that the threads it starts inherit that: call it
// before any other thread is started.
int ServeToxiproxy(const ToxiproxyServeOptions& options, Console& console);

}  // namespace understudy::tools
