// Fuzz target: any bytes as an invoice of QuickBooks. They give an invoice or a typed error; an
// invoice that can be written is read back as the same one, and what is kept of the payload is
// bounded.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "middleware/adapter/quickbooks_invoice_adapter.h"

namespace {

using understudy::AdaptContext;
using understudy::ErrorCode;
using understudy::ExactJson;
using understudy::ExternalForm;
using understudy::Invoice;

void Require(bool condition) {
  if (!condition) std::abort();
}

// Without what a snapshot does not hold.
Invoice Comparable(Invoice invoice) {
  invoice.raw.reset();
  invoice.paid_at = {};
  invoice.updated_at.reset();
  return invoice;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto created = understudy::QuickBooksInvoiceAdapter::Create(
      {.home_currency = understudy::Currency::Parse("USD").value(),
       .raw = understudy::RawPayload::kKeepRedacted});
  Require(created.has_value());
  const understudy::QuickBooksInvoiceAdapter& adapter = **created;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto json = ExactJson::Parse(text, {.depth_max = 32, .values_max = 10'000});
  if (!json) return 0;
  const AdaptContext context = {.now = understudy::SystemTime(std::chrono::seconds(1'700'000'000))};
  const auto invoice = adapter.ToInternal(*json, context);
  if (!invoice) {
    Require(invoice.error().code == ErrorCode::kProtocol && !invoice.error().reason.empty());
    return 0;
  }
  Require(invoice->raw && invoice->raw->size() <= understudy::kRedactedJsonBytesMax);
  const auto written = adapter.ToExternal(*invoice, ExternalForm::kSnapshot);
  static_cast<void>(adapter.ToExternal(*invoice, ExternalForm::kWrite));
  if (!written) return 0;
  const auto again = ExactJson::Parse(written->Write());
  Require(again.has_value());
  const auto read = adapter.ToInternal(*again, context);
  Require(read && Comparable(*read) == Comparable(*invoice));
  return 0;
}
