// The fake vendor over sockets, its journal on: throughput of a regex route of a VendorModel
// against a bare cpp-httplib handler with the same answer, 1,000 routes against 10, and how exact
// injected latencies are.
//
//   build/release/bin/vendor_bench [rounds]
//
// Budgets: at least 0.9 of the bare handler with 32 keep-alive connections, p99 at most 5 ms;
// 1,000 routes at least 0.9 of 10; latencies exact to 2 ms at p99 with 500 requests waiting. Both
// servers live in this process, as does the load: one thread, which waits for all connections at
// once. They alternate in short rounds, so that a busy machine slows both down alike; printed is
// the median of the ratios of neighbouring rounds.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <httplib.h>

#include "harness/plan/seeded_random.h"
#include "harness/server/http_server.h"
#include "harness/vendor/vendor_model.h"
#include "middleware/platform/system_clock.h"

namespace understudy {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using std::chrono::steady_clock;

constexpr int kConnections = 32;
constexpr int kRequestsPerRound = 20'000;
constexpr int kWaiting = 500;
constexpr std::string_view kRequest =
    "GET /v1/orders/o1 HTTP/1.1\r\nHost: vendor.test\r\nAccept: application/json\r\n\r\n";

const std::string& Body() {
  static const std::string kBody =
      R"({"id":"o1","status":"paid","lines":")" + std::string(400, '1') + "\"}";
  return kBody;
}

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

int Connect(int port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr any{};
  std::memcpy(&any, &address, sizeof(any));
  if (::connect(socket, &any, sizeof(any)) != 0) Fail("connect");
  return socket;
}

// Connections that each have one request under way.
class Load {
 public:
  Load(int port, int connections) : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (int i = 0; i < connections; ++i) {
      connections_.push_back({.socket = Connect(port)});
      epoll_event event{.events = EPOLLIN, .data = {.u64 = static_cast<std::uint64_t>(i)}};
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connections_.back().socket, &event);
    }
  }
  ~Load() {
    for (const auto& connection : connections_) ::close(connection.socket);
    ::close(epoll_);
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // Sends `count` requests in all, the first of each connection `gap` apart; what each took.
  std::vector<Duration> Run(int count, Duration gap) {
    std::vector<Duration> took;
    took.reserve(static_cast<std::size_t>(count));
    int unsent = count;
    auto next_first = steady_clock::now();
    std::size_t started = 0;
    while (static_cast<int>(took.size()) < count) {
      while (started < connections_.size() && unsent > 0 && steady_clock::now() >= next_first) {
        Send(connections_[started++]);
        --unsent;
        next_first += gap;
      }
      std::array<epoll_event, 64> events;
      const int wait = started < connections_.size() && unsent > 0 ? 0 : 10'000;
      const int ready = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait);
      if (ready == 0 && wait > 0) Fail("no answer in 10 s");
      for (int i = 0; i < ready; ++i) {
        Connection& connection = connections_[events[static_cast<std::size_t>(i)].data.u64];
        if (!Receive(connection)) continue;
        took.push_back(steady_clock::now() - connection.sent);
        if (unsent > 0 && started == connections_.size()) {
          Send(connection);
          --unsent;
        }
      }
    }
    return took;
  }

 private:
  struct Connection {
    int socket = -1;
    steady_clock::time_point sent = {};
    std::string received = {};
  };

  static void Send(Connection& connection) {
    connection.sent = steady_clock::now();
    if (::send(connection.socket, kRequest.data(), kRequest.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(kRequest.size())) {
      Fail("send");
    }
  }

  // True if the answer is complete.
  static bool Receive(Connection& connection) {
    std::array<char, 16 * 1024> bytes;
    const ssize_t count = ::recv(connection.socket, bytes.data(), bytes.size(), 0);
    if (count <= 0) Fail("recv");
    connection.received.append(bytes.data(), static_cast<std::size_t>(count));
    if (!connection.received.ends_with(Body())) return false;
    if (!connection.received.starts_with("HTTP/1.1 200 OK")) Fail("not 200");
    connection.received.clear();
    return true;
  }

  int epoll_;
  std::vector<Connection> connections_;
};

