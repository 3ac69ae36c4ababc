#include "harness/scenario/builtin_programs.h"

#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "harness/scenario/effect_store.h"
#include "harness/scenario/oauth_client.h"
#include "middleware/adapter/paginator.h"
#include "middleware/base/text.h"
#include "middleware/client/client_builder.h"
#include "middleware/http/handler.h"
#include "middleware/webhook/webhook_processor.h"
#include "middleware/webhook/webhook_receiver.h"

namespace understudy::harness {
namespace {

using nlohmann::json;

// A program's configuration, read strictly: an unknown key is a typing mistake that would otherwise
// test nothing.
class Config {
 public:
  static Result<Config> Parse(const std::string& text,
                              std::initializer_list<std::string_view> known) {
    Config config;
    config.values_ = json::parse(text, nullptr, false);
    if (!config.values_.is_object()) return InvalidArgument("client.config must be an object");
    const std::vector<std::string_view> names(known);
    for (const auto& [key, value] : config.values_.items()) {
      if (std::find(names.begin(), names.end(), key) != names.end()) continue;
      const std::string_view meant = ClosestMatch(key, names);
      return InvalidArgument(
          "client.config: unknown key \"" + key + "\"" +
          (meant.empty() ? "" : "; did you mean \"" + std::string(meant) + "\"?"));
    }
    return config;
  }

  Result<Duration> Time(const std::string& key, Duration fallback) const {
    const auto value = values_.find(key);
    if (value == values_.end()) return fallback;
    const auto duration =
        value->is_string() ? ParseDuration(value->get<std::string>()) : std::nullopt;
    if (!duration)
      return InvalidArgument("client.config: \"" + key + "\" must be a duration like \"30s\"");
    return *duration;
  }

  Result<int> Count(const std::string& key, int fallback) const {
    const auto value = values_.find(key);
    if (value == values_.end()) return fallback;
    if (!value->is_number_integer() || *value < 1 || *value > 1000) {
      return InvalidArgument("client.config: \"" + key +
                             "\" must be a whole number from 1 to 1000");
    }
    return value->get<int>();
  }

  Result<std::optional<std::string>> Text(const std::string& key) const {
    const auto value = values_.find(key);
    if (value == values_.end()) return std::optional<std::string>();
    if (!value->is_string())
      return InvalidArgument("client.config: \"" + key + "\" must be a text");
    return std::optional<std::string>(value->get<std::string>());
  }

  // A list of at least one text.
  Result<std::vector<std::string>> Texts(const std::string& key) const {
    const auto value = values_.find(key);
    std::vector<std::string> texts;
    if (value == values_.end()) return texts;
    for (const json& item : value->is_array() ? *value : json::array()) {
      if (item.is_string()) texts.push_back(item.get<std::string>());
    }
    if (texts.empty() || texts.size() != value->size()) {
      return InvalidArgument("client.config: \"" + key + "\" must be a list of texts");
    }
    return texts;
  }

  Result<std::string> Choice(const std::string& key, std::string fallback,
                             std::initializer_list<std::string_view> choices) const {
    const auto value = values_.find(key);
    if (value == values_.end()) return fallback;
    for (const std::string_view choice : choices) {
      if (*value == choice) return std::string(choice);
    }
    return InvalidArgument("client.config: \"" + key + "\" cannot be " + value->dump());
  }

 private:
  json values_;
};

// ---- orders_client
// -----------------------------------------------------------------------------------------------

class OrdersClient final : public Program {
 public:
  static Result<std::unique_ptr<Program>> Start(ProgramEnvironment environment) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const Config config,
                                Config::Parse(environment.config, {"refresh_skew", "timeout"}));
    UNDERSTUDY_ASSIGN_OR_RETURN(const Duration skew,
                                config.Time("refresh_skew", std::chrono::seconds(30)));
    UNDERSTUDY_ASSIGN_OR_RETURN(const Duration timeout,
                                config.Time("timeout", std::chrono::seconds(10)));
    for (const auto& [vendor, address] : environment.vendors) {
      if (!address.spec || !address.spec->oauth) continue;
      std::unique_ptr<OrdersClient> program(new OrdersClient(std::move(environment)));
      UNDERSTUDY_RETURN_IF_ERROR(program->Build(vendor, skew, timeout));
      return std::unique_ptr<Program>(std::move(program));
    }
    return InvalidArgument("orders_client needs a vendor with an oauth section");
  }

