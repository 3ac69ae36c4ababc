// SignatureScheme: how a vendor signs its webhooks, as data.
//
//   const auto scheme = FindScheme("stripe");   // nullopt for an unknown name
//
//   SignatureScheme acme = *FindScheme("slack");   // Your vendor does nearly the same:
//   acme.name = "acme";
//   acme.signature_header = "X-Acme-Signature";
//   acme.timestamp_header = "X-Acme-Time";
//   acme.content = "{t}:{body}";
//
// The built-in ones, with what is signed (HMAC-SHA256 of it unless said otherwise):
//
//   stripe        Stripe-Signature: t=<unix>,v1=<hex>[,v1=...]     {t}.{body}, the secret as text
//   github        X-Hub-Signature-256: sha256=<hex>                {body}
//   github-sha1   X-Hub-Signature: sha1=<hex>                      {body}, HMAC-SHA1; legacy
//   jira          X-Hub-Signature: sha256=<hex>                    {body}
//   shopify       X-Shopify-Hmac-Sha256: <base64>                  {body}
//   slack         X-Slack-Signature: v0=<hex>                      v0:{t}:{body}
//   zoom          x-zm-signature: v0=<hex>                         v0:{t}:{body}
//   twilio        X-Twilio-Signature: <base64>                     {url}{params}, HMAC-SHA1
//   square        x-square-hmacsha256-signature: <base64>          {url}{body}
//   hubspot       X-HubSpot-Signature-v3: <base64>                 {method}{url}{body}{t}, t in ms
//   hubspot-v2    X-HubSpot-Signature: <hex>              SHA-256 of {secret}{method}{url}{body}
//   hubspot-v1    X-HubSpot-Signature: <hex>                       SHA-256 of {secret}{body}
//   linear        Linear-Signature: <hex>                          {body}, with a webhookTimestamp
//   intuit        intuit-signature: <base64>                       {body}
//   xero          x-xero-signature: <base64>                       {body}
//   discord       X-Signature-Ed25519: <hex>                       {t}{body}, Ed25519
//   paypal        PAYPAL-TRANSMISSION-SIG: <base64>                {id}|{t}|{secret}|{crc32}, RSA
//   standard-webhooks
//                 webhook-signature: v1,<base64>[ v1,...]          {id}.{t}.{body}, "whsec_"
//                 secrets
//   standard-webhooks-v1a
//                 webhook-signature: v1a,<base64>[ v1a,...]        {id}.{t}.{body}, Ed25519
//   svix, svix-v1a    svix-signature, otherwise like the two before
//   hmac-sha256-ts         Webhook-Signature: t=<unix>,v1=<hex>[,v1=...]  {t}.{body}
//
// `hmac-sha256-ts` is this project's generic scheme: Stripe's construction under a neutral header
// name, for vendors and tests that need no particular brand. Id and type of its events are the
// members "id" and "type" of the signed JSON body.
//
// What some of them do not prove, which no receiver can mend:
//   github, shopify, jira, intuit, xero, twilio, square   no time: a delivery can be replayed for
//     ever; only the store of processed events stops that. The ids in GitHub's, Shopify's and
//     Jira's headers are not signed.
//   hubspot-v1, -v2   a plain hash: with v1, whoever has seen a delivery can append bytes to its
//     body and sign that (length extension). Use v3.
//   twilio     names and values are joined without a separator: "a=bc" and "ab=c" sign alike.
//   paypal     signs a CRC-32 of the body, for which anybody can make another body. Whoever can
//     read one delivery can forge others: fetch the event by its id from PayPal before money moves.
//
// Sources: reference vendors 1.1; Standard Webhooks specification 1.0.0.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/result.h"
#include "middleware/base/time.h"

