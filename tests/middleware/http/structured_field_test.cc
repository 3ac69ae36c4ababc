#include "middleware/http/structured_field.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace understudy::http {
namespace {

using Decimal = StructuredDecimal;
using Token = StructuredToken;
using Bytes = StructuredBytes;
using Date = StructuredDate;
using Display = StructuredDisplayString;
using Entries = std::vector<std::pair<std::string, BareItem>>;

BareItem Integer(std::int64_t value) { return value; }
BareItem Text(std::string value) { return value; }

StructuredItem Item(BareItem value, Entries parameters = {}) {
  return {.value = std::move(value), .parameters = {.entries = std::move(parameters)}};
}

std::string Repeat(std::string_view text, std::size_t count) {
  std::string repeated;
  for (std::size_t i = 0; i < count; ++i) repeated += text;
  return repeated;
}

std::string RowName(const auto& test) { return std::string(test.param.name); }

// ---- Bare items

struct ItemRow {
  std::string_view name;
  std::string text;
  BareItem expected;
};

class StructuredItemTest : public ::testing::TestWithParam<ItemRow> {};

TEST_P(StructuredItemTest, IsReadAsItsRow) {
  const Result<StructuredItem> item = ParseStructuredItem(GetParam().text);
  ASSERT_TRUE(item) << item.error().ToString();
  EXPECT_EQ(*item, Item(GetParam().expected));
}

INSTANTIATE_TEST_SUITE_P(
    Numbers, StructuredItemTest,
    ::testing::Values(
        ItemRow{"zero", "0", Integer(0)}, ItemRow{"negative_zero", "-0", Integer(0)},
        ItemRow{"positive", "42", Integer(42)}, ItemRow{"negative", "-42", Integer(-42)},
        ItemRow{"leading_zeros", "0042", Integer(42)},
        ItemRow{"largest", "999999999999999", Integer(999'999'999'999'999)},
        ItemRow{"smallest", "-999999999999999", Integer(-999'999'999'999'999)},
        ItemRow{"decimal", "1.5", Decimal{1500}}, ItemRow{"two_places", "1.05", Decimal{1050}},
        ItemRow{"three_places", "1.005", Decimal{1005}},
        ItemRow{"negative_decimal", "-0.25", Decimal{-250}},
        ItemRow{"whole_decimal", "1.0", Decimal{1000}},
        ItemRow{"largest_decimal", "999999999999.999", Decimal{999'999'999'999'999}},
        ItemRow{"date", "@1659578233", Date{1659578233}}, ItemRow{"date_zero", "@0", Date{0}},
        ItemRow{"date_before_1970", "@-62135596800", Date{-62135596800}}),
    [](const auto& test) { return RowName(test); });

INSTANTIATE_TEST_SUITE_P(
    Texts, StructuredItemTest,
    ::testing::Values(
        ItemRow{"string", R"("a b")", Text("a b")}, ItemRow{"empty_string", R"("")", Text("")},
        ItemRow{"escaped_quote", R"("a\"b")", Text("a\"b")},
        ItemRow{"escaped_backslash", R"("a\\")", Text("a\\")},
        ItemRow{"tilde_and_space", "\" ~\"", Text(" ~")}, ItemRow{"token", "gzip", Token{"gzip"}},
        ItemRow{"token_of_signs", "a_b-c.d3:f%00/*", Token{"a_b-c.d3:f%00/*"}},
        ItemRow{"token_star", "*", Token{"*"}}, ItemRow{"token_capital", "Gzip", Token{"Gzip"}},
        ItemRow{"bytes", ":aGVsbG8=:", Bytes{"hello"}}, ItemRow{"empty_bytes", "::", Bytes{""}},
        ItemRow{"bytes_without_padding", ":aGVsbG8:", Bytes{"hello"}},
        ItemRow{"bytes_two_missing", ":aA:", Bytes{"h"}},
        ItemRow{"bytes_of_all_values", ":/+Ah:", Bytes{"\xFF\xE0!"}},
        ItemRow{"is_true", "?1", true}, ItemRow{"is_false", "?0", false},
        ItemRow{"display", R"(%"a b")", Display{"a b"}},
        ItemRow{"display_backslash", R"(%"a\b")", Display{"a\\b"}},
        ItemRow{"display_quote", R"(%"%22")", Display{"\""}},
        ItemRow{"display_umlaut", R"(%"f%c3%bc")", Display{"f\xC3\xBC"}},
        ItemRow{"display_last_of_unicode", R"(%"%f4%8f%bf%bf")", Display{"\xF4\x8F\xBF\xBF"}},
        ItemRow{"display_first_of_three", R"(%"%e0%a0%80")", Display{"\xE0\xA0\x80"}},
        ItemRow{"display_before_surrogates", R"(%"%ed%9f%bf")", Display{"\xED\x9F\xBF"}},
        ItemRow{"spaces_around", "  1  ", Integer(1)}),
    [](const auto& test) { return RowName(test); });

