#include "harness/match/json_schema.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include <nlohmann/json.hpp>
#include <re2/re2.h>

#include "harness/match/ecma_regex.h"
#include "harness/match/findings.h"
#include "harness/match/meta_schemas.h"
#include "harness/match/uri_reference.h"
#include "middleware/base/text.h"
#include "middleware/http/form.h"

namespace understudy::harness {
namespace {

using nlohmann::json;
using Draft = JsonSchema::Draft;

// In the order in which a schema's keywords are applied: what "evaluates" parts of the value comes
// before the unevaluated keywords, which look at what is left.
enum class Keyword {
  kType,
  kEnum,
  kConst,
  kMultipleOf,
  kMaximum,
  kExclusiveMaximum,
  kMinimum,
  kExclusiveMinimum,
  kMaxLength,
  kMinLength,
  kPattern,
  kMaxItems,
  kMinItems,
  kUniqueItems,
  kMaxProperties,
  kMinProperties,
  kRequired,
  kDependentRequired,
  kDependencies,
  kProperties,
  kPatternProperties,
  kAdditionalProperties,
  kPropertyNames,
  kPrefixItems,
  kItems,
  kAdditionalItems,
  kContains,
  kMaxContains,  // Read by kContains.
  kMinContains,  // Read by kContains.
  kRef,
  kDynamicRef,
  kAllOf,
  kAnyOf,
  kOneOf,
  kNot,
  kIf,
  kThen,  // Read by kIf.
  kElse,  // Read by kIf.
  kDependentSchemas,
  kUnevaluatedItems,
  kUnevaluatedProperties,
  kDefinitions,  // Only holds schemas.
  kContentSchema,
};

// What the value of a keyword must be.
enum class Shape {
  kAny,
  kArray,
  kBoolean,
  kCount,
  kNumber,
  kNumberOrBoolean,
  kPositive,
  kRegex,
  kText,
  kTexts,
  kType,
  kMapOfTexts,
  kSchema,
  kSchemas,
  kSchemaOrSchemas,
  kMapOfSchemas,
  kMapOfRegexToSchemas,
  kDependencies,
};

constexpr unsigned kD4 = 1;
constexpr unsigned kD7 = 2;
constexpr unsigned kD2020 = 4;
constexpr unsigned kOld = kD4 | kD7;
constexpr unsigned kNew = kD7 | kD2020;
constexpr unsigned kEvery = kOld | kD2020;

struct KeywordRow {
  std::string_view name;
  Keyword keyword;
  Shape shape;
  unsigned drafts;
  bool validation =
      false;  // Of 2020-12's validation vocabulary, which a meta-schema can leave out.
};

constexpr KeywordRow kKeywords[] = {
    {"type", Keyword::kType, Shape::kType, kEvery, true},
    {"enum", Keyword::kEnum, Shape::kArray, kEvery, true},
    {"const", Keyword::kConst, Shape::kAny, kNew, true},
    {"multipleOf", Keyword::kMultipleOf, Shape::kPositive, kEvery, true},
    {"maximum", Keyword::kMaximum, Shape::kNumber, kEvery, true},
    {"exclusiveMaximum", Keyword::kExclusiveMaximum, Shape::kNumberOrBoolean, kEvery, true},
    {"minimum", Keyword::kMinimum, Shape::kNumber, kEvery, true},
    {"exclusiveMinimum", Keyword::kExclusiveMinimum, Shape::kNumberOrBoolean, kEvery, true},
    {"maxLength", Keyword::kMaxLength, Shape::kCount, kEvery, true},
    {"minLength", Keyword::kMinLength, Shape::kCount, kEvery, true},
    {"pattern", Keyword::kPattern, Shape::kRegex, kEvery, true},
    {"maxItems", Keyword::kMaxItems, Shape::kCount, kEvery, true},
    {"minItems", Keyword::kMinItems, Shape::kCount, kEvery, true},
    {"uniqueItems", Keyword::kUniqueItems, Shape::kBoolean, kEvery, true},
    {"maxProperties", Keyword::kMaxProperties, Shape::kCount, kEvery, true},
    {"minProperties", Keyword::kMinProperties, Shape::kCount, kEvery, true},
    {"required", Keyword::kRequired, Shape::kTexts, kEvery, true},
    {"dependentRequired", Keyword::kDependentRequired, Shape::kMapOfTexts, kD2020, true},
    {"maxContains", Keyword::kMaxContains, Shape::kCount, kD2020, true},
    {"minContains", Keyword::kMinContains, Shape::kCount, kD2020, true},
    {"dependencies", Keyword::kDependencies, Shape::kDependencies, kOld},
    {"properties", Keyword::kProperties, Shape::kMapOfSchemas, kEvery},
    {"patternProperties", Keyword::kPatternProperties, Shape::kMapOfRegexToSchemas, kEvery},
    {"additionalProperties", Keyword::kAdditionalProperties, Shape::kSchema, kEvery},
    {"propertyNames", Keyword::kPropertyNames, Shape::kSchema, kNew},
    {"prefixItems", Keyword::kPrefixItems, Shape::kSchemas, kD2020},
    {"items", Keyword::kItems, Shape::kSchemaOrSchemas, kEvery},
    {"additionalItems", Keyword::kAdditionalItems, Shape::kSchema, kOld},
    {"contains", Keyword::kContains, Shape::kSchema, kNew},
    {"$ref", Keyword::kRef, Shape::kText, kEvery},
    {"$dynamicRef", Keyword::kDynamicRef, Shape::kText, kD2020},
    {"allOf", Keyword::kAllOf, Shape::kSchemas, kEvery},
    {"anyOf", Keyword::kAnyOf, Shape::kSchemas, kEvery},
    {"oneOf", Keyword::kOneOf, Shape::kSchemas, kEvery},
    {"not", Keyword::kNot, Shape::kSchema, kEvery},
    {"if", Keyword::kIf, Shape::kSchema, kNew},
    {"then", Keyword::kThen, Shape::kSchema, kNew},
    {"else", Keyword::kElse, Shape::kSchema, kNew},
    {"dependentSchemas", Keyword::kDependentSchemas, Shape::kMapOfSchemas, kD2020},
    {"unevaluatedItems", Keyword::kUnevaluatedItems, Shape::kSchema, kD2020},
    {"unevaluatedProperties", Keyword::kUnevaluatedProperties, Shape::kSchema, kD2020},
    {"definitions", Keyword::kDefinitions, Shape::kMapOfSchemas, kEvery},
    {"$defs", Keyword::kDefinitions, Shape::kMapOfSchemas, kNew},
    {"contentSchema", Keyword::kContentSchema, Shape::kSchema, kD2020},
};

unsigned BitOf(Draft draft) {
  return draft == Draft::k4 ? kD4 : (draft == Draft::k7 ? kD7 : kD2020);
}

const KeywordRow* FindKeyword(std::string_view name, Draft draft) {
  static const auto table = [] {
    std::unordered_map<std::string_view, const KeywordRow*> rows;
    for (const KeywordRow& row : kKeywords) rows.emplace(row.name, &row);
    return rows;
  }();
  const auto found = table.find(name);
  if (found == table.end() || (found->second->drafts & BitOf(draft)) == 0) return nullptr;
  return found->second;
}

// The draft of a "$schema"; nullopt for another one.
std::optional<Draft> DraftOf(std::string_view uri) {
  uri = SplitFragment(uri).first;
  const std::size_t scheme = uri.find("://");
  if (scheme != std::string_view::npos) uri = uri.substr(scheme + 3);
  if (uri == "json-schema.org/draft-04/schema") return Draft::k4;
  // Draft 6 lacks a few keywords of draft 7 and contradicts it nowhere.
  if (uri == "json-schema.org/draft-06/schema") return Draft::k7;
  if (uri == "json-schema.org/draft-07/schema") return Draft::k7;
  if (uri == "json-schema.org/draft/2020-12/schema") return Draft::k2020_12;
  return std::nullopt;
}

std::string ShownOperand(const json& value) { return Shortened(Compact(value)); }

bool IsWhole(const json& value) {
  return value.is_number_integer() ||
         (value.is_number_float() && std::floor(value.get<double>()) == value.get<double>());
}

// Draft 4 takes 1.0 for no integer; a whole number too large for 64 bits was read as a double.
bool IsInteger(const json& value, Draft draft) {
  if (draft != Draft::k4 || !value.is_number_float()) return IsWhole(value);
  return IsWhole(value) && std::abs(value.get<double>()) >= 9.2e18;
}

std::string_view TypeOf(const json& value) {
  if (value.is_null()) return "null";
  if (value.is_boolean()) return "boolean";
  if (value.is_string()) return "string";
  if (value.is_array()) return "array";
  if (value.is_object()) return "object";
  return IsWhole(value) ? "integer" : "number";
}

bool HasType(const json& value, std::string_view type, Draft draft) {
  if (type == "number") return value.is_number();
  if (type == "integer") return value.is_number() && IsInteger(value, draft);
  return !value.is_number() && TypeOf(value) == type;
}

std::size_t CharactersOf(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

bool IsMultiple(const json& value, const json& of) {
  if (value.is_number_integer() && of.is_number_integer()) {
    const auto magnitude = [](const json& number) {
      if (number.is_number_unsigned()) return number.get<std::uint64_t>();
      const auto signed_value = number.get<std::int64_t>();
      return signed_value < 0 ? 0 - static_cast<std::uint64_t>(signed_value)
                              : static_cast<std::uint64_t>(signed_value);
    };
    return magnitude(of) != 0 && magnitude(value) % magnitude(of) == 0;
  }
  const double quotient = value.get<double>() / of.get<double>();
  if (!std::isfinite(quotient)) return false;
  // Decimal fractions such as 0.0075 / 0.0001 are not exact in binary.
  return std::abs(quotient - std::round(quotient)) <= 1e-9 * std::max(1.0, std::abs(quotient));
}

bool HasRepeats(const json& array) {
  std::vector<const json*> items;
  items.reserve(array.size());
  for (const json& item : array) items.push_back(&item);
  std::sort(items.begin(), items.end(), [](const json* a, const json* b) { return *a < *b; });
  return std::adjacent_find(items.begin(), items.end(),
                            [](const json* a, const json* b) { return *a == *b; }) != items.end();
}

bool AreTexts(const json& value) {
  return value.is_array() &&
         std::all_of(value.begin(), value.end(), [](const json& item) { return item.is_string(); });
}

bool IsTypeName(const json& value) {
  constexpr std::string_view kNames[] = {"array",  "boolean", "integer", "null",
                                         "number", "object",  "string"};
  return value.is_string() && std::find(std::begin(kNames), std::end(kNames),
                                        value.get_ref<const std::string&>()) != std::end(kNames);
}

bool IsSchema(const json& value) { return value.is_object() || value.is_boolean(); }

bool AreSchemas(const json& value) {
  return value.is_array() && !value.empty() && std::all_of(value.begin(), value.end(), IsSchema);
}

bool IsMapOf(const json& value, bool (*fits)(const json&)) {
  return value.is_object() &&
         std::all_of(value.begin(), value.end(), [&](const json& item) { return fits(item); });
}

// What the value should have been; empty if it is.
std::string_view WrongShape(Shape shape, const json& value, Draft draft) {
  const auto unless = [](bool fits, std::string_view expected) {
    return fits ? std::string_view() : expected;
  };
  switch (shape) {
    case Shape::kAny:
      return {};
    case Shape::kArray:
      return unless(value.is_array(), "an array");
    case Shape::kBoolean:
      return unless(value.is_boolean(), "true or false");
    case Shape::kCount:
      return unless(value.is_number() && IsWhole(value) && value >= 0, "a whole number from 0");
    case Shape::kNumber:
      return unless(value.is_number(), "a number");
    case Shape::kNumberOrBoolean:
      if (draft == Draft::k4) return unless(value.is_boolean(), "true or false (draft 4)");
      return unless(value.is_number(), "a number");
    case Shape::kPositive:
      return unless(value.is_number() && value > 0, "a number above 0");
    case Shape::kRegex:
    case Shape::kText:
      return unless(value.is_string(), "a string");
    case Shape::kTexts:
      return unless(AreTexts(value), "an array of strings");
    case Shape::kType:
      return unless(IsTypeName(value) || (value.is_array() && !value.empty() &&
                                          std::all_of(value.begin(), value.end(), IsTypeName)),
                    "array, boolean, integer, null, number, object, string or a list of these");
    case Shape::kMapOfTexts:
      return unless(IsMapOf(value, AreTexts), "an object of arrays of strings");
    case Shape::kSchema:
      return unless(IsSchema(value), "a schema (an object or a boolean)");
    case Shape::kSchemas:
      return unless(AreSchemas(value), "an array with at least one schema");
    case Shape::kSchemaOrSchemas:
      if (draft == Draft::k2020_12) {
        return unless(IsSchema(value), "a schema; 2020-12 writes lists of schemas as prefixItems");
      }
      return unless(IsSchema(value) || value.is_array(), "a schema or an array of schemas");
    case Shape::kMapOfSchemas:
    case Shape::kMapOfRegexToSchemas:
      return unless(IsMapOf(value, IsSchema), "an object of schemas");
    case Shape::kDependencies:
      return unless(
          IsMapOf(value, [](const json& item) { return IsSchema(item) || AreTexts(item); }),
          "an object of schemas or arrays of strings");
  }
  return {};
}

// A document, or a part of one with an identifier of its own.
struct Resource {
  std::string base = {};
  const json* root = nullptr;
  Draft draft = Draft::k2020_12;
  bool validation = true;
  std::map<std::string, const json*, std::less<>> anchors = {};
  std::map<std::string, const json*, std::less<>> dynamic_anchors = {};
};

struct Clause {
  Keyword keyword;
  const json* value;
  std::string_view name;
};

struct Schema {
  Resource* resource = nullptr;
  std::string pointer = {};          // Within the document.
  std::vector<Clause> clauses = {};  // In the order of Keyword.
  const json* ref = nullptr;
  const json* dynamic_ref = nullptr;
  std::string dynamic_name = {};  // Set if the reference really is a dynamic one.
};

// How a member of `map` is reached: "/properties/a~1b".
std::string Below(const std::string& pointer, std::string_view key) {
  return pointer + "/" + EscapePointerToken(key);
}

}  // namespace

class JsonSchema::Compiled {
 public:
  const json* root = nullptr;
  std::deque<json> documents = {};
  std::deque<Resource> resources = {};
  std::unordered_map<const json*, Schema> schemas = {};
  std::unordered_map<std::string, std::unique_ptr<const re2::RE2>> regexes = {};
  bool tracks = false;  // Does a schema ask what was left unevaluated?
};

// Finds every subschema of every document that is referred to, and resolves the references.
class JsonSchema::Builder {
 public:
  Builder(const Options& options, Compiled& out) : options_(options), out_(out) {}

