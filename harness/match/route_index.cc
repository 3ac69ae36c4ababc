#include "harness/match/route_index.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <re2/re2.h>
#include <re2/set.h>

namespace understudy::harness {
namespace {

// A route's place in the order in which routes are tried.
using Rank = std::uint32_t;
using Ranks = std::vector<Rank>;  // Ascending.

// Memory for the automaton of all expressions. What needs more is tried one by one.
constexpr std::int64_t kRegexBytesMax = std::int64_t{16} * 1024 * 1024;

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>()(text);
  }
};

template <typename Value>
using TextMap = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

// Which expressions fit a text, in one pass over it.
class RegexTable {
 public:
  void Add(const std::string& pattern, Rank rank) {
    ranks_.push_back(rank);
    if (!set_) set_ = std::make_unique<re2::RE2::Set>(Options(), re2::RE2::ANCHOR_BOTH);
    if (set_->Add(pattern, nullptr) < 0) refused_ = true;
  }

  void Finish() {
    if (set_ && (refused_ || !set_->Compile())) refused_ = true;
  }

  bool empty() const { return ranks_.empty(); }

  // Those that fit, or all if that would take too much memory.
  Ranks Find(std::string_view text) const {
    std::vector<int> hits;
    re2::RE2::Set::ErrorInfo error{};
    if (!refused_ && set_->Match({text.data(), text.size()}, &hits, &error)) {
      Ranks found;
      for (const int hit : hits) found.push_back(ranks_[static_cast<std::size_t>(hit)]);
      std::sort(found.begin(), found.end());
      return found;
    }
    const bool none = !refused_ && error.kind == re2::RE2::Set::kNoError;
    return none ? Ranks() : ranks_;
  }

 private:
  static re2::RE2::Options Options() {
    re2::RE2::Options options(re2::RE2::Quiet);
    options.set_max_mem(kRegexBytesMax);
    return options;
  }

  Ranks ranks_;  // In the order of Add, which is ascending.
  std::unique_ptr<re2::RE2::Set> set_;
  bool refused_ = false;
};

// The templates, by segment.
class SegmentTrie {
 public:
  SegmentTrie() : nodes_(1) {}

  void Add(const std::vector<PathPattern::Segment>& segments, Rank rank) {
    std::size_t at = 0;
    for (const PathPattern::Segment& segment : segments) at = Child(at, segment);
    nodes_[at].ranks.push_back(rank);
  }

  // Calls `visit` with the list of each template that fits.
  template <typename Visit>
  void Find(const std::vector<std::string_view>& segments, const Visit& visit) const {
    if (nodes_.size() > 1) Find(0, segments, 0, visit);
  }

 private:
  struct Node {
    TextMap<std::size_t> literals = {};
    std::size_t parameter = 0;  // 0: none; the root is nobody's child.
    Ranks ranks = {};
  };

  std::size_t Child(std::size_t at, const PathPattern::Segment& segment) {
    const std::size_t fresh = nodes_.size();
    std::size_t child = fresh;
    if (segment.parameter) {
      if (nodes_[at].parameter == 0) nodes_[at].parameter = fresh;
      child = nodes_[at].parameter;
    } else {
      child = nodes_[at].literals.emplace(segment.text, fresh).first->second;
    }
    if (child == fresh) nodes_.emplace_back();
    return child;
  }

  // No deeper than the longest template, and each node is reached on one way only.
  template <typename Visit>
  void Find(std::size_t at, const std::vector<std::string_view>& segments, std::size_t depth,
            const Visit& visit) const {
    const Node& node = nodes_[at];
    if (depth == segments.size()) {
      if (!node.ranks.empty()) visit(node.ranks);
      return;
    }
    const auto literal = node.literals.find(segments[depth]);
    if (literal != node.literals.end()) Find(literal->second, segments, depth + 1, visit);
    if (node.parameter != 0 && !segments[depth].empty()) {
      Find(node.parameter, segments, depth + 1, visit);
    }
  }

  std::vector<Node> nodes_;
};

// Several ascending lists as one. The lists must outlive it.
class Merge {
 public:
  void Add(const Ranks& ranks) {
    if (ranks.empty()) return;
    if (count_ < kInline) {
      inline_[count_] = {ranks.data(), ranks.data() + ranks.size()};
    } else {
      more_.push_back({ranks.data(), ranks.data() + ranks.size()});
    }
    ++count_;
  }

