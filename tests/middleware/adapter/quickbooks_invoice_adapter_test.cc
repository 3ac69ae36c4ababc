#include "middleware/adapter/quickbooks_invoice_adapter.h"

#include <string>

#include <gtest/gtest.h>

#include "middleware/base/iso_time.h"

namespace understudy {
namespace {

using std::chrono::year;
using std::chrono::year_month_day;

constexpr year_month_day kDue = year(2025) / 2 / 28;

ExactJson Json(std::string_view text) { return ExactJson::Parse(text).value(); }
Currency Of(std::string_view code) { return Currency::Parse(code).value(); }

const std::string kInvoice = R"({
  "Id":"130","SyncToken":"2","DocNumber":"1037","TxnDate":"2025-01-29","DueDate":"2025-02-28",
  "TotalAmt":362.07,"Balance":362.07,"EmailStatus":"EmailSent",
  "CustomerRef":{"value":"24","name":"Sonnenschein Family Store"},
  "BillEmail":{"Address":"payer@example.com"},
  "MetaData":{"CreateTime":"2025-01-29T13:21:14-08:00","LastUpdatedTime":"2025-01-29T13:21:14-08:00"},
  "Line":[
    {"Id":"1","Description":"Rock Fountain","Amount":275.00,"DetailType":"SalesItemLineDetail",
     "SalesItemLineDetail":{"ItemRef":{"value":"5"},"UnitPrice":275,"Qty":1}},
    {"Id":"2","Description":"Design","Amount":108.75,"DetailType":"SalesItemLineDetail",
     "SalesItemLineDetail":{"UnitPrice":72.50,"Qty":1.5}},
    {"Id":"3","Amount":21.68,"DetailType":"DiscountLineDetail","DiscountLineDetail":{"PercentBased":false}},
    {"Id":"4","Description":"Thank you","DetailType":"DescriptionOnly"},
    {"Amount":362.07,"DetailType":"SubTotalLineDetail","SubTotalLineDetail":{}}],
  "LinkedTxn":[]})";

ExactJson With(std::initializer_list<std::pair<std::string_view, std::string_view>> changes) {
  const ExactJson original = Json(kInvoice);
  ExactJson changed = ExactJson::Map();
  for (const ExactJsonMember& member : original.members()) {
    bool kept = true;
    for (const auto& change : changes) kept = kept && change.first != member.name;
    if (kept) changed.Set(member.name, member.value);
  }
  for (const auto& change : changes)
    if (!change.second.empty()) changed.Set(change.first, Json(change.second));
  return changed;
}

const QuickBooksInvoiceAdapter& Adapted() {
  static const auto adapter =
      QuickBooksInvoiceAdapter::Create({.home_currency = Of("USD")}).value();
  return *adapter;
}

Invoice Read(const ExactJson& json, year_month_day today = kDue) {
  return Adapted().ToInternal(json, {.today = today}).value();
}

TEST(QuickBooksInvoiceAdapter, NeedsAHomeCurrency) {
  EXPECT_EQ(QuickBooksInvoiceAdapter::Create({}).error().code, ErrorCode::kInvalidArgument);
}

TEST(QuickBooksInvoiceAdapter, ReadsAnInvoice) {
  const Invoice invoice = Read(Json(kInvoice));
  EXPECT_EQ(invoice.Id(), "quickbooks_130");
  EXPECT_EQ(invoice.revision, "2");
  EXPECT_EQ(invoice.number, "1037");
  EXPECT_EQ(invoice.customer_id, "24");
  EXPECT_EQ(invoice.customer_email, "payer@example.com");
  EXPECT_EQ(invoice.total.ToString(), "362.07 USD");
  EXPECT_EQ(invoice.remaining.ToString(), "362.07 USD");
  EXPECT_TRUE(invoice.paid.IsZero());
  EXPECT_EQ(invoice.status, InvoiceStatus(invoice_status::Sent{}));
}

TEST(QuickBooksInvoiceAdapter, AD4_DueDatesAreDaysAndTimesAreInstants) {
  const Invoice invoice = Read(Json(kInvoice));
  EXPECT_EQ(invoice.due_at, DateOrInstant(kDue));
  EXPECT_EQ(invoice.issued, DateOrInstant(year(2025) / 1 / 29));
  EXPECT_EQ(FormatIsoInstant(invoice.created_at.value()), "2025-01-29T21:21:14Z");
}

