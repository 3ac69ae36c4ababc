// TcpSocket and TcpPeer: both ends around a TCP proxy under test, blocking, for a minute at most.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace understudy::harness {

// For tests; owns the descriptor; not thread-safe.
class TcpSocket {
 public:
  enum class End { kOpen, kFin, kReset, kTimeout };

  // Connects to 127.0.0.1; see connected().
  explicit TcpSocket(std::uint16_t port);
  TcpSocket(TcpSocket&& other) noexcept;
  TcpSocket& operator=(TcpSocket&&) = delete;
  ~TcpSocket();
  static TcpSocket Adopt(int socket);

  bool connected() const { return connected_; }
  bool refused() const { return refused_; }
  // False if the peer is gone.
  bool Send(std::string_view bytes);
  // Sends FIN; can still read.
  void FinishSending();
  // Ends with RST.
  void Reset();
  // Exactly so many bytes, or fewer if the other side ends first.
  std::string Read(std::size_t bytes);
  std::string ReadToEnd() { return Read(static_cast<std::size_t>(-1)); }
  // What one recv gives.
  std::string ReadSome();
  End end() const { return end_; }

 private:
  TcpSocket(int socket, bool connected);

  int socket_ = -1;
  bool connected_ = false;
  bool refused_ = false;
  End end_ = End::kOpen;
};

// A listening socket on 127.0.0.1.
class TcpPeer {
 public:
  TcpPeer();
  ~TcpPeer();
  TcpPeer(const TcpPeer&) = delete;
  TcpPeer& operator=(const TcpPeer&) = delete;

  std::uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  TcpSocket Accept();

 private:
  int socket_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace understudy::harness
