#include "middleware/webhook/signature_scheme.h"

namespace understudy {
namespace {

SignatureScheme TimestampedHex(std::string_view name, std::string_view header) {
  SignatureScheme scheme;
  scheme.name = name;
  scheme.signature_header = header;
  scheme.layout = SignatureLayout::kPairs;
  scheme.tag = "v1";
  scheme.content = "{t}.{body}";
  scheme.event_id = {.header = {}, .pointer = "/id"};
  scheme.event_type = {.header = {}, .pointer = "/type"};
  return scheme;
}

SignatureScheme GitHub(std::string_view name, std::string_view header, SignatureHash hash,
                       std::string_view prefix) {
  SignatureScheme scheme;
  scheme.name = name;
  scheme.signature_header = header;
  scheme.hash = hash;
  scheme.tag = prefix;
  // The delivery id is not signed; GitHub has no better one. A replayed body under a new id is a
  // risk that only the handler can exclude, for instance by the state of what the event is about.
  scheme.event_id = {.header = "X-GitHub-Delivery", .pointer = {}};
  scheme.event_type = {.header = "X-GitHub-Event", .pointer = {}};
  return scheme;
}

SignatureScheme StandardWebhooks(std::string_view name, const std::string& header_prefix) {
  SignatureScheme scheme;
  scheme.name = name;
  scheme.signature_header = header_prefix + "-signature";
  scheme.layout = SignatureLayout::kSpaceList;
  scheme.encoding = SignatureEncoding::kBase64;
  scheme.tag = "v1";
  scheme.content = "{id}.{t}.{body}";
  scheme.timestamp_header = header_prefix + "-timestamp";
  scheme.id_header = header_prefix + "-id";
  scheme.secret_form = SecretForm::kBase64;
  scheme.tolerance_future = std::chrono::seconds(300);
  scheme.event_id = {.header = scheme.id_header, .pointer = {}};
  scheme.event_type = {.header = {}, .pointer = "/type"};
  return scheme;
}

}  // namespace

std::optional<SignatureScheme> FindScheme(std::string_view name) {
  if (name == "stripe") return TimestampedHex(name, "Stripe-Signature");
  if (name == "hmac-sha256-ts") return TimestampedHex(name, "Webhook-Signature");
  if (name == "github") {
    return GitHub(name, "X-Hub-Signature-256", SignatureHash::kSha256, "sha256=");
  }
  if (name == "github-sha1") return GitHub(name, "X-Hub-Signature", SignatureHash::kSha1, "sha1=");
  if (name == "standard-webhooks") return StandardWebhooks(name, "webhook");
  if (name == "svix") return StandardWebhooks(name, "svix");
  return std::nullopt;
}

}  // namespace understudy
