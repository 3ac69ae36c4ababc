// WebhookVectors: a file of signed requests with the verdict that the vendor's own code gives, and
// what this library says about each.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(const auto vectors, ParseWebhookVectors("v.json", text));
//   for (const WebhookVector& vector : vectors) {
//     if (JudgeVector(crypto, vector).valid != vector.valid) ...
//   }
//
// The file is a JSON array of objects with these members; others are ignored:
//
//   vendor     which scheme: stripe, github, standardwebhooks, openai, svix, slack, shopify,
//   twilio,
//              square, hubspot, zoom, linear, intuit, xero, discord, paypal, jira, or a scheme's
//              name
//   scheme     which of the vendor's: v1, v2, v3 (hubspot), sha1 (github), v1a... (Ed25519)
//   legacy_sha1  true: GitHub's old header is judged, unless the new one is there as well
//   secret     text, or a list of them during a rotation; the public key for Ed25519 (also as
//              public_key), the webhook's id for paypal (also as webhook_id)
//   headers    an object of texts; a list of texts repeats the header
//   body       text; or body_base64; or params, an object of form parameters
//   method, url  for vendors that sign them; POST if there is no method
//   certificate  PEM, for paypal
//   now        seconds since 1970, also with a fraction; from 100,000,000,000 on milliseconds.
//              Without it nothing is too old or in the future
//   kind       "url_validation": the answer to the vendor's handshake is judged, against
//              expect_response if there is one; "parse": whether the headers can be read
//   valid      the verdict
//   n, note    for people
//
// Time is judged as the vendors' own libraries do: a scheme with a tolerance has the same in both
// directions. A receiver with this library's defaults is stricter about the future.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/result.h"
#include "middleware/base/secret.h"
#include "middleware/http/headers.h"
#include "middleware/runtime/crypto.h"
#include "middleware/webhook/signature_scheme.h"

namespace understudy::tools {

struct WebhookVector {
  std::string number = {};
  std::string vendor = {};
  std::string kind = {};  // "", "url_validation" or "parse"
  SignatureScheme scheme = {};
  std::vector<Secret> secrets = {};
  std::string method = "POST";
  std::string url = {};
  http::Headers headers = {};
  // A header that no HTTP message can carry (CR, LF, NUL): nobody could receive it.
  bool headers_impossible = false;
  std::string body = {};
  std::string certificate = {};
  std::optional<SystemTime> now = {};
  std::string expected_answer = {};  // JSON
  bool valid = false;
  std::string note = {};
};

// kInvalidArgument with "FILE:LINE:COLUMN: ..." for what is not JSON, and "FILE: /3/headers: ..."
// (a JSON pointer) for what is not a vector. At most 16 MiB and 100,000 vectors. Total over any
// bytes.
Result<std::vector<WebhookVector>> ParseWebhookVectors(std::string_view file,
                                                       std::string_view text);

struct WebhookVerdict {
  bool valid = false;
  std::string reason = {};  // Why not.
};

// Total: what cannot be verified is not valid.
WebhookVerdict JudgeVector(const Crypto& crypto, const WebhookVector& vector);

}  // namespace understudy::tools
