// TlsSession: the server's side of TLS on one connection.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "harness/server/openssl_types.h"
#include "harness/server/socket_bio.h"
#include "harness/server/tls_context.h"
#include "middleware/base/result.h"

namespace understudy::harness {

// Not thread-safe: one connection, one thread. Context and socket must outlive it.
class TlsSession {
 public:
  TlsSession(TlsContext& context, CertificateFlaw flaw, ByteSocket& socket,
             std::string local_address);
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // Blocks as the socket does. kTls says what went wrong; the reason is "plain-http" for a client
  // that speaks HTTP in clear, "timeout", "client-gone", "client-refused" (the client sent an
  // alert, e.g. because of the certificate) or "handshake".
  Result<void> Accept();

  // As ByteSocket::RawRead, of what the peer has encrypted. close_notify is an end, too.
  int Read(char* bytes, std::size_t bytes_max);
  // At least one TLS record per call.
  bool Write(std::string_view bytes);
  // Does nothing after an error, or when it was sent before.
  void SendCloseNotify();

  // Decrypted bytes that nobody has read.
  bool HasPending() const;

  // After a successful Accept.
  std::string version() const;  // "TLSv1.3"
  bool session_reused() const;
  std::string sni() const;

 private:
  std::string local_address_;
  openssl::Connection connection_;
  bool accepted_ = false;
  bool broken_ = false;  // After a fatal error OpenSSL forbids further calls (SSL_shutdown(3)).
};

}  // namespace understudy::harness