TEST(QuickBooksInvoiceAdapter, AD1_NumbersAndTextsAreExact) {
  EXPECT_EQ(Read(With({{"TotalAmt", "19.99"}, {"Balance", "19.99"}})).total.minor(), 1999);
  EXPECT_EQ(Read(With({{"TotalAmt", "\"1.15\""}, {"Balance", "1.15"}})).total.minor(), 115);
  EXPECT_EQ(Read(With({{"TotalAmt", "90071992547409.93"}, {"Balance", "0"}})).total.minor(),
            9007199254740993);
  EXPECT_EQ(Read(With({{"TotalAmt", "1.5E2"}, {"Balance", "0"}})).total.minor(), 15000);
}

TEST(QuickBooksInvoiceAdapter, AD8_FractionsOfAQuantitySurvive) {
  const Invoice invoice = Read(Json(kInvoice));
  EXPECT_EQ(invoice.lines.at(1).quantity->ToString(), "1.5");
  EXPECT_EQ(invoice.lines.at(1).unit_price->ToString(), "72.50");
}

TEST(QuickBooksInvoiceAdapter, TakesOnlyLinesForLines) {
  const Invoice invoice = Read(Json(kInvoice));
  ASSERT_EQ(invoice.lines.size(), 4U);
  EXPECT_EQ(invoice.lines[0].item_id, "5");
  EXPECT_EQ(invoice.lines[2].kind, InvoiceLineKind::kDiscount);
  EXPECT_EQ(invoice.lines[2].amount.ToString(), "-21.68 USD");
  EXPECT_EQ(invoice.lines[3].kind, InvoiceLineKind::kDescription);
  Money sum = Money::FromMinor(0, Of("USD"));
  for (const InvoiceLine& line : invoice.lines) sum = sum.Add(line.amount).value();
  EXPECT_EQ(sum, invoice.total);
}

