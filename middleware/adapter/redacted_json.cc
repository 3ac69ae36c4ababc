#include "middleware/adapter/redacted_json.h"

#include <algorithm>
#include <string_view>

#include "middleware/base/text.h"

namespace understudy {
namespace {

constexpr std::string_view kMark = "[redacted]";
constexpr std::size_t kTextMax = 64;

// Names as AsciiLower gives them, without underscores: Stripe's due_date and QuickBooks' DueDate.
constexpr std::string_view kKept[] = {"amount",
                                      "amountdue",
                                      "amountoverpaid",
                                      "amountpaid",
                                      "amountremaining",
                                      "apiversion",
                                      "balance",
                                      "billingreason",
                                      "collectionmethod",
                                      "created",
                                      "createtime",
                                      "currency",
                                      "dateofissue",
                                      "detailtype",
                                      "docnumber",
                                      "domain",
                                      "duedate",
                                      "effectiveat",
                                      "emailstatus",
                                      "exchangerate",
                                      "finalizedat",
                                      "hasmore",
                                      "homebalance",
                                      "hometotalamt",
                                      "id",
                                      "lastupdatedtime",
                                      "linenum",
                                      "livemode",
                                      "markeduncollectibleat",
                                      "object",
                                      "paidat",
                                      "periodend",
                                      "periodstart",
                                      "printstatus",
                                      "qty",
                                      "quantity",
                                      "sparse",
                                      "startingbalance",
                                      "status",
                                      "subtotal",
                                      "synctoken",
                                      "total",
                                      "totalamt",
                                      "totaltax",
                                      "txndate",
                                      "txnid",
                                      "txntype",
                                      "type",
                                      "unitamount",
                                      "unitamountdecimal",
                                      "unitprice",
                                      "voidedat",
                                      "amountpaidoffstripe"};

// Members whose own members are the user's: names and values.
constexpr std::string_view kFree[] = {"metadata", "customfields", "customfield"};

std::string Canonical(std::string_view name) {
  std::string canonical = AsciiLower(name);
  std::erase(canonical, '_');
  return canonical;
}

template <std::size_t n>
bool IsOneOf(const std::string_view (&names)[n], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// Also of the text of an identifier: an address or a name has other characters.
bool IsIdentifier(std::string_view text) {
  return !text.empty() && text.size() <= kTextMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  std::string_view("_-.:+").find(c) != std::string_view::npos;
         });
}

ExactJson Redact(const ExactJson& json, bool kept) {
  if (json.IsObject()) {
    ExactJson object = ExactJson::Map();
    for (const ExactJsonMember& member : json.members()) {
      const std::string name = Canonical(member.name);
      const bool free = IsOneOf(kFree, name);
      object.Set(IsIdentifier(member.name) ? std::string_view(member.name) : kMark,
                 free ? ExactJson::String(kMark) : Redact(member.value, IsOneOf(kKept, name)));
    }
    return object;
  }
  if (json.IsArray()) {
    ExactJson list = ExactJson::List();
    for (const ExactJson& element : json.elements()) list.Append(Redact(element, false));
    return list;
  }
  if (json.NumberText()) return kept ? json : ExactJson::String(kMark);
  if (const auto text = json.StringText())
    return kept && IsIdentifier(*text) ? json : ExactJson::String(kMark);
  return json;
}

}  // namespace

std::string RedactedJson(const ExactJson& json) {
  std::string text = Redact(json, false).Write();
  if (text.size() <= kRedactedJsonBytesMax) return text;
  return "{\"redacted\":\"" + std::to_string(text.size()) + " bytes\"}";
}

}  // namespace understudy
