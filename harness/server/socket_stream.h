// SocketStream: one accepted TCP connection, with the rude ways to end it that faults need.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "harness/server/stop_gate.h"
#include "middleware/base/time.h"

namespace understudy::harness {

// Real time, because the peer is real.
struct SocketTimeouts {
  Duration receive = std::chrono::seconds(60);
  Duration send = std::chrono::seconds(30);
};

// Owns the socket and closes it. Not thread-safe: one connection, one thread. `gate` must outlive
// it.
class SocketStream {
 public:
  enum class Received { kData, kEnd, kTimeout };

  // Takes ownership of `socket`. If the gate is stopping, the stream is closed from the start.
  SocketStream(int socket, SocketTimeouts timeouts, StopGate& gate);
  ~SocketStream();
  SocketStream(const SocketStream&) = delete;
  SocketStream& operator=(const SocketStream&) = delete;

  bool open() const { return socket_ >= 0; }

  // Blocks until at least one byte can be appended to `buffer` (at most `bytes_max` are), the peer
  // has closed or the server stops (kEnd), or nothing came in time.
  Received Receive(std::string& buffer, std::size_t bytes_max);

  // Blocks until the system has taken all bytes; false if the peer is gone or took nothing in time.
  // `more` says that the next bytes follow at once, so that they can share a packet.
  bool Send(std::string_view bytes, bool more = false);

  // Blocks until the peer's system has acknowledged everything sent; false if it is gone, or after
  // `limit`.
  bool AwaitDelivered(Duration limit);

  // Has the peer closed its direction, or reset the connection?
  bool PeerClosed() const;
  // Has the peer sent bytes that nobody has received?
  bool HasUnreadInput() const;

  // Ends the connection with an RST; the peer may lose bytes that it has not acknowledged.
  void Reset();
  // Ends the connection with a FIN.
  void Close();
  // Ends the connection with a FIN and discards for up to `limit` what the peer still sends,
  // because closing a socket with unread input resets the connection and the peer could lose the
  // answer (RFC 9112 section 9.6).
  void CloseAfterDraining(Duration limit);

 private:
  bool Broken() const;

  int socket_;
  StopGate& gate_;
};

}  // namespace understudy::harness
