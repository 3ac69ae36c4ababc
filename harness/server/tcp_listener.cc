#include "harness/server/tcp_listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

constexpr int kBacklog = 4096;  // A burst of connections must not wait for repeated SYNs.

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

Result<HostPort> Malformed(std::string_view text, std::string_view why) {
  return InvalidArgument("the address \"" + std::string(text) + "\" " + std::string(why) +
                         "; write host:port, e.g. 127.0.0.1:8080");
}

Error ListenError(const HostPort& where, int system_error) {
  Error error{.code = ErrorCode::kConnection};
  error.message =
      "cannot listen on " + ToString(where) + ": " + std::generic_category().message(system_error);
  if (system_error == EADDRINUSE) {
    error.reason = "port-in-use";
  } else if (system_error == EACCES) {
    error.reason = "permission";
  } else if (system_error == EADDRNOTAVAIL) {
    error.code = ErrorCode::kInvalidArgument;
    error.reason = "host";
  } else {
    error.reason = "listen";
  }
  return error;
}

Result<Addresses> AddressesOf(const HostPort& where) {
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  const std::string host =
      EqualsIgnoreAsciiCase(where.host, "localhost") ? "127.0.0.1" : where.host;
  addrinfo* found = nullptr;
  const int failure = ::getaddrinfo(host.empty() ? nullptr : host.c_str(),
                                    std::to_string(where.port).c_str(), &hints, &found);
  if (failure != 0)
    return InvalidArgument("cannot listen on " + ToString(where) + ": " + ::gai_strerror(failure));
  return Addresses(found);
}

// -1 with errno.
int ListenOn(const addrinfo& address, bool any) {
  const int socket = ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return -1;
  const int on = 1;
  const int off = 0;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.ai_family == AF_INET6)
    ::setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, any ? &off : &on, sizeof(on));
  if (::bind(socket, address.ai_addr, address.ai_addrlen) == 0 && ::listen(socket, kBacklog) == 0) {
    return socket;
  }
  const int failure = errno;
  ::close(socket);
  errno = failure;
  return -1;
}

std::string BoundAddress(int socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  void* const raw = &storage;
  if (::getsockname(socket, static_cast<sockaddr*>(raw), &size) != 0 ||
      ::getnameinfo(static_cast<const sockaddr*>(raw), size, host.data(), host.size(), port.data(),
                    port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return {};
  }
  const auto number = ParseUnsigned(port.data()).value_or(0);
  return ToString(HostPort{.host = host.data(), .port = static_cast<std::uint16_t>(number)});
}

std::string CanonicalHost(const std::string& host) {
  const std::string lower = AsciiLower(host);
  if (lower == "localhost") return "127.0.0.1";
  if (lower == "::" || lower == "0.0.0.0") return "";
  return lower;
}

}  // namespace

Result<HostPort> ParseHostPort(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Malformed(text, "has no port");
  std::string_view host = text.substr(0, colon);
  const auto port = ParseUnsigned(text.substr(colon + 1));
  if (!port || *port > 65535) return Malformed(text, "needs a port from 0 to 65535");
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return Malformed(text, "has a colon in its host; put an IPv6 address in brackets");
  }
  for (const char c : host) {
    if (c <= ' ' || c == '[' || c == ']' || c == '/' || c == '@' || c == 0x7f)
      return Malformed(text, "has a character that no host has");
  }
  return HostPort{.host = std::string(host), .port = static_cast<std::uint16_t>(*port)};
}

std::string ToString(const HostPort& address) {
  const bool brackets = address.host.find(':') != std::string::npos;
  return (brackets ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

bool SamePlace(const HostPort& a, const HostPort& b) {
  return a.port == b.port && CanonicalHost(a.host) == CanonicalHost(b.host);
}

Result<TcpListener> TcpListener::Open(const HostPort& where) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const Addresses addresses, AddressesOf(where));
  const bool any = where.host.empty();
  int failure = EADDRNOTAVAIL;
  // For every address, the IPv6 socket that takes IPv4 too; without IPv6 on the machine, IPv4.
  for (const bool six_first : {true, false}) {
    for (const addrinfo* each = addresses.get(); each != nullptr; each = each->ai_next) {
      if (any && (each->ai_family == AF_INET6) != six_first) continue;
      const int socket = ListenOn(*each, any);
      if (socket >= 0) return TcpListener(socket, BoundAddress(socket));
      failure = errno;
      if (failure == EADDRINUSE || failure == EACCES) return ListenError(where, failure);
    }
  }
  return ListenError(where, failure);
}

TcpListener::TcpListener(TcpListener&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), address_(std::move(other.address_)) {}

TcpListener& TcpListener::operator=(TcpListener&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(address_, other.address_);
  return *this;
}

TcpListener::~TcpListener() {
  if (socket_ >= 0) ::close(socket_);
}

Result<TcpListener> TcpListener::Duplicate() const {
  const int copy = ::fcntl(socket_, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) {
    return Error{.code = ErrorCode::kConnection,
                 .message = "cannot keep the socket of " + address_ + ": " +
                            std::generic_category().message(errno),
                 .reason = "listen"};
  }
  return TcpListener(copy, address_);
}

}  // namespace understudy::harness