// ---- What is no item

struct BadRow {
  std::string_view name;
  std::string text;
};

class BadItemTest : public ::testing::TestWithParam<BadRow> {};

TEST_P(BadItemTest, IsRefused) {
  const Result<StructuredItem> item = ParseStructuredItem(GetParam().text);
  ASSERT_FALSE(item);
  EXPECT_EQ(item.error().code, ErrorCode::kProtocol);
  EXPECT_EQ(item.error().reason, "structured-field");
}

INSTANTIATE_TEST_SUITE_P(
    Numbers, BadItemTest,
    ::testing::Values(
        BadRow{"empty", ""}, BadRow{"space", " "}, BadRow{"sixteen_digits", "1000000000000000"},
        BadRow{"sixteen_zeros", "0000000000000000"}, BadRow{"plus", "+1"}, BadRow{"sign", "-"},
        BadRow{"two_signs", "--1"}, BadRow{"point_first", ".1"}, BadRow{"point_last", "1."},
        BadRow{"sign_and_point", "-.1"}, BadRow{"four_places", "1.0000"},
        BadRow{"thirteen_before_the_point", "1000000000000.1"}, BadRow{"two_points", "1.5.4"},
        BadRow{"exponent", "1e3"}, BadRow{"hexadecimal", "0x10"}, BadRow{"comma", "1,5"},
        BadRow{"two_numbers", "1 2"}, BadRow{"date_with_fraction", "@1.5"},
        BadRow{"date_without_number", "@"}, BadRow{"date_too_long", "@1000000000000000"}),
    [](const auto& test) { return RowName(test); });

INSTANTIATE_TEST_SUITE_P(
    Texts, BadItemTest,
    ::testing::Values(
        BadRow{"open_string", R"("a)"}, BadRow{"one_quote", "\""}, BadRow{"open_escape", "\"\\"},
        BadRow{"other_escape", R"("\a")"}, BadRow{"tab_in_string", "\"a\tb\""},
        BadRow{"delete_in_string", "\"\x7F\""}, BadRow{"umlaut_in_string", "\"\xC3\xBC\""},
        BadRow{"nul_in_string", std::string("\"\0\"", 3)}, BadRow{"text_after", R"("a"b)"},
        BadRow{"single_quotes", "'a'"}, BadRow{"tab_before", "\t1"}, BadRow{"tab_after", "1\t"},
        BadRow{"nul_alone", std::string(1, '\0')}, BadRow{"nul_after", std::string("1\0", 2)},
        BadRow{"token_umlaut", "a\xC3\xBC"}, BadRow{"open_bytes", ":aGVsbG8="},
        BadRow{"colon", ":"}, BadRow{"not_base64", ":a_b-:"}, BadRow{"one_letter", ":a:"},
        BadRow{"padding_first", ":=aGVsbG8=:"}, BadRow{"space_in_bytes", ":aGVs bG8=:"},
        BadRow{"stray_bits", ":aGVsbG9=:"}, BadRow{"boolean_two", "?2"}, BadRow{"question", "?"},
        BadRow{"boolean_word", "?true"}, BadRow{"percent", "%"}, BadRow{"display_open", "%\"a"},
        BadRow{"display_capitals", "%\"%C3%BC\""}, BadRow{"display_one_digit", "%\"%c\""},
        BadRow{"display_cut_escape", "%\"%c3%"}, BadRow{"display_no_digits", "%\"%zz\""},
        BadRow{"display_raw_umlaut", "%\"\xC3\xBC\""}, BadRow{"display_tab", "%\"\t\""},
        BadRow{"display_half_character", "%\"%c3\""}, BadRow{"display_overlong", "%\"%c0%af\""},
        BadRow{"display_overlong_three", "%\"%e0%80%af\""},
        BadRow{"display_surrogate", "%\"%ed%a0%80\""},
        BadRow{"display_above_unicode", "%\"%f4%90%80%80\""},
        BadRow{"display_stray_continuation", "%\"%80\""}, BadRow{"list_instead", "1, 2"},
        BadRow{"inner_list_instead", "(1 2)"}, BadRow{"signs", "#"}),
    [](const auto& test) { return RowName(test); });

