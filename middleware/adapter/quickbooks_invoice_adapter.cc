#include "middleware/adapter/quickbooks_invoice_adapter.h"

#include <algorithm>
#include <utility>

#include "middleware/adapter/error_mapper.h"
#include "middleware/adapter/redacted_json.h"
#include "middleware/adapter/vendor_fields.h"
#include "middleware/adapter/vendor_text.h"
#include "middleware/base/iso_time.h"

namespace understudy {
namespace {

using std::chrono::year_month_day;

constexpr std::string_view kProvider = "quickbooks";
constexpr std::string_view kItemDetail = "SalesItemLineDetail";
constexpr std::string_view kDiscountDetail = "DiscountLineDetail";
constexpr std::string_view kGroupDetail = "GroupLineDetail";
constexpr std::string_view kSubTotalDetail = "SubTotalLineDetail";
constexpr std::string_view kDescriptionDetail = "DescriptionOnly";
// A group holds items; deeper nesting does not exist.
constexpr int kGroupDepthMax = 3;

Result<Currency> ReadCurrency(const VendorFields& fields, Currency home) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto code, fields.Text("CurrencyRef/value"));
  if (!code) return home;
  const Result<Currency> currency = Currency::Parse(*code);
  if (!currency) return fields.WrongValue("CurrencyRef/value", currency.error());
  return *currency;
}

Result<std::optional<Money>> ReadAmount(const VendorFields& fields, std::string_view name,
                                        Currency currency) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::optional<Decimal> decimal, fields.DecimalOf(name));
  if (!decimal) return std::optional<Money>();
  const Result<Money> money = Money::FromMajor(*decimal, currency);
  if (!money) return fields.WrongValue(name, money.error());
  return std::optional<Money>(*money);
}

Result<void> ReadNames(const VendorFields& fields, Invoice& invoice) {
  invoice.provider = kProvider;
  invoice.collection = Collection::kByInvoice;
  UNDERSTUDY_ASSIGN_OR_RETURN(invoice.external_id, fields.RequiredText("Id"));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto revision, fields.Text("SyncToken"));
  invoice.revision = revision.value_or("");
  UNDERSTUDY_ASSIGN_OR_RETURN(invoice.number, fields.Text("DocNumber"));
  UNDERSTUDY_ASSIGN_OR_RETURN(invoice.customer_id, fields.Text("CustomerRef/value"));
  UNDERSTUDY_ASSIGN_OR_RETURN(invoice.customer_email, fields.Text("BillEmail/Address"));
  return {};
}

Result<void> ReadTimes(const VendorFields& fields, Invoice& invoice) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto due, fields.IsoDate("DueDate"));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto issued, fields.IsoDate("TxnDate"));
  if (due) invoice.due_at = *due;
  if (issued) invoice.issued = *issued;
  UNDERSTUDY_ASSIGN_OR_RETURN(invoice.created_at, fields.IsoInstant("MetaData/CreateTime"));
  UNDERSTUDY_ASSIGN_OR_RETURN(invoice.updated_at, fields.IsoInstant("MetaData/LastUpdatedTime"));
  return {};
}

Result<void> ReadPayments(const VendorFields& fields, Invoice& invoice) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const ExactJson* linked, fields.List("LinkedTxn"));
  if (linked == nullptr) return {};
  for (const ExactJson& element : linked->elements()) {
    const VendorFields link(element, "a LinkedTxn of a QuickBooks invoice");
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto type, link.Text("TxnType"));
    if (type != "Payment") continue;
    UNDERSTUDY_ASSIGN_OR_RETURN(std::string id, link.RequiredText("TxnId"));
    invoice.payment_ids.push_back(std::move(id));
  }
  return {};
}

// The four amounts; Balance may be missing, which makes the status Unknown.
Result<std::optional<Money>> ReadAmounts(const VendorFields& fields, Currency currency,
                                         Invoice& invoice) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto total, ReadAmount(fields, "TotalAmt", currency));
  if (!total) return fields.Missing("TotalAmt");
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto balance, ReadAmount(fields, "Balance", currency));
  invoice.total = *total;
  invoice.due = *total;
  invoice.remaining = balance.value_or(*total);
  const Result<Money> paid = invoice.total.Subtract(invoice.remaining);
  if (!paid) return fields.WrongValue("Balance", paid.error());
  invoice.paid = *paid;
  return balance;
}

InvoiceStatus Unknown(std::string_view word) { return invoice_status::Unknown{std::string(word)}; }

