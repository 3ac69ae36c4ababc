#include "harness/server/http_server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>

#include <httplib.h>

#include "harness/server/connection_threads.h"
#include "harness/server/plan_runner.h"
#include "harness/server/request_reader.h"
#include "harness/server/response_writer.h"
#include "harness/server/socket_stream.h"
#include "harness/server/stop_gate.h"
#include "harness/server/tls_context.h"
#include "middleware/base/check.h"

namespace understudy::harness {
namespace {

using std::chrono::milliseconds;

// httplib's own backlog of 5 drops the SYNs of a burst, and clients repeat them only after a
// second.
constexpr int kBacklog = 4096;
// For responses under way when the server stops.
constexpr milliseconds kStopGrace{100};
// For a client that still sends when its request has been refused.
constexpr Duration kDrainMax = milliseconds(1000);
// For an alert to be read by a client that goes on sending.
constexpr Duration kAlertDrainMax = milliseconds(200);
// A record's header, and the most that follows (RFC 8446 section 5.1).
constexpr std::size_t kRecordHeadBytes = 5;
constexpr std::size_t kRecordBytesMax = std::size_t{16} * 1024 + 256;
// The alert handshake_failure, fatal.
constexpr std::string_view kHandshakeFailure{"\x15\x03\x03\x00\x02\x02\x28", 7};
// Before accepting again when the system had no file descriptor or memory for a connection.
constexpr milliseconds kAcceptPause{1};

// httplib also sets SO_REUSEPORT, which lets a second server take half of the connections instead
// of failing.
void SetSocketOptions(int socket) {
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
}

std::string HostForUrl(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

Result<void> CheckOptions(const HttpServerOptions& options) {
  if (options.host.empty())
    return InvalidArgument("HttpServerOptions.host is empty; use 127.0.0.1");
  const bool all_positive =
      options.connections_max > 0 && options.body_bytes_max > 0 && options.header_bytes_max > 0 &&
      options.headers_max > 0 && options.keep_alive_requests_max > 0 &&
      options.keep_alive_timeout > Duration::zero() && options.send_timeout > Duration::zero() &&
      options.head_timeout > Duration::zero() && options.body_timeout > Duration::zero();
  if (!all_positive)
    return InvalidArgument("every limit and timeout of HttpServerOptions must be positive");
  return {};
}

Error ListenError(const HttpServerOptions& options, int system_error) {
  const std::string port = std::to_string(options.port);
  Error error{.code = ErrorCode::kConnection};
  if (system_error == EADDRINUSE) {
    error.reason = "port-in-use";
    error.message = "port " + port + " is in use; choose another with --port or 0 for a free one";
  } else if (system_error == EACCES) {
    error.reason = "permission";
    error.message = "port " + port + " needs privileges; choose one above 1023 or 0 for a free one";
  } else if (system_error == EADDRNOTAVAIL || system_error == 0) {
    error.code = ErrorCode::kInvalidArgument;
    error.reason = "host";
    error.message = "\"" + options.host + "\" is not an address of this machine; use 127.0.0.1";
  } else {
    error.reason = "listen";
    error.message = "cannot listen on " + options.host + " port " + port + ": " +
                    std::generic_category().message(system_error);
  }
  return error;
}

CertificateFlaw FlawOf(const ConnectionPlan& plan) {
  if (!plan.fault) return CertificateFlaw::kNone;
  switch (*plan.fault) {
    case ConnectionFault::kTlsExpired:
      return CertificateFlaw::kExpired;
    case ConnectionFault::kTlsNotYetValid:
      return CertificateFlaw::kNotYetValid;
    case ConnectionFault::kTlsWrongHost:
      return CertificateFlaw::kWrongHost;
    case ConnectionFault::kTlsUnknownCa:
      return CertificateFlaw::kUnknownCa;
    default:
      return CertificateFlaw::kNone;
  }
}

// The first record of the handshake: clients send their ClientHello in one. False if none came.
bool ReadClientHello(SocketStream& stream, Duration limit) {
  std::string record;
  stream.LimitReceiving(limit);
  std::size_t size = kRecordHeadBytes;
  while (record.size() < size) {
    if (stream.ReceiveRaw(record, size - record.size()) != SocketStream::Received::kData)
      return false;
    if (record.size() != kRecordHeadBytes) continue;
    const auto high = static_cast<unsigned char>(record[3]);
    const auto low = static_cast<unsigned char>(record[4]);
    size += std::min<std::size_t>(std::size_t{high} * 256 + low, kRecordBytesMax);
  }
  stream.UnlimitReceiving();
  return true;
}

// httplib calls process_and_close_socket without a way to say which connection it is about.
thread_local std::uint64_t current_connection = 0;

}  // namespace

// httplib resolves, binds, listens and accepts; everything on a connection is ours.
class HttpServer::Engine final : private httplib::Server {
 public:
  Engine(Clock& clock, PlannedHandler& handler, HttpServerOptions options)
      : options_(std::move(options)),
        handler_(handler),
        gate_(clock),
        runner_(handler, gate_),
        threads_(options_.connections_max) {}

  ~Engine() override { Stop(); }

