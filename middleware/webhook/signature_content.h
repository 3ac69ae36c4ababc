// SignatureContent: the bytes that a vendor signs, built from a request as a scheme says.
//
//   const std::vector<std::string> contents =
//       SignatureContents(crypto, scheme, {.url = url, .timestamp = t, .body = body});
//   // A signature of any of them is a signature of the request.
//
// Internal to this component. All functions are pure, thread-safe and total over any bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/runtime/crypto.h"
#include "middleware/webhook/signature_scheme.h"

namespace understudy {

// What the placeholders of SignatureScheme::content stand for. Views, valid for the call.
struct SignatureParts {
  std::string_view method = {};
  std::string_view url = {};
  std::string_view content_type = {};  // For {params}.
  std::string_view timestamp = {};
  std::string_view id = {};
  std::string_view secret = {};
  std::string_view body = {};
};

// Every text that the vendor may have signed for this request: one, or several where vendors do not
// agree on the spelling of a URL (at most 32). Each of them covers the whole body. Empty if none
// would: {params} of a body that is neither a form nor covered by the URL's bodySHA256, or that has
// more than 10,000 parameters.
std::vector<std::string> SignatureContents(const Crypto& crypto, const SignatureScheme& scheme,
                                           const SignatureParts& parts);

// The spellings of `url` that count, the one that a sender uses first.
std::vector<std::string> UrlSpellings(UrlForms forms, std::string_view url);

// CRC-32 as in zlib, Ethernet and PNG (ISO 3309): 0xcbf43926 of "123456789".
std::uint32_t Crc32(std::string_view bytes);

}  // namespace understudy
