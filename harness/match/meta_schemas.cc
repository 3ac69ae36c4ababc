#include "harness/match/meta_schemas.h"

#include <utility>

namespace understudy::harness {
namespace {

constexpr std::string_view kDraft4 = R"({
"$schema": "http://json-schema.org/draft-04/schema#", "id": "http://json-schema.org/draft-04/schema#",
"type": "object",
"definitions": {
  "count": { "type": "integer", "minimum": 0 },
  "schemas": { "type": "array", "minItems": 1, "items": { "$ref": "#" } },
  "map": { "type": "object", "additionalProperties": { "$ref": "#" } },
  "names": { "type": "array", "items": { "type": "string" }, "minItems": 1, "uniqueItems": true },
  "kind": { "enum": ["array", "boolean", "integer", "null", "number", "object", "string"] } },
"properties": {
  "id": { "type": "string" }, "$schema": { "type": "string" }, "$ref": { "type": "string" },
  "title": { "type": "string" }, "description": { "type": "string" }, "default": {},
  "multipleOf": { "type": "number", "minimum": 0, "exclusiveMinimum": true },
  "maximum": { "type": "number" }, "exclusiveMaximum": { "type": "boolean" },
  "minimum": { "type": "number" }, "exclusiveMinimum": { "type": "boolean" },
  "maxLength": { "$ref": "#/definitions/count" }, "minLength": { "$ref": "#/definitions/count" },
  "pattern": { "type": "string" }, "format": { "type": "string" },
  "additionalItems": { "anyOf": [{ "type": "boolean" }, { "$ref": "#" }] },
  "items": { "anyOf": [{ "$ref": "#" }, { "$ref": "#/definitions/schemas" }] },
  "maxItems": { "$ref": "#/definitions/count" }, "minItems": { "$ref": "#/definitions/count" },
  "uniqueItems": { "type": "boolean" },
  "maxProperties": { "$ref": "#/definitions/count" },
  "minProperties": { "$ref": "#/definitions/count" },
  "required": { "$ref": "#/definitions/names" },
  "additionalProperties": { "anyOf": [{ "type": "boolean" }, { "$ref": "#" }] },
  "definitions": { "$ref": "#/definitions/map" }, "properties": { "$ref": "#/definitions/map" },
  "patternProperties": { "$ref": "#/definitions/map" },
  "dependencies": { "type": "object",
    "additionalProperties": { "anyOf": [{ "$ref": "#" }, { "$ref": "#/definitions/names" }] } },
  "enum": { "type": "array", "minItems": 1, "uniqueItems": true },
  "type": { "anyOf": [ { "$ref": "#/definitions/kind" },
    { "type": "array", "items": { "$ref": "#/definitions/kind" }, "minItems": 1,
      "uniqueItems": true } ] },
  "allOf": { "$ref": "#/definitions/schemas" }, "anyOf": { "$ref": "#/definitions/schemas" },
  "oneOf": { "$ref": "#/definitions/schemas" }, "not": { "$ref": "#" } },
"dependencies": { "exclusiveMaximum": ["maximum"], "exclusiveMinimum": ["minimum"] } })";

constexpr std::string_view kDraft7 = R"({
"$schema": "http://json-schema.org/draft-07/schema#",
"$id": "http://json-schema.org/draft-07/schema#",
"type": ["object", "boolean"],
"definitions": {
  "count": { "type": "integer", "minimum": 0 },
  "schemas": { "type": "array", "minItems": 1, "items": { "$ref": "#" } },
  "map": { "type": "object", "additionalProperties": { "$ref": "#" } },
  "names": { "type": "array", "items": { "type": "string" }, "uniqueItems": true },
  "kind": { "enum": ["array", "boolean", "integer", "null", "number", "object", "string"] } },