  Result<void> Start();
  void Stop() {
    std::call_once(stop_once_, [this] { StopOnce(); });
  }

  std::uint16_t port() const { return port_; }
  bool has_tls() const { return tls_ != nullptr; }
  std::string ca_pem() const {
    return tls_ == nullptr || options_.tls->identity ? std::string() : tls_->ca().certificate_pem();
  }
  std::string authority() const { return HostForUrl(options_.host) + ":" + std::to_string(port_); }

 private:
  // Gives httplib's connections to our threads. httplib owns and shuts down its queue with each
  // accept loop; our threads live longer.
  class Dispatcher final : public httplib::TaskQueue {
   public:
    Dispatcher(ConnectionThreads& threads, std::uint64_t& accepted)
        : threads_(threads), accepted_(accepted) {}
    // On the acceptor's thread, hence in the order of acceptance.
    void enqueue(std::function<void()> serve) override {
      const auto job = [number = ++accepted_, serve = std::move(serve)] {
        current_connection = number;
        serve();
      };
      // Without a thread the acceptor runs it, which process_and_close_socket recognizes.
      if (!threads_.TryRun(job)) job();
    }
    void shutdown() override {}

   private:
    ConnectionThreads& threads_;
    std::uint64_t& accepted_;
  };

  void AcceptLoop();
  void StopOnce();
  bool process_and_close_socket(socket_t socket) override;
  void Refuse(SocketStream& stream);
  void CarryOut(SocketStream& stream, ConnectionReport& report);
  bool CarryOutFault(SocketStream& stream, ConnectionFault fault);
  bool StartTls(SocketStream& stream, ConnectionReport& report);
  void Serve(SocketStream& stream);

