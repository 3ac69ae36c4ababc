// ConnectionPlan: what a vendor does with a connection before (and beside) the requests on it.
//
// A PlannedHandler is asked once per accepted connection (OnAccept), so the n-th connection can
// fail while its neighbours work:
//
//   ConnectionPlan OnAccept(const ConnectionInfo& connection) override {
//     if (connection.index == 3) return {.fault = ConnectionFault::kTlsExpired};
//     return {};
//   }
//
// VendorModel decides by its fault rules (harness/vendor/fault_rule.h). Hosts on sockets carry a
// plan out; in memory there are no connections, and nobody asks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "harness/plan/wire_facts.h"
#include "middleware/base/time.h"

namespace understudy::harness {

// Those with "Tls" in their name need a host that speaks TLS; in clear they do nothing.
enum class ConnectionFault {
  kReset,             // RST at once.
  kClose,             // FIN at once, without a byte.
  kSilence,           // Accepted and never answered, until the peer leaves.
  kTlsExpired,        // A certificate that was valid until yesterday.
  kTlsNotYetValid,    // One that will be valid from tomorrow.
  kTlsWrongHost,      // One for another host.
  kTlsUnknownCa,      // One of an authority that nobody trusts.
  kTlsAlert,          // The alert handshake_failure (40) answers the ClientHello.
  kTlsStall,          // The ClientHello is read and never answered, until the peer leaves.
  kTlsReset,          // RST after the ClientHello.
  kTlsNoCloseNotify,  // Every answer as planned; in the end FIN without close_notify.
};

// "reset", "close", "silence", "tls-expired", "tls-not-yet-valid", "tls-wrong-host",
// "tls-unknown-ca", "tls-alert", "tls-stall", "tls-reset", "tls-no-close-notify".
std::string_view ToString(ConnectionFault fault);
std::optional<ConnectionFault> ParseConnectionFault(std::string_view text);  // The inverse.

constexpr bool IsTlsFault(ConnectionFault fault) { return fault >= ConnectionFault::kTlsExpired; }

struct ConnectionInfo {
  std::uint64_t index = 0;  // 1, 2, ... in the order in which the host accepted them.
  bool tls = false;
};

struct ConnectionPlan {
  std::optional<ConnectionFault> fault = {};
  // Wait so long, on the world's clock, before the first byte is read or the fault is carried out.
  Duration latency = {};
};

// How a connection ended, as the host saw it.
struct ConnectionReport {
  ConnectionInfo connection = {};
  ConnectionPlan plan = {};
  std::uint64_t requests = 0;  // That reached the handler.
  // Why there is no TLS session: "", or e.g. "the client refused the certificate: certificate
  // expired". Text for people.
  std::string handshake_error = {};
  WireFacts wire = {};  // Of the whole connection.
};

}  // namespace understudy::harness
