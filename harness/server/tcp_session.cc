#include "harness/server/tcp_session.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

#include "harness/server/toxic_pipe.h"
#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

constexpr std::size_t kReadBytes = std::size_t{32} * 1024;
// Before the other connections have their turn.
constexpr int kRoundsMax = 32;
constexpr int kAcceptsMax = 64;
// For a peer that still sends when its connection is closed: closing with unread input would reset
// it, and the peer could lose what it was sent last (RFC 9112 section 9.6).
constexpr Duration kDrainMax = std::chrono::seconds(1);
// Both sides have ended, and a toxic holds the rest: nobody will miss the connection.
constexpr Duration kAbandonedMax = std::chrono::seconds(60);
constexpr int kDescriptorPauseMs = 10;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

std::size_t IndexOf(ToxicStream stream) { return stream == ToxicStream::kUpstream ? 0 : 1; }
ToxicStream OtherStream(ToxicStream stream) {
  return stream == ToxicStream::kUpstream ? ToxicStream::kDownstream : ToxicStream::kUpstream;
}

std::vector<Address> LookUp(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_flags = flags | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::vector<Address> addresses;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0)
    return addresses;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    Address address;
    address.size = std::min<socklen_t>(each->ai_addrlen, sizeof(address.storage));
    std::memcpy(&address.storage, each->ai_addr, address.size);
    addresses.push_back(address);
  }
  ::freeaddrinfo(found);
  return addresses;
}

// Without asking anybody; empty for a host name.
std::vector<Address> KnownAddresses(const HostPort& upstream) {
  if (!upstream.host.empty() && !EqualsIgnoreAsciiCase(upstream.host, "localhost"))
    return LookUp(upstream.host, upstream.port, AI_NUMERICHOST);
  auto addresses = LookUp("127.0.0.1", upstream.port, AI_NUMERICHOST);
  for (const Address& six : LookUp("::1", upstream.port, AI_NUMERICHOST)) addresses.push_back(six);
  return addresses;
}

// For what depends on the peers alone; toxics are on the Clock.
TimePoint RealNow() { return std::chrono::steady_clock::now(); }

bool WouldBlock(int error) { return error == EAGAIN || error == EINTR; }

void SendAtOnce(int socket) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void CloseSocket(int& socket) {
  if (socket >= 0) ::close(std::exchange(socket, -1));
}

void ResetSocket(int& socket) {
  if (socket < 0) return;
  const linger discard{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &discard, sizeof(discard));
  CloseSocket(socket);
}

// Discards what has arrived; true once the peer has ended.
bool Discard(int socket) {
  std::array<char, kReadBytes> bytes;
  for (int i = 0; i < kRoundsMax; ++i) {
    const ssize_t count = ::recv(socket, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (count == 0) return true;
    if (count < 0) return !WouldBlock(errno);
  }
  return false;
}

}  // namespace

struct TcpSession::LogLine {
  LogLevel level = LogLevel::kInfo;
  std::string text;
};

struct TcpSession::Connection {
  enum class State { kResolving, kConnecting, kOpen, kDraining, kOver };

  // One direction.
  struct Link {
    std::uint64_t seed = 0;
    std::optional<ToxicPipe> pipe = {};
    std::string out = {};  // Taken from the pipe; what is not sent begins at out_at.
    std::size_t out_at = 0;
    bool source_ended = false;  // Nothing more is read.
    bool source_reset = false;  // It ended with an RST, which is passed on.
    bool dest_ended = false;    // Nothing more is sent.
    bool pending() const { return out_at < out.size(); }
  };

  ~Connection() {
    CloseSocket(client);
    CloseSocket(server);
  }

  int& source(ToxicStream stream) { return stream == ToxicStream::kUpstream ? client : server; }
  int& dest(ToxicStream stream) { return stream == ToxicStream::kUpstream ? server : client; }
  Link& link(ToxicStream stream) { return links.at(IndexOf(stream)); }

