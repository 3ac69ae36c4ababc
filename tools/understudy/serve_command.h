// The command `understudy serve FILE...`: hosts the vendors of vendor or scenario files on real
// sockets until it is told to end.
//
//   listening on http://127.0.0.1:8080        one line per vendor, once it accepts; with several
//   listening on http://127.0.0.1:8081 (pay)  vendors, with its name
//   admin API on http://127.0.0.1:9000        with --admin-port
//   certificate authority in /tmp/...pem      with --tls: what clients have to trust
//   acme  GET /v1/orders/o1  200  orders  0.4ms     one line per request, on a terminal
//   3 requests, 1 unmatched, 1 complaint            at the end, with the complaints
//
// With `watch`, a change of a file or of what it names is noticed within a second: a good file
// takes effect for the next request, a bad one is reported and changes nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "middleware/base/time.h"
#include "tools/understudy/command_line.h"
#include "tools/understudy/serve_tls.h"

namespace understudy::tools {

struct ServeOptions {
  std::vector<std::string> files = {};
  std::vector<std::string> ports = {};  // "8080" for the only vendor, or "acme=8080"; 0: any free.
  std::string host = "127.0.0.1";
  std::uint64_t seed = 0;
  bool watch = false;
  bool log = false;          // One line per request, also where it is no terminal.
  bool quiet = false;        // Nothing but the listening lines and what is wrong.
  ServeTlsOptions tls = {};  // One authority for all vendors.
  // Files for the requests, written at the end: JSON lines, and an HTTP Archive. Begun empty.
  std::string journal = {};
  std::string har = {};
  // The admin API (harness/admin/admin_api.h), if there is a port; 0: any free one. Where others
  // can reach it, it needs a token, which is in this environment variable.
  std::optional<std::uint16_t> admin_port = {};
  std::string admin_host = "127.0.0.1";
  std::string admin_token_env = {};
};

// Blocks until SIGINT or SIGTERM. Exit codes: 0, or 64 for a bad file, bad arguments, or a port
// or a file that cannot be had.
int Serve(const ServeOptions& options, Console& console);

// As Serve, until `wait` returns true. `wait` blocks for about as long as it is told; it is called
// again and again on the calling thread.
int ServeUntil(const ServeOptions& options, Console& console,
               const std::function<bool(Duration)>& wait);

}  // namespace understudy::tools
