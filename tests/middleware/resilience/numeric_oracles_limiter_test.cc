// Replays what the suites of other libraries assert about their rate limiters (reference resilience
// 5.2, N1 to N4). Limits, costs and times come from the file.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "middleware/resilience/bursty_schedule.h"
#include "middleware/resilience/gcra_schedule.h"
#include "middleware/resilience/smooth_schedule.h"
#include "middleware/resilience/token_bucket_schedule.h"
#include "tests/middleware/resilience/numeric_oracles.h"

namespace understudy {
namespace {

using nlohmann::json;
using Row = std::map<std::string, json>;  // By column.

constexpr TimePoint kStart = TimePoint(std::chrono::hours(1));
constexpr double kMillisecond = 1e6;
constexpr double kSecond = 1e9;

Duration TimeOf(const json& value, double unit) {
  return Duration(std::llround(value.get<double>() * unit));
}
double NumberOf(Duration duration, double unit) {
  return static_cast<double>(duration.count()) / unit;
}

// One limiter and what is done to it.
struct Table {
  json config;
  std::vector<Row> rows;
};

void ReadRows(const json& columns, const json& rows, Table& table) {
  ASSERT_TRUE(rows.is_array() && !rows.empty()) << "no rows";
  for (const json& cells : rows) {
    ASSERT_TRUE(cells.is_array() && cells.size() == columns.size()) << cells.dump();
    Row& row = table.rows.emplace_back();
    for (std::size_t i = 0; i < cells.size(); ++i) row[columns[i].get<std::string>()] = cells[i];
  }
}

// A section is {columns, config, rows} or {columns, cases: [{a setting, ..., steps}]}.
void ReadTables(const json& section, const std::vector<std::string>& columns,
                const std::vector<std::string>& settings, std::vector<Table>& tables) {
  ASSERT_TRUE(section.is_object()) << section.dump();
  ASSERT_TRUE(section.contains("columns") && section["columns"].is_array()) << section.dump();
  for (const std::string& column : columns) {
    const json& named = section["columns"];
    ASSERT_NE(std::find(named.begin(), named.end(), column), named.end()) << "no " << column;
  }
  ASSERT_EQ(section["columns"].size(), columns.size()) << "an unknown column";
  ASSERT_TRUE(section.contains("rows") != section.contains("cases")) << "neither rows nor cases";
  if (section.contains("rows")) {
    ASSERT_TRUE(section.contains("config")) << section.dump();
    Table& table = tables.emplace_back();
    table.config = section["config"];
    ReadRows(section["columns"], section["rows"], table);
  } else {
    ASSERT_TRUE(section["cases"].is_array() && !section["cases"].empty()) << "no cases";
    for (const json& entry : section["cases"]) {
      ASSERT_TRUE(entry.is_object() && entry.contains("steps")) << entry.dump();
      Table& table = tables.emplace_back();
      table.config = entry;
      ReadRows(section["columns"], entry["steps"], table);
    }
  }
  for (const Table& table : tables) {
    for (const std::string& setting : settings) {
      ASSERT_TRUE(table.config.contains(setting) && table.config[setting].is_number())
          << "no " << setting << " in " << table.config.dump();
    }
  }
}

std::string Describe(const Row& row) {
  std::string text;
  for (const auto& [column, value] : row) text += column + " " + value.dump() + " ";
  return text;
}

// Skips if the file or the section is absent; fails if the section is of another form.
class NumericOraclesLimiterTest : public testing::Test {
 protected:
  void Load(const std::string& name, const std::vector<std::string>& columns,
            const std::vector<std::string>& settings) {
    std::string why_not;
    const std::optional<json> oracles = test::LoadNumericOracles(&why_not);
    if (!oracles) GTEST_SKIP() << why_not;
    if (!oracles->contains(name)) GTEST_SKIP() << test::MissingSection(name);
    ReadTables((*oracles)[name], columns, settings, tables_);
  }
  bool Stops() const { return IsSkipped() || HasFatalFailure(); }