  const HttpServerOptions options_;
  PlannedHandler& handler_;
  std::unique_ptr<TlsContext> tls_;
  std::uint64_t accepted_ = 0;  // The acceptor's alone.
  StopGate gate_;
  PlanRunner runner_;
  std::uint16_t port_ = 0;
  // Our handle of the listening socket: httplib closes its own whenever accept fails.
  int listener_ = -1;
  std::once_flag stop_once_;
  std::thread::id acceptor_id_;  // Written before the first connection.
  ConnectionThreads threads_;
  std::thread acceptor_;
};

Result<void> HttpServer::Engine::Start() {
  if (options_.tls) {
    UNDERSTUDY_ASSIGN_OR_RETURN(tls_, TlsContext::Create(*options_.tls, options_.host));
  }
  set_socket_options(SetSocketOptions);
  new_task_queue = [this] { return std::make_unique<Dispatcher>(threads_, accepted_).release(); };
  errno = 0;
  const int port = options_.port == 0                           ? bind_to_any_port(options_.host)
                   : bind_to_port(options_.host, options_.port) ? options_.port
                                                                : -1;
  const int bind_error = errno;
  if (port <= 0) return ListenError(options_, bind_error);
  port_ = static_cast<std::uint16_t>(port);
  listener_ = ::fcntl(svr_sock_, F_DUPFD_CLOEXEC, 0);
  if (listener_ < 0 || ::listen(listener_, kBacklog) != 0) {
    const int listen_error = errno;
    ::close(svr_sock_);
    return ListenError(options_, listen_error);
  }
  try {
    acceptor_ = std::thread([this] { AcceptLoop(); });
  } catch (const std::system_error& error) {
    ::close(svr_sock_);
    return ListenError(options_, error.code().value());
  }
  return {};
}

void HttpServer::Engine::AcceptLoop() {
  acceptor_id_ = std::this_thread::get_id();
  for (;;) {
    listen_after_bind();
    // httplib gives up on any error of accept, e.g. when the system is short of memory, and has
    // closed its socket.
    int again = -1;
    while (!gate_.stopping() && again < 0) {
      std::this_thread::sleep_for(kAcceptPause);
      again = ::fcntl(listener_, F_DUPFD_CLOEXEC, 0);
    }
    if (again < 0) return;
    svr_sock_ = again;
  }
}

void HttpServer::Engine::StopOnce() {
  gate_.Stop();
  if (acceptor_.joinable()) {
    // Makes accept fail, now and in future. httplib's own stop() closes the descriptor while the
    // acceptor uses it, and does nothing before the loop has begun.
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
  }
  if (!threads_.AwaitIdle(kStopGrace)) gate_.Sever();
  while (!threads_.AwaitIdle(std::chrono::hours(1))) {
  }
  if (listener_ >= 0) ::close(std::exchange(listener_, -1));
}

bool HttpServer::Engine::process_and_close_socket(socket_t socket) {
  const SocketTimeouts timeouts{.receive = options_.keep_alive_timeout,
                                .send = options_.send_timeout};
  const std::uint64_t number = current_connection;
  SocketStream stream(socket, timeouts, gate_, number);
  if (std::this_thread::get_id() == acceptor_id_) {
    Refuse(stream);
    return true;
  }
  ConnectionReport report{.connection = {.index = number, .tls = tls_ != nullptr}};
  report.plan = handler_.OnAccept(report.connection);
  CarryOut(stream, report);
  stream.Close();
  report.wire = stream.facts();
  report.requests = report.wire.reuse;  // Counted up by each exchange.
  handler_.OnConnectionEnd(report);
  return true;
}

// On the acceptor's thread, which must not wait for a handshake.
void HttpServer::Engine::Refuse(SocketStream& stream) {
  if (tls_ != nullptr) return;
  stream.Send(EncodeRefusal({.status = 503, .reason = "too many connections at once; close some"}));
}

void HttpServer::Engine::CarryOut(SocketStream& stream, ConnectionReport& report) {
  const ConnectionPlan& plan = report.plan;
  if (plan.latency > Duration::zero() &&
      !gate_.SleepUntil(SaturatingAdd(gate_.clock().Now(), plan.latency))) {
    return;
  }
  const bool applies = plan.fault && (tls_ != nullptr || !IsTlsFault(*plan.fault));
  if (applies && !CarryOutFault(stream, *plan.fault)) return;
  if (tls_ != nullptr && !StartTls(stream, report)) return;
  Serve(stream);
}

// True if the connection goes on.
bool HttpServer::Engine::CarryOutFault(SocketStream& stream, ConnectionFault fault) {
  switch (fault) {
    case ConnectionFault::kReset:
      stream.Reset();
      return false;
    case ConnectionFault::kClose:
      stream.CloseAfterDraining(kDrainMax);
      return false;
    case ConnectionFault::kSilence:
      stream.AwaitPeerEnd();
      return false;
    case ConnectionFault::kTlsAlert:
      if (ReadClientHello(stream, options_.tls->handshake_timeout) &&
          stream.SendRaw(kHandshakeFailure)) {
        stream.CloseAfterDraining(kAlertDrainMax);
      }
      return false;
    case ConnectionFault::kTlsStall:
      if (ReadClientHello(stream, options_.tls->handshake_timeout)) stream.AwaitPeerEnd();
      return false;
    case ConnectionFault::kTlsReset:
      if (ReadClientHello(stream, options_.tls->handshake_timeout)) stream.Reset();
      return false;
    case ConnectionFault::kTlsNoCloseNotify:
      stream.OmitCloseNotify();
      return true;
    case ConnectionFault::kTlsExpired:
    case ConnectionFault::kTlsNotYetValid:
    case ConnectionFault::kTlsWrongHost:
    case ConnectionFault::kTlsUnknownCa:
      return true;  // A matter of the handshake.
  }
  return true;
}

bool HttpServer::Engine::StartTls(SocketStream& stream, ConnectionReport& report) {
  const auto started = stream.StartTls(*tls_, FlawOf(report.plan), options_.tls->handshake_timeout);
  if (started) return true;
  report.handshake_error = started.error().message;
  if (started.error().reason == "plain-http") {
    stream.SendRaw(EncodeRefusal(
        {.status = 400, .reason = "this port speaks TLS; use https://" + authority() + "/"}));
  }
  stream.CloseAfterDraining(kAlertDrainMax);
  return false;
}

void HttpServer::Engine::Serve(SocketStream& stream) {
  RequestReader reader(stream, {.limits = {.head_bytes_max = options_.header_bytes_max,
                                           .headers_max = options_.headers_max,
                                           .body_bytes_max = options_.body_bytes_max},
                                .head_timeout = options_.head_timeout,
                                .body_timeout = options_.body_timeout,
                                .decode_bodies = options_.decode_request_bodies,
                                .authority = authority(),
                                .scheme = tls_ != nullptr ? "https" : "http"});
  auto after = PlanRunner::Next::kServe;
  while (after != PlanRunner::Next::kEnd) {
    const bool not_last = stream.facts().reuse + 1 < options_.keep_alive_requests_max;
    auto next = reader.Next(
        [&](const RequestHead& head) { return runner_.OnHead(stream, head, after, not_last); });
    if (std::holds_alternative<ConnectionEnd>(next)) return;
    if (const auto* refusal = std::get_if<Refusal>(&next)) {
      if (stream.Send(EncodeRefusal(*refusal))) stream.CloseAfterDraining(kDrainMax);
      return;
    }
    const auto& received = std::get<ReceivedRequest>(next);
    after = runner_.Run(stream, received.request, received.keep_alive && not_last);
  }
  // Closed with unread input, the FIN would be an RST.
  if (stream.HasUnreadInput()) stream.CloseAfterDraining(kDrainMax);
}

HttpServer::HttpServer(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}

HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::Start(Clock& clock, PlannedHandler& handler,
                                                      HttpServerOptions options) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckOptions(options));
  auto engine = std::make_unique<Engine>(clock, handler, std::move(options));
  UNDERSTUDY_RETURN_IF_ERROR(engine->Start());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(engine)));
}

std::uint16_t HttpServer::port() const { return engine_->port(); }

std::string HttpServer::url() const {
  return (engine_->has_tls() ? "https://" : "http://") + engine_->authority();
}

std::string HttpServer::ca_pem() const { return engine_->ca_pem(); }

void HttpServer::Stop() { engine_->Stop(); }

}  // namespace understudy::harness
