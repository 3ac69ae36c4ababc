// HttpServer: a PlannedHandler on a real socket (HTTP/1.1, in clear or over TLS).
//
//   auto server = HttpServer::Start(clock, vendor_model, {.port = 8080});
//   if (!server) return server.error();
//   std::cout << "listening on " << (*server)->url() << "\n";
//
// Over TLS, with certificates made on the fly that clients can verify (docs/fake-vendor-tls.md):
//
//   auto server = HttpServer::Start(clock, vendor_model, {.port = 8443, .tls = TlsOptions{}});
//   WriteFile("ca.pem", (*server)->ca_pem());     // curl --cacert ca.pem https://127.0.0.1:8443/
//
// An http::Handler is hosted through HandlerHost (harness/plan/handler_host.h).
//
// Strict in what it accepts (RFC 9112): malformed or ambiguous requests are answered by the server
// and never reach the handler. Exact in what it sends: the planned headers in the planned order,
// the exact body, and the planned fault on the wire. The project's one HTTP engine for inbound
// traffic; why parts of it are its own is in the ADR on the HTTP server.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "harness/plan/response_plan.h"
#include "harness/server/tls_options.h"
#include "middleware/base/result.h"
#include "middleware/runtime/clock.h"

namespace understudy::harness {

// The timeouts are in real time, because the peers are real; planned latencies are on the
// server's clock.
struct HttpServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;              // 0: any free one; see port()
  std::size_t connections_max = 4096;  // one thread each; more are answered with 503
  std::size_t body_bytes_max = std::size_t{16} * 1024 * 1024;  // a larger request body gets 413
  std::size_t header_bytes_max = std::size_t{64} * 1024;       // a larger request head gets 431
  std::size_t headers_max = 256;                               // more header fields get 431
  Duration keep_alive_timeout =
      std::chrono::seconds(60);  // silence that ends a connection; mid-request it gets 408
  Duration send_timeout =
      std::chrono::seconds(30);  // a client that reads nothing for so long is gone
  std::uint64_t keep_alive_requests_max =
      1'000'000;  // the last one's answer says Connection: close
  // From the first byte of a head, or of a body, to its last one; then 408. They end what
  // keep_alive_timeout does not: a client that sends a byte now and then.
  Duration head_timeout = std::chrono::seconds(30);
  Duration body_timeout = std::chrono::minutes(5);
  // Hands request bodies over without their Content-Encoding (gzip, deflate, br); the header fields
  // stay as they came. body_bytes_max holds for the decoded body, too. What cannot be decoded gets
  // 400, another coding 415.
  bool decode_request_bodies = false;
  std::optional<TlsOptions> tls = {};  // Absent: in clear.
};

// Thread-safe.
class HttpServer {
 public:
  // Listens when it returns. `clock` and `handler` must outlive the server.
  //
  // Errors: kInvalidArgument for an option that cannot work (a zero limit, an unknown host; reason
  // "host"); kConnection, with reason "port-in-use", "permission" or "listen", if the system
  // refuses; those of TlsContext::Create (harness/server/tls_context.h) for wrong TLS options.
  static Result<std::unique_ptr<HttpServer>> Start(Clock& clock, PlannedHandler& handler,
                                                   HttpServerOptions options);

  // As Stop().
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::uint16_t port() const;
  // "http://127.0.0.1:8080", or https
  std::string url() const;
  // What a client of a TLS server has to trust, in PEM; empty without TLS, or with an identity that
  // the options gave.
  std::string ca_pem() const;

  // Refuses new connections, ends idle ones, and ends every wait for a latency, drip or hang
  // without an answer. A response that is being sent may finish (for a moment). Blocks until every
  // thread has ended, hence until every call of the handler has returned; never call it from the
  // handler. Further calls do nothing.
  void Stop();

 private:
  class Engine;

  explicit HttpServer(std::unique_ptr<Engine> engine);

  std::unique_ptr<Engine> engine_;
};

}  // namespace understudy::harness
