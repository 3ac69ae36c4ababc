#include "harness/scenario/parameters.h"

#include <algorithm>
#include <utility>

namespace understudy::harness {
namespace {

// [a-z_][a-z0-9_]*
bool IsName(std::string_view text) {
  const auto word = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !text.empty() && word(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return word(c) || digit(c); });
}

void CheckName(const NodeReader& reader, const std::string& name) {
  if (IsName(name)) return;
  reader.Error("\"" + name + "\" is no parameter name", "use lower-case letters, digits and \"_\"");
}

bool CheckScalar(const NodeReader& reader) {
  if (reader.node().IsScalar() && reader.node().kind() != JsonNode::Kind::kNull) return true;
  reader.Error("a parameter is a string, a number or a boolean, got " +
               std::string(reader.node().KindName()));
  return false;
}

std::string AsText(const JsonNode& value) {
  return value.IsString() ? value.text() : value.Serialise();
}

bool IsTakenAsIs(std::string_view key) {
  return key == "params" || key == "matrix" || key == "use" || key == "$schema";
}

}  // namespace

std::vector<ParameterValue> DecodeParams(const NodeReader& root) {
  std::vector<ParameterValue> params;
  const auto section = root.Find("params");
  if (!section) return params;
  for (const auto& [name, reader] : section->Members()) {
    CheckName(reader, name);
    if (CheckScalar(reader)) params.push_back({name, reader.node(), reader.Location()});
  }
  return params;
}

std::vector<MatrixAxis> DecodeMatrix(const NodeReader& root,
                                     const std::vector<ParameterValue>& params) {
  std::vector<MatrixAxis> axes;
  const auto section = root.Find("matrix");
  if (!section) return axes;
  for (const auto& [name, reader] : section->Members()) {
    CheckName(reader, name);
    MatrixAxis axis{name, {}, reader.Location()};
    std::set<std::string> seen;
    for (const NodeReader& value : reader.Items()) {
      if (!CheckScalar(value)) continue;
      if (seen.insert(AsText(value.node())).second) {
        axis.values.push_back(value.node());
      } else {
        value.Error("the value " + value.node().Serialise() + " is listed twice",
                    "remove one of them");
      }
    }
    if (reader.node().IsArray() && reader.node().items().empty())
      reader.Error("a matrix axis needs at least one value");
    const bool declared =
        std::any_of(params.begin(), params.end(),
                    [&](const ParameterValue& param) { return param.name == axis.name; });
    if (declared) reader.Error("\"" + name + "\" is in \"params\" too", "keep it in one of them");
    axes.push_back(std::move(axis));
  }
  return axes;
}

std::vector<std::vector<ParameterValue>> Combinations(const std::vector<MatrixAxis>& axes,
                                                      std::size_t max_cells,
                                                      const NodeReader& root) {
  std::size_t total = 1;
  for (const MatrixAxis& axis : axes) {
    total *= axis.values.size();
    if (total > max_cells) {
      root.ErrorAtKey("matrix", "the matrix has more than " + std::to_string(max_cells) + " cells");
      return {};
    }
  }
  std::vector<std::vector<ParameterValue>> cells(1);
  for (const MatrixAxis& axis : axes) {
    std::vector<std::vector<ParameterValue>> wider;
    wider.reserve(cells.size() * axis.values.size());
    for (const auto& cell : cells) {
      for (const JsonNode& value : axis.values) {
        wider.push_back(cell);
        wider.back().push_back({axis.name, value, axis.at});
      }
    }
    cells = std::move(wider);
  }
  return cells;
}

std::string CellId(const std::vector<ParameterValue>& cell) {
  std::string id;
  for (const ParameterValue& value : cell) {
    if (!id.empty()) id.push_back(',');
    id.append(value.name).append("=").append(AsText(value.value));
  }
  return id;
}

JsonNode Substitution::Apply(const NodeReader& reader) {
  const JsonNode& node = reader.node();
  if (node.IsString()) return ApplyToString(reader);
  if (node.IsScalar()) return node;
  if (node.IsArray()) {
    std::vector<JsonNode> items;
    items.reserve(node.items().size());
    for (const NodeReader& item : reader.Items()) items.push_back(Apply(item));
    return node.WithChildren(std::move(items), {});
  }
  std::vector<JsonNode::Member> members;
  members.reserve(node.members().size());
  const bool root = reader.pointer().empty();  // Of a whole document.
  std::size_t index = 0;
  for (const auto& [key, value] : reader.Members()) {
    const JsonNode::Member& member = node.members()[index++];
    const bool as_is = root && IsTakenAsIs(key);
    members.push_back({key, member.key_position, as_is ? member.value : Apply(value)});
  }
  return node.WithChildren({}, std::move(members));
}

JsonNode Substitution::ApplyToString(const NodeReader& reader) {
  const std::string& text = reader.node().text();
  if (text.find("${") == std::string::npos) return reader.node();
  std::string out;
  std::size_t at = 0;
  for (;;) {
    const std::size_t begin = text.find("${", at);
    if (begin == std::string::npos) break;
    if (begin > at && text[begin - 1] == '$') {
      out.append(text, at, begin - 1 - at).append("${");
      at = begin + 2;
      continue;
    }
    const std::size_t end = text.find('}', begin);
    if (end == std::string::npos) {
      reader.Error("\"${\" without \"}\"", "write \"$${\" for the characters themselves");
      reader.Silence();
      return reader.node();
    }
    const std::string name = text.substr(begin + 2, end - begin - 2);
    const ParameterValue* const value = Lookup(reader, name);
    if (value == nullptr) return reader.node();
    if (begin == 0 && end + 1 == text.size()) return value->value.At(reader.node().position());
    out.append(text, at, begin - at).append(AsText(value->value));
    at = end + 1;
  }
  out.append(text, at);
  return JsonNode::MakeString(std::move(out), reader.node().position());
}

const ParameterValue* Substitution::Lookup(const NodeReader& reader, const std::string& name) {
  const auto found = std::find_if(values_.begin(), values_.end(),
                                  [&](const ParameterValue& value) { return value.name == name; });
  if (found != values_.end()) {
    used_.insert(name);
    return &*found;
  }
  std::vector<std::string_view> names;
  for (const ParameterValue& value : values_) names.push_back(value.name);
  std::string suggestion = DidYouMean(name, names);
  if (suggestion.empty()) {
    suggestion =
        names.empty() ? "declare it in \"params\"" : "the parameters are " + QuotedList(names);
  }
  reader.Error("unknown parameter \"" + name + "\"", std::move(suggestion));
  reader.Silence();
  return nullptr;
}

}  // namespace understudy::harness
