#include "tests/harness/server/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace understudy::harness {
namespace {

constexpr std::string_view kLengthField = "Content-Length: ";

std::size_t AnnouncedBytes(std::string_view head) {
  const std::size_t at = head.find(kLengthField);
  if (at == std::string_view::npos) return 0;
  return std::stoul(std::string(head.substr(at + kLengthField.size(), 20)));
}

}  // namespace

RawClient::RawClient(std::uint16_t port)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval patience{.tv_sec = 60, .tv_usec = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr any{};
  static_assert(sizeof(any) == sizeof(address));
  __builtin_memcpy(&any, &address, sizeof(any));
  connected_ = ::connect(socket_, &any, sizeof(any)) == 0;
}

RawClient::~RawClient() { ::close(socket_); }

void RawClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void RawClient::FinishSending() { ::shutdown(socket_, SHUT_WR); }

void RawClient::SetPatience(std::chrono::milliseconds patience) {
  const timeval limit{.tv_sec = patience.count() / 1000, .tv_usec = patience.count() % 1000 * 1000};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

bool RawClient::Receive() {
  std::array<char, 64 * 1024> bytes;
  const ssize_t count = ::recv(socket_, bytes.data(), bytes.size(), 0);
  if (count > 0) {
    buffer_.append(bytes.data(), static_cast<std::size_t>(count));
    return true;
  }
  if (count == 0) {
    end_ = End::kFin;
  } else {
    end_ = errno == ECONNRESET ? End::kReset : End::kTimeout;
  }
  return false;
}

std::string RawClient::ReadMessage(bool bodiless) {
  std::size_t head_end = 0;
  while ((head_end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!Receive()) return std::exchange(buffer_, {});
  }
  const std::size_t size =
      head_end + 4 + (bodiless ? 0 : AnnouncedBytes(std::string_view(buffer_).substr(0, head_end)));
  while (buffer_.size() < size) {
    if (!Receive()) return std::exchange(buffer_, {});
  }
  std::string message = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return message;
}

std::string RawClient::ReadToEnd() {
  while (Receive()) {
  }
  return std::exchange(buffer_, {});
}

}  // namespace understudy::harness