TEST(QuickBooksInvoiceAdapter, AGroupStandsForItsLines) {
  const Invoice invoice = Read(With({{"Line", R"([{"DetailType":"GroupLineDetail","Amount":5,
    "GroupLineDetail":{"Line":[
      {"Amount":2,"DetailType":"SalesItemLineDetail","SalesItemLineDetail":{"Qty":2}},
      {"Amount":3,"DetailType":"SalesItemLineDetail"}]}},
    {"Amount":1,"DetailType":"NewLineDetail"}])"}}));
  ASSERT_EQ(invoice.lines.size(), 3U);
  EXPECT_EQ(invoice.lines[1].amount.ToString(), "3.00 USD");
  EXPECT_EQ(invoice.lines[1].quantity, std::nullopt);
  EXPECT_EQ(invoice.lines[2].kind, InvoiceLineKind::kOther);
  EXPECT_EQ(invoice.lines[2].kind_text, "NewLineDetail");
}

struct StatusRow {
  std::string name;
  std::string total;
  std::string balance;
  std::string email;  // JSON
  std::string note;   // JSON
  year_month_day today;
  InvoiceStatus expected;
};
class AD5_QuickBooksStatus : public testing::TestWithParam<StatusRow> {};

TEST_P(AD5_QuickBooksStatus, FollowsFromTheAmounts) {
  const StatusRow& test = GetParam();
  const Invoice invoice = Read(With({{"TotalAmt", test.total},
                                     {"Balance", test.balance},
                                     {"EmailStatus", test.email},
                                     {"PrivateNote", test.note}}),
                               test.today);
  EXPECT_EQ(invoice.status, test.expected) << ToString(invoice.status);
}

constexpr year_month_day kAfter = year(2025) / 3 / 1;
INSTANTIATE_TEST_SUITE_P(
    Rules, AD5_QuickBooksStatus,
    testing::Values(
        StatusRow{"Sent", "10", "10", "\"EmailSent\"", "", kDue, invoice_status::Sent{}},
        StatusRow{"NotSet", "10", "10", "\"NotSet\"", "", kDue, invoice_status::Draft{}},
        StatusRow{"NeedToSend", "10", "10", "\"NeedToSend\"", "", kDue, invoice_status::Draft{}},
        StatusRow{"NoEmailStatus", "10", "10", "null", "", kDue, invoice_status::Draft{}},
        StatusRow{"NewEmailStatus", "10", "10", "\"Bounced\"", "", kDue,
                  invoice_status::Unknown{"Bounced"}},
        StatusRow{"SentIsNotPaid", "10", "0.01", "\"EmailSent\"", "", kDue,
                  invoice_status::PartlyPaid{}},
        StatusRow{"LatePartlyPaid", "10", "0.01", "\"EmailSent\"", "", kAfter,
                  invoice_status::PartlyPaid{true}},
        StatusRow{"Paid", "10", "0", "\"NotSet\"", "", kAfter, invoice_status::Paid{}},
        StatusRow{"PaidWithNote", "10", "0", "\"NotSet\"", "\"Voided\"", kAfter,
                  invoice_status::Paid{}},
        StatusRow{"Overdue", "10", "10", "\"EmailSent\"", "", kAfter, invoice_status::Overdue{}},
        StatusRow{"OverdueUnsent", "10", "10", "\"NotSet\"", "", kAfter, invoice_status::Overdue{}},
        StatusRow{"DueToday", "10", "10", "\"EmailSent\"", "", kDue, invoice_status::Sent{}},
        StatusRow{"Void", "0", "0", "\"EmailSent\"", "\"Voided - by accident\"", kAfter,
                  invoice_status::Void{}},
        StatusRow{"ZeroIsNotVoid", "0", "0", "\"EmailSent\"", "", kAfter, invoice_status::Sent{}},
        StatusRow{"NoteInside", "0", "0", "\"NotSet\"", "\"Not Voided\"", kAfter,
                  invoice_status::Draft{}},
        StatusRow{"NoBalance", "10", "null", "\"EmailSent\"", "", kDue,
                  invoice_status::Unknown{"no-balance"}},
        StatusRow{"NegativeBalance", "10", "-1", "\"EmailSent\"", "", kDue,
                  invoice_status::Unknown{"contradictory-balance"}},
        StatusRow{"BalanceAboveTotal", "10", "10.01", "\"EmailSent\"", "", kDue,
                  invoice_status::Unknown{"contradictory-balance"}}),
    [](const auto& test) { return test.param.name; });

TEST(QuickBooksInvoiceAdapter, AD4_OverdueDependsOnTheCompanysDay) {
  // 2025-03-01 02:00 UTC is still the 28th of February in California.
  const SystemTime now = SystemTime(*ParseIsoInstant("2025-03-01T02:00:00Z"));
  const auto at = [&](std::chrono::minutes offset) {
    return Adapted().ToInternal(Json(kInvoice), {.now = now, .utc_offset = offset}).value().status;
  };
  EXPECT_EQ(at(std::chrono::hours(-8)), InvoiceStatus(invoice_status::Sent{}));
  EXPECT_EQ(at(std::chrono::hours(0)), InvoiceStatus(invoice_status::Overdue{}));
}

TEST(QuickBooksInvoiceAdapter, DeliveryInfoMeansSent) {
  const Invoice invoice =
      Read(With({{"EmailStatus", "\"NotSet\""},
                 {"DeliveryInfo", R"({"DeliveryTime":"2025-01-30T00:00:00Z"})"}}));
  EXPECT_EQ(invoice.status, InvoiceStatus(invoice_status::Sent{}));
}

TEST(QuickBooksInvoiceAdapter, AD3_AmountsFollowTheCurrency) {
  const auto yen = [](std::string_view amount) {
    return Adapted().ToInternal(With({{"CurrencyRef", R"({"value":"JPY"})"},
                                      {"TotalAmt", amount},
                                      {"Balance", "0"},
                                      {"Line", "[]"}}),
                                {.today = kDue});
  };
  EXPECT_EQ(yen("1500.00").value().total.ToString(), "1500 JPY");
  EXPECT_EQ(yen("1500.5").error().reason, "field-value");
}

TEST(QuickBooksInvoiceAdapter, AD6_NullIsMissing) {
  for (const std::string_view name :
       {"SyncToken", "DocNumber", "CustomerRef", "BillEmail", "TxnDate", "DueDate", "MetaData",
        "Line", "LinkedTxn", "EmailStatus"}) {
    EXPECT_EQ(Read(With({{name, "null"}})), Read(With({{name, ""}}))) << name;
  }
  EXPECT_EQ(Read(With({{"BillEmail", R"({"Address":null})"}})).customer_email, std::nullopt);
  EXPECT_EQ(Read(With({{"CurrencyRef", "null"}})).total.currency(), Of("USD"));
}

struct RefuseRow {
  std::string name;
  std::string member;
  std::string value;
  std::string reason;
};
class QuickBooksInvoiceRefuses : public testing::TestWithParam<RefuseRow> {};

TEST_P(QuickBooksInvoiceRefuses, WithATypedError) {
  const RefuseRow& test = GetParam();
  const Result<Invoice> invoice =
      Adapted().ToInternal(With({{test.member, test.value}}), {.today = kDue});
  ASSERT_FALSE(invoice);
  EXPECT_EQ(invoice.error().code, ErrorCode::kProtocol);
  EXPECT_EQ(invoice.error().reason, test.reason);
}

INSTANTIATE_TEST_SUITE_P(
    Members, QuickBooksInvoiceRefuses,
    testing::Values(
        RefuseRow{"NoId", "Id", "", "field-missing"},
        RefuseRow{"NumberAsId", "Id", "130", "field-type"},
        RefuseRow{"NoTotal", "TotalAmt", "null", "field-missing"},
        RefuseRow{"FractionOfACent", "TotalAmt", "1.005", "field-value"},
        RefuseRow{"TextAmount", "TotalAmt", "\"1,000.00\"", "field-value"},
        RefuseRow{"BooleanAmount", "TotalAmt", "true", "field-type"},
        RefuseRow{"HugeAmount", "TotalAmt", "1e30", "field-value"},
        RefuseRow{"AmericanDate", "DueDate", "\"02/28/2025\"", "field-value"},
        RefuseRow{"NoDay", "DueDate", "\"2025-02-30\"", "field-value"},
        RefuseRow{"TimeWithoutOffset", "MetaData", R"({"CreateTime":"2025-01-29T13:21:14"})",
                  "field-value"},
        RefuseRow{"UnknownCurrency", "CurrencyRef", R"({"value":"???"})", "field-value"},
        RefuseRow{"LinesNoList", "Line", "{}", "field-type"},
        RefuseRow{"LineWithoutKind", "Line", "[{}]", "field-missing"},
        RefuseRow{"LineWithoutAmount", "Line", R"([{"DetailType":"SalesItemLineDetail"}])",
                  "field-missing"},
        RefuseRow{"LineNoObject", "Line", "[null]", "field-type"},
        RefuseRow{
            "BadQuantity", "Line",
            R"([{"DetailType":"SalesItemLineDetail","Amount":1,"SalesItemLineDetail":{"Qty":"x"}}])",
            "field-value"},
        RefuseRow{"LinkNoId", "LinkedTxn", R"([{"TxnType":"Payment"}])", "field-missing"},
        RefuseRow{"DeepGroups", "Line",
                  R"([{"DetailType":"GroupLineDetail","GroupLineDetail":{"Line":[
                      {"DetailType":"GroupLineDetail","GroupLineDetail":{"Line":[
                      {"DetailType":"GroupLineDetail","GroupLineDetail":{"Line":[
                      {"DetailType":"GroupLineDetail","GroupLineDetail":{"Line":[]}}]}}]}}]}}])",
                  "field-value"}),
    [](const auto& test) { return test.param.name; });