Result<InvoiceStatus> DeliveryStatus(const VendorFields& fields) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto email, fields.Text("EmailStatus"));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto delivered, fields.Text("DeliveryInfo/DeliveryTime"));
  if (email == "EmailSent" || delivered) return InvoiceStatus(invoice_status::Sent{});
  if (!email || email == "NotSet" || email == "NeedToSend")
    return InvoiceStatus(invoice_status::Draft{});
  return Unknown(VendorWord(*email));
}

Result<InvoiceStatus> ReadStatus(const VendorFields& fields, const Invoice& invoice,
                                 const std::optional<Money>& balance, year_month_day today) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto note, fields.Text("PrivateNote"));
  if (!balance) return Unknown("no-balance");
  const bool voided = note && note->starts_with("Voided");
  if (voided && invoice.total.IsZero() && balance->IsZero())
    return InvoiceStatus(invoice_status::Void{});
  if (balance->IsNegative() || balance->minor() > invoice.total.minor())
    return Unknown("contradictory-balance");
  if (balance->IsZero() && !invoice.total.IsZero()) return InvoiceStatus(invoice_status::Paid{});
  const auto* due = std::get_if<year_month_day>(&invoice.due_at);
  const bool overdue = !balance->IsZero() && due != nullptr && *due < today;
  if (balance->minor() < invoice.total.minor())
    return InvoiceStatus(invoice_status::PartlyPaid{overdue});
  if (overdue) return InvoiceStatus(invoice_status::Overdue{});
  return DeliveryStatus(fields);
}

// Reads Line[], groups included.
class LineReader {
 public:
  LineReader(Currency currency, std::vector<InvoiceLine>& lines)
      : currency_(currency), lines_(lines) {}

  Result<void> ReadAll(const VendorFields& parent, std::string_view path, int depth) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const ExactJson* list, parent.List(path));
    if (list == nullptr) return {};
    if (depth > kGroupDepthMax) return parent.WrongValue(path, "is nested too deeply");
    for (const ExactJson& element : list->elements())
      UNDERSTUDY_RETURN_IF_ERROR(Read(element, depth));
    return {};
  }

 private:
  Result<void> Read(const ExactJson& external, int depth) {
    const VendorFields fields(external,
                              "line " + std::to_string(lines_.size()) + " of a QuickBooks invoice");
    if (!external.IsObject()) return fields.WrongType("", "an object");
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::string type, fields.RequiredText("DetailType"));
    if (type == kSubTotalDetail) return {};
    if (type == kGroupDetail) return ReadAll(fields, "GroupLineDetail/Line", depth + 1);
    InvoiceLine line;
    UNDERSTUDY_RETURN_IF_ERROR(ReadCommon(fields, type, line));
    if (type == kItemDetail) UNDERSTUDY_RETURN_IF_ERROR(ReadItem(fields, line));
    if (type == kDiscountDetail) UNDERSTUDY_RETURN_IF_ERROR(MakeDiscount(fields, line));
    if (type == kDescriptionDetail) line.kind = InvoiceLineKind::kDescription;
    lines_.push_back(std::move(line));
    return {};
  }

  Result<void> ReadCommon(const VendorFields& fields, const std::string& type, InvoiceLine& line) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto id, fields.Text("Id"));
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto description, fields.Text("Description"));
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto amount, ReadAmount(fields, "Amount", currency_));
    if (!amount && type != kDescriptionDetail) return fields.Missing("Amount");
    line.kind = InvoiceLineKind::kOther;
    line.external_id = id.value_or("");
    line.description = description.value_or("");
    const bool counts = amount && type != kDescriptionDetail;
    line.amount = counts ? *amount : Money::FromMinor(0, currency_);
    const bool known = type == kItemDetail || type == kDiscountDetail || type == kDescriptionDetail;
    if (!known) line.kind_text = VendorWord(type);
    return {};
  }

  static Result<void> ReadItem(const VendorFields& fields, InvoiceLine& line) {
    line.kind = InvoiceLineKind::kItem;
    UNDERSTUDY_ASSIGN_OR_RETURN(line.quantity, fields.DecimalOf("SalesItemLineDetail/Qty"));
    UNDERSTUDY_ASSIGN_OR_RETURN(line.unit_price, fields.DecimalOf("SalesItemLineDetail/UnitPrice"));
    UNDERSTUDY_ASSIGN_OR_RETURN(line.item_id, fields.Text("SalesItemLineDetail/ItemRef/value"));
    return {};
  }

  static Result<void> MakeDiscount(const VendorFields& fields, InvoiceLine& line) {
    line.kind = InvoiceLineKind::kDiscount;
    const Result<Money> negated = line.amount.Negated();
    if (!negated) return fields.WrongValue("Amount", negated.error());
    line.amount = *negated;
    return {};
  }

  Currency currency_;
  std::vector<InvoiceLine>& lines_;
};

