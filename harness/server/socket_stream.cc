#include "harness/server/socket_stream.h"

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

}  // namespace

SocketStream::SocketStream(int socket, SocketTimeouts timeouts, StopGate& gate)
    : socket_(socket), gate_(gate) {
  if (!gate_.Enter(socket_)) {
    ::close(std::exchange(socket_, -1));
    return;
  }
  Configure(socket_, timeouts);
}

SocketStream::~SocketStream() { Close(); }

SocketStream::Received SocketStream::Receive(std::string& buffer, std::size_t bytes_max) {
  std::array<char, 16 * 1024> bytes;
  for (;;) {
    if (!open() || gate_.stopping()) return Received::kEnd;
    const ssize_t count = ::recv(socket_, bytes.data(), std::min(bytes.size(), bytes_max), 0);
    if (count > 0) {
      buffer.append(bytes.data(), static_cast<std::size_t>(count));
      return Received::kData;
    }
    if (count < 0 && errno == EINTR) continue;
    const bool timed_out = count < 0 && errno == EAGAIN;
    return timed_out ? Received::kTimeout : Received::kEnd;
  }
}

bool SocketStream::Send(std::string_view bytes, bool more) {
  const int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
  while (!bytes.empty()) {
    if (!open()) return false;
    const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), flags);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
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

bool SocketStream::PeerClosed() const {
  if (!open()) return true;
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (::getsockopt(socket_, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return true;
  return info.tcpi_state != TCP_ESTABLISHED;
}

bool SocketStream::HasUnreadInput() const {
  int unread = 0;
  return open() && ::ioctl(socket_, FIONREAD, &unread) == 0 && unread > 0;
}

bool SocketStream::Broken() const {
  int error = 0;
  socklen_t size = sizeof(error);
  return ::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0;
}

void SocketStream::Reset() {
  if (!open()) return;
  const linger discard{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &discard, sizeof(discard));
  Close();
}

void SocketStream::Close() {
  if (!open()) return;
  // First: once closed, the number may be another connection's.
  gate_.Leave(socket_);
  ::close(std::exchange(socket_, -1));
}

void SocketStream::CloseAfterDraining(Duration limit) {
  if (!open()) return;
  const auto give_up = steady_clock::now() + limit;
  ::shutdown(socket_, SHUT_WR);
  std::array<char, 16 * 1024> discarded;
  while (!gate_.stopping()) {
    const auto left = std::chrono::ceil<milliseconds>(give_up - steady_clock::now());
    if (left <= milliseconds::zero()) break;
    pollfd readable{.fd = socket_, .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, static_cast<int>(std::min(left, milliseconds(10'000)).count())) <= 0)
      continue;
    if (::recv(socket_, discarded.data(), discarded.size(), MSG_DONTWAIT) <= 0) break;
  }
  Close();
}

}  // namespace understudy::harness