TEST(QuickBooksInvoiceAdapter, PaidAtIsTheDateOfTheLastPayment) {
  Invoice invoice =
      Read(With({{"Balance", "0"}, {"LinkedTxn", R"([{"TxnId":"7","TxnType":"Payment"},
                                 {"TxnId":"8","TxnType":"Estimate"},{"TxnId":"9","TxnType":"Payment"}])"}}));
  EXPECT_EQ(invoice.payment_ids, (std::vector<std::string>{"7", "9"}));
  EXPECT_FALSE(ApplyPaymentDates(invoice, {{"7", kDue}}));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(invoice.paid_at));
  EXPECT_TRUE(ApplyPaymentDates(invoice, {{"7", kAfter}, {"9", kDue}}));
  EXPECT_EQ(invoice.paid_at, DateOrInstant(kAfter));
  Invoice open = Read(Json(kInvoice));
  EXPECT_FALSE(ApplyPaymentDates(open, {{"7", kDue}}));
}

TEST(QuickBooksInvoiceAdapter, AD11_KeepsNoPayloadUnlessAskedAndThenNoPerson) {
  EXPECT_EQ(Read(Json(kInvoice)).raw, std::nullopt);
  const auto keeping = QuickBooksInvoiceAdapter::Create(
                           {.home_currency = Of("USD"), .raw = RawPayload::kKeepRedacted})
                           .value();
  const Invoice invoice = keeping->ToInternal(Json(kInvoice), {.today = kDue}).value();
  ASSERT_TRUE(invoice.raw);
  EXPECT_EQ(invoice.raw->find("payer"), std::string::npos);
  EXPECT_EQ(invoice.raw->find("Sonnenschein"), std::string::npos);
  EXPECT_NE(invoice.raw->find("362.07"), std::string::npos);
}

TEST(QuickBooksInvoiceAdapter, AD10_ASnapshotIsReadBackAsTheSameInvoice) {
  const std::vector<ExactJson> invoices = {
      Json(kInvoice),
      With({{"Balance", "0"}, {"LinkedTxn", R"([{"TxnId":"7","TxnType":"Payment"}])"}}),
      With({{"Balance", "1.00"}}), With({{"EmailStatus", "\"NotSet\""}}),
      With({{"TotalAmt", "0"}, {"Balance", "0"}, {"PrivateNote", "\"Voided\""}})};
  for (const ExactJson& json : invoices) {
    for (const year_month_day today : {kDue, kAfter}) {
      const Invoice invoice = Read(json, today);
      const Result<ExactJson> written = Adapted().ToExternal(invoice, ExternalForm::kSnapshot);
      ASSERT_TRUE(written) << written.error().ToString();
      EXPECT_EQ(Read(Json(written->Write()), today), invoice) << written->Write();
    }
  }
}

TEST(QuickBooksInvoiceAdapter, AD10_WritesOnlyWhatQuickBooksTakes) {
  const ExactJson form = Adapted().ToExternal(Read(Json(kInvoice)), ExternalForm::kWrite).value();
  for (const std::string_view computed :
       {"TotalAmt", "Balance", "MetaData", "LinkedTxn", "EmailStatus"})
    EXPECT_EQ(form.Find(computed), nullptr) << computed;
  EXPECT_EQ(form.Find("SyncToken")->StringText(), "2");
  EXPECT_EQ(form.Find("Line")->elements()[0].Find("Amount")->NumberText(), "275.00");
  EXPECT_EQ(form.Find("Line")->elements()[1].FindPath("SalesItemLineDetail/Qty")->NumberText(),
            "1.5");
}

TEST(QuickBooksInvoiceAdapter, RefusesToWriteWhatQuickBooksCannotExpress) {
  Invoice invoice = Read(Json(kInvoice));
  const auto reason = [&](ExternalForm form) {
    return Adapted().ToExternal(invoice, form).error().reason;
  };
  invoice.status = invoice_status::Uncollectible{};
  EXPECT_EQ(reason(ExternalForm::kSnapshot), "not-expressible");
  invoice.status = invoice_status::Unknown{"x"};
  EXPECT_EQ(reason(ExternalForm::kSnapshot), "not-expressible");
  invoice = Read(Json(kInvoice));
  invoice.due_at = std::chrono::sys_seconds();
  EXPECT_EQ(reason(ExternalForm::kWrite), "not-expressible");
  invoice = Read(Json(kInvoice));
  invoice.revision.clear();
  EXPECT_EQ(reason(ExternalForm::kWrite), "not-expressible");
  invoice = Read(Json(kInvoice));
  invoice.more_lines = MoreLines{};
  EXPECT_EQ(reason(ExternalForm::kWrite), "not-expressible");
  invoice = Read(With({{"CustomerRef", ""}}));
  EXPECT_EQ(reason(ExternalForm::kWrite), "not-expressible");
}

TEST(QuickBooksQuote, EndsNoStringEarly) {
  EXPECT_EQ(QuickBooksQuote("O'Brien").value(), R"('O\'Brien')");
  EXPECT_EQ(QuickBooksQuote(R"(a\)").value(), R"('a\\')");
  EXPECT_EQ(QuickBooksQuote(R"(\' or Id > ')").value(), R"('\\\' or Id > \'')");
  EXPECT_EQ(QuickBooksQuote("").value(), "''");
  EXPECT_FALSE(QuickBooksQuote("a\nb"));
  EXPECT_FALSE(QuickBooksQuote(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace understudy
