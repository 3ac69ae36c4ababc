// TlsOptions: how an HttpServer speaks TLS.
//
//   HttpServerOptions options;
//   options.tls = TlsOptions{};                         // a new authority, any host name
//   options.tls = TlsOptions{.ca = ca};                 // an authority that clients trust already
//   options.tls = TlsOptions{.client_certificate = ClientCertificate::kRequired,
//                            .client_ca_pem = ca->certificate_pem()};         // mutual TLS
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "harness/server/local_ca.h"
#include "middleware/base/time.h"

namespace understudy::harness {

enum class TlsVersion { kTls12, kTls13 };

// kOptional: asked for and, if there is one, verified. kRequired: a client without a valid one is
// refused in the handshake.
enum class ClientCertificate { kNone, kOptional, kRequired };

struct TlsOptions {
  // Issues a certificate for whatever host name a client asks for (SNI, RFC 6066 section 3);
  // without a name, for the server's own addresses and "localhost". Absent: the server makes one;
  // see HttpServer::ca_pem().
  std::shared_ptr<const LocalCa> ca = nullptr;
  // Shown to every client in place of what `ca` would issue. The planned faults with flawed
  // certificates then show ones of `ca`, which such clients have no reason to trust.
  std::optional<TlsIdentity> identity = {};
  ClientCertificate client_certificate = ClientCertificate::kNone;
  std::string client_ca_pem = {};  // Who may sign client certificates; one or more certificates.
  TlsVersion min_version = TlsVersion::kTls12;
  TlsVersion max_version = TlsVersion::kTls13;
  // In real time, for the whole handshake; a client that is slower is cut off.
  Duration handshake_timeout = std::chrono::seconds(10);
};

}  // namespace understudy::harness
