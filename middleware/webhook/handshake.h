// Handshakes: what vendors ask an endpoint before or between deliveries, and the answer they want.
//
//   const auto verified = verifier.Verify(request, now);
//   if (!verified) return Unauthorized();        // Discord and Xero test exactly this, too.
//   const auto answer = AnswerHandshake(crypto, verifier.scheme().handshake, secret,
//                                       request.headers, request.body);
//   if (answer) return *answer;                  // Not an event: nothing is stored.
//
//   kSlack    {"type":"url_verification","challenge":"..."}        200 {"challenge":"..."}
//   kZoom     {"event":"endpoint.url_validation",                  200 {"plainToken":...,
//              "payload":{"plainToken":"..."}}                          "encryptedToken":hex HMAC}
//   kXero     {"events":[],...}: intent to receive                 200 with an empty body
//   kDiscord  {"type":0,...} of webhook events: PING               204
//             {"type":1,...} of interactions: PING                 200 {"type":1}
//   kGitHub   X-GitHub-Event: ping                                 200 with an empty body
//
// Xero answers matter beyond the handshake: it accepts only 200 with an empty body, and 401 for a
// wrong signature, which it sends on purpose.
//
// Sources: reference vendors 1.2; Zoom repeats its question every 72 hours.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "middleware/base/secret.h"
#include "middleware/http/headers.h"
#include "middleware/http/response.h"
#include "middleware/runtime/crypto.h"
#include "middleware/webhook/signature_scheme.h"

namespace understudy {

// The answer if the request is a handshake of that kind; nullopt if it is a delivery, or anything
// else. `secret` is the current one (only Zoom's answer is made with it; nullopt if it is empty).
// Pure, thread-safe, total over any bytes; a challenge of more than 4096 bytes is not reflected.
//
// Only for a request that was verified: an endpoint that answers everybody hands out HMACs.
std::optional<http::Response> AnswerHandshake(const Crypto& crypto, WebhookHandshake handshake,
                                              const Secret& secret, const http::Headers& headers,
                                              std::string_view body);

// Bodies above this are no handshakes.
inline constexpr std::size_t kHandshakeBytesMax = std::size_t{64} * 1024;
// Is a handshake of this kind told by the JSON of its body? (kGitHub: by a header.)
bool IsInBody(WebhookHandshake handshake);
// The same for a body that is parsed already (ParseStrictJson) and not above kHandshakeBytesMax;
// nullopt unless IsInBody.
std::optional<http::Response> AnswerParsedHandshake(const Crypto& crypto,
                                                    WebhookHandshake handshake,
                                                    const Secret& secret,
                                                    const nlohmann::json& body);

}  // namespace understudy