  std::uint64_t number = 0;
  State state = State::kResolving;
  int client = -1;
  int server = -1;
  bool client_ended = false;  // It has sent FIN or RST.
  bool server_ended = false;
  bool connect_ready = false;  // poll() reported the connecting socket
  std::vector<Address> addresses = {};
  std::size_t next_address = 0;
  // Of connecting, draining, or an abandoned connection; in real time, because the peers are real.
  TimePoint deadline = kNever;
  std::array<Link, 2> links = {};
  bool attention = true;  // Look at it in the next round.
  TimePoint due = kNever;
  std::vector<LogLine> lines = {};

  void Log(LogLevel level, std::string text) { lines.push_back({level, std::move(text)}); }
};

// ---- life ---------------------------------------------------------------------------------------

TcpSession::TcpSession(TcpListener listener, Parts parts)
    : parts_(std::move(parts)), listener_(std::move(listener)), toxics_(parts_.toxics) {}

Result<std::unique_ptr<TcpSession>> TcpSession::Start(TcpListener listener, Parts parts) {
  std::unique_ptr<TcpSession> session(new TcpSession(std::move(listener), std::move(parts)));
  UNDERSTUDY_RETURN_IF_ERROR(session->StartThreads());
  return session;
}

Result<void> TcpSession::StartThreads() {
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::string problem = wake_ < 0 ? std::generic_category().message(errno) : "";
  if (problem.empty()) {
    try {
      timer_ = std::thread([this] { TimerLoop(); });
      if (KnownAddresses(parts_.upstream).empty())
        resolver_ = std::thread([this] { ResolverLoop(); });
      loop_ = std::thread([this] { Loop(); });
      return {};
    } catch (const std::system_error& error) {
      problem = error.what();
    }
  }
  return Error{.code = ErrorCode::kConnection,
               .message = "cannot start the proxy " + parts_.name + ": " + problem,
               .reason = "listen"};
}

TcpSession::~TcpSession() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    timer_changed_.NotifyAll();
  }
  {
    const std::lock_guard lock(resolver_mutex_);
    resolver_stopping_ = true;
    resolver_changed_.notify_all();
  }
  Wake();
  for (std::thread* const thread : {&loop_, &timer_, &resolver_}) {
    if (thread->joinable()) thread->join();
  }
  if (wake_ >= 0) ::close(wake_);
}

void TcpSession::Wake() {
  const std::uint64_t one = 1;
  // It fails only if the counter is full, and then the loop is awake.
  static_cast<void>(::write(wake_, &one, sizeof(one)) == 0);
}

std::size_t TcpSession::connections() const {
  const MutexLock lock(mutex_);
  return connections_.size();
}

// ---- changes ------------------------------------------------------------------------------------

template <typename Change>
void TcpSession::ChangePipes(ToxicStream stream, Change change) {
  const TimePoint now = parts_.clock.Now();
  for (const auto& entry : connections_) {
    Connection& connection = *entry.second;
    connection.attention = true;
    auto& pipe = connection.link(stream).pipe;
    if (pipe) change(*pipe, now);
  }
}

void TcpSession::AddToxic(const Toxic& toxic) {
  {
    const MutexLock lock(mutex_);
    toxics_.push_back(toxic);
    ChangePipes(toxic.stream, [&](ToxicPipe& pipe, TimePoint now) { pipe.Add(toxic, now); });
  }
  Wake();
}

void TcpSession::UpdateToxic(const Toxic& toxic) {
  {
    const MutexLock lock(mutex_);
    for (Toxic& each : toxics_) {
      if (each.name == toxic.name) each = toxic;
    }
    ChangePipes(toxic.stream, [&](ToxicPipe& pipe, TimePoint now) { pipe.Update(toxic, now); });
  }
  Wake();
}

void TcpSession::RemoveToxic(std::string_view name) {
  {
    const MutexLock lock(mutex_);
    std::erase_if(toxics_, [&](const Toxic& toxic) { return toxic.name == name; });
    const auto remove = [&](ToxicPipe& pipe, TimePoint now) { pipe.Remove(name, now); };
    ChangePipes(ToxicStream::kUpstream, remove);
    ChangePipes(ToxicStream::kDownstream, remove);
  }
  Wake();
}

