#include "harness/server/http_server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

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
      options.keep_alive_timeout > Duration::zero() && options.send_timeout > Duration::zero();
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

}  // namespace

// httplib resolves, binds, listens and accepts; everything on a connection is ours.
class HttpServer::Engine final : private httplib::Server {
 public:
  Engine(Clock& clock, PlannedHandler& handler, HttpServerOptions options)
      : options_(std::move(options)),
        gate_(clock),
        runner_(handler, gate_),
        threads_(options_.connections_max) {}

  ~Engine() override { Stop(); }

  Result<void> Start();
  void Stop() {
    std::call_once(stop_once_, [this] { StopOnce(); });
  }

  std::uint16_t port() const { return port_; }
  std::string authority() const { return HostForUrl(options_.host) + ":" + std::to_string(port_); }

 private:
  // Gives httplib's connections to our threads. httplib owns and shuts down its queue with each
  // accept loop; our threads live longer.
  class Dispatcher final : public httplib::TaskQueue {
   public:
    explicit Dispatcher(ConnectionThreads& threads) : threads_(threads) {}
    void enqueue(std::function<void()> serve) override {
      // Without a thread the acceptor runs it, which process_and_close_socket recognizes.
      if (!threads_.TryRun(serve)) serve();
    }
    void shutdown() override {}

   private:
    ConnectionThreads& threads_;
  };

  void AcceptLoop();
  void StopOnce();
  bool process_and_close_socket(socket_t socket) override;
  void Serve(SocketStream& stream);

  const HttpServerOptions options_;
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
  set_socket_options(SetSocketOptions);
  new_task_queue = [this] { return std::make_unique<Dispatcher>(threads_).release(); };
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
  SocketStream stream(socket, timeouts, gate_);
  if (std::this_thread::get_id() == acceptor_id_) {
    stream.Send(
        EncodeRefusal({.status = 503, .reason = "too many connections at once; close some"}));
    return true;
  }
  Serve(stream);
  return true;
}

void HttpServer::Engine::Serve(SocketStream& stream) {
  const RequestLimits limits{.head_bytes_max = options_.header_bytes_max,
                             .headers_max = options_.headers_max,
                             .body_bytes_max = options_.body_bytes_max};
  RequestReader reader(stream, limits, authority());
  bool reusable = true;
  for (std::uint64_t served = 1; reusable; ++served) {
    auto next = reader.Next();
    if (std::holds_alternative<ConnectionEnd>(next)) return;
    if (const auto* refusal = std::get_if<Refusal>(&next)) {
      if (stream.Send(EncodeRefusal(*refusal))) stream.CloseAfterDraining(kDrainMax);
      return;
    }
    const auto& received = std::get<ReceivedRequest>(next);
    const bool keep_alive = received.keep_alive && served < options_.keep_alive_requests_max;
    reusable = runner_.Run(stream, received.request, keep_alive);
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

std::string HttpServer::url() const { return "http://" + engine_->authority(); }

void HttpServer::Stop() { engine_->Stop(); }

}  // namespace understudy::harness