Error CannotExpress(std::string_view what) {
  Error error = InvalidArgument("a QuickBooks invoice cannot express " + std::string(what));
  error.reason = "not-expressible";
  return error;
}

ExactJson NumberOf(const Decimal& decimal) { return ExactJson::FromNumber(decimal.ToString()); }

ExactJson Reference(std::string_view member, std::string_view value) {
  ExactJson reference = ExactJson::Map();
  reference.Set(member, ExactJson::String(value));
  return reference;
}

Result<void> WriteDate(std::string_view name, const DateOrInstant& moment, ExactJson& external) {
  if (std::holds_alternative<std::monostate>(moment)) return {};
  const auto* date = std::get_if<year_month_day>(&moment);
  if (date == nullptr) return CannotExpress("an instant; say which day it is for the company");
  if (!date->ok()) return CannotExpress("a day that no calendar has");
  external.Set(name, ExactJson::String(FormatIsoDate(*date)));
  return {};
}

ExactJson WriteItem(const InvoiceLine& line) {
  ExactJson detail = ExactJson::Map();
  if (line.quantity) detail.Set("Qty", NumberOf(*line.quantity));
  if (line.unit_price) detail.Set("UnitPrice", NumberOf(*line.unit_price));
  if (line.item_id) detail.Set("ItemRef", Reference("value", *line.item_id));
  return detail;
}

Result<ExactJson> WriteLine(const InvoiceLine& line) {
  ExactJson external = ExactJson::Map();
  if (!line.external_id.empty()) external.Set("Id", ExactJson::String(line.external_id));
  if (!line.description.empty()) external.Set("Description", ExactJson::String(line.description));
  Money amount = line.amount;
  std::string_view type = kItemDetail;
  if (line.kind == InvoiceLineKind::kOther) return CannotExpress("a line of an unknown kind");
  if (line.kind == InvoiceLineKind::kDescription) type = kDescriptionDetail;
  if (line.kind == InvoiceLineKind::kDiscount) {
    type = kDiscountDetail;
    UNDERSTUDY_ASSIGN_OR_RETURN(amount, line.amount.Negated());
  }
  if (type != kDescriptionDetail) external.Set("Amount", NumberOf(amount.major()));
  external.Set("DetailType", ExactJson::String(type));
  if (type == kItemDetail) external.Set(type, WriteItem(line));
  if (type == kDiscountDetail) external.Set(type, ExactJson::Map());
  return external;
}

// What both forms have.
Result<ExactJson> WriteCommon(const Invoice& invoice) {
  ExactJson external = ExactJson::Map();
  if (!invoice.external_id.empty()) external.Set("Id", ExactJson::String(invoice.external_id));
  if (!invoice.revision.empty()) external.Set("SyncToken", ExactJson::String(invoice.revision));
  if (invoice.number) external.Set("DocNumber", ExactJson::String(*invoice.number));
  if (invoice.customer_id) external.Set("CustomerRef", Reference("value", *invoice.customer_id));
  if (invoice.customer_email)
    external.Set("BillEmail", Reference("Address", *invoice.customer_email));
  external.Set("CurrencyRef", Reference("value", invoice.total.currency().code()));
  UNDERSTUDY_RETURN_IF_ERROR(WriteDate("TxnDate", invoice.issued, external));
  UNDERSTUDY_RETURN_IF_ERROR(WriteDate("DueDate", invoice.due_at, external));
  ExactJson lines = ExactJson::List();
  for (const InvoiceLine& line : invoice.lines) {
    UNDERSTUDY_ASSIGN_OR_RETURN(ExactJson written, WriteLine(line));
    lines.Append(std::move(written));
  }
  external.Set("Line", std::move(lines));
  return external;
}

Result<void> WriteStatus(const Invoice& invoice, ExactJson& external) {
  if (std::holds_alternative<invoice_status::Uncollectible>(invoice.status))
    return CannotExpress("an uncollectible one; write it off with a credit memo");
  if (std::holds_alternative<invoice_status::Unknown>(invoice.status))
    return CannotExpress("an unknown status");
  if (std::holds_alternative<invoice_status::Void>(invoice.status))
    external.Set("PrivateNote", ExactJson::String("Voided"));
  if (std::holds_alternative<invoice_status::Draft>(invoice.status))
    external.Set("EmailStatus", ExactJson::String("NotSet"));
  if (std::holds_alternative<invoice_status::Sent>(invoice.status))
    external.Set("EmailStatus", ExactJson::String("EmailSent"));
  return {};
}

