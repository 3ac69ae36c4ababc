#include "harness/server/socket_stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "harness/server/socket_bio.h"
#include "harness/server/tls_context.h"
#include "harness/server/tls_session.h"

namespace understudy::harness {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Never zero, which would mean "no timeout".
timeval ToTimeval(Duration duration) {
  const auto micros = std::max(std::chrono::duration_cast<std::chrono::microseconds>(duration),
                               std::chrono::microseconds(1000));
  return timeval{.tv_sec = static_cast<time_t>(micros.count() / 1'000'000),
                 .tv_usec = static_cast<suseconds_t>(micros.count() % 1'000'000)};
}

void Configure(int socket, SocketTimeouts timeouts) {
  const timeval receive = ToTimeval(timeouts.receive);
  const timeval send = ToTimeval(timeouts.send);
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &receive, sizeof(receive));
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &send, sizeof(send));
  // A piece of a slow body must leave when it is due, not when the one before is acknowledged.
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  // A child process that inherits the socket would keep the connection open.
  ::fcntl(socket, F_SETFD, FD_CLOEXEC);
}

// Of one end of the connection; "" if it cannot be told.
std::string AddressOf(int socket, int (*look)(int, sockaddr*, socklen_t*) noexcept,
                      bool with_port) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  // The one way that POSIX offers to look at an address.
  if (look(socket, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool v6 = storage.ss_family == AF_INET6;
  if (!v6 && storage.ss_family != AF_INET) return {};
  const auto& as_v4 = *reinterpret_cast<const sockaddr_in*>(&storage);
  const auto& as_v6 = *reinterpret_cast<const sockaddr_in6*>(&storage);
  const void* const address = v6 ? static_cast<const void*>(&as_v6.sin6_addr) : &as_v4.sin_addr;
  if (::inet_ntop(storage.ss_family, address, text.data(), text.size()) == nullptr) return {};
  if (!with_port) return text.data();
  const std::string port = std::to_string(ntohs(v6 ? as_v6.sin6_port : as_v4.sin_port));
  return v6 ? "[" + std::string(text.data()) + "]:" + port : std::string(text.data()) + ":" + port;
}

}  // namespace

// The session and what it needs to reach the socket.
class SocketStream::Tls final : public ByteSocket {
 public:
  Tls(SocketStream& stream, TlsContext& context, CertificateFlaw flaw)
      : stream_(stream),
        session_(context, flaw, *this,
                 AddressOf(stream.socket_, ::getsockname, /*with_port=*/false)) {}

  int RawRead(char* bytes, std::size_t bytes_max) override {
    return stream_.RawRead(bytes, bytes_max);
  }
  bool RawWrite(std::string_view bytes) override { return stream_.RawWrite(bytes); }

  TlsSession& session() { return session_; }
  const TlsSession& session() const { return session_; }

 private:
  SocketStream& stream_;
  TlsSession session_;
};

SocketStream::SocketStream(int socket, SocketTimeouts timeouts, StopGate& gate,
                           std::uint64_t connection)
    : socket_(socket), timeouts_(timeouts), gate_(gate) {
  facts_.connection = connection;
  if (!gate_.Enter(socket_)) {
    ::close(std::exchange(socket_, -1));
    return;
  }
  Configure(socket_, timeouts);
  facts_.client_address = AddressOf(socket_, ::getpeername, /*with_port=*/true);
}

SocketStream::~SocketStream() { Close(); }

Result<void> SocketStream::StartTls(TlsContext& context, CertificateFlaw flaw, Duration limit) {
  auto tls = std::make_unique<Tls>(*this, context, flaw);
  LimitReceiving(limit);
  const auto accepted = tls->session().Accept();
  UnlimitReceiving();
  facts_.tls = WireFacts::Tls{.version = tls->session().version(),
                              .session_reused = tls->session().session_reused(),
                              .sni = tls->session().sni()};
  if (!accepted) return accepted.error();
  tls_ = std::move(tls);
  return {};
}

void SocketStream::LimitReceiving(Duration limit) {
  const auto now = steady_clock::now();
  receive_until_ = limit < kNoLimit - now ? now + limit : kNoLimit;
}

