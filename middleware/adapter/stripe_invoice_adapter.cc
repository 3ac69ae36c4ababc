#include "middleware/adapter/stripe_invoice_adapter.h"

#include <utility>

#include "middleware/adapter/error_mapper.h"
#include "middleware/adapter/redacted_json.h"
#include "middleware/adapter/vendor_fields.h"
#include "middleware/adapter/vendor_text.h"

namespace understudy {
namespace {

using std::chrono::sys_seconds;

constexpr std::string_view kProvider = "stripe";

Result<Currency> ReadCurrency(const VendorFields& fields) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::string code, fields.RequiredText("currency"));
  const Result<Currency> currency = Currency::Parse(code);
  if (!currency) return fields.WrongValue("currency", currency.error());
  const Result<WireAmountRule> rule = StripeAmounts().RuleFor(*currency);
  if (!rule) return fields.WrongValue("currency", rule.error());
  return *currency;
}

Result<Money> ReadAmount(const VendorFields& fields, std::string_view name, Currency currency) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::int64_t wire, fields.RequiredInteger(name));
  const Result<Money> money = Money::FromWire(wire, currency, StripeAmounts());
  if (!money) return fields.WrongValue(name, money.error());
  return *money;
}

Result<void> ReadAmounts(const VendorFields& fields, Currency currency, Invoice& invoice) {
  UNDERSTUDY_ASSIGN_OR_RETURN(invoice.total, ReadAmount(fields, "total", currency));
  UNDERSTUDY_ASSIGN_OR_RETURN(invoice.due, ReadAmount(fields, "amount_due", currency));
  UNDERSTUDY_ASSIGN_OR_RETURN(invoice.paid, ReadAmount(fields, "amount_paid", currency));
  UNDERSTUDY_ASSIGN_OR_RETURN(invoice.remaining, ReadAmount(fields, "amount_remaining", currency));
  return {};
}

DateOrInstant MomentOf(const std::optional<sys_seconds>& instant) {
  return instant ? DateOrInstant(*instant) : DateOrInstant();
}

Result<void> ReadTimes(const VendorFields& fields, Invoice& invoice) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto due, fields.EpochSeconds("due_date"));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto paid, fields.EpochSeconds("status_transitions/paid_at"));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto finalized,
                              fields.EpochSeconds("status_transitions/finalized_at"));
  UNDERSTUDY_ASSIGN_OR_RETURN(invoice.created_at, fields.EpochSeconds("created"));
  invoice.due_at = MomentOf(due);
  invoice.paid_at = MomentOf(paid);
  invoice.issued = MomentOf(finalized);
  return {};
}

// `customer` is an id, or the object itself where the caller asked Stripe to expand it.
Result<std::optional<std::string>> ReadCustomer(const VendorFields& fields) {
  const ExactJson* customer = fields.object().Find("customer");
  if (customer != nullptr && customer->IsObject()) return fields.Text("customer/id");
  return fields.Text("customer");
}

Result<void> ReadNames(const VendorFields& fields, Invoice& invoice) {
  invoice.provider = kProvider;
  UNDERSTUDY_ASSIGN_OR_RETURN(invoice.external_id, fields.RequiredText("id"));
  UNDERSTUDY_ASSIGN_OR_RETURN(invoice.number, fields.Text("number"));
  UNDERSTUDY_ASSIGN_OR_RETURN(invoice.customer_id, ReadCustomer(fields));
  UNDERSTUDY_ASSIGN_OR_RETURN(invoice.customer_email, fields.Text("customer_email"));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto method, fields.Text("collection_method"));
  if (method == "charge_automatically") invoice.collection = Collection::kAutomatic;
  if (method == "send_invoice") invoice.collection = Collection::kByInvoice;
  return {};
}

InvoiceStatus OpenStatus(const Invoice& invoice, SystemTime now) {
  const auto* due = std::get_if<sys_seconds>(&invoice.due_at);
  // Nanoseconds do not reach the year 9999; seconds do.
  const bool overdue = due != nullptr && *due < std::chrono::floor<std::chrono::seconds>(now);
  if (invoice.paid.minor() > 0) return invoice_status::PartlyPaid{overdue};
  if (overdue) return invoice_status::Overdue{};
  return invoice_status::Sent{};
}

