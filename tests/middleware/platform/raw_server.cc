#include "tests/middleware/platform/raw_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "middleware/base/check.h"
#include "middleware/base/text.h"

namespace understudy {
namespace {

void Require(bool condition, const char* what) { UNDERSTUDY_CHECK(condition, what); }

// Bytes over a socket, in clear or over TLS.
class Channel {
 public:
  Channel(int socket, SSL_CTX* context) : socket_(socket), ssl_(nullptr, SSL_free) {
    if (context == nullptr) return;
    ssl_.reset(SSL_new(context));
    SSL_set_fd(ssl_.get(), socket);
    open_ = SSL_accept(ssl_.get()) == 1;
  }

  bool open() const { return open_; }
  long Read(char* data, std::size_t size) {
    if (ssl_) return SSL_read(ssl_.get(), data, static_cast<int>(size));
    return recv(socket_, data, size, 0);
  }
  void Write(std::string_view bytes) {
    while (!bytes.empty()) {
      const long count = ssl_ ? SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()))
                              : send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }

 private:
  int socket_;
  std::unique_ptr<SSL, void (*)(SSL*)> ssl_;
  bool open_ = true;
};

std::size_t BodySize(std::string_view head) {
  const std::string lower = AsciiLower(head);
  const std::size_t at = lower.find("\r\ncontent-length:");
  if (at == std::string::npos) return 0;
  std::string_view value = std::string_view(lower).substr(at + 17);
  value = TrimOws(value.substr(0, value.find("\r\n")));
  return static_cast<std::size_t>(ParseUnsigned(value).value_or(0));
}

// Empty at the end of the connection.
std::string ReadRequest(Channel& channel, std::string& rest) {
  for (;;) {
    const std::size_t end = rest.find("\r\n\r\n");
    if (end != std::string::npos) {
      const std::size_t size = end + 4 + BodySize(rest.substr(0, end + 2));
      if (rest.size() >= size) {
        std::string request = rest.substr(0, size);
        rest.erase(0, size);
        return request;
      }
    }
    char chunk[4096];
    const long count = channel.Read(chunk, sizeof chunk);
    if (count <= 0) return {};
    rest.append(chunk, static_cast<std::size_t>(count));
  }
}

// Closes with RST, and keeps the descriptor's number reserved.
void CloseWithReset(int socket) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  const int placeholder = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(placeholder, socket);
  close(placeholder);
}

}  // namespace

TestIdentity::TestIdentity() : context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
      EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free);
  const std::unique_ptr<X509, void (*)(X509*)> certificate(X509_new(), X509_free);
  Require(key != nullptr && certificate != nullptr, "OpenSSL works");
  X509* const x509 = certificate.get();
  X509_set_version(x509, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
  X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
  X509_set_pubkey(x509, key.get());
  X509_NAME* const name = X509_get_subject_name(x509);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("understudy test"), -1, -1, 0);
  X509_set_issuer_name(x509, name);
  for (const auto& [id, value] : {std::pair(NID_basic_constraints, "critical,CA:TRUE"),
                                  std::pair(NID_subject_alt_name, "IP:127.0.0.1")}) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value);
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
  }
  Require(X509_sign(x509, key.get(), nullptr) > 0, "the test certificate can be signed");
  Require(SSL_CTX_use_certificate(context_.get(), x509) == 1, "the certificate can be used");
  Require(SSL_CTX_use_PrivateKey(context_.get(), key.get()) == 1, "the key can be used");
  const std::unique_ptr<BIO, int (*)(BIO*)> memory(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_X509(memory.get(), x509);
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  certificate_pem_.assign(data, static_cast<std::size_t>(size));
}

std::string Answer(std::string_view body, std::string_view extra_headers, std::string_view status) {
  std::string text("HTTP/1.1 ");
  text.append(status).append("\r\n").append(extra_headers);
  text.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n");
  return text.append(body);
}

RawServer::RawServer(Handler handler, const TestIdentity* identity, std::string address)
    : handler_(std::move(handler)), identity_(identity), address_(std::move(address)) {
  const bool ipv6 = address_.find(':') != std::string::npos;
  sockaddr_in6 v6 = {};
  sockaddr_in v4 = {};
  v6.sin6_family = AF_INET6;
  v4.sin_family = AF_INET;
  inet_pton(AF_INET6, address_.c_str(), &v6.sin6_addr);
  inet_pton(AF_INET, address_.c_str(), &v4.sin_addr);
  auto* const where = ipv6 ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4);
  socklen_t size = ipv6 ? sizeof v6 : sizeof v4;
  listener_ = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Require(bind(listener_, where, size) == 0, "a free port can be bound");
  Require(listen(listener_, 128) == 0, "the port can be listened on");
  getsockname(listener_, where, &size);
  port_ = ntohs(ipv6 ? v6.sin6_port : v4.sin_port);
  acceptor_ = std::thread([this] { AcceptAll(); });
}

RawServer::~RawServer() {
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  close(listener_);
  {
    const std::lock_guard lock(mutex_);
    for (const Connection& connection : connections_) shutdown(connection.socket, SHUT_RDWR);
  }
  for (Connection& connection : connections_) {
    connection.thread.join();
    close(connection.socket);
  }
}

std::string RawServer::origin() const {
  const bool ipv6 = address_.find(':') != std::string::npos;
  std::string text(identity_ != nullptr ? "https://" : "http://");
  text.append(ipv6 ? "[" + address_ + "]" : address_).append(":").append(std::to_string(port_));
  return text;
}

void RawServer::AcceptAll() {
  for (;;) {
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) return;
    const int connection = ++accepted_;
    const std::lock_guard lock(mutex_);
    connections_.push_back({socket, {}});
    connections_.back().thread =
        std::thread([this, socket, connection] { Serve(socket, connection); });
  }
}

void RawServer::Serve(int socket, int connection) {
  // OpenSSL writes without MSG_NOSIGNAL; a client that has gone must not end the test program.
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  bool reset = false;
  {
    Channel channel(socket, identity_ != nullptr ? identity_->context() : nullptr);
    std::string rest;
    for (int number = 1; channel.open(); ++number) {
      const RawRequest request{ReadRequest(channel, rest), connection, number};
      if (request.text.empty()) break;
      ++requests_;
      const RawReply reply = handler_(request);
      channel.Write(reply.bytes);
      if (reply.then == RawReply::Then::kKeep) continue;
      if (reply.then == RawReply::Then::kHang) {
        char ignored[1];
        while (channel.Read(ignored, 1) > 0) continue;
      }
      reset = reply.then == RawReply::Then::kReset;
      break;
    }
  }
  // The descriptor stays reserved until the destructor, which may still shut it down.
  if (reset) {
    CloseWithReset(socket);
  } else {
    shutdown(socket, SHUT_RDWR);
  }
}

}  // namespace understudy
