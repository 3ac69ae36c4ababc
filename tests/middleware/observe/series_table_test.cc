#include "middleware/observe/series_table.h"

#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy {
namespace {

using Table = SeriesTable<ShardedCounter, 2>;

std::set<std::string> NamesOf(const Table& table) {
  std::set<std::string> names;
  table.ForEach([&](const Table::Values& values, const ShardedCounter& cell) {
    names.insert(std::string(values[0]) + "/" + std::string(values[1]) + "=" +
                 std::to_string(cell.value()));
  });
  return names;
}

TEST(SeriesTableTest, EqualValuesAreOneSeries) {
  Table table(16, {false, false});
  const std::string copy = "a";
  table.At({"a", "b"}).Add(1);
  table.At({copy, "b"}).Add(2);
  table.At({"ab", ""}).Add(1);
  table.At({"", "ab"}).Add(1);
  EXPECT_THAT(NamesOf(table), ::testing::ElementsAre("a/b=3", "ab/unknown=1", "unknown/ab=1"));
  EXPECT_EQ(table.dropped(), 0u);
}

TEST(SeriesTableTest, ValuesThatLookAlikeOnceCleanedAreOneSeries) {
  Table table(16, {false, false});
  table.At({"a\x01", "b"}).Add(1);
  table.At({"a\x02", "b"}).Add(1);
  table.At({"a?", "b"}).Add(1);
  EXPECT_THAT(NamesOf(table), ::testing::ElementsAre("a?/b=3"));
}

TEST(SeriesTableTest, WhatExceedsTheBoundKeepsItsClosedLabelsAndIsCounted) {
  Table table(16, {false, true});  // 13 regular, 2 folded, 1 for the rest
  for (int i = 0; i < 14; ++i) table.At({std::to_string(i), "ok"}).Add(1);
  EXPECT_EQ(table.dropped(), 1u);
  EXPECT_THAT(NamesOf(table), ::testing::Contains("other/ok=1"));
  table.At({"0", "ok"}).Add(1);  // One that exists stays its own.
  EXPECT_EQ(table.dropped(), 1u);
  EXPECT_THAT(NamesOf(table), ::testing::Contains("0/ok=2"));
}

TEST(SeriesTableTest, NeverHoldsMoreThanItsBound) {
  Table table(16, {false, true});
  for (int i = 0; i < 1000; ++i) table.At({std::to_string(i), std::to_string(i)}).Add(1);
  const std::set<std::string> names = NamesOf(table);
  EXPECT_EQ(names.size(), 16u);
  EXPECT_THAT(names, ::testing::Contains("other/other=985"));
  EXPECT_EQ(table.dropped(), 987u);
}

TEST(SeriesTableTest, FindsEachOfManySeriesOfEveryLength) {
  SeriesTable<ShardedCounter, 1> table(1000, {false});
  std::vector<std::string> values;
  for (std::size_t length = 1; length <= 100; ++length) {
    values.push_back(std::string(length, 'a'));
    values.push_back(std::string(length - 1, 'a') + "b");
    values.push_back("b" + std::string(length - 1, 'a') + "c");
  }
  for (int round = 0; round < 2; ++round) {
    for (const std::string& value : values) table.At({value}).Add(1);
  }
  std::size_t count = 0;
  table.ForEach([&](const auto&, const ShardedCounter& cell) {
    EXPECT_EQ(cell.value(), 2u);
    ++count;
  });
  EXPECT_EQ(count, values.size());
}

}  // namespace
}  // namespace understudy