  Result<void> Build(json schema);

 private:
  Error Bad(const std::string& where, const std::string& why) const {
    return InvalidArgument("JSON Schema #" + where + ": " + why);
  }
  Result<Resource*> AddDocument(const json& document, const std::string& uri, Draft draft);
  Result<void> Walk(const json& value, Resource* resource, const std::string& pointer);
  Result<Resource*> Enter(const json& value, Resource* resource, const std::string& pointer);
  Result<void> ReadDialect(const json& value, Resource& resource, const std::string& pointer);
  void AddAnchors(const json& value, Resource& resource);
  Result<void> AddClause(const json& value, const KeywordRow& row, Schema& schema);
  Result<void> WalkOperand(const json& value, Shape shape, Resource* resource,
                           const std::string& pointer);
  Result<void> AddRegex(const std::string& pattern, const std::string& pointer);
  Result<void> ResolveAll();
  Result<const json*> Resolve(const Schema& from, const std::string& reference);
  Result<Resource*> FindResource(const std::string& uri);
  Result<const json*> FollowPointer(Resource& resource, const std::string& fragment,
                                    const std::string& where);

  const Options& options_;
  Compiled& out_;
  std::map<std::string, Resource*, std::less<>> by_uri_;
  Draft default_draft_ = Draft::k2020_12;
};

Result<void> JsonSchema::Builder::Build(json schema) {
  default_draft_ = options_.draft;
  if (!IsSchema(schema)) return Bad("", "a schema is an object or a boolean");
  if (DeeperThan(schema, kDepthMax)) return Bad("", "nested too deeply");
  out_.documents.push_back(std::move(schema));
  UNDERSTUDY_RETURN_IF_ERROR(AddDocument(out_.documents.back(), "", default_draft_));
  out_.root = &out_.documents.back();
  return ResolveAll();
}

Result<Resource*> JsonSchema::Builder::AddDocument(const json& document, const std::string& uri,
                                                   Draft draft) {
  out_.resources.push_back({.base = uri, .root = &document, .draft = draft});
  Resource* const resource = &out_.resources.back();
  by_uri_.emplace(uri, resource);
  UNDERSTUDY_RETURN_IF_ERROR(Walk(document, resource, ""));
  return resource;
}

Result<void> JsonSchema::Builder::ReadDialect(const json& value, Resource& resource,
                                              const std::string& pointer) {
  const auto found = value.find("$schema");
  if (found == value.end()) return {};
  if (!found->is_string()) return Bad(Below(pointer, "$schema"), "expected a string");
  const std::string& uri = found->get_ref<const std::string&>();
  resource.validation = true;
  if (const auto draft = DraftOf(uri)) {
    resource.draft = *draft;
    return {};
  }
  const std::string name(SplitFragment(uri).first);
  for (const auto& [known, text] : options_.documents) {
    if (known != name) continue;
    const json meta = json::parse(text, nullptr, false);
    if (!meta.is_object()) break;
    const json draft_uri = meta.value("$schema", json());
    const auto draft =
        draft_uri.is_string() ? DraftOf(draft_uri.get_ref<const std::string&>()) : std::nullopt;
    if (!draft) break;
    resource.draft = *draft;
    const auto vocabularies = meta.find("$vocabulary");
    resource.validation =
        vocabularies == meta.end() ||
        vocabularies->contains("https://json-schema.org/draft/2020-12/vocab/validation");
    return {};
  }
  return Bad(
      Below(pointer, "$schema"),
      "unknown dialect \"" + uri +
          "\"; known are drafts 4, 6 and 7 and 2020-12, and meta-schemas given as documents");
}

// The resource that `value` belongs to: a new one if it has an identifier.
Result<Resource*> JsonSchema::Builder::Enter(const json& value, Resource* resource,
                                             const std::string& pointer) {
  const bool root = resource->root == &value;
  if (root) UNDERSTUDY_RETURN_IF_ERROR(ReadDialect(value, *resource, pointer));
  const bool old = resource->draft != Draft::k2020_12;
  if (old && value.contains("$ref")) return resource;  // What stands beside it is ignored.
  const auto id = value.find(resource->draft == Draft::k4 ? "id" : "$id");
  if (id == value.end() || !id->is_string()) return resource;
  const std::string& text = id->get_ref<const std::string&>();
  const auto [name, fragment] = SplitFragment(text);
  if (name.empty() && !fragment.empty()) {
    if (!old) return Bad(Below(pointer, "$id"), "$id has a fragment; use $anchor");
    resource->anchors.emplace(std::string(fragment), &value);
    return resource;
  }
  const std::string uri(SplitFragment(ResolveUriReference(resource->base, text)).first);
  if (root) {
    resource->base = uri;
    by_uri_.emplace(uri, resource);
  } else {
    out_.resources.push_back({.base = uri,
                              .root = &value,
                              .draft = resource->draft,
                              .validation = resource->validation});
    resource = &out_.resources.back();
    UNDERSTUDY_RETURN_IF_ERROR(ReadDialect(value, *resource, pointer));
    if (!by_uri_.emplace(uri, resource).second) {
      return Bad(pointer, "the identifier \"" + uri + "\" is given twice");
    }
  }
  if (!fragment.empty()) resource->anchors.emplace(std::string(fragment), &value);
  return resource;
}

void JsonSchema::Builder::AddAnchors(const json& value, Resource& resource) {
  if (resource.draft != Draft::k2020_12) return;
  const auto anchor = value.find("$anchor");
  if (anchor != value.end() && anchor->is_string()) {
    resource.anchors.emplace(anchor->get<std::string>(), &value);
  }
  const auto dynamic = value.find("$dynamicAnchor");
  if (dynamic != value.end() && dynamic->is_string()) {
    resource.anchors.emplace(dynamic->get<std::string>(), &value);
    resource.dynamic_anchors.emplace(dynamic->get<std::string>(), &value);
  }
}

Result<void> JsonSchema::Builder::Walk(const json& value, Resource* resource,
                                       const std::string& pointer) {
  if (out_.schemas.count(&value) != 0) return {};
  if (out_.schemas.size() >= kSchemasMax) return Bad(pointer, "too many subschemas");
  Schema& schema = out_.schemas[&value];  // The map's elements never move.
  schema.resource = resource;
  schema.pointer = pointer;
  if (!value.is_object()) return {};
  UNDERSTUDY_ASSIGN_OR_RETURN(resource, Enter(value, resource, pointer));
  schema.resource = resource;
  AddAnchors(value, *resource);
  const bool only_ref = resource->draft != Draft::k2020_12 && value.contains("$ref");
  for (const auto& [name, operand] : value.items()) {
    const KeywordRow* const row = FindKeyword(name, resource->draft);
    if (row == nullptr || (row->validation && !resource->validation)) continue;
    if (only_ref && row->keyword != Keyword::kRef && row->keyword != Keyword::kDefinitions)
      continue;
    UNDERSTUDY_RETURN_IF_ERROR(AddClause(operand, *row, schema));
    UNDERSTUDY_RETURN_IF_ERROR(WalkOperand(operand, row->shape, resource, Below(pointer, name)));
  }
  std::sort(schema.clauses.begin(), schema.clauses.end(),
            [](const Clause& a, const Clause& b) { return a.keyword < b.keyword; });
  return {};
}

Result<void> JsonSchema::Builder::AddClause(const json& value, const KeywordRow& row,
                                            Schema& schema) {
  const std::string_view expected = WrongShape(row.shape, value, schema.resource->draft);
  if (!expected.empty()) {
    return Bad(Below(schema.pointer, row.name),
               "expected " + std::string(expected) + ", got " + Shown(value));
  }
  if (row.shape == Shape::kRegex) {
    UNDERSTUDY_RETURN_IF_ERROR(
        AddRegex(value.get_ref<const std::string&>(), Below(schema.pointer, row.name)));
  }
  if (row.keyword == Keyword::kUnevaluatedItems || row.keyword == Keyword::kUnevaluatedProperties) {
    out_.tracks = true;
  }
  schema.clauses.push_back({row.keyword, &value, row.name});
  return {};
}

Result<void> JsonSchema::Builder::WalkOperand(const json& value, Shape shape, Resource* resource,
                                              const std::string& pointer) {
  switch (shape) {
    case Shape::kSchema:
      return Walk(value, resource, pointer);
    case Shape::kSchemas:
    case Shape::kSchemaOrSchemas:
      if (!value.is_array()) return Walk(value, resource, pointer);
      for (std::size_t i = 0; i < value.size(); ++i) {
        if (!IsSchema(value[i])) return Bad(Below(pointer, std::to_string(i)), "expected a schema");
        UNDERSTUDY_RETURN_IF_ERROR(Walk(value[i], resource, Below(pointer, std::to_string(i))));
      }
      return {};
    case Shape::kMapOfSchemas:
    case Shape::kMapOfRegexToSchemas:
    case Shape::kDependencies:
      for (const auto& [name, child] : value.items()) {
        if (shape == Shape::kMapOfRegexToSchemas) {
          UNDERSTUDY_RETURN_IF_ERROR(AddRegex(name, Below(pointer, name)));
        }
        if (IsSchema(child)) {
          UNDERSTUDY_RETURN_IF_ERROR(Walk(child, resource, Below(pointer, name)));
        }
      }
      return {};
    default:
      return {};
  }
}

Result<void> JsonSchema::Builder::AddRegex(const std::string& pattern, const std::string& pointer) {
  if (out_.regexes.count(pattern) != 0) return {};
  auto regex = std::make_unique<const re2::RE2>(EcmaToRe2(pattern), re2::RE2::Quiet);
  if (!regex->ok()) {
    return Bad(pointer, "the expression \"" + pattern + "\": " + regex->error() +
                            " (RE2: no look-around, no back-references)");
  }
  out_.regexes.emplace(pattern, std::move(regex));
  return {};
}

Result<void> JsonSchema::Builder::ResolveAll() {
  std::set<const json*> done;
  // Resolving a reference may read a document, and so find more of them.
  for (bool more = true; more;) {
    more = false;
    std::vector<const json*> waiting;
    for (const auto& [value, schema] : out_.schemas) {
      if (done.count(value) == 0) waiting.push_back(value);
    }
    for (const json* const value : waiting) {
      done.insert(value);
      more = true;
      Schema& schema = out_.schemas.at(value);
      for (const Clause& clause : schema.clauses) {
        if (clause.keyword != Keyword::kRef && clause.keyword != Keyword::kDynamicRef) continue;
        const std::string& reference = clause.value->get_ref<const std::string&>();
        UNDERSTUDY_ASSIGN_OR_RETURN(const json* const target, Resolve(schema, reference));
        if (clause.keyword == Keyword::kRef) {
          schema.ref = target;
          continue;
        }
        schema.dynamic_ref = target;
        const std::string name(SplitFragment(reference).second);
        const Resource& resource = *out_.schemas.at(target).resource;
        const auto anchor = resource.dynamic_anchors.find(name);
        if (anchor != resource.dynamic_anchors.end() && anchor->second == target) {
          schema.dynamic_name = name;
        }
      }
    }
  }
  return {};
}

Result<Resource*> JsonSchema::Builder::FindResource(const std::string& uri) {
  if (const auto found = by_uri_.find(uri); found != by_uri_.end()) return found->second;
  std::string_view text = FindMetaSchema(uri);
  for (const auto& [name, document] : options_.documents) {
    if (name == uri) text = document;
  }
  if (text.empty()) return InvalidArgument("no document is registered for it");
  json document = json::parse(text, nullptr, false);
  if (document.is_discarded() || !IsSchema(document) || DeeperThan(document, kDepthMax)) {
    return InvalidArgument("the registered document is no JSON Schema");
  }
  out_.documents.push_back(std::move(document));
  return AddDocument(out_.documents.back(), uri, default_draft_);
}

Result<const json*> JsonSchema::Builder::Resolve(const Schema& from, const std::string& reference) {
  const std::string uri = ResolveUriReference(from.resource->base, reference);
  const auto [name, fragment] = SplitFragment(uri);
  const auto bad = [&](const std::string& why) {
    return Bad(from.pointer, "the reference \"" + reference + "\" leads nowhere: " + why);
  };
  auto resource = FindResource(std::string(name));
  if (!resource) return bad(resource.error().message);
  if (fragment.empty()) return (*resource)->root;
  const std::string decoded = http::PercentDecode(fragment).value_or(std::string(fragment));
  if (decoded.front() == '/') {
    auto found = FollowPointer(**resource, decoded, from.pointer);
    if (!found) return bad(found.error().message);
    return *found;
  }
  const auto anchor = (*resource)->anchors.find(decoded);
  if (anchor == (*resource)->anchors.end()) return bad("there is no anchor of that name");
  return anchor->second;
}

Result<const json*> JsonSchema::Builder::FollowPointer(Resource& start, const std::string& fragment,
                                                       const std::string& where) {
  const json* value = start.root;
  Resource* resource = &start;
  std::string pointer = out_.schemas.at(value).pointer;
  for (const std::string_view token : Split(std::string_view(fragment).substr(1), '/')) {
    const std::string key = UnescapePointerToken(token);
    const json* next = nullptr;
    if (value->is_object()) {
      const auto found = value->find(key);
      if (found != value->end()) next = &*found;
    } else if (value->is_array()) {
      const auto index = ParseUnsigned(key);
      if (index && *index < value->size()) next = &(*value)[static_cast<std::size_t>(*index)];
    }
    if (next == nullptr) return InvalidArgument("there is nothing at " + fragment);
    value = next;
    pointer = Below(pointer, key);
    const auto known = out_.schemas.find(value);
    if (known != out_.schemas.end()) resource = known->second.resource;
  }
  if (!IsSchema(*value)) return InvalidArgument("what stands at " + fragment + " is no schema");
  // A schema under a keyword that this draft does not know.
  auto walked = Walk(*value, resource, pointer);
  if (!walked) return InvalidArgument(walked.error().message + ", used at #" + where);
  return value;
}

namespace {

// The parts of one object or array that some keyword has judged.
struct Evaluated {
  bool every_property = false;
  std::set<std::string_view> properties = {};
  std::size_t items = 0;  // The first ones.
  bool every_item = false;
  std::set<std::size_t> scattered = {};