  Result<http::Response> Call(std::string_view operation, const std::string& args,
                              const std::stop_token& stop) override {
    if (operation != "list_orders") return Program::Call(operation, args, stop);
    UNDERSTUDY_ASSIGN_OR_RETURN(http::Request request,
                                client_->NewRequest(http::Method::Get(), "/v1/orders"));
    return client_->Call(std::move(request), {.operation = "list_orders", .stop = stop});
  }

 private:
  explicit OrdersClient(ProgramEnvironment environment) : environment_(std::move(environment)) {}

  Result<void> Build(const std::string& vendor, Duration skew, Duration timeout) {
    UNDERSTUDY_ASSIGN_OR_RETURN(
        oauth_,
        OAuthClient::Create(environment_, vendor, {.refresh_skew = skew, .timeout = timeout}));
    ClientBuilder builder(environment_.runtime, environment_.network, vendor);
    builder.BaseUrl(environment_.vendors.at(vendor).origin)
        .TotalDeadline(timeout)
        .Auth(oauth_->strategy());
    UNDERSTUDY_ASSIGN_OR_RETURN(client_, builder.Build());
    return {};
  }

  const ProgramEnvironment environment_;
  std::shared_ptr<OAuthClient> oauth_;
  std::unique_ptr<Client> client_;
};

// ---- webhook_receiver
// --------------------------------------------------------------------------------------------

std::string StateOf(const std::string& type) { return type.substr(type.rfind('.') + 1); }

Result<void> PutEffect(WebhookTransaction& transaction, const std::string& key,
                       const json& fields) {
  return transaction.Put(std::string(kEffectPrefix) + key, fields.dump());
}

// Applies an order's event strictly in sequence.
Result<void> ApplyToOrder(const WebhookEvent& event, const json& data,
                          WebhookTransaction& transaction) {
  const std::string order = data["order"].get<std::string>();
  const std::string sequence_key = "sequence/" + order;
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto applied, transaction.Get(sequence_key));
  if (data.contains("seq") && data["seq"].is_number_integer()) {
    const auto sequence = data["seq"].get<std::int64_t>();
    const std::string before = applied.value_or("0");
    if (before != std::to_string(sequence - 1))
      return NotReady("order " + order + " is at " + before);
    UNDERSTUDY_RETURN_IF_ERROR(transaction.Put(sequence_key, std::to_string(sequence)));
  }
  const std::string state = StateOf(event.type);
  const std::string key = order + ":" + state;
  return PutEffect(transaction, key,
                   {{"kind", state == "paid" ? "ledger.credit" : "order." + state},
                    {"key", key},
                    {"order", order},
                    {"state", state},
                    {"event_id", event.key.event_id}});
}

Result<void> Apply(const WebhookEvent& event, WebhookTransaction& transaction) {
  const json body = json::parse(event.payload, nullptr, false);
  const json data = body.is_object() ? body.value("data", json::object()) : json::object();
  if (data.is_object() && data.contains("order") && data["order"].is_string()) {
    return ApplyToOrder(event, data, transaction);
  }
  return PutEffect(
      transaction, event.key.event_id,
      {{"kind", event.type}, {"key", event.key.event_id}, {"event_id", event.key.event_id}});
}

constexpr Duration kOfTheScheme = Duration(-1);