SocketStream::Received SocketStream::Receive(std::string& buffer, std::size_t bytes_max) {
  if (tls_ == nullptr) return ReceiveRaw(buffer, bytes_max);
  if (!open() || gate_.stopping()) return Received::kEnd;
  // Part of a record is no answer to the question if the client is still there.
  const bool limited = receive_until_ != kNoLimit;
  if (!limited && !tls_->session().HasPending()) LimitReceiving(timeouts_.receive);
  std::array<char, 16 * 1024> bytes;
  const int count = tls_->session().Read(bytes.data(), std::min(bytes.size(), bytes_max));
  if (!limited) UnlimitReceiving();
  if (count > 0) {
    buffer.append(bytes.data(), static_cast<std::size_t>(count));
    facts_.request_bytes += static_cast<std::uint64_t>(count);
    return Received::kData;
  }
  return count == ByteSocket::kTimeout && !gate_.stopping() ? Received::kTimeout : Received::kEnd;
}

SocketStream::Received SocketStream::ReceiveRaw(std::string& buffer, std::size_t bytes_max) {
  std::array<char, 16 * 1024> bytes;
  const int count = RawRead(bytes.data(), std::min(bytes.size(), bytes_max));
  if (count > 0) {
    buffer.append(bytes.data(), static_cast<std::size_t>(count));
    facts_.request_bytes += static_cast<std::uint64_t>(count);
    return Received::kData;
  }
  return count == ByteSocket::kTimeout && !gate_.stopping() ? Received::kTimeout : Received::kEnd;
}

int SocketStream::RawRead(char* bytes, std::size_t bytes_max) {
  for (;;) {
    if (!open()) return ByteSocket::kEnd;
    if (gate_.stopping() || !AwaitReadable()) return ByteSocket::kTimeout;
    const ssize_t count = ::recv(socket_, bytes, bytes_max, 0);
    if (count > 0) {
      return static_cast<int>(count);
    }
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return ByteSocket::kTimeout;
    // A stopping server has shut this direction down itself.
    if (gate_.stopping()) return ByteSocket::kTimeout;
    if (count == 0) facts_.fin_received = true;
    if (count < 0 && errno == ECONNRESET) facts_.rst_received = true;
    return ByteSocket::kEnd;
  }
}

// The timeout of the socket is for silence; a limit that ends earlier needs a wait of its own.
bool SocketStream::AwaitReadable() {
  if (receive_until_ == kNoLimit) return true;
  const auto left = std::chrono::ceil<milliseconds>(receive_until_ - steady_clock::now());
  if (left <= milliseconds::zero()) return false;
  if (left > timeouts_.receive) return true;
  pollfd readable{.fd = socket_, .events = POLLIN, .revents = 0};
  // At worst a signal shortens the wait, and recv goes on with it.
  return ::poll(&readable, 1, static_cast<int>(std::min(left, milliseconds(3'600'000)).count())) !=
         0;
}

bool SocketStream::Send(std::string_view bytes, bool more) {
  more_ = more;
  const std::uint64_t before = accepted_;
  const bool sent = tls_ != nullptr ? tls_->session().Write(bytes) : RawWrite(bytes);
  more_ = false;
  // Of a record that was cut short the client can read nothing.
  if (tls_ == nullptr) facts_.response_bytes += accepted_ - before;
  if (tls_ != nullptr && sent) facts_.response_bytes += bytes.size();
  return sent;
}

bool SocketStream::SendRaw(std::string_view bytes) { return RawWrite(bytes); }

bool SocketStream::RawWrite(std::string_view bytes) {
  const int flags = MSG_NOSIGNAL | (more_ ? MSG_MORE : 0) | (do_not_block_ ? MSG_DONTWAIT : 0);
  while (!bytes.empty()) {
    if (!open()) return false;
    const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), flags);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      // EPIPE says that the connection was reset before, or that a stopping server severs it.
      const bool gone = errno == ECONNRESET || (errno == EPIPE && !gate_.stopping());
      if (gone && !facts_.fin_sent) facts_.rst_received = true;
      return false;
    }
    accepted_ += static_cast<std::uint64_t>(count);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool SocketStream::AwaitDelivered(Duration limit) {
  const auto give_up = steady_clock::now() + limit;
  for (;;) {
    if (!open() || Broken()) return false;
    int unacknowledged = 0;
    if (::ioctl(socket_, SIOCOUTQ, &unacknowledged) != 0) return false;
    if (unacknowledged == 0) return true;
    if (steady_clock::now() >= give_up) return false;
    ::poll(nullptr, 0, 1);
  }
}

