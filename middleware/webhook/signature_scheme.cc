#include "middleware/webhook/signature_scheme.h"

#include <array>
#include <utility>

namespace understudy {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

EventField InHeader(std::string_view name) { return {.header = std::string(name), .pointer = {}}; }
EventField InBody(std::string_view pointer) {
  return {.header = {}, .pointer = std::string(pointer)};
}

// The signature is the whole header after `prefix`, over the body unless `content` says more.
SignatureScheme Prefixed(std::string_view name, std::string_view header, SignatureEncoding encoding,
                         std::string_view prefix = "", std::string_view content = "{body}") {
  SignatureScheme scheme;
  scheme.name = name;
  scheme.signature_header = header;
  scheme.encoding = encoding;
  scheme.tag = prefix;
  scheme.content = content;
  return scheme;
}

SignatureScheme TimestampedHex(std::string_view name, std::string_view header) {
  SignatureScheme scheme = Prefixed(name, header, SignatureEncoding::kHex, "v1", "{t}.{body}");
  scheme.layout = SignatureLayout::kPairs;
  scheme.event_id = InBody("/id");
  scheme.event_type = InBody("/type");
  return scheme;
}

SignatureScheme Stripe() { return TimestampedHex("stripe", "Stripe-Signature"); }
SignatureScheme Generic() { return TimestampedHex("hmac-sha256-ts", "Webhook-Signature"); }

SignatureScheme GitHub() {
  SignatureScheme scheme =
      Prefixed("github", "X-Hub-Signature-256", SignatureEncoding::kHex, "sha256=");
  // The delivery id is not signed; GitHub has no better one. A replayed body under a new id is a
  // risk that only the handler can exclude, for instance by the state of what the event is about.
  scheme.event_id = InHeader("X-GitHub-Delivery");
  scheme.event_type = InHeader("X-GitHub-Event");
  scheme.handshake = WebhookHandshake::kGitHub;
  return scheme;
}

SignatureScheme GitHubSha1() {
  SignatureScheme scheme = GitHub();
  scheme.name = "github-sha1";
  scheme.signature_header = "X-Hub-Signature";
  scheme.algorithm = SignatureAlgorithm::kHmacSha1;
  scheme.tag = "sha1=";
  return scheme;
}

SignatureScheme Jira() {
  SignatureScheme scheme = Prefixed("jira", "X-Hub-Signature", SignatureEncoding::kHex, "sha256=");
  scheme.event_id = InHeader("X-Atlassian-Webhook-Identifier");
  scheme.event_type = InBody("/webhookEvent");
  return scheme;
}

SignatureScheme Shopify() {
  SignatureScheme scheme = Prefixed("shopify", "X-Shopify-Hmac-Sha256", SignatureEncoding::kBase64);
  scheme.required_headers = {{"X-Shopify-Topic", "orders/create"},
                             {"X-Shopify-Shop-Domain", "example.myshopify.com"},
                             {"X-Shopify-API-Version", "2025-01"},
                             {"X-Shopify-Webhook-Id", "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"}};
  scheme.empty_body_refused = true;
  scheme.event_id = InHeader("X-Shopify-Webhook-Id");
  scheme.event_type = InHeader("X-Shopify-Topic");
  return scheme;
}

SignatureScheme Slack() {
  SignatureScheme scheme =
      Prefixed("slack", "X-Slack-Signature", SignatureEncoding::kHex, "v0=", "v0:{t}:{body}");
  scheme.timestamp_header = "X-Slack-Request-Timestamp";
  scheme.event_id = InBody("/event_id");
  scheme.event_type = InBody("/event/type");
  scheme.handshake = WebhookHandshake::kSlack;
  return scheme;
}

SignatureScheme Zoom() {
  SignatureScheme scheme =
      Prefixed("zoom", "x-zm-signature", SignatureEncoding::kHex, "v0=", "v0:{t}:{body}");
  scheme.timestamp_header = "x-zm-request-timestamp";
  // Zoom's examples show both.
  scheme.timestamp_unit = TimestampUnit::kSecondsOrMilliseconds;
  scheme.event_type = InBody("/event");
  scheme.handshake = WebhookHandshake::kZoom;
  return scheme;
}

SignatureScheme Twilio() {
  SignatureScheme scheme =
      Prefixed("twilio", "X-Twilio-Signature", SignatureEncoding::kBase64, "", "{url}{params}");
  scheme.algorithm = SignatureAlgorithm::kHmacSha1;
  scheme.url_forms = UrlForms::kTwilio;
  scheme.event_id = InHeader("I-Twilio-Idempotency-Token");
  return scheme;
}

SignatureScheme Square() {
  SignatureScheme scheme = Prefixed("square", "x-square-hmacsha256-signature",
                                    SignatureEncoding::kBase64, "", "{url}{body}");
  scheme.event_id = InBody("/event_id");
  scheme.event_type = InBody("/type");
  return scheme;
}

SignatureScheme HubSpot() {
  SignatureScheme scheme = Prefixed("hubspot", "X-HubSpot-Signature-v3", SignatureEncoding::kBase64,
                                    "", "{method}{url}{body}{t}");
  scheme.timestamp_header = "X-HubSpot-Request-Timestamp";
  scheme.timestamp_unit = TimestampUnit::kMilliseconds;
  scheme.url_forms = UrlForms::kHubSpot;
  return scheme;
}

SignatureScheme HubSpotHash(std::string_view name, std::string_view version,
                            std::string_view content) {
  SignatureScheme scheme =
      Prefixed(name, "X-HubSpot-Signature", SignatureEncoding::kHex, "", content);
  scheme.algorithm = SignatureAlgorithm::kSha256;
  scheme.version_header = "X-HubSpot-Signature-Version";
  scheme.version = version;
  return scheme;
}

SignatureScheme HubSpotV2() {
  return HubSpotHash("hubspot-v2", "v2", "{secret}{method}{url}{body}");
}
SignatureScheme HubSpotV1() { return HubSpotHash("hubspot-v1", "v1", "{secret}{body}"); }

SignatureScheme Linear() {
  SignatureScheme scheme = Prefixed("linear", "Linear-Signature", SignatureEncoding::kHex);
  // Not the Linear-Timestamp header: that is not signed.
  scheme.timestamp_pointer = "/webhookTimestamp";
  scheme.timestamp_unit = TimestampUnit::kMilliseconds;
  scheme.tolerance_past = seconds(60);
  scheme.event_id = InHeader("Linear-Delivery");
  scheme.event_type = InBody("/type");
  return scheme;
}

SignatureScheme Intuit() {
  return Prefixed("intuit", "intuit-signature", SignatureEncoding::kBase64);
}

SignatureScheme Xero() {
  SignatureScheme scheme = Prefixed("xero", "x-xero-signature", SignatureEncoding::kBase64);
  scheme.handshake = WebhookHandshake::kXero;
  return scheme;
}

SignatureScheme Discord() {
  SignatureScheme scheme =
      Prefixed("discord", "X-Signature-Ed25519", SignatureEncoding::kHex, "", "{t}{body}");
  scheme.algorithm = SignatureAlgorithm::kEd25519;
  scheme.secret_form = SecretForm::kHex;
  scheme.timestamp_header = "X-Signature-Timestamp";
  // Discord states no limit; it delivers again for up to ten minutes.
  scheme.tolerance_past = minutes(15);
  scheme.event_id = InBody("/id");
  scheme.event_type = InBody("/type");
  scheme.handshake = WebhookHandshake::kDiscord;
  return scheme;
}

SignatureScheme PayPal() {
  SignatureScheme scheme = Prefixed("paypal", "PAYPAL-TRANSMISSION-SIG", SignatureEncoding::kBase64,
                                    "", "{id}|{t}|{secret}|{crc32}");
  scheme.algorithm = SignatureAlgorithm::kRsaSha256;
  scheme.id_header = "PAYPAL-TRANSMISSION-ID";
  scheme.timestamp_header = "PAYPAL-TRANSMISSION-TIME";
  // PayPal delivers again for three days and does not say whether the time is the attempt's.
  scheme.timestamp_unit = TimestampUnit::kText;
  scheme.version_header = "PAYPAL-AUTH-ALGO";
  scheme.version = "SHA256withRSA";
  scheme.certificate_url_header = "PAYPAL-CERT-URL";
  scheme.certificate_hosts = {"paypal.com"};
  scheme.certificate_name = ".paypal.com";
  scheme.event_id = InBody("/id");
  scheme.event_type = InBody("/event_type");
  return scheme;
}

SignatureScheme StandardWebhooks(std::string_view name, const std::string& header_prefix) {
  SignatureScheme scheme = Prefixed(name, header_prefix + "-signature", SignatureEncoding::kBase64,
                                    "v1", "{id}.{t}.{body}");
  scheme.layout = SignatureLayout::kSpaceList;
  scheme.timestamp_header = header_prefix + "-timestamp";
  scheme.id_header = header_prefix + "-id";
  scheme.secret_form = SecretForm::kBase64;
  scheme.secret_prefixes = {"whsec_"};
  scheme.tolerance_future = seconds(300);
  scheme.event_id = InHeader(scheme.id_header);
  scheme.event_type = InBody("/type");
  return scheme;
}

SignatureScheme StandardWebhooksV1a(std::string_view name, const std::string& header_prefix) {
  SignatureScheme scheme = StandardWebhooks(name, header_prefix);
  scheme.algorithm = SignatureAlgorithm::kEd25519;
  scheme.tag = "v1a";
  scheme.secret_prefixes = {"whpk_", "whsk_"};
  return scheme;
}

SignatureScheme Standard() { return StandardWebhooks("standard-webhooks", "webhook"); }
SignatureScheme StandardV1a() { return StandardWebhooksV1a("standard-webhooks-v1a", "webhook"); }
SignatureScheme Svix() { return StandardWebhooks("svix", "svix"); }
SignatureScheme SvixV1a() { return StandardWebhooksV1a("svix-v1a", "svix"); }

struct Entry {
  std::string_view name;
  SignatureScheme (*make)();
};
constexpr std::array kSchemes = {Entry{"discord", Discord},
                                 Entry{"github", GitHub},
                                 Entry{"github-sha1", GitHubSha1},
                                 Entry{"hmac-sha256-ts", Generic},
                                 Entry{"hubspot", HubSpot},
                                 Entry{"hubspot-v1", HubSpotV1},
                                 Entry{"hubspot-v2", HubSpotV2},
                                 Entry{"intuit", Intuit},
                                 Entry{"jira", Jira},
                                 Entry{"linear", Linear},
                                 Entry{"paypal", PayPal},
                                 Entry{"shopify", Shopify},
                                 Entry{"slack", Slack},
                                 Entry{"square", Square},
                                 Entry{"standard-webhooks", Standard},
                                 Entry{"standard-webhooks-v1a", StandardV1a},
                                 Entry{"stripe", Stripe},
                                 Entry{"svix", Svix},
                                 Entry{"svix-v1a", SvixV1a},
                                 Entry{"twilio", Twilio},
                                 Entry{"xero", Xero},
                                 Entry{"zoom", Zoom}};

constexpr auto kNames = [] {
  std::array<std::string_view, kSchemes.size()> names = {};
  for (std::size_t i = 0; i < kSchemes.size(); ++i) names[i] = kSchemes[i].name;
  return names;
}();

bool CoversBody(const SignatureScheme& scheme) {
  return scheme.Signs("{body}") || scheme.Signs("{params}") || scheme.Signs("{crc32}");
}

bool HasPlaces(const SignatureScheme& scheme) {
  const bool timestamp_found =
      scheme.layout == SignatureLayout::kPairs || !scheme.timestamp_header.empty();
  // A timestamp in the body is signed only if the body itself is.
  const bool pointer_signed =
      scheme.timestamp_pointer.empty() || (scheme.Signs("{body}") && !scheme.has_timestamp() &&
                                           scheme.timestamp_unit != TimestampUnit::kText);
  return !scheme.signature_header.empty() && (!scheme.has_timestamp() || timestamp_found) &&
         pointer_signed && (!scheme.has_id() || !scheme.id_header.empty()) &&
         (scheme.layout == SignatureLayout::kPrefixed || !scheme.tag.empty());
}

bool HasAlgorithmNeeds(const SignatureScheme& scheme) {
  if (scheme.algorithm == SignatureAlgorithm::kSha256) return scheme.Signs("{secret}");
  if (scheme.algorithm != SignatureAlgorithm::kRsaSha256) return true;
  return !scheme.certificate_url_header.empty() && !scheme.certificate_hosts.empty() &&
         !scheme.certificate_name.empty();
}

}  // namespace

std::optional<SignatureScheme> FindScheme(std::string_view name) {
  for (const Entry& entry : kSchemes) {
    if (entry.name == name) return entry.make();
  }
  return std::nullopt;
}

std::span<const std::string_view> SchemeNames() { return kNames; }

Result<void> CheckScheme(const SignatureScheme& scheme) {
  if (CoversBody(scheme) && HasPlaces(scheme) && HasAlgorithmNeeds(scheme)) return {};
  return InvalidArgument("signature scheme \"" + scheme.name +
                         "\" is incomplete: it needs a header, the body in its content, a place "
                         "for everything else that its content names, and what its algorithm "
                         "needs ({secret} for a plain hash; header, hosts and name of the "
                         "certificate for RSA)");
}

}  // namespace understudy