namespace understudy {

enum class SignatureLayout {
  kPrefixed,   // The whole header: prefix and signature.
  kPairs,      // "t=1,v1=ab,v1=cd": elements separated by commas.
  kSpaceList,  // "v1,ab v1,cd": elements separated by spaces.
};
enum class SignatureAlgorithm {
  kHmacSha256,
  kHmacSha1,
  kHmacSha512,
  kSha256,     // A hash without key; `content` must hold {secret}.
  kEd25519,    // The secret is the public key (32 bytes), or seed and public key (64 bytes), which
               // can also sign.
  kRsaSha256,  // RSASSA-PKCS1-v1_5 under the key of a certificate; see certificate_url_header.
};
enum class SignatureEncoding { kHex, kBase64 };
enum class SecretForm {
  kText,    // The secret's bytes are the key.
  kBase64,  // The key is the base64 text after one of `secret_prefixes`, if there is one.
  kHex,     // The same in hexadecimal.
};
enum class TimestampUnit {
  kSeconds,                // Since 1970; decimal digits.
  kMilliseconds,           // Likewise.
  kSecondsOrMilliseconds,  // From 100,000,000,000 on it is milliseconds (in seconds: the year
                           // 5138).
  kText,                   // Any text: signed, but not judged.
};
// Which spellings of the URL count, where vendors and their own libraries do not agree.
enum class UrlForms {
  kExact,
  // With and without the port, the user's spelling and the WHATWG one of the query (' as %27), with
  // and without a fragment, "/" for no path.
  kTwilio,
  // As it is, and with %3A %2F %3F %40 %21 %24 %27 %28 %29 %2A %2C %3B decoded.
  kHubSpot,
};
// What a vendor asks an endpoint before or between deliveries; see handshake.h.
enum class WebhookHandshake { kNone, kSlack, kZoom, kXero, kDiscord, kGitHub };

// Where a fact about the event is found: a header if its name is set, else the JSON pointer (RFC
// 6901) into the body.
struct EventField {
  std::string header = {};
  std::string pointer = {};
};

// A header without which the vendor sends nothing. `sample` is what Sign puts there if the caller
// gives none.
struct RequiredHeader {
  std::string name = {};
  std::string sample = {};
};

// A plain value; see CheckScheme for what makes it complete.
struct SignatureScheme {
  std::string name = {};
  std::string signature_header = {};
  SignatureLayout layout = SignatureLayout::kPrefixed;
  SignatureAlgorithm algorithm = SignatureAlgorithm::kHmacSha256;
  SignatureEncoding encoding = SignatureEncoding::kHex;
  // kPrefixed: what precedes the signature ("sha256="). Else the version of the elements that count
  // ("v1").
  std::string tag = {};
  // What is signed. The rest stands for itself.
  //   {body}    the raw body                {t}  {id}  timestamp and id, as the headers spell them
  //   {method}  as sent, e.g. POST          {url}      the whole URL that the vendor calls
  //   {secret}  the key                     {crc32}    CRC-32 of the body, in decimal (PayPal)
  //   {params}  every form parameter, sorted by name and value, repeats once: name and value joined
  //             without separators; or nothing if the URL's query has a bodySHA256 that is the
  //             body's SHA-256 in hex, or if the body is empty (Twilio)
  std::string content = "{body}";
  std::string timestamp_header = {};  // Of {t}; kPairs takes the element "t" instead.
  // A timestamp inside the signed body instead: a JSON pointer to a number (Linear).
  std::string timestamp_pointer = {};
  TimestampUnit timestamp_unit = TimestampUnit::kSeconds;
  std::string id_header = {};  // Of {id}.
  SecretForm secret_form = SecretForm::kText;
  std::vector<std::string> secret_prefixes = {};  // For kBase64 and kHex.
  UrlForms url_forms = UrlForms::kExact;
  // Must be there, with any value.
  std::vector<RequiredHeader> required_headers = {};
  // A header that, if it is there, must have this value: the version or the algorithm.
  std::string version_header = {};
  std::string version = {};
  bool empty_body_refused = false;
  // kRsaSha256: the header with the certificate's URL; the hosts that are allowed to serve it
  // ("paypal.com": also names below it), by https on the default port; and the name that the
  // certificate must carry (a leading dot: a name below it) where it is checked against roots.
  std::string certificate_url_header = {};
  std::vector<std::string> certificate_hosts = {};
  std::string certificate_name = {};
  // How old a timestamp may be, and how far ahead of the local clock. Unused without a timestamp
  // that is signed: another proves nothing.
  Duration tolerance_past = std::chrono::seconds(300);
  Duration tolerance_future = std::chrono::seconds(60);
  // Where WebhookReceiver finds the event's id and type. Empty for vendors whose deliveries have no
  // id of their own or are batches (hubspot, intuit, xero, zoom): see event_key.h.
  EventField event_id = {};
  EventField event_type = {};
  WebhookHandshake handshake = WebhookHandshake::kNone;

  bool Signs(std::string_view what) const { return content.find(what) != std::string::npos; }
  bool has_timestamp() const { return Signs("{t}"); }
  bool has_id() const { return Signs("{id}"); }
  // Cannot be verified from headers and body alone.
  bool needs_url() const { return Signs("{url}"); }
  bool needs_method() const { return Signs("{method}"); }
};

std::optional<SignatureScheme> FindScheme(std::string_view name);
// All names that FindScheme knows, sorted.
std::span<const std::string_view> SchemeNames();

// kInvalidArgument unless the scheme has a header, signs the body, has a place for everything that
// its content names, and says what its algorithm needs.
Result<void> CheckScheme(const SignatureScheme& scheme);

}  // namespace understudy