Duration Quantile(std::vector<Duration> values, double quantile) {
  const auto at = static_cast<std::ptrdiff_t>(static_cast<double>(values.size() - 1) * quantile);
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

double Micros(Duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

// `others`: routes before the one that is asked for.
harness::VendorSpec Spec(Duration latency, int others) {
  harness::RouteSpec route{.id = "orders"};
  route.match.method = "GET";
  route.match.path_regex = "/v1/orders/(?P<id>[a-z0-9]+)";
  if (latency > Duration::zero()) route.latency = harness::LatencySpec::Fixed(latency);
  route.responses = {{.status = 200, .body = Body()}};
  route.when_exhausted = harness::WhenExhausted::kRepeatLast;
  harness::VendorSpec spec{.name = "vendor"};
  for (int i = 0; i < others; ++i) {
    const std::string name = "other" + std::to_string(i);
    harness::RouteSpec other = route;
    other.id = name;
    other.match.path_regex = "/v1/" + name + "/(?P<id>[a-z0-9]+)";
    spec.routes.push_back(std::move(other));
  }
  spec.routes.push_back(route);
  return spec;
}

// A vendor on sockets, its journal on.
class Vendor {
 public:
  explicit Vendor(Duration latency, int others = 0)
      : model_(harness::VendorModel::Create(
                   Spec(latency, others),
                   {.clock = clock_, .random = random_, .events = events_, .journal = &journal_})
                   .value()),
        server_(harness::HttpServer::Start(clock_, *model_, {}).value()) {}
  int port() const { return server_->port(); }

 private:
  SystemClock clock_;
  harness::SeededRandom random_{1};
  NullEventSink events_;
  harness::Journal journal_;
  std::unique_ptr<harness::VendorModel> model_;
  std::unique_ptr<harness::HttpServer> server_;
};

// The handler that a user would write with the library alone.
class Bare {
 public:
  Bare() {
    server_.new_task_queue = [] { return new httplib::ThreadPool(64); };  // NOLINT: its interface
    server_.set_keep_alive_max_count(1'000'000'000);
    server_.set_tcp_nodelay(true);
    server_.Get("/v1/orders/([a-z0-9]+)", [](const httplib::Request&, httplib::Response& response) {
      response.set_content(Body(), "application/json");
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~Bare() {
    server_.stop();
    thread_.join();
  }
  int port() const { return port_; }

 private:
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

double RequestsPerSecond(Load& load, std::vector<Duration>& took) {
  const auto began = steady_clock::now();
  const std::vector<Duration> round = load.Run(kRequestsPerRound, Duration::zero());
  const std::chrono::duration<double> lasted = steady_clock::now() - began;
  took.insert(took.end(), round.begin(), round.end());
  return kRequestsPerRound / lasted.count();
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

struct Rates {
  std::vector<double> per_second = {};
  std::vector<Duration> took = {};
};

// Both in turns; the median of the ratios of neighbouring rounds.
double Compare(int port, int other_port, int rounds, Rates& rates, Rates& other_rates) {
  Load load(port, kConnections);
  Load other(other_port, kConnections);
  RequestsPerSecond(load, rates.took);
  RequestsPerSecond(other, other_rates.took);
  rates.took.clear();
  other_rates.took.clear();
  std::vector<double> ratios;
  for (int round = 0; round < rounds; ++round) {
    rates.per_second.push_back(RequestsPerSecond(load, rates.took));
    other_rates.per_second.push_back(RequestsPerSecond(other, other_rates.took));
    ratios.push_back(rates.per_second.back() / other_rates.per_second.back());
  }
  return Median(std::move(ratios));
}

void Throughput(int rounds) {
  const Vendor vendor(Duration::zero());
  Bare bare;
  Rates rates;
  Rates bare_rates;
  const double ratio = Compare(vendor.port(), bare.port(), rounds, rates, bare_rates);
  std::printf(
      "%d connections: vendor %.0f/s (p99 %.0f us), bare cpp-httplib %.0f/s (p99 %.0f us), ratio "
      "%.2f (medians of %d rounds)\n",
      kConnections, Median(rates.per_second), Micros(Quantile(rates.took, 0.99)),
      Median(bare_rates.per_second), Micros(Quantile(bare_rates.took, 0.99)), ratio, rounds);
}

void ManyRoutes(int rounds) {
  const Vendor many(Duration::zero(), 999);
  const Vendor few(Duration::zero(), 9);
  Rates many_rates;
  Rates few_rates;
  const double ratio = Compare(many.port(), few.port(), rounds, many_rates, few_rates);
  std::printf("1,000 regex routes %.0f/s, 10 routes %.0f/s, ratio %.2f (medians of %d rounds)\n",
              Median(many_rates.per_second), Median(few_rates.per_second), ratio, rounds);
}

void Latency() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  constexpr Duration kLatency = 1s;
  const Vendor vendor(kLatency);
  Load load(vendor.port(), kWaiting);
  // 2 ms apart: when the first answers are due, all connections wait.
  std::vector<Duration> late = load.Run(5 * kWaiting, 2ms);
  for (Duration& took : late) took -= kLatency;
  std::printf("latency of 1 s, %d waiting: late by %.0f us at p50, %.0f us at p99\n", kWaiting,
              Micros(Quantile(late, 0.5)), Micros(Quantile(late, 0.99)));
}

}  // namespace
}  // namespace understudy

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 15;
  understudy::Throughput(rounds);
  understudy::ManyRoutes(rounds);
  understudy::Latency();
  return 0;
}
