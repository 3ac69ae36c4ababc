#include "middleware/webhook/handshake.h"

#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "middleware/base/text.h"
#include "middleware/webhook/strict_json.h"

namespace understudy {
namespace {

using Json = nlohmann::json;
using Answer = std::optional<http::Response>;

constexpr std::size_t kChallengeBytesMax = 4096;

http::Response Empty(int status) {
  http::Response response;
  response.status = status;
  return response;
}

http::Response JsonAnswer(const Json& body) {
  http::Response response;
  response.headers = {{"Content-Type", "application/json"}};
  response.body = body.dump();
  return response;
}

std::optional<std::string> Challenge(const Json& body, std::string_view pointer) {
  auto challenge = FindJsonString(body, pointer);
  if (!challenge || challenge->empty() || challenge->size() > kChallengeBytesMax) {
    return std::nullopt;
  }
  return challenge;
}

Answer AnswerSlack(const Json& body) {
  if (FindJsonString(body, "/type") != "url_verification") return std::nullopt;
  const auto challenge = Challenge(body, "/challenge");
  // JSON, not plain text: a browser must not be made to show what somebody sends.
  if (!challenge) return std::nullopt;
  return JsonAnswer({{"challenge", *challenge}});
}

Answer AnswerZoom(const Crypto& crypto, const Secret& secret, const Json& body) {
  if (secret.empty() || FindJsonString(body, "/event") != "endpoint.url_validation") {
    return std::nullopt;
  }
  const auto token = Challenge(body, "/payload/plainToken");
  if (!token) return std::nullopt;
  return JsonAnswer({{"plainToken", *token},
                     {"encryptedToken", HexEncode(crypto.HmacSha256(secret.Reveal(), *token))}});
}

Answer AnswerXero(const Json& body) {
  const Json* const events = FindJsonPointer(body, "/events");
  if (events == nullptr || !events->is_array() || !events->empty()) return std::nullopt;
  return Empty(200);
}

Answer AnswerDiscord(const Json& body) {
  const Json* const type = body.is_object() ? FindJsonPointer(body, "/type") : nullptr;
  if (type == nullptr || !type->is_number_integer()) return std::nullopt;
  // A webhook event has type 1 as well, and an "event".
  if (*type == 0) return Empty(204);
  if (*type == 1 && !body.contains("event")) return JsonAnswer({{"type", 1}});
  return std::nullopt;
}

}  // namespace

bool IsInBody(WebhookHandshake handshake) {
  return handshake != WebhookHandshake::kNone && handshake != WebhookHandshake::kGitHub;
}

Answer AnswerParsedHandshake(const Crypto& crypto, WebhookHandshake handshake, const Secret& secret,
                             const Json& body) {
  switch (handshake) {
    case WebhookHandshake::kSlack:
      return AnswerSlack(body);
    case WebhookHandshake::kZoom:
      return AnswerZoom(crypto, secret, body);
    case WebhookHandshake::kXero:
      return AnswerXero(body);
    case WebhookHandshake::kDiscord:
      return AnswerDiscord(body);
    case WebhookHandshake::kNone:
    case WebhookHandshake::kGitHub:
      break;
  }
  return std::nullopt;
}

Answer AnswerHandshake(const Crypto& crypto, WebhookHandshake handshake, const Secret& secret,
                       const http::Headers& headers, std::string_view body) {
  if (handshake == WebhookHandshake::kGitHub) {
    const auto events = headers.GetAll("X-GitHub-Event");
    if (events.size() == 1 && events[0] == "ping") return Empty(200);
    return std::nullopt;
  }
  if (!IsInBody(handshake)) return std::nullopt;
  const auto parsed = ParseStrictJson(body, {.bytes_max = kHandshakeBytesMax});
  return parsed ? AnswerParsedHandshake(crypto, handshake, secret, *parsed) : std::nullopt;
}

}  // namespace understudy
