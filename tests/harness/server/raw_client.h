// RawClient: a TCP socket that sends exact bytes and reports exactly how the other side ended.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace understudy::harness {

// For tests; not thread-safe.
class RawClient {
 public:
  enum class End { kOpen, kFin, kReset, kTimeout };

  explicit RawClient(std::uint16_t port);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  void Send(std::string_view bytes);
  // Sends FIN; answers can still be read.
  void FinishSending();

  // How long a read waits from now on; a minute at first.
  void SetPatience(std::chrono::milliseconds patience);

  // One message: the head, and as many bytes as its Content-Length says unless `bodiless`. What is
  // there if the connection ends first; see end().
  std::string ReadMessage(bool bodiless = false);
  // Everything until the other side ends the connection.
  std::string ReadToEnd();

  End end() const { return end_; }

 private:
  bool Receive();

  int socket_ = -1;
  bool connected_ = false;
  std::string buffer_;
  End end_ = End::kOpen;
};

}  // namespace understudy::harness
