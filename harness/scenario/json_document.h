// JsonDocument: JSON for people (comments and trailing commas allowed), in which every key and
// value knows its place.
//
//   const JsonDocument document = JsonDocument::Parse("a.scn.json", text);
//   if (!document.ok()) std::cerr << document.diagnostics().front().ToString() << "\n";
//   if (const JsonNode* name = document.root().Find("name")) Use(name->text());
//
// The grammar is RFC 8259 plus `//` and `/* */` comments and one trailing comma per array or
// object, and a byte order mark is tolerated. Everything else is refused: invalid UTF-8 (with the
// offset of the byte), repeated keys (naming both places), control characters in strings, lone
// surrogates, and what exceeds the limits below. Nothing throws and nothing crashes, whatever the
// bytes. Plain values; const access is thread-safe.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace understudy::harness {

// A place in a text. Lines and columns count from 1, columns in characters (code points); the
// offset in bytes from 0.
struct SourcePosition {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  std::size_t offset = 0;

  auto operator<=>(const SourcePosition&) const = default;
};

// A place in a file, with the JSON pointer (RFC 6901) of the value there; the pointer of a whole
// document is empty.
struct SourceLocation {
  std::string file = {};
  SourcePosition position = {};
  std::string pointer = {};

  std::string ToString() const;  // "a.scn.json:27:5"
};

// One thing that is wrong with a file, or that a reader of it should know.
struct Diagnostic {
  std::string file = {};
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  std::string pointer = {};  // JSON pointer; empty for the whole document
  std::string message = {};
  std::string suggestion = {};  // What to do, e.g. `did you mean "always"?`; may be empty.

  // a.scn.json:27:5: /expect/1/alwyas: unknown key "alwyas"; did you mean "always"?
  // The whole document is written as "(root)", because RFC 6901 gives it the empty pointer.
  std::string ToString() const;

  bool operator==(const Diagnostic&) const = default;
};

class JsonNode {
 public:
  enum class Kind {
    kNull,
    kBoolean,
    kInteger,  // No fraction or exponent, and fits std::int64_t.
    kNumber,   // Every other number.
    kString,
    kArray,
    kObject,
  };
  struct Member;

  Kind kind() const { return kind_; }
  const SourcePosition& position() const { return position_; }

  bool boolean() const { return integer_ != 0; }     // Of a kBoolean.
  std::int64_t integer() const { return integer_; }  // Of a kInteger.
  double number() const { return number_; }          // Of a kInteger or kNumber.
  const std::string& text() const {
    return text_;
  }  // A string's value, or a number exactly as written.
  const std::vector<JsonNode>& items() const { return items_; }  // Of a kArray, in order.
  const std::vector<Member>& members() const {
    return members_;
  }  // Of a kObject, in the file's order.

  // The value of the member `key`; nullptr if there is none or this is no object.
  const JsonNode* Find(std::string_view key) const;

  bool IsObject() const { return kind_ == Kind::kObject; }
  bool IsArray() const { return kind_ == Kind::kArray; }
  bool IsString() const { return kind_ == Kind::kString; }
  bool IsScalar() const { return kind_ != Kind::kArray && kind_ != Kind::kObject; }

  // "an integer", "a string", ... for messages.
  std::string_view KindName() const;

  // Compact JSON with the members in the file's order and numbers as written.
  std::string Serialise() const;

  // A string with this position. The loader uses it where a parameter was inserted into a text.
  static JsonNode MakeString(std::string text, SourcePosition position);
  // This value as if it stood at `position`: what inserting a parameter does.
  JsonNode At(SourcePosition position) const;
  // This array or object with other children. `items` and `members` are for the kind that has them.
  JsonNode WithChildren(std::vector<JsonNode> items, std::vector<Member> members) const;

 private:
  friend class JsonParser;

  Kind kind_ = Kind::kNull;
  SourcePosition position_;
  std::int64_t integer_ = 0;
  double number_ = 0;
  std::string text_;
  std::vector<JsonNode> items_;
  std::vector<Member> members_;
};

struct JsonNode::Member {
  std::string key;
  SourcePosition key_position;
  JsonNode value;
};

// The same value as nlohmann/json (which sorts the members). Integers beyond 64 bits become
// doubles.
nlohmann::json ToNlohmann(const JsonNode& node);

// Bounds on what a document may cost. The defaults are far above any scenario written by a person.
struct JsonLimits {
  std::size_t bytes = std::size_t{16} * 1024 * 1024;
  std::size_t depth = 200;
  std::size_t values = 500'000;
  std::size_t diagnostics = 20;
};

class JsonDocument {
 public:
  // Reads all of `text`, which is called `file` in messages. Never fails as a function: see ok().
  static JsonDocument Parse(std::string file, std::string text, const JsonLimits& limits = {});

  bool ok() const { return diagnostics_.empty(); }
  const std::string& file() const { return file_; }
  // What was read; null if the text has a syntax error.
  const JsonNode& root() const { return root_; }
  // Everything found wrong, in the order of the text. A syntax error ends the search.
  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }
  // Line `line` (from 1) without its end and without surrounding blanks; empty if there is no such
  // line.
  std::string_view LineText(std::uint32_t line) const;

 private:
  std::string file_;
  std::string text_;
  JsonNode root_;
  std::vector<Diagnostic> diagnostics_;
};

}  // namespace understudy::harness
