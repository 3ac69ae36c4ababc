// CurlTransport: http::Transport on libcurl, HTTP/1.1.
//
//   SystemClock clock;
//   CurlTransport transport(clock, {.connect_timeout = 3s});
//   const auto answer = transport.Send(request, {.deadline = Deadline::After(clock.Now(), 2s)});
//
// What it adds to libcurl, and why:
//   - Connections are reused across calls and across threads: a call borrows the connection that
//   was returned last.
//   - The deadline is read from the Clock after every wake-up, covers name resolution too, and is
//   never rounded down
//     to "no timeout". A resolver that hangs is left behind; a bounded number of those is kept.
//   - libcurl re-sends any request whose reused connection dies before the first byte of the
//   answer, POST included. Here
//     that happens only if SendOptions::replayable says so, and once; otherwise it is kConnection
//     "reset", kMaybeSent.
//   - Redirects are followed here, not by libcurl, which forwards custom credential headers; see
//   redirect.h.
//   - The environment (http_proxy, .netrc) does not change where requests go.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "middleware/http/transport.h"
#include "middleware/runtime/clock.h"

namespace understudy {

// kNoVerification accepts any certificate: for a test against a throw-away server, never for a
// vendor.
enum class TlsVerification { kVerifyPeerAndHost, kNoVerification };

struct CurlTransportOptions {
  // Name resolution, TCP and TLS together; a connection that takes longer is kConnection "connect",
  // kNotSent.
  Duration connect_timeout = std::chrono::seconds(10);
  TlsVerification verification = TlsVerification::kVerifyPeerAndHost;
  std::string ca_file = {};  // PEM bundle instead of the system's; empty: the system's.
  std::string ca_path =
      {};  // Folder of hashed certificates instead of the system's; empty: the system's.
  // Calls in flight, and connections kept; the next call is refused with kOverloaded. Limit calls
  // per vendor with a bulkhead, which can queue.
  std::size_t connections_max = 256;
  // Connections idle for longer are not reused: the peer has probably dropped them. Whole seconds.
  Duration idle_max = std::chrono::seconds(90);
  // All header fields of an answer together; more is kProtocol "too-large".
  std::size_t response_header_bytes_max = std::size_t{256} * 1024;
  // Guard: only URLs of these origins ("https://api.example.com") are sent to; others are
  // kInvalidArgument "origin". nullopt: any.
  std::optional<std::vector<std::string>> allowed_origins = {};
  std::string user_agent = "understudy/0.1";  // Sent unless the request has its own; empty: none.
  bool proxy_from_environment = false;        // Honour http_proxy, https_proxy, no_proxy.
};

// Thread-safe. Send blocks its caller (and no other thread) until answer, deadline or stop; it must
// not be called with a Mutex held, which is checked. No Send may run when the transport is
// destroyed.
//
// What is sent: the request's headers in order, plus Host, Content-Length, Accept-Encoding and
// User-Agent where the request has none. Bodies are sent exactly; a Transfer-Encoding header, a
// Content-Length that is not the body's, and a HEAD with a body are kInvalidArgument.
//
// What is answered: the headers of the final response, in order and with repeats (no interim
// responses, no trailers). If the request does not set Accept-Encoding, content codings (gzip, br,
// zstd, deflate) are removed from the body, and Content-Encoding and Content-Length with them;
// otherwise the body is as it came.
//
// A redirect that may not be followed, or is one too many, is the answer.
//
// Errors beside those of http::Transport: kOverloaded (reason "connections" or "resolver") when a
// bound of this object is reached, local and not sent. kConnection has the additional reason
// "connect" (any connect failure but a refusal). kProtocol has the reason "too-large", "decode" or
// "malformed", and delivery kAnswered once a status line has arrived. After a redirect was
// followed, delivery is never kNotSent.
class CurlTransport final : public http::Transport {
 public:
  explicit CurlTransport(Clock& clock, CurlTransportOptions options = {});
  ~CurlTransport() override;
  CurlTransport(const CurlTransport&) = delete;
  CurlTransport& operator=(const CurlTransport&) = delete;

  Result<http::Response> Send(const http::Request& request,
                              const http::SendOptions& options) override;

 private:
  class Pool;

  Result<void> CheckRequest(const http::Request& request) const;
  bool IsAllowed(const http::Url& url) const;
  Result<http::Response> SendOnce(const http::Request& request, const http::SendOptions& options);

  Clock& clock_;
  const CurlTransportOptions options_;
  const std::unique_ptr<Pool> pool_;
};

}  // namespace understudy