  std::optional<Rank> Next() {
    Cursor* least = nullptr;
    for (std::size_t i = 0; i < count_; ++i) {
      Cursor& cursor = i < kInline ? inline_[i] : more_[i - kInline];
      if (cursor.at == cursor.end) continue;
      if (least == nullptr || *cursor.at < *least->at) least = &cursor;
    }
    if (least == nullptr) return std::nullopt;
    return *least->at++;
  }

 private:
  struct Cursor {
    const Rank* at = nullptr;
    const Rank* end = nullptr;
  };
  static constexpr std::size_t kInline = 8;

  Cursor inline_[kInline] = {};
  std::size_t count_ = 0;
  std::vector<Cursor> more_;
};

std::string_view PathOf(std::string_view target) { return target.substr(0, target.find('?')); }

}  // namespace

class RouteIndex::Tables {
 public:
  explicit Tables(std::vector<Route> routes);

  template <typename Try>
  std::optional<std::size_t> Find(const PreparedRequest& request, const Try& attempt) const;

  const RequestMatcher& matcher(std::size_t route) const { return routes_[route].matcher; }

 private:
  void Add(const PathPattern& path, Rank rank);

  std::vector<Route> routes_;
  std::vector<std::size_t> by_rank_;
  SegmentTrie templates_;
  TextMap<Ranks> exact_;  // By the path as sent.
  RegexTable paths_;
  RegexTable targets_;
  Ranks any_;
};

RouteIndex::Tables::Tables(std::vector<Route> routes)
    : routes_(std::move(routes)), by_rank_(routes_.size()) {
  std::iota(by_rank_.begin(), by_rank_.end(), std::size_t{0});
  std::stable_sort(by_rank_.begin(), by_rank_.end(), [&](std::size_t a, std::size_t b) {
    return routes_[a].priority < routes_[b].priority;
  });
  for (std::size_t rank = 0; rank < by_rank_.size(); ++rank) {
    Add(routes_[by_rank_[rank]].matcher.path(), static_cast<Rank>(rank));
  }
  paths_.Finish();
  targets_.Finish();
}

void RouteIndex::Tables::Add(const PathPattern& path, Rank rank) {
  switch (path.kind()) {
    case PathPattern::Kind::kAny:
      return any_.push_back(rank);
    case PathPattern::Kind::kTemplate:
      return templates_.Add(path.segments(), rank);
    case PathPattern::Kind::kExact:
    case PathPattern::Kind::kTarget:
      return exact_[std::string(PathOf(path.text()))].push_back(rank);
    case PathPattern::Kind::kRegex:
      return paths_.Add(path.text(), rank);
    case PathPattern::Kind::kTargetRegex:
      return targets_.Add(path.text(), rank);
  }
}

template <typename Try>
std::optional<std::size_t> RouteIndex::Tables::Find(const PreparedRequest& request,
                                                    const Try& attempt) const {
  Merge candidates;
  candidates.Add(any_);
  templates_.Find(request.segments(), [&](const Ranks& ranks) { candidates.Add(ranks); });
  if (!exact_.empty()) {
    const auto exact = exact_.find(request.request().url.path());
    if (exact != exact_.end()) candidates.Add(exact->second);
  }
  Ranks by_path;
  Ranks by_target;
  if (!paths_.empty()) by_path = paths_.Find(request.request().url.path());
  if (!targets_.empty()) by_target = targets_.Find(request.request().url.target());
  candidates.Add(by_path);
  candidates.Add(by_target);
  while (const auto rank = candidates.Next()) {
    const std::size_t route = by_rank_[*rank];
    if (attempt(route)) return route;
  }
  return std::nullopt;
}

RouteIndex::RouteIndex(std::vector<Route> routes)
    : tables_(std::make_unique<const Tables>(std::move(routes))) {}
RouteIndex::~RouteIndex() = default;
RouteIndex::RouteIndex(RouteIndex&&) noexcept = default;
RouteIndex& RouteIndex::operator=(RouteIndex&&) noexcept = default;

std::optional<std::size_t> RouteIndex::Find(const PreparedRequest& request) const {
  return tables_->Find(request,
                       [&](std::size_t route) { return tables_->matcher(route).Fits(request); });
}

std::optional<std::size_t> RouteIndex::Find(const PreparedRequest& request,
                                            FunctionRef<bool(std::size_t)> accepts) const {
  return tables_->Find(request, [&](std::size_t route) {
    return tables_->matcher(route).Fits(request) && accepts(route);
  });
}

std::size_t RouteIndex::CountCandidates(const PreparedRequest& request) const {
  std::size_t count = 0;
  tables_->Find(request, [&](std::size_t) {
    ++count;
    return false;
  });
  return count;
}

}  // namespace understudy::harness