  void Add(const Evaluated& other) {
    every_property = every_property || other.every_property;
    properties.insert(other.properties.begin(), other.properties.end());
    items = std::max(items, other.items);
    every_item = every_item || other.every_item;
    scattered.insert(other.scattered.begin(), other.scattered.end());
  }
};

// Where in the value the validation is; lives on the stack.
struct Place {
  const Place* parent = nullptr;
  std::string_view key = {};
  std::size_t index = 0;
  bool is_index = false;

  std::string ToPointer() const {
    if (parent == nullptr) return {};
    return Below(parent->ToPointer(), is_index ? std::to_string(index) : std::string(key));
  }
};

}  // namespace

class JsonSchema::Validation {
 public:
  // Without `violations`, stops at the first one.
  Validation(const Compiled& compiled, std::vector<Violation>* violations)
      : compiled_(compiled), violations_(violations) {}

  bool Run(const json& value) {
    const Place root;
    exhausted_ = DeeperThan(value, kDepthMax);
    const bool fits = !exhausted_ && Check(*compiled_.root, value, root, nullptr);
    return exhausted_ ? Exhausted() : fits;
  }

 private:
  // One schema against one value.
  struct Frame {
    const json& schema_json;
    const Schema& schema;
    const json& value;
    const Place& place;
    Evaluated* evaluated;  // nullptr if nobody asks.
  };

