#include "middleware/adapter/invoice.h"

#include <array>

namespace understudy {

std::string_view ToString(const InvoiceStatus& status) {
  static constexpr std::array<std::string_view, std::variant_size_v<InvoiceStatus>> kNames = {
      "draft", "sent", "partly-paid", "paid", "overdue", "void", "uncollectible", "unknown"};
  return kNames.at(status.index());
}

bool IsOverdue(const InvoiceStatus& status) {
  const auto* partly = std::get_if<invoice_status::PartlyPaid>(&status);
  return std::holds_alternative<invoice_status::Overdue>(status) ||
         (partly != nullptr && partly->overdue);
}

}  // namespace understudy