// ---- Parameters

TEST(StructuredParametersTest, KeepTheirOrderAndTypes) {
  const auto item =
      ParseStructuredItem(R"("default";r=50;  t=-30;x;*y_-.9=?0;pk=:aGk=:;d=1.5;w=a)");
  ASSERT_TRUE(item);
  EXPECT_EQ(*item, Item(Text("default"), {{"r", Integer(50)},
                                          {"t", Integer(-30)},
                                          {"x", true},
                                          {"*y_-.9", false},
                                          {"pk", Bytes{"hi"}},
                                          {"d", Decimal{1500}},
                                          {"w", Token{"a"}}}));
}

TEST(StructuredParametersTest, OfARepeatedKeyTheLastValueCountsAtTheFirstPlace) {
  const auto item = ParseStructuredItem("1;a=1;b=2;a=3");
  ASSERT_TRUE(item);
  EXPECT_EQ(*item, Item(Integer(1), {{"a", Integer(3)}, {"b", Integer(2)}}));
}

TEST(StructuredParametersTest, AreFoundByKeyAndType) {
  const auto item = ParseStructuredItem("1;a=7;b=x");
  ASSERT_TRUE(item);
  EXPECT_EQ(item->parameters.Integer("a"), 7);
  EXPECT_EQ(item->parameters.Integer("b"), std::nullopt);
  EXPECT_EQ(item->parameters.Integer("c"), std::nullopt);
  EXPECT_EQ(item->parameters.Find("c"), nullptr);
}

INSTANTIATE_TEST_SUITE_P(
    Parameters, BadItemTest,
    ::testing::Values(BadRow{"no_key", "1;"}, BadRow{"capital_key", "1;A=1"},
                      BadRow{"digit_key", "1;1=1"}, BadRow{"space_before_semicolon", "1 ;a=1"},
                      BadRow{"space_before_equals", "1;a =1"},
                      BadRow{"space_after_equals", "1;a= 1"}, BadRow{"no_value", "1;a="},
                      BadRow{"tab_before_key", "1;\ta=1"}, BadRow{"list_value", "1;a=(1)"}),
    [](const auto& test) { return RowName(test); });

// ---- Lists

TEST(StructuredListTest, HoldsItemsAndInnerLists) {
  const auto list = ParseStructuredList("a;q=1 ,\t(\"b\" 2;x );y=?0,()");
  ASSERT_TRUE(list) << list.error().ToString();
  const StructuredInnerList inner{.items = {Item(Text("b")), Item(Integer(2), {{"x", true}})},
                                  .parameters = {.entries = {{"y", false}}}};
  EXPECT_EQ(*list,
            (StructuredList{Item(Token{"a"}, {{"q", Integer(1)}}), inner, StructuredInnerList{}}));
}

TEST(StructuredListTest, MayBeEmpty) {
  const auto list = ParseStructuredList("  ");
  ASSERT_TRUE(list);
  EXPECT_TRUE(list->empty());
}