class WebhookReceiverProgram final : public Program, private http::Handler {
 public:
  static Result<std::unique_ptr<Program>> Start(ProgramEnvironment environment) {
    UNDERSTUDY_ASSIGN_OR_RETURN(
        const Config config,
        Config::Parse(environment.config,
                      {"mode", "lease", "attempts", "dedupe_ttl", "store", "secret", "secrets",
                       "tolerance_past", "tolerance_future"}));
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::string mode,
                                config.Choice("mode", "inline", {"inline", "queued"}));
    UNDERSTUDY_ASSIGN_OR_RETURN(const Duration lease,
                                config.Time("lease", std::chrono::seconds(4)));
    UNDERSTUDY_ASSIGN_OR_RETURN(const int attempts, config.Count("attempts", 10));
    // The stores never forget a key, which is longer than any time to live.
    UNDERSTUDY_RETURN_IF_ERROR(config.Time("dedupe_ttl", std::chrono::hours(24)));
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::optional<std::string> secret, config.Text("secret"));
    UNDERSTUDY_ASSIGN_OR_RETURN(std::vector<std::string> secrets, config.Texts("secrets"));
    if (secret && !secrets.empty()) {
      return InvalidArgument("client.config: give \"secret\" or \"secrets\", not both");
    }
    if (secret) secrets = {*secret};
    UNDERSTUDY_ASSIGN_OR_RETURN(const Duration past, config.Time("tolerance_past", kOfTheScheme));
    UNDERSTUDY_ASSIGN_OR_RETURN(const Duration future,
                                config.Time("tolerance_future", kOfTheScheme));
    std::unique_ptr<WebhookReceiverProgram> program(
        new WebhookReceiverProgram(std::move(environment)));
    program->secrets_ = std::move(secrets);
    if (past != kOfTheScheme) program->signature_.tolerance_past = past;
    if (future != kOfTheScheme) program->signature_.tolerance_future = future;
    UNDERSTUDY_RETURN_IF_ERROR(program->Build(
        mode == "queued" ? WebhookMode::kQueued : WebhookMode::kInline, lease, attempts));
    return std::unique_ptr<Program>(std::move(program));
  }

  http::Handler* server() override { return this; }
  void Stop() override { processor_->Stop(); }

 private:
  explicit WebhookReceiverProgram(ProgramEnvironment environment)
      : environment_(std::move(environment)) {}

  Result<void> Build(WebhookMode mode, Duration lease, int attempts) {
    processor_ = std::make_unique<WebhookProcessor>(
        environment_.runtime, environment_.webhooks,
        WebhookProcessorOptions{
            .lease = lease, .attempts_max = attempts, .poll_max = std::chrono::seconds(5)});
    for (const auto& [vendor, address] : environment_.vendors) {
      if (!address.spec) continue;
      for (const WebhookSpec& webhook : address.spec->webhooks) {
        UNDERSTUDY_RETURN_IF_ERROR(AddReceiver(vendor, webhook, mode));
      }
    }
    processor_->RegisterHandler(std::string(WebhookProcessor::kAnyType), Apply);
    if (mode == WebhookMode::kQueued) processor_->Start();
    return {};
  }

  std::vector<Secret> SecretsOf(const WebhookSpec& webhook) const {
    std::vector<Secret> secrets;
    for (const std::string& secret : secrets_) secrets.emplace_back(secret);
    if (!secrets.empty()) return secrets;
    secrets.emplace_back(webhook.secret);
    for (const std::string& secret : webhook.more_secrets) secrets.emplace_back(secret);
    return secrets;
  }

  Result<void> AddReceiver(const std::string& vendor, const WebhookSpec& webhook,
                           WebhookMode mode) {
    const auto scheme = FindScheme(webhook.scheme);
    if (!scheme) {
      return InvalidArgument("webhook \"" + webhook.id +
                             "\": webhook_receiver accepts signed webhooks only; give it "
                             "a `sign` with a known scheme");
    }
    UNDERSTUDY_ASSIGN_OR_RETURN(
        SignatureVerifier verifier,
        SignatureVerifier::Create(environment_.crypto, *scheme, SecretsOf(webhook), signature_));
    UNDERSTUDY_ASSIGN_OR_RETURN(
        receivers_["/webhooks/" + webhook.id],
        WebhookReceiver::Create(environment_.runtime, std::move(verifier), environment_.webhooks,
                                *processor_,
                                {.provider = vendor,
                                 .mode = mode,
                                 .event_id = EventField{.pointer = "/id"},
                                 .event_type = EventField{.pointer = "/type"}}));
    return {};
  }

  http::Response Handle(const http::Request& request) override {
    const auto receiver = receivers_.find(request.url.path());
    if (receiver == receivers_.end()) return {.status = 404};
    return receiver->second->Handle(request);
  }

  const ProgramEnvironment environment_;
  std::vector<std::string> secrets_;  // Instead of the webhook's own, unless empty.
  SignatureVerifierOptions signature_;
  std::unique_ptr<WebhookProcessor> processor_;
  std::map<std::string, std::unique_ptr<WebhookReceiver>, std::less<>> receivers_;
};

