#include "tools/understudy/serve_tls.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "middleware/platform/file.h"

namespace understudy::tools {
namespace {

constexpr std::size_t kPemBytesMax = std::size_t{1024} * 1024;

}  // namespace

Result<std::optional<harness::TlsOptions>> ReadTls(const ServeTlsOptions& options) {
  if (options.cert.empty() != options.key.empty()) {
    return InvalidArgument(
        "--cert and --key go together: a certificate is nothing without its "
        "key");
  }
  const bool own = !options.cert.empty();
  if (own && !options.ca_out.empty()) {
    return InvalidArgument(
        "--ca-out: with a certificate of your own, clients trust whoever signed "
        "it; leave --ca-out away");
  }
  if (!options.enabled && !own && options.client_ca.empty()) {
    if (options.ca_out.empty()) return std::optional<harness::TlsOptions>();
    return InvalidArgument("--ca-out is for TLS; add --tls");
  }
  harness::TlsOptions tls;
  if (own) {
    UNDERSTUDY_ASSIGN_OR_RETURN(std::string certificate, ReadFile(options.cert, kPemBytesMax));
    UNDERSTUDY_ASSIGN_OR_RETURN(std::string key, ReadFile(options.key, kPemBytesMax));
    tls.identity = harness::TlsIdentity{.certificate_pem = std::move(certificate),
                                        .key_pem = Secret(std::move(key))};
  } else {
    UNDERSTUDY_ASSIGN_OR_RETURN(tls.ca, harness::LocalCa::Create());
  }
  if (!options.client_ca.empty()) {
    UNDERSTUDY_ASSIGN_OR_RETURN(tls.client_ca_pem, ReadFile(options.client_ca, kPemBytesMax));
    tls.client_certificate = harness::ClientCertificate::kRequired;
  }
  return std::optional(std::move(tls));
}

Result<CaFile> CaFile::Write(const std::string& ca_out, const harness::LocalCa& ca) {
  if (!ca_out.empty()) {
    UNDERSTUDY_RETURN_IF_ERROR(WriteFileAtomically(ca_out, ca.certificate_pem()));
    return CaFile(ca_out, false);
  }
  constexpr std::string_view kSuffix = ".pem";
  std::error_code failed;
  const std::filesystem::path folder = std::filesystem::temp_directory_path(failed);
  std::string path = (folder / "understudy-ca-XXXXXX").string().append(kSuffix);
  const int file = failed ? -1 : ::mkstemps(path.data(), static_cast<int>(kSuffix.size()));
  if (file < 0) {
    return Error{.code = ErrorCode::kStorage,
                 .message =
                     "there is no temporary folder for the certificate authority; name a "
                     "file with --ca-out"};
  }
  ::close(file);
  CaFile written(std::move(path), true);
  UNDERSTUDY_RETURN_IF_ERROR(WriteFileAtomically(written.path(), ca.certificate_pem()));
  return written;
}

CaFile::CaFile(CaFile&& other) noexcept
    : path_(std::move(other.path_)), temporary_(std::exchange(other.temporary_, false)) {}

CaFile::~CaFile() {
  if (temporary_) ::unlink(path_.c_str());
}

}  // namespace understudy::tools
