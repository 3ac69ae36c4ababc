// Fuzz target: any bytes as the body of an answer. Nothing may crash, hang or grow without bound; a
// body gives either a value, which is JSON for any other reader too, or a typed error without a
// piece of it; and what a vendor says went wrong is bounded and on one line.
//
//   clang++ -std=c++20 -fsanitize=fuzzer,address,undefined ... && ./json_body_fuzz corpus/json_body
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "middleware/base/utf8.h"
#include "middleware/client/body_codec.h"
#include "middleware/client/json_body.h"
#include "middleware/client/response_problem.h"

namespace {

using understudy::Delivery;
using understudy::ErrorCode;
using understudy::FlattenForm;
using understudy::JsonLimits;
using understudy::ParseJson;
using understudy::ParseJsonText;
using understudy::ResponseProblem;
using understudy::WriteJson;
using understudy::http::Response;

constexpr JsonLimits kLimits = {.bytes_max = 4096, .depth_max = 16, .values_max = 512};

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckBody(const std::string& text) {
  const auto value = ParseJsonText(text, kLimits);
  if (!value) {
    Require(value.error().code == ErrorCode::kProtocol);
    Require(value.error().delivery == Delivery::kAnswered);
    Require(!value.error().reason.empty());
    Require(value.error().message.size() < 200);
    return;
  }
  Require(text.size() <= kLimits.bytes_max);
  // The library's own parser agrees.
  const auto other = nlohmann::json::parse(text, nullptr, false);
  Require(!other.is_discarded() && other == *value);
  const auto written = WriteJson(*value);
  Require(written.has_value());
  const auto again = ParseJsonText(*written, {});
  Require(again.has_value() && *again == *value);
  static_cast<void>(FlattenForm(*value));
}

void CheckText(std::string_view text, std::size_t bytes_max) {
  Require(text.size() <= bytes_max);
  Require(understudy::IsUtf8(text));
  Require(std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  }));
}

void CheckProblem(const Response& response) {
  const auto problem = ResponseProblem::From(response);
  Require(problem.has_value() || response.status < 400);
  if (!problem) return;
  CheckText(problem->type, 200);
  CheckText(problem->code, 100);
  CheckText(problem->title, 200);
  CheckText(problem->detail, 500);
  CheckText(problem->request_id, 100);
  CheckText(problem->ToString(), 1000);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  CheckBody(text);
  for (const int status : {200, 400}) CheckProblem({status, {}, text});
  Response labelled{200, {}, "{}"};
  // The first line as a content type.
  if (labelled.headers.Add("Content-Type", text.substr(0, text.find('\n'))))
    static_cast<void>(ParseJson(labelled, kLimits));
  return 0;
}