// ---- list_reader --------------------------------------------------------------------------------

// Reads a vendor's list page by page. Each item is the effect "item" of its id; the end is the
// effect "list.complete" or "list.incomplete", its key the operation or the reason.
class ListReader final : public Program {
 public:
  static Result<std::unique_ptr<Program>> Start(ProgramEnvironment environment) {
    UNDERSTUDY_ASSIGN_OR_RETURN(
        const Config config,
        Config::Parse(environment.config, {"path", "pages", "pages_max", "attempts"}));
    std::unique_ptr<ListReader> program(new ListReader(std::move(environment)));
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::optional<std::string> path, config.Text("path"));
    program->path_ = path.value_or("/v1/invoices");
    UNDERSTUDY_ASSIGN_OR_RETURN(
        program->pages_,
        config.Choice("pages", "cursor", {"cursor", "page-token", "link", "next-url"}));
    UNDERSTUDY_ASSIGN_OR_RETURN(program->pages_max_, config.Count("pages_max", 100));
    UNDERSTUDY_ASSIGN_OR_RETURN(const int attempts, config.Count("attempts", 3));
    const auto& vendors = program->environment_.vendors;
    if (vendors.size() != 1) return InvalidArgument("list_reader needs exactly one vendor");
    ClientBuilder builder(program->environment_.runtime, program->environment_.network,
                          vendors.begin()->first);
    builder.BaseUrl(vendors.begin()->second.origin)
        .TotalDeadline(std::chrono::seconds(30))
        .Retry({.attempts_max = attempts});
    UNDERSTUDY_ASSIGN_OR_RETURN(program->client_, builder.Build());
    return std::unique_ptr<Program>(std::move(program));
  }

  Result<http::Response> Call(std::string_view operation, const std::string& args,
                              const std::stop_token& stop) override {
    if (operation != "read_list") return Program::Call(operation, args, stop);
    UNDERSTUDY_ASSIGN_OR_RETURN(http::Request first,
                                client_->NewRequest(http::Method::Get(), path_));
    Paginator pages(std::move(first), Strategy(),
                    [&](const http::Request& request) {
                      return client_->Call(request, {.operation = "read_list", .stop = stop});
                    },
                    {.pages_max = static_cast<std::size_t>(pages_max_)});
    std::int64_t items = 0;
    for (;;) {
      auto page = pages.Next();
      if (!page) {
        Publish("list.incomplete", page.error().reason);
        return std::move(page).error();
      }
      if (!*page) break;
      for (const ExactJson& item : (*page)->items) {
        const ExactJson* const id = item.Find("id");
        Publish("item", id == nullptr ? "" : id->StringText().value_or(""));
        ++items;
      }
    }
    Publish("list.complete", "read_list");
    return http::Response{.status = 200, .body = json{{"items", items}}.dump()};
  }

 private:
  explicit ListReader(ProgramEnvironment environment) : environment_(std::move(environment)) {}

  std::unique_ptr<PageStrategy> Strategy() const {
    if (pages_ == "page-token") return PageTokenPages({});
    if (pages_ == "link") return LinkPages();
    if (pages_ == "next-url") return NextUrlPages({});
    return CursorPages();
  }

  void Publish(std::string_view kind, std::string_view key) {
    environment_.runtime.events.Publish("effect", {{"kind", kind}, {"key", key}});
  }

  const ProgramEnvironment environment_;
  std::string path_;
  std::string pages_;
  int pages_max_ = 0;
  std::unique_ptr<Client> client_;
};

}  // namespace

ProgramRegistry BuiltinPrograms() {
  ProgramRegistry programs;
  programs.Add("orders_client", {.operations = {"list_orders"}, .start = OrdersClient::Start});
  programs.Add("list_reader", {.operations = {"read_list"}, .start = ListReader::Start});
  programs.Add("webhook_receiver", {.operations = {}, .start = WebhookReceiverProgram::Start});
  return programs;
}

}  // namespace understudy::harness