TEST(StructuredListTest, MayHaveTabsBetweenMembersAndAtTheEnd) {
  const auto list = ParseStructuredList("1\t,\t2\t");
  ASSERT_TRUE(list);
  EXPECT_EQ(*list, (StructuredList{Item(Integer(1)), Item(Integer(2))}));
}

class BadListTest : public ::testing::TestWithParam<BadRow> {};

TEST_P(BadListTest, IsRefused) { EXPECT_FALSE(ParseStructuredList(GetParam().text)); }

INSTANTIATE_TEST_SUITE_P(
    Table, BadListTest,
    ::testing::Values(BadRow{"trailing_comma", "1,"}, BadRow{"trailing_comma_space", "1, "},
                      BadRow{"leading_comma", ",1"}, BadRow{"two_commas", "1,,2"},
                      BadRow{"no_comma", "1 2"}, BadRow{"semicolon_space", "1; 2"},
                      BadRow{"open_inner_list", "(1 2"}, BadRow{"only_open", "("},
                      BadRow{"only_close", ")"}, BadRow{"inner_commas", "(1,2)"},
                      BadRow{"inner_tabs", "(1\t2)"}, BadRow{"no_space_inside", "(\"a\"\"b\")"},
                      BadRow{"nested_inner_list", "((1))"}, BadRow{"key_and_value", "a=1"},
                      BadRow{"leading_tab", "\t1"}, BadRow{"one_bad_member", "1, 2, \"3"}),
    [](const auto& test) { return RowName(test); });

// ---- Dictionaries

TEST(StructuredDictionaryTest, HoldsItemsInnerListsAndBareKeys) {
  const auto dictionary = ParseStructuredDictionary("limit=100, b;x=1, *c=(1 2);y ,d=?0");
  ASSERT_TRUE(dictionary) << dictionary.error().ToString();
  const StructuredInnerList inner{.items = {Item(Integer(1)), Item(Integer(2))},
                                  .parameters = {.entries = {{"y", true}}}};
  const StructuredDictionary expected{.entries = {{"limit", Item(Integer(100))},
                                                  {"b", Item(true, {{"x", Integer(1)}})},
                                                  {"*c", inner},
                                                  {"d", Item(false)}}};
  EXPECT_EQ(*dictionary, expected);
}

TEST(StructuredDictionaryTest, OfARepeatedKeyTheLastMemberCountsAtTheFirstPlace) {
  const auto dictionary = ParseStructuredDictionary("a=1;x, b=2, a=3");
  ASSERT_TRUE(dictionary);
  const StructuredDictionary expected{
      .entries = {{"a", Item(Integer(3))}, {"b", Item(Integer(2))}}};
  EXPECT_EQ(*dictionary, expected);
}

TEST(StructuredDictionaryTest, IsFoundByKeyAndType) {
  const auto dictionary = ParseStructuredDictionary("a=1, b=(1), c=1.5");
  ASSERT_TRUE(dictionary);
  EXPECT_EQ(dictionary->Integer("a"), 1);
  EXPECT_EQ(dictionary->Integer("b"), std::nullopt);
  EXPECT_EQ(dictionary->Integer("c"), std::nullopt);
  EXPECT_EQ(dictionary->Integer("d"), std::nullopt);
  EXPECT_EQ(dictionary->Find("d"), nullptr);
}

TEST(StructuredDictionaryTest, MayBeEmpty) {
  const auto dictionary = ParseStructuredDictionary("");
  ASSERT_TRUE(dictionary);
  EXPECT_TRUE(dictionary->entries.empty());
}

class BadDictionaryTest : public ::testing::TestWithParam<BadRow> {};

TEST_P(BadDictionaryTest, IsRefused) { EXPECT_FALSE(ParseStructuredDictionary(GetParam().text)); }

