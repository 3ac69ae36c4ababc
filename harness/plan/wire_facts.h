// WireFacts: what happened below HTTP in one exchange, as the host of the vendor saw it.
//
// The host fills it in and hands it over in ExchangeOutcome; the journal keeps it. It answers what
// a client's log cannot: how many bytes of the answer had left when the client went away, who
// closed the connection and how, and whether a connection or a TLS session was used again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "middleware/base/time.h"

namespace understudy::harness {

// A value; every member has a default that says "not known" or "did not happen".
struct WireFacts {
  struct Tls {
    std::string version = {};     // As OpenSSL names it: "TLSv1.2", "TLSv1.3".
    bool session_reused = false;  // The handshake resumed an earlier session.
    std::string sni = {};         // The server name that the client asked for; "" if none.
  };

  std::uint64_t connection = 0;      // Counted by the host from 1; 0 if it does not know.
  std::uint64_t reuse = 0;           // Requests served before on this connection; 0 for its first.
  std::uint64_t request_bytes = 0;   // Bytes received of this request, head and body, decrypted.
  std::uint64_t response_bytes = 0;  // Bytes of the answer that the kernel accepted, before TLS.
  // True once this side, or the client, has ended its direction during this exchange.
  bool fin_sent = false;
  bool rst_sent = false;
  bool fin_received = false;
  bool rst_received = false;
  // When the client went away before the answer was complete, on the host's clock; kNever if it
  // stayed.
  TimePoint client_abort = kNever;
  std::optional<Tls> tls = {};      // nullopt in clear.
  std::string client_address = {};  // "127.0.0.1:52814", "[::1]:52814"; "" in memory.
};

}  // namespace understudy::harness