"properties": {
  "$id": { "type": "string" }, "$schema": { "type": "string" }, "$ref": { "type": "string" },
  "$comment": { "type": "string" }, "title": { "type": "string" },
  "description": { "type": "string" }, "default": true, "examples": { "type": "array" },
  "readOnly": { "type": "boolean" }, "writeOnly": { "type": "boolean" },
  "multipleOf": { "type": "number", "exclusiveMinimum": 0 },
  "maximum": { "type": "number" }, "exclusiveMaximum": { "type": "number" },
  "minimum": { "type": "number" }, "exclusiveMinimum": { "type": "number" },
  "maxLength": { "$ref": "#/definitions/count" }, "minLength": { "$ref": "#/definitions/count" },
  "pattern": { "type": "string" }, "format": { "type": "string" },
  "additionalItems": { "$ref": "#" },
  "items": { "anyOf": [{ "$ref": "#" }, { "$ref": "#/definitions/schemas" }] },
  "maxItems": { "$ref": "#/definitions/count" }, "minItems": { "$ref": "#/definitions/count" },
  "uniqueItems": { "type": "boolean" }, "contains": { "$ref": "#" },
  "maxProperties": { "$ref": "#/definitions/count" },
  "minProperties": { "$ref": "#/definitions/count" },
  "required": { "$ref": "#/definitions/names" },
  "additionalProperties": { "$ref": "#" }, "propertyNames": { "$ref": "#" },
  "definitions": { "$ref": "#/definitions/map" }, "properties": { "$ref": "#/definitions/map" },
  "patternProperties": { "$ref": "#/definitions/map" },
  "dependencies": { "type": "object",
    "additionalProperties": { "anyOf": [{ "$ref": "#" }, { "$ref": "#/definitions/names" }] } },
  "const": true, "enum": { "type": "array" },
  "type": { "anyOf": [ { "$ref": "#/definitions/kind" },
    { "type": "array", "items": { "$ref": "#/definitions/kind" }, "minItems": 1,
      "uniqueItems": true } ] },
  "contentMediaType": { "type": "string" }, "contentEncoding": { "type": "string" },
  "if": { "$ref": "#" }, "then": { "$ref": "#" }, "else": { "$ref": "#" },
  "allOf": { "$ref": "#/definitions/schemas" }, "anyOf": { "$ref": "#/definitions/schemas" },
  "oneOf": { "$ref": "#/definitions/schemas" }, "not": { "$ref": "#" } } })";

constexpr std::string_view k2020 = R"({
"$schema": "https://json-schema.org/draft/2020-12/schema",
"$id": "https://json-schema.org/draft/2020-12/schema",
"$vocabulary": {
  "https://json-schema.org/draft/2020-12/vocab/core": true,
  "https://json-schema.org/draft/2020-12/vocab/applicator": true,
  "https://json-schema.org/draft/2020-12/vocab/unevaluated": true,
  "https://json-schema.org/draft/2020-12/vocab/validation": true,
  "https://json-schema.org/draft/2020-12/vocab/meta-data": true,
  "https://json-schema.org/draft/2020-12/vocab/format-annotation": true,
  "https://json-schema.org/draft/2020-12/vocab/content": true },
"$dynamicAnchor": "meta", "type": ["object", "boolean"],
"allOf": [ { "$ref": "meta/core" }, { "$ref": "meta/applicator" }, { "$ref": "meta/unevaluated" },
  { "$ref": "meta/validation" }, { "$ref": "meta/meta-data" }, { "$ref": "meta/format-annotation" },
  { "$ref": "meta/content" } ],
"properties": {
  "definitions": { "type": "object", "additionalProperties": { "$dynamicRef": "#meta" } },
  "dependencies": { "type": "object", "additionalProperties": { "anyOf": [
    { "$dynamicRef": "#meta" }, { "$ref": "meta/validation#/$defs/names" } ] } } } })";

constexpr std::string_view kCore = R"({
"$schema": "https://json-schema.org/draft/2020-12/schema",
"$id": "https://json-schema.org/draft/2020-12/meta/core", "$dynamicAnchor": "meta",
"type": ["object", "boolean"],
"$defs": { "anchor": { "type": "string", "pattern": "^[A-Za-z_][-A-Za-z0-9._]*$" } },
"properties": {
  "$id": { "type": "string", "pattern": "^[^#]*#?$" }, "$schema": { "type": "string" },
  "$ref": { "type": "string" }, "$anchor": { "$ref": "#/$defs/anchor" },
  "$dynamicRef": { "type": "string" }, "$dynamicAnchor": { "$ref": "#/$defs/anchor" },
  "$vocabulary": { "type": "object", "additionalProperties": { "type": "boolean" } },
  "$comment": { "type": "string" },
  "$defs": { "type": "object", "additionalProperties": { "$dynamicRef": "#meta" } } } })";

constexpr std::string_view kApplicator = R"({
"$schema": "https://json-schema.org/draft/2020-12/schema",
"$id": "https://json-schema.org/draft/2020-12/meta/applicator", "$dynamicAnchor": "meta",
"type": ["object", "boolean"],
"$defs": {
  "schemas": { "type": "array", "minItems": 1, "items": { "$dynamicRef": "#meta" } },
  "map": { "type": "object", "additionalProperties": { "$dynamicRef": "#meta" } } },
"properties": {
  "prefixItems": { "$ref": "#/$defs/schemas" }, "items": { "$dynamicRef": "#meta" },
  "contains": { "$dynamicRef": "#meta" }, "additionalProperties": { "$dynamicRef": "#meta" },
  "properties": { "$ref": "#/$defs/map" }, "patternProperties": { "$ref": "#/$defs/map" },
  "dependentSchemas": { "$ref": "#/$defs/map" }, "propertyNames": { "$dynamicRef": "#meta" },
  "if": { "$dynamicRef": "#meta" }, "then": { "$dynamicRef": "#meta" },
  "else": { "$dynamicRef": "#meta" }, "not": { "$dynamicRef": "#meta" },
  "allOf": { "$ref": "#/$defs/schemas" }, "anyOf": { "$ref": "#/$defs/schemas" },
  "oneOf": { "$ref": "#/$defs/schemas" } } })";

