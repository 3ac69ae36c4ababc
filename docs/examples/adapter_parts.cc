// The examples of docs/adapters.md, on answers that are written here. The guide shows what stands
// between the markers.
#include <memory>
#include <string>
#include <variant>

#include "docs/examples/expect.h"
#include "middleware/adapter/adapter.h"
#include "middleware/adapter/adapter_registry.h"
#include "middleware/adapter/paginator.h"
#include "middleware/adapter/stripe_invoice_adapter.h"
#include "middleware/client/client_builder.h"
#include "middleware/platform/system_runtime.h"

namespace {

using namespace understudy;  // NOLINT: as the reader of the guide would write it.

constexpr const char* kInvoice =
    R"({"id":"in_1","object":"invoice","currency":"usd","status":"sleeping","total":1999,
        "amount_due":1999,"amount_paid":0,"amount_remaining":1999,"created":1700000000,
        "lines":{"data":[],"has_more":false}})";

// In the place of the network: a list of two pages.
class Vendor final : public http::Transport {
 public:
  Result<http::Response> Send(const http::Request& request, const http::SendOptions&) override {
    const bool second = request.url.query().find("starting_after=in_1") != std::string::npos;
    return http::Response{.status = 200,
                          .body = std::string(R"({"data":[)") + (second ? "" : kInvoice) +
                                  R"(],"has_more":)" + (second ? "false}" : "true}")};
  }
};

Result<void> ShowMoney() {
  UNDERSTUDY_ASSIGN_OR_RETURN(const Decimal quantity, Decimal::Parse("1.5"));
  // [begin money]
  UNDERSTUDY_ASSIGN_OR_RETURN(const Currency usd, Currency::Parse("usd"));
  UNDERSTUDY_ASSIGN_OR_RETURN(const Money price, Money::Parse("19.99", usd));  // 1999 cents
  UNDERSTUDY_ASSIGN_OR_RETURN(const Money total,
                              price.Multiply(quantity, Rounding::kHalfEven));  // A Decimal, 1.5
  const std::string text = total.ToString();                                   // "29.98 USD"
  // [end money]
  Expect(text == "29.98 USD", text);
  return {};
}

void Look(const std::string& raw) { Expect(raw == "sleeping", raw); }

Result<void> ShowInvoice(const Runtime& runtime, const http::Response& response) {
  // [begin invoice]
  const StripeInvoiceAdapter stripe({});
  UNDERSTUDY_ASSIGN_OR_RETURN(const ExactJson json, ExactJson::Parse(response.body));
  UNDERSTUDY_ASSIGN_OR_RETURN(const Invoice invoice,
                              stripe.ToInternal(json, {.now = runtime.clock.SystemNow()}));
  if (const auto* unknown = std::get_if<invoice_status::Unknown>(&invoice.status)) {
    Look(unknown->raw);
  }
  // [end invoice]
  Expect(std::holds_alternative<invoice_status::Unknown>(invoice.status), "an unknown status");
  return {};
}

Result<void> ShowPages(const Runtime& runtime) {
  Vendor vendor;
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const auto client,
      ClientBuilder(runtime, vendor, "stripe").BaseUrl("https://api.stripe.com").Build());
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Request first,
                              client->NewRequest(http::Method::Get(), "/v1/invoices"));
  const StripeInvoiceAdapter stripe({});
  std::size_t converted = 0;
  // [begin pages]
  Paginator pages(first, CursorPages(),
                  [&](const http::Request& request) { return client->Call(request); });
  for (;;) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::optional<Page> page, pages.Next());
    if (!page) break;
    const BatchResult<Invoice> batch =
        ConvertBatch<Invoice>(stripe, page->items, {.now = runtime.clock.SystemNow()});
    converted += batch.successes.size();  // And batch.failures, each with its index.
  }
  // [end pages]
  Expect(converted == 1, "one invoice on two pages");
  return {};
}

bool AskForAnotherCard() { return true; }
void Log(const std::string& text) { Expect(!text.empty(), "an error says what it is"); }

bool IsAboutTheCard(const http::Response& response) {
  // [begin errors]
  if (const auto error = MapVendorError(response, ErrorDialect::kStripe)) {
    if (error->kind == DomainErrorKind::kCardDeclined) return AskForAnotherCard();
    Log(error->ToString());  // validation (parameter_invalid), field "currency", status 400, ...
  }
  // [end errors]
  return false;
}

Result<void> ShowRegistry() {
  // [begin registry]
  AdapterRegistry registry;  // Yours: make it in main, and pass it on.
  UNDERSTUDY_RETURN_IF_ERROR(registry.Register<Invoice>(
      std::make_shared<StripeInvoiceAdapter>(StripeInvoiceAdapterOptions{})));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto adapter, registry.Find<Invoice>("stripe"));
  // [end registry]
  Expect(adapter->provider() == "stripe", "the registry finds what was put there");
  return {};
}

Result<void> Run(const Runtime& runtime) {
  UNDERSTUDY_RETURN_IF_ERROR(ShowMoney());
  UNDERSTUDY_RETURN_IF_ERROR(ShowInvoice(runtime, {.status = 200, .body = kInvoice}));
  UNDERSTUDY_RETURN_IF_ERROR(ShowPages(runtime));
  Expect(IsAboutTheCard(
             {.status = 402, .body = R"({"error":{"type":"card_error","code":"card_declined"}})"}),
         "a card that was declined");
  Expect(!IsAboutTheCard(
             {.status = 400,
              .body = R"({"error":{"type":"invalid_request_error","code":"parameter_invalid"}})"}),
         "a request that was wrong");
  return ShowRegistry();
}

}  // namespace

int main() {
  SystemRuntime system;
  const Result<void> done = Run(system.view());
  Expect(done.has_value(), done ? "" : done.error().ToString());
  return 0;
}
