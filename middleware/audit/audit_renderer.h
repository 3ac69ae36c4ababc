// AuditRenderer: makes redacted records of captures.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "middleware/audit/audit_capture.h"
#include "middleware/audit/audit_record.h"
#include "middleware/audit/redaction.h"
#include "middleware/base/secret.h"
#include "middleware/runtime/crypto.h"

namespace understudy {

// Immutable, thread-safe. `redactor` and `crypto` must outlive it.
class AuditRenderer {
 public:
  // `instance` is a random number that tells this log's ids from those of others. With a key, body
  // digests are HMAC-SHA-256.
  AuditRenderer(const Redactor& redactor, const Crypto& crypto, std::uint64_t instance,
                Secret digest_key);

  AuditRecord Render(const AuditCapture& capture) const;
  // "<16 digits of the instance>-<16 digits of the number>"
  std::string IdOf(std::uint64_t number) const;

 private:
  void Take(AuditRecord& record, const AuditCapture& capture, AuditCapture::Tag tag,
            std::string_view value) const;
  AuditBody BodyOf(const AuditCapture& capture, std::string_view bytes, std::size_t length,
                   std::string_view content_type) const;

  const Redactor& redactor_;
  const Crypto& crypto_;
  const std::string instance_;
  const Secret digest_key_;
};

}  // namespace understudy