  std::vector<Table> tables_;
};

TEST_F(NumericOraclesLimiterTest, N1_Gcra) {
  Load("gcra", {"t_ms", "cost", "remaining", "reset_after_ms", "retry_after_ms", "limited"},
       {"emission_ms", "limit"});
  if (Stops()) return;
  for (const Table& table : tables_) {
    GcraSchedule schedule(TimeOf(table.config["emission_ms"], kMillisecond),
                          table.config["limit"].get<int>(), kStart);
    for (const Row& row : table.rows) {
      SCOPED_TRACE(Describe(row));
      const TimePoint now = kStart + TimeOf(row.at("t_ms"), kMillisecond);
      const int cost = row.at("cost").get<int>();
      const Duration wait = schedule.WaitFor(now, cost);
      const bool limited = wait > Duration::zero();
      if (!limited) schedule.Reserve(now, cost);
      EXPECT_EQ(limited, row.at("limited").get<int>() != 0);
      EXPECT_EQ(schedule.Available(now), row.at("remaining").get<int>());
      EXPECT_EQ(NumberOf(schedule.ResetAfter(now), kMillisecond), row.at("reset_after_ms"));
      // -1: not limited, or never to be granted.
      const bool hint = limited && wait != RateSchedule::kForEver;
      EXPECT_EQ(hint ? NumberOf(wait, kMillisecond) : -1.0, row.at("retry_after_ms"));
    }
  }
}

// "each": that many requests of one unit, of which the last is looked at; "one": one request.
Duration Acquire(RateSchedule& schedule, TimePoint now, const Row& row) {
  const int permits = row.at("permits").get<int>();
  if (row.at("mode") == "one") return schedule.Reserve(now, permits).wait;
  EXPECT_EQ(row.at("mode"), "each");
  Duration wait{0};
  for (int i = 0; i < permits; ++i) wait = schedule.Reserve(now, 1).wait;
  return wait;
}

TEST_F(NumericOraclesLimiterTest, N2_Smooth) {
  Load("smooth_rate_limiter", {"t_ms", "permits", "mode", "wait_ms", "next_free_ms"}, {"interval"});
  if (Stops()) return;
  for (const Table& table : tables_) {
    SmoothSchedule schedule(TimeOf(table.config["interval"], kMillisecond), kStart);
    for (const Row& row : table.rows) {
      SCOPED_TRACE(Describe(row));
      const TimePoint now = kStart + TimeOf(row.at("t_ms"), kMillisecond);
      EXPECT_EQ(NumberOf(Acquire(schedule, now, row), kMillisecond), row.at("wait_ms"));
      EXPECT_EQ(NumberOf(schedule.next_free() - kStart, kMillisecond), row.at("next_free_ms"));
    }
  }
}

TEST_F(NumericOraclesLimiterTest, N3_Bursty) {
  Load("bursty_rate_limiter", {"t_ms", "permits", "mode", "wait_ms", "available_after"},
       {"max", "period"});
  if (Stops()) return;
  for (const Table& table : tables_) {
    BurstySchedule schedule(table.config["max"].get<int>(),
                            TimeOf(table.config["period"], kMillisecond), kStart);
    for (const Row& row : table.rows) {
      SCOPED_TRACE(Describe(row));
      const TimePoint now = kStart + TimeOf(row.at("t_ms"), kMillisecond);
      EXPECT_EQ(NumberOf(Acquire(schedule, now, row), kMillisecond), row.at("wait_ms"));
      EXPECT_EQ(schedule.Balance(now), row.at("available_after").get<std::int64_t>());
    }
  }
}

TEST_F(NumericOraclesLimiterTest, N4_TokenBucket) {
  Load("token_bucket", {"t_s", "amount", "granted", "left"}, {"max", "refill", "every_s"});
  if (Stops()) return;
  for (const Table& table : tables_) {
    TokenBucketSchedule schedule({.refill = table.config["refill"].get<int>(),
                                  .every = TimeOf(table.config["every_s"], kSecond),
                                  .capacity = table.config["max"].get<int>()},
                                 kStart);
    for (const Row& row : table.rows) {
      SCOPED_TRACE(Describe(row));
      const TimePoint now = kStart + TimeOf(row.at("t_s"), kSecond);
      const int amount = row.at("amount").get<int>();
      const bool granted = schedule.WaitFor(now, amount) == Duration::zero();
      if (granted) schedule.Reserve(now, amount);
      EXPECT_EQ(granted, row.at("granted").get<int>() != 0);
      EXPECT_EQ(schedule.Balance(now), row.at("left").get<std::int64_t>());
    }
  }
}

}  // namespace
}  // namespace understudy
