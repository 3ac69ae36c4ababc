// What `understudy serve` needs for vendors over TLS: its options as an HttpServer's, and the file
// with the certificate authority that clients have to trust.
#pragma once

#include <optional>
#include <string>

#include "harness/server/tls_options.h"
#include "middleware/base/result.h"

namespace understudy::tools {

struct ServeTlsOptions {
  bool enabled = false;     // --tls; each of the others but `ca_out` means it, too.
  std::string ca_out = {};  // Where the authority's certificate is written.
  std::string cert = {};    // PEM files with a certificate of one's own, and its key.
  std::string key = {};
  std::string client_ca = {};  // PEM file: who signs the certificates that clients must have.
};

// Absent: in clear. Makes an authority unless there is a certificate. Errors: kInvalidArgument for
// options that do not go together; those of ReadFile and LocalCa::Create.
Result<std::optional<harness::TlsOptions>> ReadTls(const ServeTlsOptions& options);

// The authority's certificate in a file: `ca_out`, which stays, or a temporary one, which the
// destructor removes.
class CaFile {
 public:
  // Errors of WriteFileAtomically, or kStorage.
  static Result<CaFile> Write(const std::string& ca_out, const harness::LocalCa& ca);
  ~CaFile();
  CaFile(CaFile&& other) noexcept;
  CaFile& operator=(CaFile&&) = delete;
  CaFile(const CaFile&) = delete;
  CaFile& operator=(const CaFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  CaFile(std::string path, bool temporary) : path_(std::move(path)), temporary_(temporary) {}

  std::string path_;
  bool temporary_;
};

}  // namespace understudy::tools