Result<InvoiceStatus> ReadStatus(const VendorFields& fields, const Invoice& invoice,
                                 SystemTime now) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::optional<std::string> word, fields.Text("status"));
  if (word == "draft") return InvoiceStatus(invoice_status::Draft{});
  if (word == "open") return OpenStatus(invoice, now);
  if (word == "paid") return InvoiceStatus(invoice_status::Paid{});
  if (word == "void") return InvoiceStatus(invoice_status::Void{});
  if (word == "uncollectible") return InvoiceStatus(invoice_status::Uncollectible{});
  return InvoiceStatus(invoice_status::Unknown{VendorWord(word.value_or(""))});
}

// Before and since 2025-03-31 ("basil"): a decimal string in the units of the wire.
Result<std::optional<Decimal>> ReadUnitPrice(const VendorFields& fields, Currency currency) {
  for (const std::string_view path : {"pricing/unit_amount_decimal", "price/unit_amount_decimal"}) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::optional<Decimal> wire, fields.DecimalOf(path));
    if (!wire) continue;
    const Result<WireAmountRule> rule = StripeAmounts().RuleFor(currency);
    if (!rule) return fields.WrongValue(path, rule.error());
    const Result<Decimal> major = wire->Shifted(-rule->exponent);
    if (!major) return fields.WrongValue(path, major.error());
    return std::optional<Decimal>(*major);
  }
  return std::optional<Decimal>();
}

Result<InvoiceLine> ReadLine(const ExactJson& external, std::size_t index, Currency currency) {
  const VendorFields fields(external, "line " + std::to_string(index) + " of a Stripe invoice");
  if (!external.IsObject()) return fields.WrongType("", "an object");
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto own_currency, fields.Text("currency"));
  if (own_currency && *own_currency != currency.lower_code())
    return fields.WrongValue("currency", "is not the invoice's");
  InvoiceLine line;
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto id, fields.Text("id"));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto description, fields.Text("description"));
  UNDERSTUDY_ASSIGN_OR_RETURN(line.amount, ReadAmount(fields, "amount", currency));
  UNDERSTUDY_ASSIGN_OR_RETURN(line.quantity, fields.DecimalOf("quantity_decimal"));
  if (!line.quantity) {
    UNDERSTUDY_ASSIGN_OR_RETURN(line.quantity, fields.DecimalOf("quantity"));
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(line.unit_price, ReadUnitPrice(fields, currency));
  UNDERSTUDY_ASSIGN_OR_RETURN(line.item_id, fields.Text("pricing/price_details/product"));
  line.external_id = id.value_or("");
  line.description = description.value_or("");
  return line;
}

Result<std::vector<InvoiceLine>> ReadLines(std::span<const ExactJson> items, Currency currency) {
  std::vector<InvoiceLine> lines;
  for (const ExactJson& item : items) {
    UNDERSTUDY_ASSIGN_OR_RETURN(InvoiceLine line, ReadLine(item, lines.size(), currency));
    lines.push_back(std::move(line));
  }
  return lines;
}

Result<void> ReadLineList(const VendorFields& fields, Currency currency, Invoice& invoice) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const ExactJson* items, fields.List("lines/data"));
  if (items != nullptr) {
    UNDERSTUDY_ASSIGN_OR_RETURN(invoice.lines, ReadLines(items->elements(), currency));
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::optional<bool> more, fields.Boolean("lines/has_more"));
  if (!more.value_or(false)) return {};
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::optional<std::string> url, fields.Text("lines/url"));
  invoice.more_lines = MoreLines{
      .url = url.value_or(""),
      .last_id = invoice.lines.empty() ? std::string() : invoice.lines.back().external_id};
  return {};
}

Error CannotExpress(std::string_view what) {
  Error error = InvalidArgument("a Stripe invoice cannot express " + std::string(what));
  error.reason = "not-expressible";
  return error;
}

Result<ExactJson> WriteAmount(const Money& money) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::int64_t wire, money.ToWire(StripeAmounts()));
  return ExactJson::FromNumber(std::to_string(wire));
}

Result<ExactJson> WriteInstant(const DateOrInstant& moment) {
  if (std::holds_alternative<std::monostate>(moment)) return ExactJson();
  const auto* instant = std::get_if<sys_seconds>(&moment);
  if (instant == nullptr) return CannotExpress("a day; say at which second it ends");
  return ExactJson::FromNumber(std::to_string(instant->time_since_epoch().count()));
}

