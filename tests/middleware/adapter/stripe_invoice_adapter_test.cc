#include "middleware/adapter/stripe_invoice_adapter.h"

#include <limits>
#include <string>
#include <variant>

#include <gtest/gtest.h>

namespace understudy {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr sys_seconds kDue{seconds(1'700'000'000)};
const AdaptContext kNow = {.now = SystemTime(kDue) - std::chrono::hours(24)};
const AdaptContext kLate = {.now = SystemTime(kDue) + std::chrono::hours(24)};

ExactJson Json(std::string_view text) { return ExactJson::Parse(text).value(); }

const std::string kInvoice = R"({
  "id":"in_1","object":"invoice","number":"A-0001","customer":"cus_1",
  "customer_email":"payer@example.com","currency":"usd","collection_method":"send_invoice",
  "total":4997,"amount_due":4997,"amount_paid":0,"amount_remaining":4997,
  "status":"open","due_date":1700000000,"created":1690000000,
  "status_transitions":{"finalized_at":1690000001,"paid_at":null,"voided_at":null},
  "lines":{"object":"list","has_more":false,"url":"/v1/invoices/in_1/lines","data":[
    {"id":"il_1","object":"line_item","amount":1999,"currency":"usd","description":"Plan",
     "quantity":1,"pricing":{"unit_amount_decimal":"1999","price_details":{"product":"prod_1"}}},
    {"id":"il_2","object":"line_item","amount":2998,"currency":"usd","description":null,
     "quantity":3,"pricing":{"unit_amount_decimal":"999.333333333333"}}]},
  "metadata":{"person":"Jane Roe"}})";

// The invoice with one member changed; "" removes it.
ExactJson With(std::string_view name, std::string_view value) {
  const ExactJson original = Json(kInvoice);
  ExactJson changed = ExactJson::Map();
  for (const ExactJsonMember& member : original.members())
    if (member.name != name) changed.Set(member.name, member.value);
  if (!value.empty()) changed.Set(name, Json(value));
  return changed;
}

const StripeInvoiceAdapter& Adapted() {
  static const StripeInvoiceAdapter adapter({});
  return adapter;
}

Invoice Of(const ExactJson& json, const AdaptContext& context = kNow) {
  return Adapted().ToInternal(json, context).value();
}

TEST(StripeInvoiceAdapter, ReadsAnOpenInvoice) {
  const Invoice invoice = Of(Json(kInvoice));
  const Currency usd = Currency::Parse("USD").value();
  EXPECT_EQ(invoice.Id(), "stripe_in_1");
  EXPECT_EQ(invoice.number, "A-0001");
  EXPECT_EQ(invoice.customer_id, "cus_1");
  EXPECT_EQ(invoice.customer_email, "payer@example.com");
  EXPECT_EQ(invoice.total, Money::FromMinor(4997, usd));
  EXPECT_EQ(invoice.remaining, Money::FromMinor(4997, usd));
  EXPECT_EQ(invoice.status, InvoiceStatus(invoice_status::Sent{}));
  EXPECT_EQ(invoice.collection, Collection::kByInvoice);
  ASSERT_EQ(invoice.lines.size(), 2U);
  EXPECT_EQ(invoice.lines[0].item_id, "prod_1");
  EXPECT_EQ(invoice.lines[0].unit_price, Decimal::Parse("19.99").value());
  EXPECT_EQ(invoice.lines[1].unit_price->ToString(), "9.99333333333333");
  EXPECT_EQ(invoice.lines[1].description, "");
  EXPECT_FALSE(invoice.more_lines);
}

TEST(StripeInvoiceAdapter, AD4_TimesAreInstants) {
  const Invoice invoice = Of(Json(kInvoice));
  EXPECT_EQ(invoice.due_at, DateOrInstant(kDue));
  EXPECT_EQ(invoice.created_at, sys_seconds(seconds(1'690'000'000)));
  EXPECT_EQ(invoice.issued, DateOrInstant(sys_seconds(seconds(1'690'000'001))));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(invoice.paid_at));
}

struct StatusRow {
  std::string name;
  std::string status;  // JSON
  int paid = 0;
  bool late = false;
  InvoiceStatus expected;
};
class AD5_StripeStatus : public testing::TestWithParam<StatusRow> {};

TEST_P(AD5_StripeStatus, IsWhatStripeMeansByIt) {
  const StatusRow& test = GetParam();
  const ExactJson with_status = With("status", test.status);
  ExactJson json = ExactJson::Map();
  for (const ExactJsonMember& member : with_status.members())
    if (member.name != "amount_paid") json.Set(member.name, member.value);
  json.Set("amount_paid", ExactJson::FromNumber(std::to_string(test.paid)));
  EXPECT_EQ(Of(json, test.late ? kLate : kNow).status, test.expected);
}

INSTANTIATE_TEST_SUITE_P(
    Words, AD5_StripeStatus,
    testing::Values(
        StatusRow{"Draft", "\"draft\"", 0, false, invoice_status::Draft{}},
        StatusRow{"LateDraft", "\"draft\"", 0, true, invoice_status::Draft{}},
        StatusRow{"Open", "\"open\"", 0, false, invoice_status::Sent{}},
        StatusRow{"LateOpen", "\"open\"", 0, true, invoice_status::Overdue{}},
        StatusRow{"PartlyPaid", "\"open\"", 1, false, invoice_status::PartlyPaid{}},
        StatusRow{"LatePartlyPaid", "\"open\"", 1, true, invoice_status::PartlyPaid{true}},
        StatusRow{"Paid", "\"paid\"", 4997, false, invoice_status::Paid{}},
        StatusRow{"PaidOutOfBand", "\"paid\"", 0, true, invoice_status::Paid{}},
        StatusRow{"Void", "\"void\"", 0, true, invoice_status::Void{}},
        StatusRow{"Uncollectible", "\"uncollectible\"", 0, true, invoice_status::Uncollectible{}},
        StatusRow{"Null", "null", 0, false, invoice_status::Unknown{}},
        StatusRow{"Missing", "", 0, false, invoice_status::Unknown{}},
        StatusRow{"New", "\"disputed\"", 0, false, invoice_status::Unknown{"disputed"}},
        StatusRow{"Case", "\"Paid\"", 0, false, invoice_status::Unknown{"Paid"}},
        StatusRow{"Prose", "\"see jane@example.com\"", 0, false,
                  invoice_status::Unknown{"unprintable"}}),
    [](const auto& test) { return test.param.name; });

TEST(StripeInvoiceAdapter, DueInThisVerySecondIsNotOverdueYet) {
  EXPECT_EQ(Of(Json(kInvoice), {.now = SystemTime(kDue) + std::chrono::milliseconds(999)}).status,
            InvoiceStatus(invoice_status::Sent{}));
  EXPECT_EQ(Of(Json(kInvoice), {.now = SystemTime(kDue) + seconds(1)}).status,
            InvoiceStatus(invoice_status::Overdue{}));
}

TEST(StripeInvoiceAdapter, AD6_NullIsMissing) {
  for (const std::string_view name :
       {"number", "customer", "customer_email", "due_date", "collection_method", "created",
        "status_transitions", "lines"}) {
    const Invoice with_null = Of(With(name, "null"));
    const Invoice without = Of(With(name, ""));
    EXPECT_EQ(with_null, without) << name;
  }
  EXPECT_EQ(Of(With("customer_email", "null")).customer_email, std::nullopt);
  EXPECT_TRUE(Of(With("lines", "null")).lines.empty());
}

struct RefuseRow {
  std::string name;
  std::string member;
  std::string value;
  std::string reason;
};
class StripeInvoiceRefuses : public testing::TestWithParam<RefuseRow> {};

TEST_P(StripeInvoiceRefuses, WithTheMembersName) {
  const RefuseRow& test = GetParam();
  const Result<Invoice> invoice = Adapted().ToInternal(With(test.member, test.value), kNow);
  ASSERT_FALSE(invoice);
  EXPECT_EQ(invoice.error().code, ErrorCode::kProtocol);
  EXPECT_EQ(invoice.error().origin, Origin::kRemote);
  EXPECT_EQ(invoice.error().reason, test.reason);
  EXPECT_NE(invoice.error().message.find(test.member.substr(0, 4)), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Members, StripeInvoiceRefuses,
    testing::Values(RefuseRow{"NoId", "id", "", "field-missing"},
                    RefuseRow{"EmptyId", "id", "\"\"", "field-missing"},
                    RefuseRow{"NumberAsId", "id", "1", "field-type"},
                    RefuseRow{"OtherObject", "object", "\"charge\"", "field-value"},
                    RefuseRow{"NoCurrency", "currency", "null", "field-missing"},
                    RefuseRow{"UnknownCurrency", "currency", "\"zzz\"", "field-value"},
                    RefuseRow{"CurrencyWithoutRule", "currency", "\"lyd\"", "field-value"},
                    RefuseRow{"NoTotal", "total", "", "field-missing"},
                    RefuseRow{"NoAmountPaid", "amount_paid", "null", "field-missing"},
                    RefuseRow{"FractionOfACent", "total", "4997.5", "field-value"},
                    RefuseRow{"TextAmount", "amount_due", "\"4997\"", "field-type"},
                    RefuseRow{"HugeAmount", "total", "9223372036854775808", "field-value"},
                    RefuseRow{"TextDate", "due_date", "\"2025-01-01\"", "field-type"},
                    RefuseRow{"FarDate", "due_date", "9999999999999", "field-value"},
                    RefuseRow{"LinesNoList", "lines", R"({"data":{}})", "field-type"},
                    RefuseRow{"LineNoObject", "lines", R"({"data":[1]})", "field-type"},
                    RefuseRow{"LineOtherCurrency", "lines",
                              R"({"data":[{"amount":1,"currency":"eur"}]})", "field-value"},
                    RefuseRow{"StatusNumber", "status", "1", "field-type"}),
    [](const auto& test) { return test.param.name; });

TEST(StripeInvoiceAdapter, RefusesWhatIsNoObject) {
  for (const std::string_view text : {"null", "[]", "1", "\"in_1\""})
    EXPECT_EQ(Adapted().ToInternal(Json(text), kNow).error().reason, "field-type") << text;
}

TEST(StripeInvoiceAdapter, AD3_AmountsFollowTheCurrency) {
  const ExactJson yen = Json(R"({"id":"in_2","currency":"jpy","total":500,"amount_due":500,
    "amount_paid":0,"amount_remaining":500,"status":"open"})");
  EXPECT_EQ(Of(yen).total.ToString(), "500 JPY");
  const ExactJson dinar = Json(R"({"id":"in_3","currency":"kwd","total":5120,"amount_due":5120,
    "amount_paid":0,"amount_remaining":5120,"status":"open"})");
  EXPECT_EQ(Of(dinar).total.ToString(), "5.120 KWD");
  const ExactJson krona = Json(R"({"id":"in_4","currency":"isk","total":500,"amount_due":500,
    "amount_paid":0,"amount_remaining":500,"status":"open"})");
  EXPECT_EQ(Of(krona).total.ToString(), "5 ISK");
}

TEST(StripeInvoiceAdapter, AD7_SaysThatLinesAreMissing) {
  const Invoice invoice = Of(With("lines", R"({"has_more":true,"url":"/v1/invoices/in_1/lines",
    "data":[{"id":"il_9","amount":1}]})"));
  ASSERT_TRUE(invoice.more_lines);
  EXPECT_EQ(invoice.more_lines->url, "/v1/invoices/in_1/lines");
  EXPECT_EQ(invoice.more_lines->last_id, "il_9");
  const ExactJson page = Json(R"([{"id":"il_10","amount":2,"quantity":null}])");
  const auto rest = Adapted().ToLines(page.elements(), invoice.total.currency());
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->at(0).external_id, "il_10");
  EXPECT_EQ(rest->at(0).quantity, std::nullopt);
}

TEST(StripeInvoiceAdapter, AD11_KeepsNoPayloadUnlessAskedAndThenNoPerson) {
  EXPECT_EQ(Of(Json(kInvoice)).raw, std::nullopt);
  const StripeInvoiceAdapter keeping({.raw = RawPayload::kKeepRedacted});
  const Invoice invoice = keeping.ToInternal(Json(kInvoice), kNow).value();
  ASSERT_TRUE(invoice.raw);
  EXPECT_EQ(invoice.raw->find("payer"), std::string::npos);
  EXPECT_EQ(invoice.raw->find("Jane"), std::string::npos);
  EXPECT_EQ(invoice.raw->find("person"), std::string::npos);
  EXPECT_NE(invoice.raw->find("\"in_1\""), std::string::npos);
  EXPECT_NE(invoice.raw->find("4997"), std::string::npos);
}

TEST(StripeInvoiceAdapter, AD10_ASnapshotIsReadBackAsTheSameInvoice) {
  for (const AdaptContext& context : {kNow, kLate}) {
    for (const std::string_view status : {"\"draft\"", "\"open\"", "\"paid\"", "\"void\"",
                                          "\"uncollectible\"", "\"new_word\"", "null"}) {
      const Invoice invoice = Of(With("status", status), context);
      const Result<ExactJson> written = Adapted().ToExternal(invoice, ExternalForm::kSnapshot);
      ASSERT_TRUE(written) << written.error().ToString();
      EXPECT_EQ(Of(Json(written->Write()), context), invoice) << status;
    }
  }
}

TEST(StripeInvoiceAdapter, AD10_WritesOnlyWhatStripeTakes) {
  const ExactJson form = Adapted().ToExternal(Of(Json(kInvoice)), ExternalForm::kWrite).value();
  EXPECT_EQ(
      form.Write(),
      R"({"customer":"cus_1","currency":"usd","collection_method":"send_invoice","due_date":1700000000})");
}

TEST(StripeInvoiceAdapter, RefusesToWriteWhatStripeCannotExpress) {
  Invoice invoice = Of(Json(kInvoice));
  invoice.due_at = std::chrono::year(2025) / 1 / 31;
  EXPECT_EQ(Adapted().ToExternal(invoice, ExternalForm::kWrite).error().reason, "not-expressible");
  invoice = Of(With("customer", "null"));
  EXPECT_EQ(Adapted().ToExternal(invoice, ExternalForm::kWrite).error().reason, "not-expressible");
  invoice = Of(Json(kInvoice));
  invoice.lines[0].kind = InvoiceLineKind::kDiscount;
  EXPECT_EQ(Adapted().ToExternal(invoice, ExternalForm::kSnapshot).error().reason,
            "not-expressible");
  invoice = Of(Json(kInvoice));
  invoice.provider = "quickbooks";
  invoice.status = invoice_status::Unknown{"x"};
  EXPECT_EQ(Adapted().ToExternal(invoice, ExternalForm::kSnapshot).error().reason,
            "not-expressible");
  invoice.status = invoice_status::Sent{};
  invoice.total = Money::FromMinor(1005, Currency::Parse("KWD").value());
  EXPECT_EQ(Adapted().ToExternal(invoice, ExternalForm::kSnapshot).error().reason, "wire-multiple");
}

TEST(StripeInvoiceAdapter, TakesACustomerThatWasExpanded) {
  EXPECT_EQ(Of(With("customer", R"({"id":"cus_9","email":"x@example.com"})")).customer_id, "cus_9");
}

}  // namespace
}  // namespace understudy
