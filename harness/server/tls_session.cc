#include "harness/server/tls_session.h"

#include <algorithm>
#include <utility>

namespace understudy::harness {
namespace {

using openssl::CleanErrors;

// SSL_write takes an int; more at once would gain nothing.
constexpr std::size_t kWriteBytesMax = std::size_t{1024} * 1024;

Error TlsError(std::string message, std::string reason) {
  return Error{.code = ErrorCode::kTls,
               .message = std::move(message),
               .origin = Origin::kRemote,
               .reason = std::move(reason)};
}

Error HandshakeError(int kind) {
  const int reason = ERR_GET_REASON(ERR_peek_error());
  if (kind == SSL_ERROR_WANT_READ)
    return TlsError("the handshake took too long, or the server stops", "timeout");
  if (kind == SSL_ERROR_SYSCALL || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
    return TlsError("the client left during the handshake", "client-gone");
  if (reason == SSL_R_HTTP_REQUEST)
    return TlsError("the client speaks HTTP in clear", "plain-http");
  if (reason > SSL_AD_REASON_OFFSET) {
    return TlsError(std::string("the client ended the handshake: ") +
                        SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET),
                    "client-refused");
  }
  const char* const text = ERR_reason_error_string(ERR_peek_error());
  return TlsError(std::string("the handshake failed: ") + (text == nullptr ? "no reason" : text),
                  "handshake");
}

}  // namespace

TlsSession::TlsSession(TlsContext& context, CertificateFlaw flaw, ByteSocket& socket,
                       std::string local_address)
    : local_address_(std::move(local_address)),
      connection_(context.NewConnection(flaw, socket, local_address_)) {}

Result<void> TlsSession::Accept() {
  const CleanErrors clean;
  if (connection_ == nullptr) return TlsError("OpenSSL has no memory for a session", "memory");
  const int accepted = SSL_accept(connection_.get());
  if (accepted == 1) {
    accepted_ = true;
    return {};
  }
  broken_ = true;
  return HandshakeError(SSL_get_error(connection_.get(), accepted));
}

int TlsSession::Read(char* bytes, std::size_t bytes_max) {
  if (!accepted_ || broken_) return ByteSocket::kEnd;
  const CleanErrors clean;
  const int count =
      SSL_read(connection_.get(), bytes, static_cast<int>(std::min(bytes_max, kWriteBytesMax)));
  if (count > 0) return count;
  // close_notify ends one direction, and a silent client none; ours may still be written.
  const int kind = SSL_get_error(connection_.get(), count);
  if (kind == SSL_ERROR_WANT_READ) return ByteSocket::kTimeout;
  if (kind != SSL_ERROR_ZERO_RETURN) broken_ = true;
  return ByteSocket::kEnd;
}

bool TlsSession::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!accepted_ || broken_) return false;
    const CleanErrors clean;
    const int count = SSL_write(connection_.get(), bytes.data(),
                                static_cast<int>(std::min(bytes.size(), kWriteBytesMax)));
    if (count <= 0) {
      broken_ = true;
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

void TlsSession::SendCloseNotify() {
  if (!accepted_ || broken_) return;
  const CleanErrors clean;
  static_cast<void>(SSL_shutdown(connection_.get()));
  broken_ = true;  // Nothing may follow it.
}

bool TlsSession::HasPending() const {
  return accepted_ && !broken_ && SSL_pending(connection_.get()) > 0;
}

std::string TlsSession::version() const {
  return accepted_ ? SSL_get_version(connection_.get()) : std::string();
}

bool TlsSession::session_reused() const {
  return accepted_ && SSL_session_reused(connection_.get()) == 1;
}

std::string TlsSession::sni() const {
  if (connection_ == nullptr) return {};
  const char* const name = SSL_get_servername(connection_.get(), TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? std::string() : name;
}

}  // namespace understudy::harness