ExactJson WriteText(const std::optional<std::string>& text) {
  return text ? ExactJson::String(*text) : ExactJson();
}

Result<ExactJson> WriteStatus(const Invoice& invoice) {
  struct Visitor {
    const Invoice& invoice;
    Result<ExactJson> operator()(const invoice_status::Draft&) const { return Word("draft"); }
    Result<ExactJson> operator()(const invoice_status::Sent&) const { return Word("open"); }
    Result<ExactJson> operator()(const invoice_status::PartlyPaid&) const { return Word("open"); }
    Result<ExactJson> operator()(const invoice_status::Overdue&) const { return Word("open"); }
    Result<ExactJson> operator()(const invoice_status::Paid&) const { return Word("paid"); }
    Result<ExactJson> operator()(const invoice_status::Void&) const { return Word("void"); }
    Result<ExactJson> operator()(const invoice_status::Uncollectible&) const {
      return Word("uncollectible");
    }
    Result<ExactJson> operator()(const invoice_status::Unknown& unknown) const {
      if (invoice.provider != kProvider) return CannotExpress("another vendor's unknown status");
      return unknown.raw.empty() ? ExactJson() : Word(unknown.raw);
    }
    static ExactJson Word(std::string_view word) { return ExactJson::String(word); }
  };
  return std::visit(Visitor{invoice}, invoice.status);
}

ExactJson WriteCollection(Collection collection) {
  if (collection == Collection::kAutomatic) return ExactJson::String("charge_automatically");
  if (collection == Collection::kByInvoice) return ExactJson::String("send_invoice");
  return {};
}

Result<ExactJson> WriteLine(const InvoiceLine& line) {
  if (line.kind != InvoiceLineKind::kItem) return CannotExpress("a line that is no item");
  ExactJson external = ExactJson::Map();
  external.Set("id", ExactJson::String(line.external_id))
      .Set("object", ExactJson::String("line_item"));
  UNDERSTUDY_ASSIGN_OR_RETURN(ExactJson amount, WriteAmount(line.amount));
  external.Set("amount", std::move(amount));
  external.Set("currency", ExactJson::String(line.amount.currency().lower_code()));
  external.Set("description", ExactJson::String(line.description));
  // `quantity` is a whole number; `quantity_decimal` is a string.
  if (line.quantity && line.quantity->scale() == 0)
    external.Set("quantity", ExactJson::FromNumber(line.quantity->ToString()));
  if (line.quantity && line.quantity->scale() > 0)
    external.Set("quantity_decimal", ExactJson::String(line.quantity->ToString()));
  ExactJson pricing = ExactJson::Map();
  if (line.unit_price) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const WireAmountRule rule,
                                StripeAmounts().RuleFor(line.amount.currency()));
    UNDERSTUDY_ASSIGN_OR_RETURN(const Decimal wire, line.unit_price->Shifted(rule.exponent));
    pricing.Set("unit_amount_decimal", ExactJson::String(wire.ToString()));
  }
  if (line.item_id) {
    ExactJson details = ExactJson::Map();
    details.Set("product", ExactJson::String(*line.item_id));
    pricing.Set("price_details", std::move(details));
  }
  external.Set("pricing", std::move(pricing));
  return external;
}

Result<ExactJson> WriteLines(const Invoice& invoice) {
  ExactJson items = ExactJson::List();
  for (const InvoiceLine& line : invoice.lines) {
    UNDERSTUDY_ASSIGN_OR_RETURN(ExactJson external, WriteLine(line));
    items.Append(std::move(external));
  }
  ExactJson list = ExactJson::Map();
  list.Set("object", ExactJson::String("list"))
      .Set("data", std::move(items))
      .Set("has_more", ExactJson::Boolean(invoice.more_lines.has_value()));
  if (invoice.more_lines && !invoice.more_lines->url.empty())
    list.Set("url", ExactJson::String(invoice.more_lines->url));
  return list;
}

// What both forms have.
Result<ExactJson> WriteCommon(const Invoice& invoice, ExactJson external) {
  external.Set("customer", WriteText(invoice.customer_id));
  external.Set("currency", ExactJson::String(invoice.total.currency().lower_code()));
  external.Set("collection_method", WriteCollection(invoice.collection));
  UNDERSTUDY_ASSIGN_OR_RETURN(ExactJson due, WriteInstant(invoice.due_at));
  external.Set("due_date", std::move(due));
  return external;
}

