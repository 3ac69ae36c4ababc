// QuickBooksInvoiceAdapter: invoices of QuickBooks Online's accounting API (v3, minor version 75)
// as Invoices, and back.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(const auto adapter,
//                               QuickBooksInvoiceAdapter::Create({.home_currency = usd}));
//   UNDERSTUDY_ASSIGN_OR_RETURN(
//       const Invoice invoice,
//       adapter->ToInternal(json, {.now = now, .utc_offset = std::chrono::hours(-8)}));
//
// QuickBooks has no field for the state of an invoice; EmailStatus is none. It follows, in this
// order, from
//
//   Void        TotalAmt 0, Balance 0, and a PrivateNote that starts with "Voided"
//   Unknown     Balance missing, negative or above TotalAmt
//   Paid        Balance 0 and TotalAmt > 0
//   PartlyPaid  0 < Balance < TotalAmt (overdue as below)
//   Overdue     Balance > 0 and DueDate before today in the company's time zone
//   Sent        EmailStatus EmailSent, or DeliveryInfo with a DeliveryTime
//   Draft       EmailStatus NotSet, NeedToSend or missing;   Unknown for another one
//
// Line[] also holds what is no line: SubTotalLineDetail is left out, GroupLineDetail stands for the
// lines in it.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "middleware/adapter/adapter.h"
#include "middleware/adapter/invoice.h"
#include "middleware/adapter/redacted_json.h"

namespace understudy {

struct QuickBooksInvoiceAdapterOptions {
  // CurrencyRef comes only from companies with several currencies; without it, amounts are in this.
  // There is no default: it is the company's to say.
  Currency home_currency = {};
  RawPayload raw = RawPayload::kDrop;
};

// Immutable and thread-safe.
class QuickBooksInvoiceAdapter final : public Adapter<Invoice> {
 public:
  // kInvalidArgument without a home currency.
  static Result<std::unique_ptr<QuickBooksInvoiceAdapter>> Create(
      QuickBooksInvoiceAdapterOptions options);

  std::string_view provider() const override { return "quickbooks"; }

  // The invoice itself, not the {"Invoice": ...} around it. kProtocol as VendorFields says; `Id`
  // and `TotalAmt` must be there. `paid_at` stays empty: the date is the Payment's, see
  // ApplyPaymentDates.
  Result<Invoice> ToInternal(const ExactJson& external, const AdaptContext& context) const override;

  // kSnapshot is the object as QuickBooks would answer it: ToInternal gives the same Invoice, but
  // for `raw` and `paid_at`. kWrite leaves out what QuickBooks computes (TotalAmt, Balance,
  // MetaData, LinkedTxn, EmailStatus); with an `external_id` it is an update, which needs
  // `revision`.
  //
  // kInvalidArgument: no customer (kWrite), a due date that is an instant, an Uncollectible or
  // Unknown status, a line of kind kOther, an update without revision. Voiding is a call of its own
  // (operation=void).
  Result<ExactJson> ToExternal(const Invoice& internal, ExternalForm form) const override;

  std::optional<DomainError> MapError(const http::Response& response) const override;

 private:
  explicit QuickBooksInvoiceAdapter(QuickBooksInvoiceAdapterOptions options) : options_(options) {}

  QuickBooksInvoiceAdapterOptions options_;
};

// Sets `paid_at` of a Paid invoice to the date of its last Payment, if the TxnDate of each payment
// in `payment_ids` is known. Returns whether it did.
bool ApplyPaymentDates(Invoice& invoice,
                       const std::map<std::string, std::chrono::year_month_day>& dates);

// A string literal of QuickBooks' query language, quotes included: O'Brien becomes 'O\'Brien'.
// Backslashes are escaped, too: otherwise one before a quote would end the string. kInvalidArgument
// for control characters.
Result<std::string> QuickBooksQuote(std::string_view text);

}  // namespace understudy
