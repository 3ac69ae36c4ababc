// RawServer: a byte-exact HTTP/1.1 server for the transport's tests: it answers with the bytes it
// is given and then keeps, closes, resets or hangs the connection, in clear or over TLS.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <openssl/ssl.h>

namespace understudy {

// A key and a self-signed certificate for 127.0.0.1, made anew for each test run.
class TestIdentity {
 public:
  TestIdentity();
  const std::string& certificate_pem() const { return certificate_pem_; }
  SSL_CTX* context() const { return context_.get(); }

 private:
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_;
  std::string certificate_pem_;
};

struct RawReply {
  enum class Then { kKeep, kClose, kReset, kHang };

  std::string bytes = {};
  Then then = Then::kKeep;
};

struct RawRequest {
  std::string text;       // Head and body, as received.
  int connection = 0;     // 1 for the first accepted.
  int on_connection = 0;  // 1 for the first request of that connection.

  std::string_view head() const {
    return std::string_view(text).substr(0, text.find("\r\n\r\n") + 2);
  }
  std::string_view body() const { return std::string_view(text).substr(text.find("\r\n\r\n") + 4); }
};

// "HTTP/1.1 200 OK" with Content-Length and the given extra header lines ("A: b\r\n").
std::string Answer(std::string_view body, std::string_view extra_headers = "",
                   std::string_view status = "200 OK");

class RawServer {
 public:
  using Handler = std::function<RawReply(const RawRequest&)>;

  // Binds port 0 of `address`. `identity`, if given, outlives the server.
  explicit RawServer(Handler handler, const TestIdentity* identity = nullptr,
                     std::string address = "127.0.0.1");
  ~RawServer();
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  std::string origin() const;  // "http://127.0.0.1:4711"
  int accepted() const { return accepted_; }
  int requests() const { return requests_; }

 private:
  struct Connection {
    int socket = -1;
    std::thread thread;
  };

  void AcceptAll();
  void Serve(int socket, int connection);

  Handler handler_;
  const TestIdentity* identity_;
  std::string address_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> accepted_ = 0;
  std::atomic<int> requests_ = 0;
  std::mutex mutex_;
  std::list<Connection> connections_;
  std::thread acceptor_;
};

}  // namespace understudy