void SocketStream::AwaitPeerEnd() {
  UnlimitReceiving();
  std::array<char, 16 * 1024> discarded;
  for (;;) {
    const int count = RawRead(discarded.data(), discarded.size());
    if (count == ByteSocket::kEnd || gate_.stopping()) break;
  }
  PeerClosed();  // Now the kernel still knows when that was.
}

bool SocketStream::PeerClosed() {
  if (!open()) return true;
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (::getsockopt(socket_, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return true;
  const int state = info.tcpi_state;
  const bool fin = state == TCP_CLOSE_WAIT || state == TCP_LAST_ACK || state == TCP_CLOSING ||
                   state == TCP_TIME_WAIT;
  // Also the state after both have closed well.
  const bool rst =
      state == TCP_CLOSE && !(facts_.fin_sent && facts_.fin_received) && !gate_.stopping();
  if ((fin || rst) && peer_ended_at_ == kNever) {
    // The FIN acknowledges what was received, and nothing comes after it. An RST leaves no date.
    const Duration age = fin ? milliseconds(info.tcpi_last_ack_recv) : milliseconds(0);
    peer_ended_at_ = gate_.clock().Now() - age;
  }
  facts_.fin_received = facts_.fin_received || fin;
  facts_.rst_received = facts_.rst_received || rst;
  return state != TCP_ESTABLISHED;
}

bool SocketStream::HasUnreadInput() const {
  int unread = 0;
  if (!open()) return false;
  if (tls_ != nullptr && tls_->session().HasPending()) return true;
  return ::ioctl(socket_, FIONREAD, &unread) == 0 && unread > 0;
}

bool SocketStream::Broken() {
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return true;
  if (error == ECONNRESET || error == EPIPE) facts_.rst_received = true;
  return error != 0;
}

WireFacts SocketStream::TakeExchangeFacts(bool look, bool completed) {
  if (look || !completed) PeerClosed();
  WireFacts facts = facts_;
  ++facts_.reuse;
  facts.request_bytes = std::exchange(request_bytes_, 0);
  facts.response_bytes -= std::exchange(response_before_, facts_.response_bytes);
  if (!completed && (facts.fin_received || facts.rst_received))
    facts.client_abort = peer_ended_at_ == kNever ? gate_.clock().Now() : peer_ended_at_;
  return facts;
}

void SocketStream::Reset() {
  if (!open()) return;
  PeerClosed();
  const linger discard{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &discard, sizeof(discard));
  facts_.rst_sent = true;
  close_notify_ = false;
  Close();
}

void SocketStream::Close() {
  if (!open()) return;
  SendCloseNotify();
  if (!facts_.rst_sent) {
    PeerClosed();
    // What nobody has read makes the system send an RST in place of, or after, the FIN (RFC 2525
    // section 2.17).
    int unread = 0;
    const bool resets = ::ioctl(socket_, FIONREAD, &unread) == 0 && unread > 0;
    if (resets && !facts_.rst_received) facts_.rst_sent = true;
    if (!resets && !facts_.rst_received) facts_.fin_sent = true;
  }
  // First: once closed, the number may be another connection's.
  gate_.Leave(socket_);
  ::close(std::exchange(socket_, -1));
}

void SocketStream::SendCloseNotify() {
  if (tls_ == nullptr || !close_notify_) return;
  close_notify_ = false;
  do_not_block_ = true;
  tls_->session().SendCloseNotify();
  do_not_block_ = false;
}

void SocketStream::FinishSending() {
  if (!open()) return;
  SendCloseNotify();
  ::shutdown(socket_, SHUT_WR);
  facts_.fin_sent = true;
}

void SocketStream::CloseAfterDraining(Duration limit) {
  if (!open()) return;
  const auto give_up = steady_clock::now() + limit;
  FinishSending();
  std::array<char, 16 * 1024> discarded;
  while (!gate_.stopping()) {
    const auto left = std::chrono::ceil<milliseconds>(give_up - steady_clock::now());
    if (left <= milliseconds::zero()) break;
    pollfd readable{.fd = socket_, .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, static_cast<int>(std::min(left, milliseconds(10'000)).count())) <= 0)
      continue;
    const ssize_t count = ::recv(socket_, discarded.data(), discarded.size(), MSG_DONTWAIT);
    if (count > 0) continue;
    if (count == 0 && !gate_.stopping()) facts_.fin_received = true;
    if (count < 0 && errno == ECONNRESET) facts_.rst_received = true;
    break;
  }
  Close();
}

}  // namespace understudy::harness
