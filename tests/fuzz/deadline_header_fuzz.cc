// Fuzz target: any bytes as the value of a deadline header, in both forms. Nothing may crash; a
// value gives a deadline within the bounds or a typed error; and what is written from it never is
// more.
//
//   clang++ -std=c++20 -fsanitize=fuzzer,address,undefined ... &&
//       ./deadline_header_fuzz corpus/deadline_header
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "middleware/client/deadline_header.h"

namespace {

using understudy::Deadline;
using understudy::DeadlineHeaderForm;
using understudy::DeadlineHeaderOptions;
using understudy::Duration;
using understudy::ErrorCode;
using understudy::FormatDeadlineHeader;
using understudy::ParseDeadlineHeader;
using understudy::TimePoint;
using understudy::http::Headers;

void Require(bool condition) {
  if (!condition) std::abort();
}

void Check(const std::string& text, const DeadlineHeaderOptions& options) {
  Headers headers;
  if (!headers.Add(options.name, text)) return;
  constexpr TimePoint kNow{std::chrono::hours(1)};
  const auto read = ParseDeadlineHeader(headers, kNow, options);
  if (!read) {
    Require(read.error().code == ErrorCode::kProtocol && !read.error().message.empty());
    return;
  }
  Require(read->has_value());
  const Duration remaining = (*read)->Remaining(kNow);
  Require(remaining >= Duration::zero() && remaining <= options.longest - options.reserve);
  const auto written = FormatDeadlineHeader(remaining, options.form);
  if (!written) return;
  Headers next;
  Require(next.Add(options.name, *written).has_value());
  const auto again = ParseDeadlineHeader(next, kNow, options);
  Require(again.has_value() && (*again)->Remaining(kNow) <= remaining);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const auto form : {DeadlineHeaderForm::kMilliseconds, DeadlineHeaderForm::kGrpcTimeout}) {
    Check(text, {.form = form});
    Check(text, {.form = form, .reserve = std::chrono::milliseconds(5)});
  }
  return 0;
}
