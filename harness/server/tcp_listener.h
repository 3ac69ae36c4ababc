// TcpListener: a listening TCP socket, and the "host:port" texts that name one.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(const HostPort where, ParseHostPort("127.0.0.1:0"));
//   UNDERSTUDY_ASSIGN_OR_RETURN(TcpListener listener, TcpListener::Open(where));
//   std::cout << listener.address();          // "127.0.0.1:43121"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "middleware/base/result.h"

namespace understudy::harness {

struct HostPort {
  std::string host = {};  // Without brackets; empty: every address of the machine.
  std::uint16_t port = 0;

  bool operator==(const HostPort&) const = default;
};

// "host:port", "[v6]:port" or ":port". kInvalidArgument, saying what is wrong with it, for anything
// else, e.g. a missing port or one above 65535.
Result<HostPort> ParseHostPort(std::string_view text);
// The inverse.
std::string ToString(const HostPort& address);

// Do both name the same place to listen on? "localhost" is 127.0.0.1.
bool SamePlace(const HostPort& a, const HostPort& b);

// Owns the socket. Movable; not thread-safe.
class TcpListener {
 public:
  // Listens when it returns. Blocks for the look-up of a host name. "localhost" is 127.0.0.1.
  // kInvalidArgument for a host that is not of this machine; kConnection, with reason
  // "port-in-use", "permission" or "listen", if the system refuses.
  static Result<TcpListener> Open(const HostPort& where);

  TcpListener(TcpListener&& other) noexcept;
  TcpListener& operator=(TcpListener&& other) noexcept;
  ~TcpListener();

  // A second handle of the same socket: connections that wait in its queue survive the first
  // handle.
  Result<TcpListener> Duplicate() const;

  int socket() const { return socket_; }
  // Where it listens, with the port that was chosen.
  const std::string& address() const { return address_; }

 private:
  TcpListener(int socket, std::string address) : socket_(socket), address_(std::move(address)) {}

  int socket_;
  std::string address_;
};

}  // namespace understudy::harness
