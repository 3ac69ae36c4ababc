// Fuzz target: the first byte chooses the syntax, the rest up to a NUL is a template, what follows
// a request's body. Nothing may crash; what compiles renders or says why not; and a template that
// is JSON makes JSON.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "harness/plan/seeded_random.h"
#include "harness/vendor/template.h"

namespace {

using understudy::harness::PreparedRequest;
using understudy::harness::SeededRandom;
using understudy::harness::Template;
using understudy::harness::TemplateSyntax;

void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string all(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = std::min(all.find('\0'), all.size());
  const std::string text = all.substr(0, cut);
  const auto syntax = data[0] % 2 == 0 ? TemplateSyntax::kText : TemplateSyntax::kJson;
  const auto compiled = Template::Compile(text, {.captures = {"id"}}, syntax);
  if (!compiled) {
    Require(!compiled.error().message.empty());
    return 0;
  }
  auto url = understudy::http::Url::Parse("http://a/v1/orders/o1?page=2&page=3");
  Require(url.has_value());
  const understudy::http::Request request{
      understudy::http::Method("POST"),
      *std::move(url),
      {{"X-Name", "a\"b"}, {"Cookie", "sid=1; theme=dark"}},
      cut < all.size() ? all.substr(cut + 1) : std::string(R"({"a":[1,{"b":"c"}]})")};
  const PreparedRequest prepared(request);
  const std::vector<std::pair<std::string, std::string>> captures = {{"id", "o1"}};
  const std::vector<std::pair<std::string, std::int64_t>> counters = {{"c", 1}};
  const std::vector<std::pair<std::string, std::string>> states = {{"m", "Started"}};
  SeededRandom random(1);
  const auto rendered = compiled->Render({.request = prepared,
                                          .captures = captures,
                                          .counters = counters,
                                          .states = states,
                                          .random = random,
                                          .random_site = "template/r",
                                          .vendor = "v",
                                          .route = "r"});
  if (!rendered) return 0;
  Require(rendered->size() <= Template::kOutputBytesMax + (std::size_t{1} << 20U));
  if (syntax == TemplateSyntax::kJson && nlohmann::json::accept(text)) {
    Require(nlohmann::json::accept(*rendered));
  }
  return 0;
}