void TcpSession::SetToxics(std::vector<Toxic> toxics) {
  {
    const MutexLock lock(mutex_);
    for (const ToxicStream stream : {ToxicStream::kUpstream, ToxicStream::kDownstream}) {
      ChangePipes(stream, [&](ToxicPipe& pipe, TimePoint now) REQUIRES(mutex_) {
        for (const Toxic& toxic : toxics_) pipe.Remove(toxic.name, now);
        for (const Toxic& toxic : toxics) {
          if (toxic.stream == stream) pipe.Add(toxic, now);
        }
      });
    }
    toxics_ = std::move(toxics);
  }
  Wake();
}

// ---- threads ------------------------------------------------------------------------------------

void TcpSession::TimerLoop() {
  const MutexLock lock(mutex_);
  while (!stopping_) {
    const TimePoint due = timer_due_;
    const bool changed =
        parts_.clock.AwaitUntil(mutex_, timer_changed_, due,
                                [&]() REQUIRES(mutex_) { return stopping_ || timer_due_ != due; });
    if (changed) continue;
    timer_due_ = kNever;  // The loop sets the next one.
    Wake();
  }
}

void TcpSession::ArmTimer(TimePoint due) {
  if (timer_due_ == due) return;
  timer_due_ = due;
  timer_changed_.NotifyAll();
}

void TcpSession::ResolverLoop() {
  std::unique_lock lock(resolver_mutex_);
  for (;;) {
    resolver_changed_.wait(lock, [this] { return resolver_stopping_ || !to_resolve_.empty(); });
    if (resolver_stopping_) return;
    const std::uint64_t number = to_resolve_.front();
    to_resolve_.pop_front();
    lock.unlock();
    std::vector<Address> addresses = LookUp(parts_.upstream.host, parts_.upstream.port, 0);
    {
      const MutexLock guard(mutex_);
      const auto found = connections_.find(number);
      if (found != connections_.end()) {
        Connection& connection = *found->second;
        if (addresses.empty())
          connection.Log(LogLevel::kWarning, "cannot look up " + parts_.upstream.host);
        connection.addresses = std::move(addresses);
        connection.state = Connection::State::kConnecting;
        connection.attention = true;
      }
    }
    Wake();
    lock.lock();
  }
}

void TcpSession::Loop() {
  // Who is polled for: a connection, and whether its server socket; by position.
  struct Polled {
    Connection* connection = nullptr;
    bool server = false;
  };
  std::vector<pollfd> fds;
  std::vector<Polled> polled;
  for (;;) {
    std::vector<LogLine> lines;
    bool again = false;
    fds.clear();
    polled.clear();
    fds.push_back({.fd = wake_, .events = POLLIN, .revents = 0});
    fds.push_back(
        {.fd = short_of_descriptors_ ? -1 : listener_.socket(), .events = POLLIN, .revents = 0});
    {
      const MutexLock lock(mutex_);
      if (stopping_) return;
      again = ServeAll(lines);
      const auto want = [&](Connection& connection, bool server, short events) {
        if (events == 0) return;
        fds.push_back(
            {.fd = server ? connection.server : connection.client, .events = events, .revents = 0});
        polled.push_back({&connection, server});
      };
      for (const auto& entry : connections_) {
        Connection& connection = *entry.second;
        auto& up = connection.link(ToxicStream::kUpstream);
        auto& down = connection.link(ToxicStream::kDownstream);
        const auto events = [](const Connection::Link& in, const Connection::Link& out) {
          const bool reads = !in.source_ended && in.pipe->HasRoom();
          return static_cast<short>((reads ? POLLIN : 0) | (out.pending() ? POLLOUT : 0));
        };
        switch (connection.state) {
          case Connection::State::kConnecting:
            want(connection, true, POLLOUT);
            break;
          case Connection::State::kOpen:
            want(connection, false, events(up, down));
            want(connection, true, events(down, up));
            break;
          case Connection::State::kDraining:
            if (!connection.client_ended) want(connection, false, POLLIN);
            if (!connection.server_ended) want(connection, true, POLLIN);
            break;
          case Connection::State::kResolving:
          case Connection::State::kOver:
            break;
        }
      }
    }
    for (const LogLine& line : lines) parts_.logger.Log(line.level, "toxiproxy", line.text);
    const int timeout = again ? 0 : short_of_descriptors_ ? kDescriptorPauseMs : MsUntilDeadline();
    short_of_descriptors_ = false;
    if (::poll(fds.data(), fds.size(), timeout) < 0) continue;
    std::uint64_t ignored = 0;
    if (fds[0].revents != 0) static_cast<void>(::read(wake_, &ignored, sizeof(ignored)) == 0);
    {
      const MutexLock lock(mutex_);
      for (std::size_t i = 0; i < polled.size(); ++i) {
        if (fds[i + 2].revents == 0) continue;
        polled[i].connection->attention = true;
        if (polled[i].server) polled[i].connection->connect_ready = true;
      }
    }
    if (fds[1].revents != 0) Accept();
  }
}

