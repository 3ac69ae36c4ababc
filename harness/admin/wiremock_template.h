// TranslateHandlebars: a response template of WireMock in the language of Template.
//
//   auto text = TranslateHandlebars(R"({"id": "{{request.path.[1]}}"})", {.json = true});
//   // {"id": "{{string request.path.1}}"}
//
// Carried over: request.method, url, path, path.[n], path.name, pathSegments.[n], query.x,
// query.x.[n], headers.X, cookies.x, body, bodyAsBase64, baseUrl, and requestLine.*; parameters.x;
// jsonPath of the body with a path of names and indices; now with format and offset; randomValue,
// randomInt, pickRandom; trim, base64, urlEncode, upper, lower, defaultIfEmpty, toJson. Blocks
// ({{#if}}) and everything else have no counterpart.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/base/result.h"

namespace understudy::harness {

struct HandlebarsScope {
  bool json = false;  // The text is the body of an answer whose media type is JSON.
  std::vector<std::string> captures = {};  // Of the route's path.
  // transformerParameters that are scalars, as text.
  std::vector<std::pair<std::string, std::string>> parameters = {};
};

// kInvalidArgument, quoting the expression, for what has no counterpart. A text without {{ comes
// back as it is. Pure; total over any text.
Result<std::string> TranslateHandlebars(std::string_view text, const HandlebarsScope& scope);

}  // namespace understudy::harness
