// Invoice: an invoice as an application wants it, whichever vendor it came from.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(const Invoice invoice, adapter.ToInternal(json, {.now = now}));
//   if (std::holds_alternative<invoice_status::Paid>(invoice.status)) Ship(invoice);
//   // What a vendor adds next year is Unknown{"its_word"}, never taken for a known one (AD-5).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "middleware/adapter/decimal.h"
#include "middleware/adapter/money.h"

namespace understudy {

namespace invoice_status {
struct Draft {
  bool operator==(const Draft&) const = default;
};
struct Sent {  // The customer has it; nothing is paid, and it is not late.
  bool operator==(const Sent&) const = default;
};
struct PartlyPaid {
  bool overdue = false;
  bool operator==(const PartlyPaid&) const = default;
};
struct Paid {
  bool operator==(const Paid&) const = default;
};
struct Overdue {  // Nothing is paid, and the due date is past.
  bool operator==(const Overdue&) const = default;
};
struct Void {
  bool operator==(const Void&) const = default;
};
struct Uncollectible {  // Written off; may still be paid or voided.
  bool operator==(const Uncollectible&) const = default;
};
// A status this version does not know, or amounts that contradict it. Treat it as not paid, and
// look.
struct Unknown {
  std::string raw = {};  // The vendor's word, 64 bytes at most; empty: the vendor gave none.
  bool operator==(const Unknown&) const = default;
};
}  // namespace invoice_status

using InvoiceStatus =
    std::variant<invoice_status::Draft, invoice_status::Sent, invoice_status::PartlyPaid,
                 invoice_status::Paid, invoice_status::Overdue, invoice_status::Void,
                 invoice_status::Uncollectible, invoice_status::Unknown>;

std::string_view ToString(const InvoiceStatus& status);  // "partly-paid", "unknown", ...
bool IsOverdue(const InvoiceStatus& status);             // Overdue, or partly paid and overdue.

// Vendors give a day (QuickBooks) or an instant (Stripe); neither is made into the other.
// monostate: none was given.
using DateOrInstant =
    std::variant<std::monostate, std::chrono::sys_seconds, std::chrono::year_month_day>;

enum class InvoiceLineKind {
  kItem,
  kDiscount,     // Its amount is negative.
  kDescription,  // Text only; the amount is zero.
  kOther,        // A kind this version does not know; the amount counts.
};

struct InvoiceLine {
  InvoiceLineKind kind = InvoiceLineKind::kItem;
  std::string external_id = {};
  std::string description = {};
  Money amount = {};
  std::optional<Decimal> quantity = {};  // 1.5 hours are 1.5 (AD-8); nullopt: not given.
  std::optional<Decimal> unit_price =
      {};  // In major units; may have more digits than the currency.
  std::optional<std::string> item_id = {};  // The vendor's product.
  std::string kind_text = {};               // The vendor's word, for kOther.
  bool operator==(const InvoiceLine&) const = default;
};

// The vendor cut the list of lines: fetch the rest with a Paginator from `url`, after `last_id`.
struct MoreLines {
  std::string url = {};  // Absolute or relative; empty if the vendor did not say.
  std::string last_id = {};
  bool operator==(const MoreLines&) const = default;
};

enum class Collection {
  kUnknown,
  kAutomatic,  // The vendor charges a stored payment method; there is no due date.
  kByInvoice,  // The customer gets the invoice and pays.
};

// A plain value.
struct Invoice {
  std::string provider = {};     // "stripe", "quickbooks"
  std::string external_id = {};  // The vendor's.
  std::string revision = {};     // What the vendor wants back with an update; empty if nothing.
  std::optional<std::string> number = {};  // The one on the paper.
  std::optional<std::string> customer_id = {};
  std::optional<std::string> customer_email = {};
  InvoiceStatus status = invoice_status::Unknown{};
  Collection collection = Collection::kUnknown;
  Money total = {};
  Money due = {};  // Asked for: Stripe's amount_due, with credit applied; else the total.
  Money paid = {};
  Money remaining = {};  // Still open.
  DateOrInstant issued = {};
  DateOrInstant due_at = {};
  DateOrInstant paid_at = {};
  std::optional<std::chrono::sys_seconds> created_at = {};
  std::optional<std::chrono::sys_seconds> updated_at = {};
  std::vector<InvoiceLine> lines = {};
  std::optional<MoreLines> more_lines = {};  // Set: `lines` is not all (AD-7).
  std::vector<std::string> payment_ids = {};
  // Only if the adapter was told to keep it, and redacted (AD-11): see redacted_json.h.
  std::optional<std::string> raw = {};

  // "stripe_in_1": unique over the vendors.
  std::string Id() const { return provider + "_" + external_id; }
  bool operator==(const Invoice&) const = default;
};

}  // namespace understudy