// For poll(): -1 without a deadline.
int TcpSession::MsUntilDeadline() const {
  if (next_deadline_ == kNever) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_deadline_ - RealNow());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

// True if a connection has more to do at once.
bool TcpSession::ServeAll(std::vector<LogLine>& lines) {
  const TimePoint now = parts_.clock.Now();
  const TimePoint real_now = RealNow();
  TimePoint due = kNever;
  bool again = false;
  next_deadline_ = kNever;
  for (auto each = connections_.begin(); each != connections_.end();) {
    Connection& connection = *each->second;
    if (std::exchange(connection.attention, false) || connection.due <= now ||
        connection.deadline <= real_now) {
      Serve(connection, now);
    }
    for (LogLine& line : connection.lines) {
      line.text =
          parts_.name + ": connection " + std::to_string(connection.number) + ": " + line.text;
      lines.push_back(std::move(line));
    }
    connection.lines.clear();
    if (connection.state == Connection::State::kOver) {
      each = connections_.erase(each);
      continue;
    }
    due = std::min(due, connection.due);
    next_deadline_ = std::min(next_deadline_, connection.deadline);
    again = again || connection.attention;
    ++each;
  }
  ArmTimer(due);
  return again;
}

// ---- new connections ----------------------------------------------------------------------------

void TcpSession::Accept() {
  for (int i = 0; i < kAcceptsMax; ++i) {
    const int client =
        ::accept4(listener_.socket(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client >= 0) {
      Admit(client);
      continue;
    }
    if (errno == ECONNABORTED || errno == EINTR) continue;
    // Else the listener stays readable, and the loop would spin.
    short_of_descriptors_ = !WouldBlock(errno);
    return;
  }
}

void TcpSession::Admit(int client) {
  auto connection = std::make_unique<Connection>();
  connection->client = client;
  if (connections() >= parts_.limits.connections_max) {
    if (!std::exchange(refused_, true)) {
      parts_.logger.Log(LogLevel::kWarning, "toxiproxy",
                        parts_.name + ": more than " +
                            std::to_string(parts_.limits.connections_max) +
                            " connections at once are closed");
    }
    return;
  }
  refused_ = false;
  SendAtOnce(client);
  // In the order of the connections, whatever toxics there are: a seed means the same in every run.
  for (const ToxicStream stream : {ToxicStream::kUpstream, ToxicStream::kDownstream}) {
    connection->link(stream).seed =
        parts_.random.Next("toxiproxy/" + parts_.name + "/" + std::string(ToString(stream)));
  }
  connection->number = parts_.counters.connections.fetch_add(1) + 1;
  connection->addresses = KnownAddresses(parts_.upstream);
  const std::uint64_t number = connection->number;
  const bool known = !connection->addresses.empty();
  if (known) connection->state = Connection::State::kConnecting;
  {
    const MutexLock lock(mutex_);
    connection->deadline = SaturatingAdd(RealNow(), parts_.limits.connect_timeout);
    connections_.emplace(number, std::move(connection));
  }
  if (known) return;
  const std::lock_guard lock(resolver_mutex_);
  to_resolve_.push_back(number);
  resolver_changed_.notify_all();
}

void TcpSession::Serve(Connection& connection, TimePoint now) {
  connection.due = kNever;
  switch (connection.state) {
    case Connection::State::kResolving:
    case Connection::State::kConnecting:
      ServeConnecting(connection, now);
      break;
    case Connection::State::kOpen:
      ServeOpen(connection, now);
      break;
    case Connection::State::kDraining:
      ServeDraining(connection);
      break;
    case Connection::State::kOver:
      break;
  }
}

void TcpSession::ServeConnecting(Connection& connection, TimePoint now) {
  if (connection.deadline <= RealNow()) {
    connection.Log(LogLevel::kWarning,
                   "cannot connect to " + ToString(parts_.upstream) + " in time");
    connection.state = Connection::State::kOver;
    return;
  }
  if (connection.state == Connection::State::kResolving) return;
  if (connection.server < 0) {
    ConnectNext(connection, now);
    return;
  }
  if (!std::exchange(connection.connect_ready, false)) return;
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(connection.server, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error == 0) {
    Open(connection, now);
    return;
  }
  CloseSocket(connection.server);
  errno = error;
  ConnectNext(connection, now);
}

void TcpSession::ConnectNext(Connection& connection, TimePoint now) {
  int failure = connection.next_address == 0 ? 0 : errno;
  while (connection.next_address < connection.addresses.size()) {
    const Address& address = connection.addresses[connection.next_address++];
    connection.server =
        ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const void* const raw = &address.storage;
    if (connection.server >= 0) {
      SendAtOnce(connection.server);
      if (::connect(connection.server, static_cast<const sockaddr*>(raw), address.size) == 0) {
        Open(connection, now);
        return;
      }
      if (errno == EINPROGRESS) return;
    }
    failure = errno;
    CloseSocket(connection.server);
  }
  connection.Log(LogLevel::kWarning,
                 "cannot connect to " + ToString(parts_.upstream) + ": " +
                     (failure == 0 ? "no address" : std::generic_category().message(failure)));
  connection.state = Connection::State::kOver;
}

void TcpSession::Open(Connection& connection, TimePoint now) {
  connection.state = Connection::State::kOpen;
  connection.deadline = kNever;
  for (const ToxicStream stream : {ToxicStream::kUpstream, ToxicStream::kDownstream}) {
    std::vector<Toxic> toxics;
    for (const Toxic& toxic : toxics_) {
      if (toxic.stream == stream) toxics.push_back(toxic);
    }
    Connection::Link& link = connection.link(stream);
    link.pipe.emplace(link.seed, toxics, now);
  }
  ServeOpen(connection, now);
}

// ---- open connections ---------------------------------------------------------------------------

void TcpSession::ServeOpen(Connection& connection, TimePoint now) {
  connection.due = kNever;
  bool moved = true;
  for (int round = 0; moved && round < kRoundsMax; ++round) {
    moved = Pump(connection, ToxicStream::kUpstream, now);
    if (connection.state == Connection::State::kOpen)
      moved = Pump(connection, ToxicStream::kDownstream, now) || moved;
    if (connection.state != Connection::State::kOpen) break;
  }
  for (const ToxicStream stream : {ToxicStream::kUpstream, ToxicStream::kDownstream}) {
    for (const ToxicPipe::Note& note : connection.link(stream).pipe->TakeNotes()) {
      if (note.what == "applies") parts_.counters.toxics_applied.fetch_add(1);
      connection.Log(LogLevel::kInfo,
                     std::string(ToString(stream)) + ": the toxic " + note.toxic + " " + note.what);
    }
  }
  if (connection.state != Connection::State::kOpen) return;
  auto& up = connection.link(ToxicStream::kUpstream);
  auto& down = connection.link(ToxicStream::kDownstream);
  if (up.dest_ended && down.dest_ended) {
    connection.state = Connection::State::kDraining;
    connection.deadline = SaturatingAdd(RealNow(), kDrainMax);
    ServeDraining(connection);
    return;
  }
  connection.attention = moved;
  if (up.source_ended && down.source_ended && connection.deadline == kNever)
    connection.deadline = SaturatingAdd(RealNow(), kAbandonedMax);
  if (connection.deadline <= RealNow()) {
    connection.state = Connection::State::kOver;
    return;
  }
  connection.due = std::min(up.pipe->next_due(), down.pipe->next_due());
}

bool TcpSession::Pump(Connection& connection, ToxicStream stream, TimePoint now) {
  Connection::Link& link = connection.link(stream);
  bool moved = Read(connection, stream, now);
  link.pipe->Advance(now);
  if (link.pipe->end() == ToxicPipe::End::kReset) {
    ResetSocket(connection.client);
    ResetSocket(connection.server);
    connection.state = Connection::State::kOver;
    return false;
  }
  moved = Write(connection, stream, now) || moved;
  if (link.pipe->end() != ToxicPipe::End::kOpen && !link.pending() && !link.dest_ended) {
    EndStream(connection, stream, now);
    return true;
  }
  return moved;
}

bool TcpSession::Read(Connection& connection, ToxicStream stream, TimePoint& now) {
  Connection::Link& link = connection.link(stream);
  if (link.source_ended || !link.pipe->HasRoom()) return false;
  std::string bytes(kReadBytes, '\0');
  const ssize_t count = ::recv(connection.source(stream), bytes.data(), bytes.size(), 0);
  if (count > 0) {
    // A toxic's time runs from the arrival, not from when this round of the loop began.
    now = parts_.clock.Now();
    bytes.resize(static_cast<std::size_t>(count));
    parts_.counters.received.at(IndexOf(stream)).fetch_add(bytes.size());
    link.pipe->Push(std::move(bytes), now);
    return true;
  }
  if (count < 0 && WouldBlock(errno)) return false;
  link.source_ended = true;
  link.source_reset = count < 0;
  (stream == ToxicStream::kUpstream ? connection.client_ended : connection.server_ended) = true;
  link.pipe->Finish(now);
  return true;
}

bool TcpSession::Write(Connection& connection, ToxicStream stream, TimePoint now) {
  Connection::Link& link = connection.link(stream);
  bool moved = false;
  for (;;) {
    if (!link.pending()) {
      link.out = link.pipe->Take();
      link.out_at = 0;
      if (link.out.empty()) return moved;
      link.pipe->Advance(now);
      moved = true;
    }
    if (link.dest_ended) {
      link.out.clear();
      continue;
    }
    const ssize_t count = ::send(connection.dest(stream), link.out.data() + link.out_at,
                                 link.out.size() - link.out_at, MSG_NOSIGNAL);
    if (count > 0) {
      link.out_at += static_cast<std::size_t>(count);
      parts_.counters.sent.at(IndexOf(stream)).fetch_add(static_cast<std::uint64_t>(count));
      moved = true;
      continue;
    }
    if (count < 0 && WouldBlock(errno)) return moved;
    // The peer is gone for good: nothing can be sent to it, nor will it send.
    Connection::Link& back = connection.link(OtherStream(stream));
    link.dest_ended = true;
    link.source_ended = true;
    (stream == ToxicStream::kUpstream ? connection.server_ended : connection.client_ended) = true;
    if (!std::exchange(back.source_ended, true)) {
      back.source_reset = true;
      back.pipe->Finish(now);
    }
    moved = true;
  }
}

// Everything has left. The end of the source is passed on as what it was; the end by a toxic closes
// the destination, which ends the other direction as well.
void TcpSession::EndStream(Connection& connection, ToxicStream stream, TimePoint now) {
  Connection::Link& link = connection.link(stream);
  link.dest_ended = true;
  if (link.pipe->end() == ToxicPipe::End::kClosed) {
    ::shutdown(connection.dest(stream), SHUT_WR);
    link.source_ended = true;
    Connection::Link& back = connection.link(OtherStream(stream));
    back.source_ended = true;
    back.pipe->Finish(now);
    return;
  }
  if (!link.source_reset) {
    ::shutdown(connection.dest(stream), SHUT_WR);
    return;
  }
  ResetSocket(connection.dest(stream));
  connection.state = Connection::State::kOver;
}

void TcpSession::ServeDraining(Connection& connection) {
  if (!connection.client_ended) connection.client_ended = Discard(connection.client);
  if (!connection.server_ended) connection.server_ended = Discard(connection.server);
  if ((connection.client_ended && connection.server_ended) || connection.deadline <= RealNow())
    connection.state = Connection::State::kOver;
}

}  // namespace understudy::harness
