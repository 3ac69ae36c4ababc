#include "middleware/observe/metrics_writer.h"

#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/middleware/observe/prometheus_text.h"

namespace understudy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string TextOf(const MetricsWriter& writer) {
  std::string text;
  writer.AppendTo(text);
  EXPECT_THAT(test::PrometheusPage(text).problems(), IsEmpty()) << text;
  return text;
}

TEST(MetricsWriterTest, WritesAFamilyWithItsHelpAndTypeOnce) {
  MetricsWriter writer;
  writer.Counter("jobs_total", "Jobs done.", {{"queue", "b"}}, 2);
  writer.Counter("jobs_total", "Jobs done.", {{"queue", "a"}}, 1);
  EXPECT_EQ(TextOf(writer),
            "# HELP jobs_total Jobs done.\n"
            "# TYPE jobs_total counter\n"
            "jobs_total{queue=\"a\"} 1\n"
            "jobs_total{queue=\"b\"} 2\n");
}

TEST(MetricsWriterTest, TheOrderOfTheSamplesDoesNotShow) {
  MetricsWriter one;
  one.Gauge("b", "B.", {{"x", "1"}, {"y", "2"}}, 1);
  one.Gauge("a", "A.", {}, 1);
  MetricsWriter two;
  two.Gauge("a", "A.", {}, 1);
  two.Gauge("b", "B.", {{"y", "2"}, {"x", "1"}}, 1);
  EXPECT_EQ(TextOf(one), TextOf(two));
}

TEST(MetricsWriterTest, EscapesLabelValuesAndHelp) {
  MetricsWriter writer;
  writer.Gauge("g", "back\\slash\nand \"quotes\"", {{"l", "back\\slash\nand \"quotes\""}}, 1);
  EXPECT_EQ(TextOf(writer),
            "# HELP g back\\\\slash\\nand \"quotes\"\n"
            "# TYPE g gauge\n"
            "g{l=\"back\\\\slash\\nand \\\"quotes\\\"\"} 1\n");
}

TEST(MetricsWriterTest, AHistogramAccumulatesInSeconds) {
  MetricsWriter writer;
  writer.Histogram(
      "wait_seconds", "Waits.", {{"q", "a"}},
      {{milliseconds(5), seconds(1), milliseconds(2500)}, {1, 2, 0, 4}, 12, 50'000'000});
  EXPECT_EQ(TextOf(writer),
            "# HELP wait_seconds Waits.\n"
            "# TYPE wait_seconds histogram\n"
            "wait_seconds_bucket{q=\"a\",le=\"0.005\"} 1\n"
            "wait_seconds_bucket{q=\"a\",le=\"1\"} 3\n"
            "wait_seconds_bucket{q=\"a\",le=\"2.5\"} 3\n"
            "wait_seconds_bucket{q=\"a\",le=\"+Inf\"} 7\n"
            "wait_seconds_sum{q=\"a\"} 12.05\n"
            "wait_seconds_count{q=\"a\"} 7\n");
}

struct NumberCase {
  std::string name;
  double value;
  std::string text;
};

class NumberTest : public ::testing::TestWithParam<NumberCase> {};

TEST_P(NumberTest, IsWrittenAsPrometheusReadsIt) {
  MetricsWriter writer;
  writer.Gauge("g", "G.", {}, GetParam().value);
  EXPECT_THAT(TextOf(writer), HasSubstr("\ng " + GetParam().text + "\n"));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, NumberTest,
    ::testing::Values(NumberCase{"Zero", 0.0, "0"}, NumberCase{"Whole", 1'000'000.0, "1000000"},
                      NumberCase{"Negative", -3.0, "-3"}, NumberCase{"Fraction", 0.25, "0.25"},
                      NumberCase{"Tiny", 1e-9, "1e-09"}, NumberCase{"Huge", 1e300, "1e+300"},
                      NumberCase{"Infinity", std::numeric_limits<double>::infinity(), "+Inf"},
                      NumberCase{"MinusInfinity", -std::numeric_limits<double>::infinity(), "-Inf"},
                      NumberCase{"NotANumber", std::numeric_limits<double>::quiet_NaN(), "NaN"}),
    [](const auto& test) { return test.param.name; });

TEST(MetricsWriterTest, ACounterIsExactUpToTheLastBit) {
  MetricsWriter writer;
  writer.Counter("c_total", "C.", {}, std::numeric_limits<std::uint64_t>::max());
  EXPECT_THAT(TextOf(writer), HasSubstr("c_total 18446744073709551615\n"));
}

TEST(MetricsWriterTest, TheLaterOfTwoEqualSamplesStays) {
  MetricsWriter writer;
  writer.Gauge("g", "G.", {{"a", "1"}, {"b", "2"}}, 1);
  writer.Gauge("g", "G.", {{"b", "2"}, {"a", "1"}}, 5);
  EXPECT_THAT(TextOf(writer), HasSubstr("g{a=\"1\",b=\"2\"} 5\n"));
  EXPECT_EQ(writer.refused(), 0u);
}

struct LabelCase {
  std::string name;
  std::string raw;
  std::string clean;
};

class CleanLabelValueTest : public ::testing::TestWithParam<LabelCase> {};

