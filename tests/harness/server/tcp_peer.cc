#include "tests/harness/server/tcp_peer.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace understudy::harness {
namespace {

constexpr int kPatienceMs = 60'000;

sockaddr Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr any{};
  static_assert(sizeof(any) == sizeof(address));
  std::memcpy(&any, &address, sizeof(any));
  return any;
}

void BePatient(int socket) {
  const timeval patience{.tv_sec = kPatienceMs / 1000, .tv_usec = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

}  // namespace

TcpSocket::TcpSocket(int socket, bool connected) : socket_(socket), connected_(connected) {
  BePatient(socket_);
}

TcpSocket::TcpSocket(std::uint16_t port)
    : TcpSocket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), false) {
  const sockaddr address = Loopback(port);
  connected_ = ::connect(socket_, &address, sizeof(address)) == 0;
  refused_ = !connected_ && errno == ECONNREFUSED;
}

TcpSocket::TcpSocket(TcpSocket&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      connected_(other.connected_),
      refused_(other.refused_),
      end_(other.end_) {}

TcpSocket::~TcpSocket() {
  if (socket_ >= 0) ::close(socket_);
}

TcpSocket TcpSocket::Adopt(int socket) { return {socket, socket >= 0}; }

bool TcpSocket::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

void TcpSocket::FinishSending() { ::shutdown(socket_, SHUT_WR); }

void TcpSocket::Reset() {
  const linger discard{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &discard, sizeof(discard));
  ::close(std::exchange(socket_, -1));
}

std::string TcpSocket::Read(std::size_t bytes) {
  std::string all;
  std::array<char, 64 * 1024> buffer;
  while (all.size() < bytes) {
    const ssize_t count =
        ::recv(socket_, buffer.data(), std::min(buffer.size(), bytes - all.size()), 0);
    if (count > 0) {
      all.append(buffer.data(), static_cast<std::size_t>(count));
      continue;
    }
    end_ = count == 0             ? End::kFin
           : errno == ECONNRESET  ? End::kReset
           : errno == EWOULDBLOCK ? End::kTimeout
                                  : End::kReset;
    break;
  }
  return all;
}

std::string TcpSocket::ReadSome() {
  pollfd readable{.fd = socket_, .events = POLLIN, .revents = 0};
  ::poll(&readable, 1, kPatienceMs);
  std::string bytes(64 * 1024, '\0');
  const ssize_t count = ::recv(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT);
  bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return bytes;
}

TcpPeer::TcpPeer() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const sockaddr address = Loopback(0);
  ::bind(socket_, &address, sizeof(address));
  ::listen(socket_, 256);
  BePatient(socket_);
  sockaddr bound{};
  socklen_t size = sizeof(bound);
  ::getsockname(socket_, &bound, &size);
  sockaddr_in in{};
  std::memcpy(&in, &bound, sizeof(in));
  port_ = ntohs(in.sin_port);
}

TcpPeer::~TcpPeer() { ::close(socket_); }

TcpSocket TcpPeer::Accept() {
  return TcpSocket::Adopt(::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC));
}

}  // namespace understudy::harness
