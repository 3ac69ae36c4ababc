// SignatureScheme: how a vendor signs its webhooks, as data.
//
//   const auto scheme = FindScheme("stripe");   // nullopt for an unknown name
//
// A scheme of your own is the same struct filled differently. The built-in ones, with what is
// signed:
//
//   stripe             Stripe-Signature: t=<unix>,v1=<hex>[,v1=...]          "{t}.{body}", the
//   whole secret as text github             X-Hub-Signature-256: sha256=<hex> "{body}" github-sha1
//   X-Hub-Signature: sha1=<hex>, legacy, only if named    "{body}", HMAC-SHA1 standard-webhooks
//   webhook-id, webhook-timestamp,                        "{id}.{t}.{body}", base64 secret after
//                      webhook-signature: v1,<base64> [v1,...]               an optional "whsec_"
//   svix               the same with svix- headers
//   hmac-sha256-ts     Webhook-Signature: t=<unix>,v1=<hex>[,v1=...]         "{t}.{body}", the
//   whole secret as text
//
// `hmac-sha256-ts` is this project's generic scheme: Stripe's construction under a neutral header
// name, for vendors and tests that need no particular brand. Id and type of its events are the
// members "id" and "type" of the signed JSON body.
//
// Sources: reference vendors 1.1; Standard Webhooks specification 1.0.0.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "middleware/base/time.h"

namespace understudy {

enum class SignatureLayout {
  kPrefixed,   // The whole header: prefix and signature.
  kPairs,      // "t=1,v1=ab,v1=cd": elements separated by commas.
  kSpaceList,  // "v1,ab v1,cd": elements separated by spaces.
};
enum class SignatureHash { kSha256, kSha1 };
enum class SignatureEncoding { kHex, kBase64 };
enum class SecretForm {
  kText,    // The secret's bytes are the key.
  kBase64,  // The key is the base64 text after an optional "whsec_".
};

// Where a fact about the event is found: a header if its name is set, else the JSON pointer (RFC
// 6901) into the body.
struct EventField {
  std::string header = {};
  std::string pointer = {};
};

struct SignatureScheme {
  std::string name = {};
  std::string signature_header = {};
  SignatureLayout layout = SignatureLayout::kPrefixed;
  SignatureHash hash = SignatureHash::kSha256;
  SignatureEncoding encoding = SignatureEncoding::kHex;
  // kPrefixed: what precedes the signature ("sha256="). Else the version of the elements that count
  // ("v1").
  std::string tag = {};
  // What is signed: "{t}", "{id}" and "{body}" stand for timestamp, id and the raw body; the rest
  // stands for itself.
  std::string content = "{body}";
  std::string timestamp_header = {};  // Of {t}; kPairs takes the element "t" instead.
  std::string id_header = {};         // Of {id}.
  SecretForm secret_form = SecretForm::kText;
  // How old a timestamp may be, and how far ahead of the local clock. Unused without {t} in
  // `content`: a timestamp that is not signed proves nothing.
  Duration tolerance_past = std::chrono::seconds(300);
  Duration tolerance_future = std::chrono::seconds(60);
  // Where WebhookReceiver finds the event's id and type.
  EventField event_id = {};
  EventField event_type = {};

  bool has_timestamp() const { return content.find("{t}") != std::string::npos; }
  bool has_id() const { return content.find("{id}") != std::string::npos; }
};

std::optional<SignatureScheme> FindScheme(std::string_view name);

}  // namespace understudy
