// TlsClient: a TLS client on a raw socket that verifies as real clients do, sends exact bytes and
// reports exactly how the other side ended, on the level of TLS and of TCP.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <openssl/ssl.h>

#include "harness/server/local_ca.h"

namespace understudy::harness {

struct TlsClientOptions {
  std::string ca_pem = {};         // Trusted; empty: nobody.
  std::string host = "localhost";  // SNI and the name that is verified; empty: neither.
  bool verify = true;
  std::optional<TlsIdentity> identity = {};
  std::string alpn = {};  // One protocol; empty: none is offered.
  int min_version = TLS1_2_VERSION;
  int max_version = TLS1_3_VERSION;
  std::shared_ptr<SSL_SESSION> session = nullptr;  // To be resumed.
  bool handshake = true;  // False: only the ClientHello is sent, and what follows is looked at raw.
};

// For tests; not thread-safe.
class TlsClient {
 public:
  // kCloseNotify: and a FIN. kFin: without close_notify.
  enum class End { kOpen, kCloseNotify, kFin, kReset, kTimeout, kError };

  TlsClient(std::uint16_t port, const TlsClientOptions& options);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  bool secure() const { return secure_; }
  // X509_V_OK or why the certificate was refused.
  long verify_result() const;
  // What went wrong, in OpenSSL's words; "" if nothing did.
  const std::string& error() const { return error_; }
  std::string version() const { return SSL_get_version(ssl_); }
  std::string alpn() const;
  bool resumed() const { return SSL_session_reused(ssl_) == 1; }
  // After data has been read (TLS 1.3 sends tickets after the handshake).
  std::shared_ptr<SSL_SESSION> session() const;

  void Send(std::string_view bytes);
  // As RawClient's.
  std::string ReadMessage();
  std::string ReadToEnd();
  End end() const { return end_; }

 private:
  bool Receive();
  End EndOfSocket();

  int socket_ = -1;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  bool secure_ = false;
  std::string error_;
  std::string buffer_;
  End end_ = End::kOpen;
};

}  // namespace understudy::harness