constexpr std::string_view kUnevaluated = R"({
"$schema": "https://json-schema.org/draft/2020-12/schema",
"$id": "https://json-schema.org/draft/2020-12/meta/unevaluated", "$dynamicAnchor": "meta",
"type": ["object", "boolean"],
"properties": { "unevaluatedItems": { "$dynamicRef": "#meta" },
  "unevaluatedProperties": { "$dynamicRef": "#meta" } } })";

constexpr std::string_view kValidation = R"({
"$schema": "https://json-schema.org/draft/2020-12/schema",
"$id": "https://json-schema.org/draft/2020-12/meta/validation", "$dynamicAnchor": "meta",
"type": ["object", "boolean"],
"$defs": {
  "count": { "type": "integer", "minimum": 0 },
  "names": { "type": "array", "items": { "type": "string" }, "uniqueItems": true },
  "kind": { "enum": ["array", "boolean", "integer", "null", "number", "object", "string"] } },
"properties": {
  "type": { "anyOf": [ { "$ref": "#/$defs/kind" },
    { "type": "array", "items": { "$ref": "#/$defs/kind" }, "minItems": 1, "uniqueItems": true } ] },
  "const": true, "enum": { "type": "array" },
  "multipleOf": { "type": "number", "exclusiveMinimum": 0 },
  "maximum": { "type": "number" }, "exclusiveMaximum": { "type": "number" },
  "minimum": { "type": "number" }, "exclusiveMinimum": { "type": "number" },
  "maxLength": { "$ref": "#/$defs/count" }, "minLength": { "$ref": "#/$defs/count" },
  "pattern": { "type": "string" },
  "maxItems": { "$ref": "#/$defs/count" }, "minItems": { "$ref": "#/$defs/count" },
  "uniqueItems": { "type": "boolean" },
  "maxContains": { "$ref": "#/$defs/count" }, "minContains": { "$ref": "#/$defs/count" },
  "maxProperties": { "$ref": "#/$defs/count" }, "minProperties": { "$ref": "#/$defs/count" },
  "required": { "$ref": "#/$defs/names" },
  "dependentRequired": { "type": "object", "additionalProperties": { "$ref": "#/$defs/names" } } } })";

constexpr std::string_view kMetaData = R"({
"$schema": "https://json-schema.org/draft/2020-12/schema",
"$id": "https://json-schema.org/draft/2020-12/meta/meta-data", "$dynamicAnchor": "meta",
"type": ["object", "boolean"],
"properties": { "title": { "type": "string" }, "description": { "type": "string" }, "default": true,
  "deprecated": { "type": "boolean" }, "readOnly": { "type": "boolean" },
  "writeOnly": { "type": "boolean" }, "examples": { "type": "array" } } })";

constexpr std::string_view kFormatAnnotation = R"({
"$schema": "https://json-schema.org/draft/2020-12/schema",
"$id": "https://json-schema.org/draft/2020-12/meta/format-annotation", "$dynamicAnchor": "meta",
"type": ["object", "boolean"], "properties": { "format": { "type": "string" } } })";

constexpr std::string_view kContent = R"({
"$schema": "https://json-schema.org/draft/2020-12/schema",
"$id": "https://json-schema.org/draft/2020-12/meta/content", "$dynamicAnchor": "meta",
"type": ["object", "boolean"],
"properties": { "contentEncoding": { "type": "string" }, "contentMediaType": { "type": "string" },
  "contentSchema": { "$dynamicRef": "#meta" } } })";

constexpr std::pair<std::string_view, std::string_view> kDocuments[] = {
    {"http://json-schema.org/draft-04/schema", kDraft4},
    {"http://json-schema.org/draft-07/schema", kDraft7},
    {"https://json-schema.org/draft/2020-12/schema", k2020},
    {"https://json-schema.org/draft/2020-12/meta/core", kCore},
    {"https://json-schema.org/draft/2020-12/meta/applicator", kApplicator},
    {"https://json-schema.org/draft/2020-12/meta/unevaluated", kUnevaluated},
    {"https://json-schema.org/draft/2020-12/meta/validation", kValidation},
    {"https://json-schema.org/draft/2020-12/meta/meta-data", kMetaData},
    {"https://json-schema.org/draft/2020-12/meta/format-annotation", kFormatAnnotation},
    {"https://json-schema.org/draft/2020-12/meta/content", kContent},
};

}  // namespace

std::string_view FindMetaSchema(std::string_view uri) {
  for (const auto& [name, text] : kDocuments) {
    if (name == uri) return text;
  }
  return {};
}

}  // namespace understudy::harness