Result<ExactJson> WriteForm(const Invoice& invoice) {
  if (!invoice.customer_id) return CannotExpress("an invoice without a customer");
  UNDERSTUDY_ASSIGN_OR_RETURN(const ExactJson all, WriteCommon(invoice, ExactJson::Map()));
  ExactJson external = ExactJson::Map();
  for (const ExactJsonMember& member : all.members())
    if (!member.value.IsNull()) external.Set(member.name, member.value);
  return external;
}

Result<ExactJson> WriteSnapshot(const Invoice& invoice) {
  ExactJson external = ExactJson::Map();
  external.Set("id", ExactJson::String(invoice.external_id));
  external.Set("object", ExactJson::String("invoice"));
  UNDERSTUDY_ASSIGN_OR_RETURN(external, WriteCommon(invoice, std::move(external)));
  external.Set("number", WriteText(invoice.number));
  external.Set("customer_email", WriteText(invoice.customer_email));
  const std::pair<std::string_view, const Money&> amounts[] = {
      {"total", invoice.total},
      {"amount_due", invoice.due},
      {"amount_paid", invoice.paid},
      {"amount_remaining", invoice.remaining}};
  for (const auto& [name, money] : amounts) {
    UNDERSTUDY_ASSIGN_OR_RETURN(ExactJson amount, WriteAmount(money));
    external.Set(name, std::move(amount));
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(ExactJson status, WriteStatus(invoice));
  external.Set("status", std::move(status));
  UNDERSTUDY_ASSIGN_OR_RETURN(ExactJson finalized, WriteInstant(invoice.issued));
  UNDERSTUDY_ASSIGN_OR_RETURN(ExactJson paid_at, WriteInstant(invoice.paid_at));
  ExactJson transitions = ExactJson::Map();
  transitions.Set("finalized_at", std::move(finalized)).Set("paid_at", std::move(paid_at));
  external.Set("status_transitions", std::move(transitions));
  if (invoice.created_at) {
    UNDERSTUDY_ASSIGN_OR_RETURN(ExactJson created, WriteInstant(*invoice.created_at));
    external.Set("created", std::move(created));
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(ExactJson lines, WriteLines(invoice));
  external.Set("lines", std::move(lines));
  return external;
}

}  // namespace

Result<Invoice> StripeInvoiceAdapter::ToInternal(const ExactJson& external,
                                                 const AdaptContext& context) const {
  const VendorFields fields(external, "a Stripe invoice");
  if (!external.IsObject()) return fields.WrongType("", "an object");
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::optional<std::string> object, fields.Text("object"));
  if (object && *object != "invoice") return fields.WrongValue("object", "is not \"invoice\"");
  Invoice invoice;
  UNDERSTUDY_RETURN_IF_ERROR(ReadNames(fields, invoice));
  UNDERSTUDY_ASSIGN_OR_RETURN(const Currency currency, ReadCurrency(fields));
  UNDERSTUDY_RETURN_IF_ERROR(ReadAmounts(fields, currency, invoice));
  UNDERSTUDY_RETURN_IF_ERROR(ReadTimes(fields, invoice));
  UNDERSTUDY_RETURN_IF_ERROR(ReadLineList(fields, currency, invoice));
  UNDERSTUDY_ASSIGN_OR_RETURN(invoice.status, ReadStatus(fields, invoice, context.now));
  if (options_.raw == RawPayload::kKeepRedacted) invoice.raw = RedactedJson(external);
  return invoice;
}

Result<ExactJson> StripeInvoiceAdapter::ToExternal(const Invoice& internal,
                                                   ExternalForm form) const {
  return form == ExternalForm::kWrite ? WriteForm(internal) : WriteSnapshot(internal);
}

std::optional<DomainError> StripeInvoiceAdapter::MapError(const http::Response& response) const {
  return MapVendorError(response, ErrorDialect::kStripe);
}

Result<std::vector<InvoiceLine>> StripeInvoiceAdapter::ToLines(std::span<const ExactJson> items,
                                                               Currency currency) const {
  return ReadLines(items, currency);
}

}  // namespace understudy
