// StripeInvoiceAdapter: Stripe's invoice objects (https://docs.stripe.com/api/invoices/object) as
// Invoices, and back.
//
//   const StripeInvoiceAdapter adapter({});
//   UNDERSTUDY_ASSIGN_OR_RETURN(const ExactJson json, ExactJson::Parse(response.body));
//   UNDERSTUDY_ASSIGN_OR_RETURN(const Invoice invoice, adapter.ToInternal(json, {.now = now}));
//
// Amounts are whole numbers by StripeAmounts: `id`, `currency`, `total`, `amount_due`,
// `amount_paid` and `amount_remaining` must be there. The state:
//
//   draft -> Draft · paid -> Paid · void -> Void · uncollectible -> Uncollectible
//   open  -> PartlyPaid if amount_paid > 0, else Overdue if due_date < now, else Sent
//   null, or a word that Stripe added later -> Unknown with that word
//
// `lines.has_more` becomes Invoice::more_lines: page through it with CursorPages, and convert the
// pages with ToLines.
#pragma once

#include <vector>

#include "middleware/adapter/adapter.h"
#include "middleware/adapter/invoice.h"
#include "middleware/adapter/redacted_json.h"

namespace understudy {

struct StripeInvoiceAdapterOptions {
  RawPayload raw = RawPayload::kDrop;
};

// Immutable and thread-safe.
class StripeInvoiceAdapter final : public Adapter<Invoice> {
 public:
  explicit StripeInvoiceAdapter(StripeInvoiceAdapterOptions options) : options_(options) {}

  std::string_view provider() const override { return "stripe"; }

  // kProtocol as VendorFields says; also where a line has another currency than its invoice, or the
  // object is no invoice.
  Result<Invoice> ToInternal(const ExactJson& external, const AdaptContext& context) const override;

  // kSnapshot is the object as Stripe would answer it: ToInternal gives the same Invoice, but for
  // `raw` and `updated_at`. kWrite has the parameters of POST /v1/invoices (`customer`, `currency`,
  // `collection_method`, `due_date`), which Stripe takes as a form; lines are made with
  // POST /v1/invoiceitems, and the amounts follow from them.
  //
  // kInvalidArgument: no customer (kWrite), a due date that is a day and no instant, an amount that
  // Stripe cannot express, an Unknown status of another vendor, a line that is no item.
  Result<ExactJson> ToExternal(const Invoice& internal, ExternalForm form) const override;

  std::optional<DomainError> MapError(const http::Response& response) const override;

  // Line items of a further page of `lines`.
  Result<std::vector<InvoiceLine>> ToLines(std::span<const ExactJson> items,
                                           Currency currency) const;

 private:
  StripeInvoiceAdapterOptions options_;
};

}  // namespace understudy