TEST_P(CleanLabelValueTest, KeepsTextAndDropsWhatIsNone) {
  const std::string clean = CleanLabelValue(GetParam().raw);
  EXPECT_EQ(clean, GetParam().clean);
  EXPECT_TRUE(IsCleanLabelValue(clean));
  EXPECT_EQ(IsCleanLabelValue(GetParam().raw), clean == GetParam().raw);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, CleanLabelValueTest,
    ::testing::Values(LabelCase{"Plain", "charges.create", "charges.create"},
                      LabelCase{"Empty", "", "unknown"},
                      LabelCase{"Umlaut",
                                "gr\xc3\xb6\xc3\x9f"
                                "er",
                                "gr\xc3\xb6\xc3\x9f"
                                "er"},
                      LabelCase{"LineFeed", "a\nb", "a\nb"},
                      LabelCase{"Controls", std::string("a\0\r\x1b[31m\x7f", 9), "a???[31m?"},
                      LabelCase{"ControlOfTheSecondBlock",
                                "a\xc2\x9b"
                                "b",
                                "a?b"},
                      LabelCase{"NoUtf8", "a\xff\xc3", "a??"},
                      LabelCase{"Longest", std::string(128, 'x'), std::string(128, 'x')},
                      LabelCase{"TooLong", std::string(129, 'x'), std::string(128, 'x')},
                      LabelCase{"CutBetweenCharacters", std::string(127, 'x') + "\xc3\xb6",
                                std::string(127, 'x')}),
    [](const auto& test) { return test.param.name; });

struct RefusedCase {
  std::string name;
  std::string metric;
  std::vector<MetricLabel> labels;
};

class RefusedSampleTest : public ::testing::TestWithParam<RefusedCase> {};

TEST_P(RefusedSampleTest, IsCountedAndNotWritten) {
  MetricsWriter writer;
  writer.Gauge("good", "Good.", {}, 1);
  writer.Gauge(GetParam().metric, "Bad.", GetParam().labels, 1);
  EXPECT_EQ(writer.refused(), 1u);
  EXPECT_THAT(TextOf(writer), Not(HasSubstr("Bad.")));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, RefusedSampleTest,
    ::testing::Values(RefusedCase{"NoName", "", {}}, RefusedCase{"DigitFirst", "1a", {}},
                      RefusedCase{"DashInName", "a-b", {}}, RefusedCase{"NoAscii", "\xc3\xb6", {}},
                      RefusedCase{"LineInName", "a 1\nb", {}},
                      RefusedCase{"NoLabelName", "a", {{"", "v"}}},
                      RefusedCase{"ColonInLabelName", "a", {{"b:c", "v"}}},
                      RefusedCase{"LabelNameOfPrometheus", "a", {{"__name__", "v"}}},
                      RefusedCase{"RepeatedLabel", "a", {{"l", "v"}, {"m", "v"}, {"l", "w"}}}),
    [](const auto& test) { return test.param.name; });

TEST(MetricsWriterTest, RefusesAFamilyOfTwoTypes) {
  MetricsWriter writer;
  writer.Gauge("x", "X.", {}, 1);
  writer.Counter("x", "X.", {{"a", "b"}}, 1);
  EXPECT_EQ(writer.refused(), 1u);
  EXPECT_THAT(TextOf(writer), Not(HasSubstr("counter")));
}

TEST(MetricsWriterTest, RefusesNamesThatAHistogramOccupiesInEitherOrder) {
  const HistogramValue value{{seconds(1)}, {0, 0}, 0, 0};
  MetricsWriter first;
  first.Histogram("h", "H.", {}, value);
  first.Counter("h_count", "No.", {}, 1);
  first.Gauge("h_bucket", "No.", {}, 1);
  EXPECT_EQ(first.refused(), 2u);
  MetricsWriter second;
  second.Counter("h_sum", "S.", {}, 1);
  second.Histogram("h", "H.", {}, value);
  EXPECT_EQ(second.refused(), 1u);
  EXPECT_THAT(TextOf(second), Not(HasSubstr("histogram")));
}

TEST(MetricsWriterTest, RefusesAHistogramThatDoesNotFitItsBounds) {
  MetricsWriter writer;
  writer.Histogram("a", "A.", {}, {{seconds(1)}, {1}, 0, 0});
  writer.Histogram("b", "B.", {}, {{seconds(2), seconds(1)}, {1, 1, 1}, 0, 0});
  writer.Histogram("c", "C.", {}, {{seconds(1), seconds(1)}, {1, 1, 1}, 0, 0});
  writer.Histogram("d", "D.", {}, {{seconds(0)}, {1, 1}, 0, 0});
  writer.Histogram("e", "E.", {}, {{seconds(1)}, {1, 1}, 0, 1'000'000'000});
  writer.Histogram("f", "F.", {{"le", "1"}}, {{seconds(1)}, {1, 1}, 0, 0});
  EXPECT_EQ(writer.refused(), 6u);
  EXPECT_EQ(TextOf(writer), "");
}

TEST(MetricsWriterTest, BoundsTheSeriesOfAFamilyAndTheFamilies) {
  MetricsWriter writer(2);
  for (int i = 0; i < 5; ++i) writer.Gauge("g", "G.", {{"i", std::to_string(i)}}, i);
  writer.Gauge("g", "G.", {{"i", "0"}}, 7);
  EXPECT_EQ(writer.refused(), 3u);
  const test::PrometheusPage page(TextOf(writer));
  EXPECT_EQ(page.SeriesOf("g"), 2u);
  EXPECT_EQ(page.Value("g{i=\"0\"}"), 7);
  for (std::size_t i = 0; i < MetricsWriter::kFamiliesMax; ++i)
    writer.Gauge("f" + std::to_string(i), "F.", {}, 1);
  EXPECT_EQ(writer.refused(), 4u);
}

}  // namespace
}  // namespace understudy
