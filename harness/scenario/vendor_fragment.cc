#include "harness/scenario/vendor_fragment.h"

#include <utility>

#include "harness/scenario/json_document.h"
#include "harness/scenario/node_reader.h"
#include "harness/scenario/vendor_decoder.h"

namespace understudy::harness {
namespace {

constexpr std::size_t kProblemsMax = 1;

// `decode` makes a T of the reader of the whole text.
template <typename T, typename Decode>
Result<T> Read(const char* what, std::string text, Decode decode) {
  const JsonDocument document = JsonDocument::Parse(what, std::move(text));
  if (!document.ok()) return InvalidArgument(document.diagnostics().front().ToString());
  ProblemList problems(kProblemsMax);
  T value = decode(NodeReader(document.root(), document.file(), problems));
  if (!problems.empty()) return InvalidArgument(problems.problems().front().ToString());
  return value;
}

Result<std::string> ReadNoFile(const std::string& path) {
  return InvalidArgument("\"" + path + "\" is not read here; send the body itself");
}

}  // namespace

Result<RequestMatch> ReadRequestMatch(std::string text) {
  return Read<RequestMatch>("match", std::move(text),
                            [](const NodeReader& reader) { return DecodeMatch(reader); });
}

Result<std::vector<ResponseSpec>> ReadResponses(std::string text) {
  const FileAccess no_files{.read = ReadNoFile};
  return Read<std::vector<ResponseSpec>>("respond", std::move(text), [&](const NodeReader& reader) {
    return DecodeResponses(reader, no_files);
  });
}

}  // namespace understudy::harness