INSTANTIATE_TEST_SUITE_P(
    Table, BadDictionaryTest,
    ::testing::Values(BadRow{"no_value", "a="}, BadRow{"no_key", "=1"},
                      BadRow{"capital_key", "A=1"}, BadRow{"trailing_comma", "a=1,"},
                      BadRow{"space_before_equals", "a =1"}, BadRow{"space_after_equals", "a= 1"},
                      BadRow{"no_comma", "a=1 b=2"}, BadRow{"semicolons", "a=1; b =2"},
                      BadRow{"string_key", "\"a\"=1"}, BadRow{"two_commas", "a=1,,b=2"}),
    [](const auto& test) { return RowName(test); });

// ---- Bounds

TEST(StructuredFieldBoundsTest, EightKibibytesAreReadAndOneByteMoreIsNot) {
  const std::string quoted = "\"" + std::string(kStructuredFieldBytesMax - 2, 'a') + "\"";
  EXPECT_TRUE(ParseStructuredItem(quoted));
  EXPECT_FALSE(ParseStructuredItem(quoted + " "));
  EXPECT_FALSE(ParseStructuredList(std::string(kStructuredFieldBytesMax + 1, ' ')));
  EXPECT_FALSE(ParseStructuredDictionary(std::string(kStructuredFieldBytesMax + 1, ' ')));
}

TEST(StructuredFieldBoundsTest, AListHas128MembersAtMost) {
  const std::string most = "1" + Repeat(",1", kStructuredMembersMax - 1);
  EXPECT_TRUE(ParseStructuredList(most));
  EXPECT_FALSE(ParseStructuredList(most + ",1"));
}

TEST(StructuredFieldBoundsTest, AnInnerListHas128ItemsAtMost) {
  const std::string most = Repeat("1 ", kStructuredMembersMax);
  EXPECT_TRUE(ParseStructuredList("(" + most + ")"));
  EXPECT_FALSE(ParseStructuredList("(" + most + "1)"));
}

TEST(StructuredFieldBoundsTest, ADictionaryHas128MembersAtMostRepeatsIncluded) {
  const std::string most = "a" + Repeat(",a", kStructuredMembersMax - 1);
  EXPECT_TRUE(ParseStructuredDictionary(most));
  EXPECT_FALSE(ParseStructuredDictionary(most + ",a"));
}

TEST(StructuredFieldBoundsTest, AnItemHas128ParametersAtMostRepeatsIncluded) {
  const std::string most = "1" + Repeat(";a", kStructuredMembersMax);
  EXPECT_TRUE(ParseStructuredItem(most));
  EXPECT_FALSE(ParseStructuredItem(most + ";a"));
}

TEST(StructuredFieldErrorTest, SaysWhereAndNothingOfTheText) {
  const auto item = ParseStructuredItem("secret!;A");
  ASSERT_FALSE(item);
  EXPECT_EQ(item.error().message, "a structured field has no key (lower case letters) at byte 8");
  EXPECT_EQ(item.error().origin, Origin::kRemote);
  EXPECT_EQ(item.error().delivery, Delivery::kAnswered);
}

// ---- Field lines

TEST(JoinFieldLinesTest, JoinsTheLinesOfOneNameInOrder) {
  const Headers headers{{"RateLimit", "\"a\";r=1"}, {"Other", "x"}, {"ratelimit", "\"b\";r=2"}};
  EXPECT_EQ(JoinFieldLines(headers, "RATELIMIT"), "\"a\";r=1, \"b\";r=2");
}

TEST(JoinFieldLinesTest, AnAbsentFieldIsNotAnEmptyOne) {
  EXPECT_EQ(JoinFieldLines({{"A", ""}}, "a"), "");
  EXPECT_EQ(JoinFieldLines({{"A", ""}}, "b"), std::nullopt);
}

TEST(JoinFieldLinesTest, StopsBehindTheBoundAndTheParserRefuses) {
  Headers headers;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(headers.Add("A", std::string(1000, '1')));
  const std::string joined = JoinFieldLines(headers, "a").value_or("");
  EXPECT_GT(joined.size(), kStructuredFieldBytesMax);
  EXPECT_LT(joined.size(), kStructuredFieldBytesMax + 1100);
  EXPECT_FALSE(ParseStructuredList(joined));
}

}  // namespace
}  // namespace understudy::http
