// SocketStream: one accepted TCP connection, in clear or under TLS, with the rude ways to end it
// that faults need, and an account of what happened on the wire.
//
// Under TLS every Send becomes records of its own, so bytes arrive, and connections end, at the
// same places of the HTTP messages as in clear.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "harness/plan/wire_facts.h"
#include "harness/server/local_ca.h"
#include "harness/server/stop_gate.h"
#include "middleware/base/result.h"
#include "middleware/base/time.h"

namespace understudy::harness {

class TlsContext;

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
  // `connection` is its number in the wire facts.
  SocketStream(int socket, SocketTimeouts timeouts, StopGate& gate, std::uint64_t connection = 0);
  ~SocketStream();
  SocketStream(const SocketStream&) = delete;
  SocketStream& operator=(const SocketStream&) = delete;

  bool open() const { return socket_ >= 0; }

  // The server's side of a TLS handshake; everything is encrypted afterwards. Blocks for at most
  // `limit` of real time. Errors: see TlsSession::Accept; the stream can still be sent to in clear
  // or closed. `context` must outlive the stream.
  Result<void> StartTls(TlsContext& context, CertificateFlaw flaw, Duration limit);

  // Blocks until at least one byte can be appended to `buffer` (at most `bytes_max` are), the peer
  // has closed or the server stops (kEnd), or nothing came in time.
  Received Receive(std::string& buffer, std::size_t bytes_max);
  // As Receive, past TLS: what is on the wire.
  Received ReceiveRaw(std::string& buffer, std::size_t bytes_max);
  // From now on every Receive gives up after `limit` in sum, however little by little bytes come.
  void LimitReceiving(Duration limit);
  void UnlimitReceiving() { receive_until_ = kNoLimit; }

  // Blocks until the system has taken all bytes; false if the peer is gone or took nothing in time.
  // `more` says that the next bytes follow at once, so that they can share a packet.
  bool Send(std::string_view bytes, bool more = false);
  // As Send, past TLS.
  bool SendRaw(std::string_view bytes);

  // Blocks until the peer's system has acknowledged everything sent; false if it is gone, or after
  // `limit`.
  bool AwaitDelivered(Duration limit);
  // Reads and discards until the peer ends the connection or the server stops. Blocks for as long.
  void AwaitPeerEnd();

  // Has the peer closed its direction, or reset the connection? Asks the kernel, and notes the
  // answer and when it happened in the facts.
  bool PeerClosed();
  // Has the peer sent bytes that nobody has received?
  bool HasUnreadInput() const;

  // Ends the connection with an RST; the peer may lose bytes that it has not acknowledged.
  void Reset();
  // Ends the connection with close_notify, if there is TLS, and a FIN.
  void Close();
  // Ends what we send, as Close does; the peer's direction stays open.
  void FinishSending();
  // Ends the connection with a FIN and discards for up to `limit` what the peer still sends,
  // because closing a socket with unread input resets the connection and the peer could lose the
  // answer (RFC 9112 section 9.6).
  void CloseAfterDraining(Duration limit);
  // From now on a FIN comes without close_notify, as if an attacker had cut the connection (RFC
  // 8446 section 6.1).
  void OmitCloseNotify() { close_notify_ = false; }

  // What happened so far on the connection, in sum.
  const WireFacts& facts() const { return facts_; }
  // So many of the received bytes belong to the request whose exchange comes next.
  void AddRequestBytes(std::uint64_t bytes) { request_bytes_ += bytes; }
  // What happened since the last call, as facts of one exchange; counts up the reuse. With `look`,
  // the kernel is asked if the peer has ended the connection, which costs a system call. After an
  // exchange that was not `completed`, also says when the peer did so, to some 10 ms, if the clock
  // goes with real time.
  WireFacts TakeExchangeFacts(bool look, bool completed);

 private:
  class Tls;
  static constexpr std::chrono::steady_clock::time_point kNoLimit =
      std::chrono::steady_clock::time_point::max();

  int RawRead(char* bytes, std::size_t bytes_max);
  bool RawWrite(std::string_view bytes);
  bool AwaitReadable();
  bool Broken();
  void SendCloseNotify();

  int socket_;
  const SocketTimeouts timeouts_;
  StopGate& gate_;
  std::unique_ptr<Tls> tls_;
  std::chrono::steady_clock::time_point receive_until_ = kNoLimit;
  bool more_ = false;          // The bytes being written will be followed by others at once.
  bool do_not_block_ = false;  // Nobody waits for a peer that does not read a close_notify.
  bool close_notify_ = true;
  WireFacts facts_ = {};
  TimePoint peer_ended_at_ = kNever;   // On the gate's clock.
  std::uint64_t accepted_ = 0;         // By the kernel, TLS and all.
  std::uint64_t request_bytes_ = 0;    // Of the exchange to come.
  std::uint64_t response_before_ = 0;  // At the last TakeExchangeFacts.
};

}  // namespace understudy::harness
