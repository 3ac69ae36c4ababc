// NodeReader: reads typed values out of a JsonNode and reports everything that is wrong, with its
// place.
//
//   NodeReader reader(document.root(), document.file(), problems);
//   reader.ExpectKeys({"total", "attempt"});        // unknown keys become errors with a suggestion
//   reader.Read("total", options.total);            // absent: left as it is; wrong: reported and
//   left
//
// The building block of the loader, and of nothing else. Not thread-safe. Holds pointers to the
// node and the problems.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/scenario/json_document.h"
#include "middleware/base/time.h"

namespace understudy::harness {

// The first `limit` different problems of one load.
class ProblemList {
 public:
  explicit ProblemList(std::size_t limit) : limit_(limit) {}

  void Add(Diagnostic problem);
  // Drops further problems at this place: they only follow from one that was reported.
  void Silence(const SourceLocation& at) { silent_.emplace(at.file, at.pointer); }
  bool empty() const { return problems_.empty(); }
  bool full() const { return problems_.size() >= limit_; }
  const std::vector<Diagnostic>& problems() const { return problems_; }

 private:
  std::size_t limit_;
  std::vector<Diagnostic> problems_;
  std::set<std::pair<std::string, std::string>> silent_;
};

// A word of the format and what it means.
template <typename E>
struct Word {
  std::string_view word;
  E value;
};

// `did you mean "x"?`, or empty if no candidate is close.
std::string DidYouMean(std::string_view word, std::span<const std::string_view> candidates);

// `"a", "b" or "c"`.
std::string QuotedList(std::span<const std::string_view> words);

struct IntRange {
  std::int64_t min;
  std::int64_t max;
};

class NodeReader {
 public:
  using Keys = std::initializer_list<std::string_view>;

  NodeReader(const JsonNode& node, const std::string& file, ProblemList& problems)
      : NodeReader(node, file, problems, {}) {}

  const JsonNode& node() const { return *node_; }
  const std::string& file() const { return *file_; }
  ProblemList& problems() const { return *problems_; }
  const std::string& pointer() const { return pointer_; }
  SourceLocation Location() const { return {*file_, node_->position(), pointer_}; }

  // Reports a problem at the value, or at the key of its member `key`.
  void Error(std::string message, std::string suggestion = {}) const;
  void Silence() const { problems_->Silence(Location()); }
  void ErrorAtKey(std::string_view key, std::string message, std::string suggestion = {}) const;

  // True if this is an object; unknown keys other than `x-` ones (if `free_keys`) are reported, but
  // do not make it false.
  bool ExpectKeys(Keys keys, bool free_keys = false) const;
  bool ExpectKeys(std::span<const std::string_view> keys, bool free_keys = false) const;
  bool ExpectObject() const;

  bool Has(std::string_view key) const { return node_->Find(key) != nullptr; }
  std::optional<NodeReader> Find(std::string_view key) const;
  // As Find; reports a missing key.
  std::optional<NodeReader> Require(std::string_view key) const;
  // The elements; empty, and reported, if this is no array.
  std::vector<NodeReader> Items() const;
  // The members of an object by key.
  std::vector<std::pair<std::string, NodeReader>> Members() const;

  // The value here as a T; nullopt, and reported, if it is none.
  std::optional<std::string> AsString() const;
  std::optional<bool> AsBoolean() const;
  std::optional<std::int64_t> AsInteger(IntRange range) const;
  std::optional<double> AsNumber(double min, double max) const;
  std::optional<Duration> AsDuration() const;
  std::optional<std::size_t> AsChoice(std::span<const std::string_view> words) const;
  template <typename E>
  std::optional<E> AsWord(std::span<const Word<E>> words) const {
    std::vector<std::string_view> names;
    for (const Word<E>& word : words) names.push_back(word.word);
    const auto index = AsChoice(names);
    return index ? std::optional<E>(words[*index].value) : std::nullopt;
  }

  // Stores the member `key` if it exists and is a T.
  void Read(std::string_view key, std::string& out) const {
    Store(key, out, &NodeReader::AsString);
  }
  void Read(std::string_view key, bool& out) const { Store(key, out, &NodeReader::AsBoolean); }
  void Read(std::string_view key, Duration& out) const { Store(key, out, &NodeReader::AsDuration); }
  template <typename T>
  void Read(std::string_view key, std::optional<T>& out) const {
    T value{};
    if (ReadFound(key, value)) out = std::move(value);
  }
  template <typename Int>
  void ReadInt(std::string_view key, Int& out, IntRange range) const {
    if (const auto found = Find(key)) {
      if (const auto value = found->AsInteger(range)) out = static_cast<Int>(*value);
    }
  }
  template <typename Int>
  void ReadInt(std::string_view key, std::optional<Int>& out, IntRange range) const {
    if (const auto found = Find(key)) {
      if (const auto value = found->AsInteger(range)) out = static_cast<Int>(*value);
    }
  }
  template <typename E, std::size_t N>
  void ReadWord(std::string_view key, E& out, const Word<E> (&words)[N]) const {
    if (const auto found = Find(key)) {
      if (const auto value = found->AsWord(std::span<const Word<E>>(words))) out = *value;
    }
  }
  // Any value, serialised.
  void ReadJson(std::string_view key, std::string& out) const;
  void ReadJson(std::string_view key, std::optional<std::string>& out) const;
  // An object of strings.
  void ReadStrings(std::string_view key,
                   std::vector<std::pair<std::string, std::string>>& out) const;

 private:
  NodeReader(const JsonNode& node, const std::string& file, ProblemList& problems,
             std::string pointer)
      : node_(&node), file_(&file), problems_(&problems), pointer_(std::move(pointer)) {}

  NodeReader Child(const JsonNode& node, std::string_view token) const;
  void Report(SourcePosition at, std::string pointer, std::string message,
              std::string suggestion) const;

  template <typename T>
  bool Store(std::string_view key, T& out, std::optional<T> (NodeReader::*as)() const) const {
    const auto found = Find(key);
    if (!found) return false;
    auto value = ((*found).*as)();
    if (!value) return false;
    out = *std::move(value);
    return true;
  }
  bool ReadFound(std::string_view key, std::string& out) const {
    return Store(key, out, &NodeReader::AsString);
  }
  bool ReadFound(std::string_view key, Duration& out) const {
    return Store(key, out, &NodeReader::AsDuration);
  }

  const JsonNode* node_;
  const std::string* file_;
  ProblemList* problems_;
  std::string pointer_;
};

// Which one of `forms` an object has: `what` objects (steps, expectations) carry exactly one of
// these keys, their `role`. nullopt, and reported, if it is no object or has none or several. A
// near miss of a form is reported as such.
std::optional<std::string_view> SelectForm(const NodeReader& reader,
                                           std::span<const std::string_view> forms,
                                           std::initializer_list<std::string_view> common_keys,
                                           std::string_view what, std::string_view role);

// A list of ids in which each may occur once.
class IdSet {
 public:
  // Reads the required, non-empty string `key` of `reader` as an id; reports a missing or repeated
  // one.
  std::string Read(const NodeReader& reader, std::string_view key, std::string_view what);
  // Notes `id`, found at `reader`; false, and reported, if it was noted before.
  bool Add(const NodeReader& reader, const std::string& id, std::string_view what);
  bool Contains(const std::string& id) const { return ids_.count(id) != 0; }
  std::vector<std::string_view> All() const;

 private:
  std::map<std::string, SourceLocation> ids_;
};

}  // namespace understudy::harness