  bool Exhausted() {
    if (violations_ != nullptr) {
      violations_->clear();
      violations_->push_back({.message = "the validation is too deep or takes too long"});
    }
    return false;
  }

  bool Check(const json& schema, const json& value, const Place& place, Evaluated* evaluated);
  bool CheckClauses(const Frame& frame);
  bool CheckClause(const Frame& frame, const Clause& clause);
  bool Quiet(const json& schema, const json& value, const Place& place, Evaluated* evaluated);
  bool Fail(const Frame& frame, std::string_view keyword, std::string message);

  bool CheckNumber(const Frame& frame, const Clause& clause);
  bool CheckSize(const Frame& frame, const Clause& clause, std::size_t size, std::string_view what,
                 bool maximum);
  bool CheckType(const Frame& frame, const Clause& clause);
  bool CheckRequired(const Frame& frame, const Clause& clause, const json& names,
                     std::string_view because);
  bool CheckDependencies(const Frame& frame, const Clause& clause);
  bool CheckProperties(const Frame& frame, const Clause& clause);
  bool CheckPatternProperties(const Frame& frame, const Clause& clause);
  bool CheckAdditionalProperties(const Frame& frame, const Clause& clause);
  bool CheckUnevaluatedProperties(const Frame& frame, const Clause& clause);
  bool CheckPropertyNames(const Frame& frame, const Clause& clause);
  bool CheckItems(const Frame& frame, const Clause& clause);
  bool CheckItemList(const Frame& frame, const json& schemas);
  bool CheckItemsFrom(const Frame& frame, const json& schema, std::size_t first);
  bool CheckUnevaluatedItems(const Frame& frame, const Clause& clause);
  bool CheckContains(const Frame& frame, const Clause& clause);
  bool CheckLogic(const Frame& frame, const Clause& clause);
  bool CheckIf(const Frame& frame, const Clause& clause);
  bool CheckDynamicRef(const Frame& frame);
  bool Matched(const std::string& pattern, const std::string& text) const {
    return re2::RE2::PartialMatch(text, *compiled_.regexes.at(pattern));
  }

