#include "harness/match/near_miss.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace understudy::harness {
namespace {

constexpr std::size_t kColumnMax = 40;  // A longer value pushes the next column to the right.

// Control characters would tear the table apart.
std::string OneLine(const std::string& text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out.push_back(c);
    } else {
      out.append("\\x").append(1, kHex[byte / 16U]).append(1, kHex[byte % 16U]);
    }
  }
  return out;
}

struct Row {
  bool differs = false;
  std::string name = {};
  std::string expected = {};
  std::string actual = {};
};

Row RowOf(const Mismatch& part, bool differs) {
  std::string name(ToString(part.part));
  if (!part.key.empty()) name.append(" ").append(part.key);
  return {differs, OneLine(name), OneLine(part.expected), OneLine(part.actual)};
}

// "0.29", whatever the locale.
std::string TwoDigits(double share) {
  const auto hundredths = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * 100));
  const std::string digits = std::to_string(100 + hundredths % 100).substr(1);
  return std::to_string(hundredths / 100) + "." + digits;
}

std::string Padded(std::string text, std::size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text.append("  ");
}

}  // namespace

std::vector<NearMiss> FindNearMisses(std::span<const RequestMatcher> matchers,
                                     const PreparedRequest& request, std::size_t limit) {
  std::vector<std::pair<double, std::size_t>> order;
  for (std::size_t i = 0; i < matchers.size(); ++i) {
    const MatchResult result = matchers[i].Match(request);
    if (!result.matched) order.emplace_back(result.distance, i);
  }
  const std::size_t count = std::min(limit, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end());
  std::vector<NearMiss> nearest;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t route = order[i].second;
    nearest.push_back({route, matchers[route].Match(request, MatchDetail::kReport)});
  }
  return nearest;
}

std::string RenderDiff(const RequestMatcher& matcher, const MatchResult& result,
                       const std::string& title) {
  std::vector<Row> rows;
  for (const Mismatch& part : result.fitting) rows.push_back(RowOf(part, false));
  for (const Mismatch& part : result.mismatches) rows.push_back(RowOf(part, true));
  std::size_t name_width = 0;
  std::size_t expected_width = std::string_view("expected").size();
  for (const Row& row : rows) {
    name_width = std::max(name_width, std::min(row.name.size(), kColumnMax));
    expected_width = std::max(expected_width, std::min(row.expected.size(), kColumnMax));
  }
  std::string text = OneLine(title.empty() ? matcher.Describe() : title);
  text += result.matched ? ": matches\n" : " (distance " + TwoDigits(result.distance) + ")\n";
  if (rows.empty()) return text;
  text += "  " + Padded("", name_width) + Padded("expected", expected_width) + "actual\n";
  for (const Row& row : rows) {
    text += row.differs ? "! " : "  ";
    text += Padded(row.name, name_width) + Padded(row.expected, expected_width) + row.actual + "\n";
  }
  return text;
}

}  // namespace understudy::harness