Result<ExactJson> WriteSnapshot(const Invoice& invoice) {
  UNDERSTUDY_ASSIGN_OR_RETURN(ExactJson external, WriteCommon(invoice));
  UNDERSTUDY_RETURN_IF_ERROR(WriteStatus(invoice, external));
  external.Set("TotalAmt", NumberOf(invoice.total.major()));
  external.Set("Balance", NumberOf(invoice.remaining.major()));
  ExactJson linked = ExactJson::List();
  for (const std::string& id : invoice.payment_ids) {
    ExactJson link = Reference("TxnId", id);
    link.Set("TxnType", ExactJson::String("Payment"));
    linked.Append(std::move(link));
  }
  external.Set("LinkedTxn", std::move(linked));
  ExactJson meta = ExactJson::Map();
  if (invoice.created_at)
    meta.Set("CreateTime", ExactJson::String(FormatIsoInstant(*invoice.created_at)));
  if (invoice.updated_at)
    meta.Set("LastUpdatedTime", ExactJson::String(FormatIsoInstant(*invoice.updated_at)));
  external.Set("MetaData", std::move(meta));
  return external;
}

Result<ExactJson> WriteForm(const Invoice& invoice) {
  if (!invoice.customer_id) return CannotExpress("an invoice without a customer");
  if (!invoice.external_id.empty() && invoice.revision.empty())
    return CannotExpress("an update without the revision (SyncToken) that it is based on");
  if (invoice.more_lines) return CannotExpress("an invoice of which lines are missing");
  return WriteCommon(invoice);
}

}  // namespace

Result<std::unique_ptr<QuickBooksInvoiceAdapter>> QuickBooksInvoiceAdapter::Create(
    QuickBooksInvoiceAdapterOptions options) {
  if (options.home_currency.IsNone()) {
    return InvalidArgument(
        "QuickBooks adapter options: home_currency is missing; ask the company (CompanyInfo)");
  }
  // Not make_unique: the constructor is private.
  return std::unique_ptr<QuickBooksInvoiceAdapter>(new QuickBooksInvoiceAdapter(options));
}

Result<Invoice> QuickBooksInvoiceAdapter::ToInternal(const ExactJson& external,
                                                     const AdaptContext& context) const {
  const VendorFields fields(external, "a QuickBooks invoice");
  if (!external.IsObject()) return fields.WrongType("", "an object");
  Invoice invoice;
  UNDERSTUDY_RETURN_IF_ERROR(ReadNames(fields, invoice));
  UNDERSTUDY_ASSIGN_OR_RETURN(const Currency currency,
                              ReadCurrency(fields, options_.home_currency));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto balance, ReadAmounts(fields, currency, invoice));
  UNDERSTUDY_RETURN_IF_ERROR(ReadTimes(fields, invoice));
  UNDERSTUDY_RETURN_IF_ERROR(ReadPayments(fields, invoice));
  UNDERSTUDY_RETURN_IF_ERROR(LineReader(currency, invoice.lines).ReadAll(fields, "Line", 0));
  const year_month_day today =
      context.today ? *context.today : LocalDate(context.now, context.utc_offset);
  UNDERSTUDY_ASSIGN_OR_RETURN(invoice.status, ReadStatus(fields, invoice, balance, today));
  if (options_.raw == RawPayload::kKeepRedacted) invoice.raw = RedactedJson(external);
  return invoice;
}

Result<ExactJson> QuickBooksInvoiceAdapter::ToExternal(const Invoice& internal,
                                                       ExternalForm form) const {
  return form == ExternalForm::kWrite ? WriteForm(internal) : WriteSnapshot(internal);
}

std::optional<DomainError> QuickBooksInvoiceAdapter::MapError(
    const http::Response& response) const {
  return MapVendorError(response, ErrorDialect::kQuickBooks);
}

bool ApplyPaymentDates(Invoice& invoice, const std::map<std::string, year_month_day>& dates) {
  if (!std::holds_alternative<invoice_status::Paid>(invoice.status)) return false;
  std::optional<year_month_day> last;
  for (const std::string& id : invoice.payment_ids) {
    const auto found = dates.find(id);
    if (found == dates.end()) return false;
    if (!last || *last < found->second) last = found->second;
  }
  if (!last) return false;
  invoice.paid_at = *last;
  return true;
}

Result<std::string> QuickBooksQuote(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f)
      return InvalidArgument("a QuickBooks query string holds a control character");
    if (c == '\'' || c == '\\') quoted.push_back('\\');
    quoted.push_back(c);
  }
  quoted.push_back('\'');
  return quoted;
}

}  // namespace understudy