  const Compiled& compiled_;
  std::vector<Violation>* violations_;
  std::vector<const Resource*> scope_;
  std::size_t depth_ = 0;
  std::size_t work_ = 0;
  bool exhausted_ = false;
};

bool JsonSchema::Validation::Fail(const Frame& frame, std::string_view keyword,
                                  std::string message) {
  if (violations_ == nullptr || violations_->size() >= kViolationsMax) return false;
  std::string where = frame.schema.resource->base + "#" + frame.schema.pointer;
  if (!keyword.empty()) where = Below(where, keyword);
  violations_->push_back({.instance = frame.place.ToPointer(),
                          .schema = std::move(where),
                          .message = std::move(message)});
  return false;
}

bool JsonSchema::Validation::Check(const json& schema_json, const json& value, const Place& place,
                                   Evaluated* evaluated) {
  const Schema& schema = compiled_.schemas.at(&schema_json);
  Evaluated own;
  const Frame frame{schema_json, schema, value, place, compiled_.tracks ? &own : nullptr};
  if (schema_json.is_boolean()) {
    return schema_json.get<bool>() || Fail(frame, "", "nothing is allowed here");
  }
  // Some keywords look at all of a value at once.
  work_ += 1 + (value.is_structured() ? value.size() / 64 : 0);
  if (work_ > kWorkMax || depth_ >= kDepthMax) exhausted_ = true;
  if (exhausted_) return false;
  ++depth_;
  const bool enters = scope_.empty() || scope_.back() != schema.resource;
  if (enters) scope_.push_back(schema.resource);
  const bool fits = CheckClauses(frame);
  if (enters) scope_.pop_back();
  --depth_;
  if (fits && evaluated != nullptr) evaluated->Add(own);
  return fits;
}

bool JsonSchema::Validation::CheckClauses(const Frame& frame) {
  bool fits = true;
  for (const Clause& clause : frame.schema.clauses) {
    if (CheckClause(frame, clause)) continue;
    fits = false;
    if (violations_ == nullptr || exhausted_) return false;
  }
  return fits;
}

// As Check, without a word about what is wrong.
bool JsonSchema::Validation::Quiet(const json& schema, const json& value, const Place& place,
                                   Evaluated* evaluated) {
  std::vector<Violation>* const kept = std::exchange(violations_, nullptr);
  const bool fits = Check(schema, value, place, evaluated);
  violations_ = kept;
  return fits;
}

bool JsonSchema::Validation::CheckClause(const Frame& frame, const Clause& clause) {
  const json& value = frame.value;
  const json& operand = *clause.value;
  switch (clause.keyword) {
    case Keyword::kType:
      return CheckType(frame, clause);
    case Keyword::kEnum:
      return std::find(operand.begin(), operand.end(), value) != operand.end() ||
             Fail(frame, clause.name,
                  "expected one of " + ShownOperand(operand) + ", got " + Shown(value));
    case Keyword::kConst:
      return value == operand ||
             Fail(frame, clause.name,
                  "expected " + ShownOperand(operand) + ", got " + Shown(value));
    case Keyword::kMultipleOf:
    case Keyword::kMaximum:
    case Keyword::kExclusiveMaximum:
    case Keyword::kMinimum:
    case Keyword::kExclusiveMinimum:
      return !value.is_number() || CheckNumber(frame, clause);
    case Keyword::kMaxLength:
    case Keyword::kMinLength:
      return !value.is_string() ||
             CheckSize(frame, clause, CharactersOf(value.get_ref<const std::string&>()),
                       "characters", clause.keyword == Keyword::kMaxLength);
    case Keyword::kPattern:
      return !value.is_string() ||
             Matched(operand.get_ref<const std::string&>(), value.get_ref<const std::string&>()) ||
             Fail(frame, clause.name,
                  "expected a text with " + ShownOperand(operand) + ", got " + Shown(value));
    case Keyword::kMaxItems:
    case Keyword::kMinItems:
      return !value.is_array() || CheckSize(frame, clause, value.size(), "elements",
                                            clause.keyword == Keyword::kMaxItems);
    case Keyword::kUniqueItems:
      return !value.is_array() || !operand.get<bool>() || !HasRepeats(value) ||
             Fail(frame, clause.name, "expected different elements, got equal ones");
    case Keyword::kMaxProperties:
    case Keyword::kMinProperties:
      return !value.is_object() || CheckSize(frame, clause, value.size(), "members",
                                             clause.keyword == Keyword::kMaxProperties);
    case Keyword::kRequired:
      return !value.is_object() || CheckRequired(frame, clause, operand, "");
    case Keyword::kDependentRequired:
    case Keyword::kDependencies:
    case Keyword::kDependentSchemas:
      return !value.is_object() || CheckDependencies(frame, clause);
    case Keyword::kProperties:
      return !value.is_object() || CheckProperties(frame, clause);
    case Keyword::kPatternProperties:
      return !value.is_object() || CheckPatternProperties(frame, clause);
    case Keyword::kAdditionalProperties:
      return !value.is_object() || CheckAdditionalProperties(frame, clause);
    case Keyword::kUnevaluatedProperties:
      return !value.is_object() || CheckUnevaluatedProperties(frame, clause);
    case Keyword::kPropertyNames:
      return !value.is_object() || CheckPropertyNames(frame, clause);
    case Keyword::kPrefixItems:
    case Keyword::kItems:
    case Keyword::kAdditionalItems:
      return !value.is_array() || CheckItems(frame, clause);
    case Keyword::kUnevaluatedItems:
      return !value.is_array() || CheckUnevaluatedItems(frame, clause);
    case Keyword::kContains:
      return !value.is_array() || CheckContains(frame, clause);
    case Keyword::kRef:
      return Check(*frame.schema.ref, value, frame.place, frame.evaluated);
    case Keyword::kDynamicRef:
      return CheckDynamicRef(frame);
    case Keyword::kAllOf:
    case Keyword::kAnyOf:
    case Keyword::kOneOf:
    case Keyword::kNot:
      return CheckLogic(frame, clause);
    case Keyword::kIf:
      return CheckIf(frame, clause);
    case Keyword::kMaxContains:
    case Keyword::kMinContains:
    case Keyword::kThen:
    case Keyword::kElse:
    case Keyword::kDefinitions:
    case Keyword::kContentSchema:
      return true;
  }
  return true;
}

bool JsonSchema::Validation::CheckType(const Frame& frame, const Clause& clause) {
  const Draft draft = frame.schema.resource->draft;
  const json& types = *clause.value;
  const auto fits = [&](const json& type) {
    return HasType(frame.value, type.get_ref<const std::string&>(), draft);
  };
  const bool any = types.is_array() ? std::any_of(types.begin(), types.end(), fits) : fits(types);
  return any ||
         Fail(frame, clause.name,
              "expected " + (types.is_string() ? types.get<std::string>() : ShownOperand(types)) +
                  ", got " + std::string(TypeOf(frame.value)));
}

bool JsonSchema::Validation::CheckNumber(const Frame& frame, const Clause& clause) {
  const json& value = frame.value;
  const json& operand = *clause.value;
  const auto sibling = [&](const char* name) {
    const auto found = frame.schema_json.find(name);
    return frame.schema.resource->draft == Draft::k4 && found != frame.schema_json.end() &&
           *found == true;
  };
  const auto expect = [&](bool fits, std::string_view relation) {
    return fits || Fail(frame, clause.name,
                        "expected a number " + std::string(relation) + " " + ShownOperand(operand) +
                            ", got " + Shown(value));
  };
  switch (clause.keyword) {
    case Keyword::kMultipleOf:
      return expect(IsMultiple(value, operand), "that is a multiple of");
    case Keyword::kMaximum:
      return sibling("exclusiveMaximum") ? expect(value < operand, "below")
                                         : expect(value <= operand, "up to");
    case Keyword::kMinimum:
      return sibling("exclusiveMinimum") ? expect(value > operand, "above")
                                         : expect(value >= operand, "from");
    case Keyword::kExclusiveMaximum:
      return operand.is_boolean() || expect(value < operand, "below");
    case Keyword::kExclusiveMinimum:
      return operand.is_boolean() || expect(value > operand, "above");
    default:
      return true;
  }
}

bool JsonSchema::Validation::CheckSize(const Frame& frame, const Clause& clause, std::size_t size,
                                       std::string_view what, bool maximum) {
  const auto actual = static_cast<double>(size);
  const auto bound = clause.value->get<double>();
  if (maximum ? actual <= bound : actual >= bound) return true;
  return Fail(frame, clause.name,
              std::string(maximum ? "expected at most " : "expected at least ") +
                  ShownOperand(*clause.value) + " " + std::string(what) + ", got " +
                  std::to_string(size));
}

bool JsonSchema::Validation::CheckRequired(const Frame& frame, const Clause& clause,
                                           const json& names, std::string_view because) {
  bool fits = true;
  for (const json& name : names) {
    const std::string& text = name.get_ref<const std::string&>();
    if (frame.value.contains(text)) continue;
    std::string message = "the member \"" + text + "\" is missing";
    if (!because.empty()) message.append(", which \"").append(because).append("\" needs");
    fits = Fail(frame, clause.name, std::move(message));
    if (violations_ == nullptr) return false;
  }
  return fits;
}

bool JsonSchema::Validation::CheckDependencies(const Frame& frame, const Clause& clause) {
  bool fits = true;
  for (const auto& [name, needs] : clause.value->items()) {
    if (!frame.value.contains(name)) continue;
    const bool held = needs.is_array() ? CheckRequired(frame, clause, needs, name)
                                       : Check(needs, frame.value, frame.place, frame.evaluated);
    fits = fits && held;
  }
  return fits;
}

bool JsonSchema::Validation::CheckProperties(const Frame& frame, const Clause& clause) {
  bool fits = true;
  for (auto row = clause.value->begin(); row != clause.value->end(); ++row) {
    const auto member = frame.value.find(row.key());
    if (member == frame.value.end()) continue;
    const Place place{.parent = &frame.place, .key = member.key()};
    if (!Check(*row, *member, place, nullptr)) fits = false;
    if (!fits && violations_ == nullptr) return false;
    if (frame.evaluated != nullptr) frame.evaluated->properties.insert(member.key());
  }
  return fits;
}

bool JsonSchema::Validation::CheckPatternProperties(const Frame& frame, const Clause& clause) {
  bool fits = true;
  for (const auto& [pattern, schema] : clause.value->items()) {
    for (auto member = frame.value.begin(); member != frame.value.end(); ++member) {
      if (!Matched(pattern, member.key())) continue;
      const Place place{.parent = &frame.place, .key = member.key()};
      if (!Check(schema, *member, place, nullptr)) fits = false;
      if (!fits && violations_ == nullptr) return false;
      if (frame.evaluated != nullptr) frame.evaluated->properties.insert(member.key());
    }
  }
  return fits;
}

bool JsonSchema::Validation::CheckAdditionalProperties(const Frame& frame, const Clause& clause) {
  const auto properties = frame.schema_json.find("properties");
  const auto patterns = frame.schema_json.find("patternProperties");
  const auto named = [&](const std::string& name) {
    if (properties != frame.schema_json.end() && properties->contains(name)) return true;
    if (patterns == frame.schema_json.end()) return false;
    for (auto pattern = patterns->begin(); pattern != patterns->end(); ++pattern) {
      if (Matched(pattern.key(), name)) return true;
    }
    return false;
  };
  bool fits = true;
  for (auto member = frame.value.begin(); member != frame.value.end(); ++member) {
    if (named(member.key())) continue;
    const Place place{.parent = &frame.place, .key = member.key()};
    if (!Check(*clause.value, *member, place, nullptr)) fits = false;
    if (!fits && violations_ == nullptr) return false;
  }
  if (frame.evaluated != nullptr) frame.evaluated->every_property = true;
  return fits;
}

bool JsonSchema::Validation::CheckUnevaluatedProperties(const Frame& frame, const Clause& clause) {
  bool fits = true;
  if (!frame.evaluated->every_property) {
    for (auto member = frame.value.begin(); member != frame.value.end(); ++member) {
      if (frame.evaluated->properties.count(member.key()) != 0) continue;
      const Place place{.parent = &frame.place, .key = member.key()};
      if (!Check(*clause.value, *member, place, nullptr)) fits = false;
      if (!fits && violations_ == nullptr) return false;
    }
  }
  frame.evaluated->every_property = true;
  return fits;
}

bool JsonSchema::Validation::CheckPropertyNames(const Frame& frame, const Clause& clause) {
  bool fits = true;
  for (auto member = frame.value.begin(); member != frame.value.end(); ++member) {
    const Place place{.parent = &frame.place, .key = member.key()};
    const json name = member.key();
    if (!Check(*clause.value, name, place, nullptr)) fits = false;
    if (!fits && violations_ == nullptr) return false;
  }
  return fits;
}

bool JsonSchema::Validation::CheckItems(const Frame& frame, const Clause& clause) {
  if (clause.keyword == Keyword::kPrefixItems) return CheckItemList(frame, *clause.value);
  if (clause.keyword == Keyword::kItems) {
    if (clause.value->is_array()) return CheckItemList(frame, *clause.value);
    const auto prefix = frame.schema_json.find("prefixItems");
    const bool skips =
        frame.schema.resource->draft == Draft::k2020_12 && prefix != frame.schema_json.end();
    return CheckItemsFrom(frame, *clause.value, skips ? prefix->size() : 0);
  }
  const auto items = frame.schema_json.find("items");
  if (items == frame.schema_json.end() || !items->is_array()) return true;
  return CheckItemsFrom(frame, *clause.value, items->size());
}

bool JsonSchema::Validation::CheckItemList(const Frame& frame, const json& schemas) {
  bool fits = true;
  const std::size_t count = std::min(schemas.size(), frame.value.size());
  for (std::size_t i = 0; i < count; ++i) {
    const Place place{.parent = &frame.place, .index = i, .is_index = true};
    if (!Check(schemas[i], frame.value[i], place, nullptr)) fits = false;
    if (!fits && violations_ == nullptr) return false;
  }
  if (frame.evaluated != nullptr) {
    frame.evaluated->items = std::max(frame.evaluated->items, count);
  }
  return fits;
}

bool JsonSchema::Validation::CheckItemsFrom(const Frame& frame, const json& schema,
                                            std::size_t first) {
  bool fits = true;
  for (std::size_t i = first; i < frame.value.size(); ++i) {
    const Place place{.parent = &frame.place, .index = i, .is_index = true};
    if (!Check(schema, frame.value[i], place, nullptr)) fits = false;
    if (!fits && (violations_ == nullptr || exhausted_)) return false;
  }
  if (frame.evaluated != nullptr) frame.evaluated->every_item = true;
  return fits;
}

bool JsonSchema::Validation::CheckUnevaluatedItems(const Frame& frame, const Clause& clause) {
  bool fits = true;
  for (std::size_t i = frame.evaluated->items;
       i < frame.value.size() && !frame.evaluated->every_item; ++i) {
    if (frame.evaluated->scattered.count(i) != 0) continue;
    const Place place{.parent = &frame.place, .index = i, .is_index = true};
    if (!Check(*clause.value, frame.value[i], place, nullptr)) fits = false;
    if (!fits && violations_ == nullptr) return false;
  }
  frame.evaluated->every_item = true;
  return fits;
}

bool JsonSchema::Validation::CheckContains(const Frame& frame, const Clause& clause) {
  const bool counts =
      frame.schema.resource->draft == Draft::k2020_12 && frame.schema.resource->validation;
  const auto bound = [&](const char* name, double otherwise) {
    const auto found = frame.schema_json.find(name);
    return counts && found != frame.schema_json.end() ? found->get<double>() : otherwise;
  };
  double found = 0;
  for (std::size_t i = 0; i < frame.value.size(); ++i) {
    const Place place{.parent = &frame.place, .index = i, .is_index = true};
    if (!Quiet(*clause.value, frame.value[i], place, nullptr)) continue;
    ++found;
    if (counts && frame.evaluated != nullptr) frame.evaluated->scattered.insert(i);
  }
  if (found < bound("minContains", 1)) {
    return Fail(frame, clause.name, "too few elements fit");
  }
  const double most = bound("maxContains", static_cast<double>(frame.value.size()));
  return found <= most || Fail(frame, clause.name, "too many elements fit");
}

bool JsonSchema::Validation::CheckLogic(const Frame& frame, const Clause& clause) {
  const json& operand = *clause.value;
  if (clause.keyword == Keyword::kNot) {
    return !Quiet(operand, frame.value, frame.place, nullptr) ||
           Fail(frame, clause.name, "it fits what it must not");
  }
  if (clause.keyword == Keyword::kAllOf) {
    bool fits = true;
    for (const json& schema : operand) {
      if (!Check(schema, frame.value, frame.place, frame.evaluated)) fits = false;
      if (!fits && violations_ == nullptr) return false;
    }
    return fits;
  }
  std::size_t count = 0;
  for (const json& schema : operand) {
    if (Quiet(schema, frame.value, frame.place, frame.evaluated)) ++count;
    // With somebody asking for what was evaluated, every schema has to say.
    if (clause.keyword == Keyword::kAnyOf && count > 0 && frame.evaluated == nullptr) return true;
  }
  const std::string of = std::to_string(operand.size()) + " schemas";
  if (count == 0) return Fail(frame, clause.name, "it fits none of the " + of);
  if (clause.keyword == Keyword::kAnyOf || count == 1) return true;
  return Fail(frame, clause.name,
              "it must fit one of the " + of + ", but fits " + std::to_string(count));
}

bool JsonSchema::Validation::CheckIf(const Frame& frame, const Clause& clause) {
  const bool holds = Quiet(*clause.value, frame.value, frame.place, frame.evaluated);
  const auto branch = frame.schema_json.find(holds ? "then" : "else");
  return branch == frame.schema_json.end() ||
         Check(*branch, frame.value, frame.place, frame.evaluated);
}

// The outermost schema resource in the dynamic scope with that anchor decides (2020-12 core,
// section 8.2.3.2).
bool JsonSchema::Validation::CheckDynamicRef(const Frame& frame) {
  const json* target = frame.schema.dynamic_ref;
  if (!frame.schema.dynamic_name.empty()) {
    for (const Resource* const resource : scope_) {
      const auto found = resource->dynamic_anchors.find(frame.schema.dynamic_name);
      if (found == resource->dynamic_anchors.end()) continue;
      target = found->second;
      break;
    }
  }
  return Check(*target, frame.value, frame.place, frame.evaluated);
}

std::string JsonSchema::Violation::ToString() const {
  return (instance.empty() ? "(root)" : instance) + ": " + message +
         (schema.empty() ? "" : " (" + schema + ")");
}

JsonSchema::JsonSchema(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}

Result<JsonSchema> JsonSchema::Compile(std::string_view text) { return Compile(text, Options()); }

Result<JsonSchema> JsonSchema::Compile(std::string_view text, const Options& options) {
  const json schema = json::parse(text, nullptr, false);
  if (schema.is_discarded()) return InvalidArgument("JSON Schema: the text is not JSON");
  return CompileValue(schema, options);
}

Result<JsonSchema> JsonSchema::CompileValue(const json& schema, const Options& options) {
  auto compiled = std::make_shared<Compiled>();
  UNDERSTUDY_RETURN_IF_ERROR(Builder(options, *compiled).Build(schema));
  return JsonSchema(std::move(compiled));
}

bool JsonSchema::IsValid(const json& value) const {
  return Validation(*compiled_, nullptr).Run(value);
}

std::vector<JsonSchema::Violation> JsonSchema::Validate(const json& value) const {
  std::vector<Violation> violations;
  if (!Validation(*compiled_, &violations).Run(value) && violations.empty()) {
    violations.push_back({.message = "it does not fit the schema"});
  }
  return violations;
}

}  // namespace understudy::harness
