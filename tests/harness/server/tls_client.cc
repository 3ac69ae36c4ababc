#include "tests/harness/server/tls_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace understudy::harness {
namespace {

int Connect(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{.tv_sec = 60, .tv_usec = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr any{};
  std::memcpy(&any, &address, sizeof(any));
  static_cast<void>(::connect(socket, &any, sizeof(any)));
  return socket;
}

X509* ReadCertificate(const std::string& pem) {
  BIO* const memory = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509* const certificate = PEM_read_bio_X509(memory, nullptr, nullptr, nullptr);
  BIO_free(memory);
  return certificate;
}

void UseIdentity(SSL_CTX* context, const TlsIdentity& identity) {
  X509* const certificate = ReadCertificate(identity.certificate_pem);
  SSL_CTX_use_certificate(context, certificate);
  X509_free(certificate);
  const std::string key_pem(identity.key_pem.Reveal());
  BIO* const memory = BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size()));
  EVP_PKEY* const key = PEM_read_bio_PrivateKey(memory, nullptr, nullptr, nullptr);
  BIO_free(memory);
  SSL_CTX_use_PrivateKey(context, key);
  EVP_PKEY_free(key);
}

}  // namespace

TlsClient::TlsClient(std::uint16_t port, const TlsClientOptions& options)
    : socket_(Connect(port)), context_(SSL_CTX_new(TLS_client_method())) {
  ERR_clear_error();
  SSL_CTX_set_min_proto_version(context_, options.min_version);
  SSL_CTX_set_max_proto_version(context_, options.max_version);
  if (!options.ca_pem.empty()) {
    X509* const root = ReadCertificate(options.ca_pem);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_), root);
    X509_free(root);
  }
  SSL_CTX_set_verify(context_, options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (options.identity) UseIdentity(context_, *options.identity);
  ssl_ = SSL_new(context_);
  SSL_set_fd(ssl_, socket_);
  if (!options.host.empty()) {
    in_addr address{};
    if (::inet_pton(AF_INET, options.host.c_str(), &address) == 1) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), options.host.c_str());
    } else {
      SSL_ctrl(ssl_, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               const_cast<char*>(options.host.c_str()));
      SSL_set1_host(ssl_, options.host.c_str());
    }
  }
  if (!options.alpn.empty()) {
    const std::string list = static_cast<char>(options.alpn.size()) + options.alpn;
    SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(list.data()),
                        static_cast<unsigned int>(list.size()));
  }
  if (options.session != nullptr) SSL_set_session(ssl_, options.session.get());
  if (!options.handshake) {
    // Into memory, and from there to the socket: nothing is read.
    BIO* const out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), out);
    SSL_connect(ssl_);
    const char* hello = nullptr;
    const long size = BIO_get_mem_data(out, &hello);
    static_cast<void>(::send(socket_, hello, static_cast<std::size_t>(size), MSG_NOSIGNAL));
    return;
  }
  secure_ = SSL_connect(ssl_) == 1;
  if (!secure_) {
    const int system_error = errno;
    const char* const text = ERR_reason_error_string(ERR_peek_error());
    error_ = text != nullptr ? text : system_error == ECONNRESET ? "reset" : "closed";
    end_ = text != nullptr ? End::kError : system_error == ECONNRESET ? End::kReset : End::kFin;
  }
}

TlsClient::~TlsClient() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
  ::close(socket_);
}

long TlsClient::verify_result() const { return SSL_get_verify_result(ssl_); }

std::string TlsClient::alpn() const {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::shared_ptr<SSL_SESSION> TlsClient::session() const {
  return {SSL_get1_session(ssl_), SSL_SESSION_free};
}

void TlsClient::Send(std::string_view bytes) {
  if (secure_) SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()));
}

// What follows the last byte of TLS on the socket.
TlsClient::End TlsClient::EndOfSocket() {
  std::array<char, 1024> bytes;
  for (;;) {
    const ssize_t count = ::recv(socket_, bytes.data(), bytes.size(), 0);
    if (count > 0) {
      if (!secure_) buffer_.append(bytes.data(), static_cast<std::size_t>(count));
      continue;
    }
    if (count == 0) return End::kFin;
    return errno == ECONNRESET ? End::kReset : End::kTimeout;
  }
}

bool TlsClient::Receive() {
  if (end_ != End::kOpen) return false;
  if (!secure_) {
    end_ = EndOfSocket();
    return false;
  }
  ERR_clear_error();
  std::array<char, 64 * 1024> bytes;
  const int count = SSL_read(ssl_, bytes.data(), static_cast<int>(bytes.size()));
  if (count > 0) {
    buffer_.append(bytes.data(), static_cast<std::size_t>(count));
    return true;
  }
  const int system_error = errno;
  switch (SSL_get_error(ssl_, count)) {
    case SSL_ERROR_ZERO_RETURN:
      end_ = EndOfSocket() == End::kFin ? End::kCloseNotify : End::kError;
      break;
    case SSL_ERROR_SSL:
      end_ = ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING ? End::kFin
                                                                                    : End::kError;
      break;
    default:
      end_ = system_error == ECONNRESET ? End::kReset : End::kTimeout;
      break;
  }
  return false;
}

std::string TlsClient::ReadMessage() {
  std::size_t head_end = 0;
  while ((head_end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!Receive()) return std::exchange(buffer_, {});
  }
  constexpr std::string_view kLength = "Content-Length: ";
  const std::size_t at = buffer_.find(kLength);
  const std::size_t size =
      head_end + 4 +
      (at == std::string::npos ? 0 : std::stoul(buffer_.substr(at + kLength.size(), 20)));
  while (buffer_.size() < size) {
    if (!Receive()) return std::exchange(buffer_, {});
  }
  std::string message = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return message;
}

std::string TlsClient::ReadToEnd() {
  while (Receive()) {
  }
  return std::exchange(buffer_, {});
}

}  // namespace understudy::harness
