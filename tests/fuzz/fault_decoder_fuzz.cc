// A fault rule from any bytes is reported or right: what is decoded without a problem, the injector
// takes, and any answer can be composed with it.
#include <cstddef>
#include <cstdint>
#include <string>

#include "harness/plan/answer_script.h"
#include "harness/scenario/fault_decoder.h"
#include "harness/scenario/json_document.h"
#include "harness/vendor/fault_injector.h"
#include "middleware/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace understudy;           // NOLINT: a program of one function
  using namespace understudy::harness;  // NOLINT
  const std::string text(reinterpret_cast<const char*>(data), size);
  const JsonDocument document = JsonDocument::Parse("fuzz", text);
  if (!document.ok()) return 0;
  ProblemList problems(10);
  IdSet ids;
  const FaultRule rule =
      DecodeFaultRule(NodeReader(document.root(), document.file(), problems), ids);
  if (!problems.empty()) return 0;
  UNDERSTUDY_CHECK(FaultInjector::Create({rule}).has_value(),
                   "the decoder has let through what the injector refuses");
  if (!rule.fault || IsConnectFault(*rule.fault)) return 0;
  const ResponsePlan plan{.response = {.body = "0123456789"},
                          .fault = rule.fault,
                          .drip = rule.detail.drip,
                          .fault_detail = rule.detail};
  for (const auto& method : {http::Method::Get(), http::Method::Head()}) {
    const AnswerScript script = ComposeAnswer(plan, method, /*keep_alive=*/true);
    UNDERSTUDY_CHECK(script.sent <= script.head.size() + script.body.size(),
                     "more is sent than there is");
  }
  return 0;
}
