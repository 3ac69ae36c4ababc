#include "middleware/store/audit_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/store/in_memory_audit_sink.h"

namespace understudy {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr SystemTime kAt = SystemTime(hours(24 * 20781) + Duration(5));

TEST(AuditTimeTest, AU6_TimesAreWrittenInUtcWithTheirZone) {
  EXPECT_EQ(FormatAuditTime(kAt), "2026-11-24T00:00:00.000000005Z");
  EXPECT_EQ(FormatAuditTime(SystemTime()), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(FormatAuditTime(SystemTime(seconds(951'782'399))), "2000-02-28T23:59:59.000000000Z");
}

TEST(AuditTimeTest, TimesAreReadAsTheyAreWritten) {
  for (const SystemTime time : {SystemTime(), kAt, SystemTime(seconds(951'782'400))})
    EXPECT_EQ(ParseAuditTime(FormatAuditTime(time)), time);
  for (const char* const text :
       {"", "2026-11-24", "2026-02-30T00:00:00.000000000Z", "2026-13-01T00:00:00.000000000Z",
        "2026-11-24T24:00:00.000000000Z", "2026-11-24T00:00:60.000000000Z",
        "2026-11-24T00:00:00.000000000", "2026-11-24T00:00:00.00000000Z",
        "2026-11-24T00:00:00.000000000Zx", "1969-12-31T00:00:00.000000000Z",
        "2262-01-01T00:00:00.000000000Z", "+026-11-24T00:00:00.000000000Z"}) {
    EXPECT_EQ(ParseAuditTime(text), std::nullopt) << text;
  }
}

AuditEntry Entry() { return {"i-1", "c", kAt, AuditLineHead(kAt, "i-1", "c") + ",\"x\":1}"}; }

TEST(AuditLineTest, ALineTellsItsEntry) {
  EXPECT_EQ(ParseAuditLine(Entry().text).value(), Entry());
  const AuditEntry short_one{"i", "", kAt, AuditLineHead(kAt, "i", "") + "}"};
  EXPECT_EQ(ParseAuditLine(short_one.text).value(), short_one);
}

TEST(AuditLineTest, OtherLinesAreTypedErrorsWithoutAPieceOfThem) {
  const std::string line = Entry().text;
  std::vector<std::string> bad = {"",
                                  "{}",
                                  "secret",
                                  line + "x",
                                  std::string(2'000'000, 'x'),
                                  AuditLineHead(kAt, "", "c") + "}",
                                  AuditLineHead(kAt, "i_1", "c") + "}",
                                  AuditLineHead(kAt, std::string(65, 'i'), "c") + "}",
                                  AuditLineHead(kAt, "i", "c d") + "}"};
  for (std::size_t i = 0; i < line.size(); ++i) bad.push_back(line.substr(0, i));
  for (const std::string& text : bad) {
    const auto parsed = ParseAuditLine(text);
    ASSERT_FALSE(parsed) << text.substr(0, 100);
    EXPECT_EQ(parsed.error().code, ErrorCode::kProtocol);
    EXPECT_LT(parsed.error().message.size(), 100u);
  }
}

TEST(AuditEntryTest, AU7_NoSinkTakesWhatCouldStartALineOfItsOwn) {
  EXPECT_TRUE(CheckAuditEntry(Entry()));
  for (const char* const evil : {"\n", "\r", "\x1b", "\x7f", "\xff", "\xe2\x80\xa8"}) {
    AuditEntry entry = Entry();
    entry.text.insert(entry.text.size() - 1, ",\"a\":\"" + std::string(evil) + "\"");
    EXPECT_EQ(CheckAuditEntry(entry).error().code, ErrorCode::kInvalidArgument);
  }
  AuditEntry other = Entry();
  other.call_id = "d";
  EXPECT_FALSE(CheckAuditEntry(other));
  AuditEntry early = Entry();
  early.at = SystemTime(seconds(-1));
  EXPECT_FALSE(CheckAuditEntry(early));
}

TEST(InMemoryAuditSinkTest, AFullTrailIsFullUntilOldEntriesGo) {
  InMemoryAuditSink sink({.entries_max = 2});
  const auto entry = [](const std::string& id, SystemTime at) {
    return std::vector<AuditEntry>{{id, "c", at, AuditLineHead(at, id, "c") + "}"}};
  };
  ASSERT_TRUE(sink.Append(entry("a", kAt)));
  ASSERT_TRUE(sink.Append(entry("b", kAt + hours(1))));
  EXPECT_EQ(sink.Append(entry("c", kAt + hours(2))).error().reason, "full");
  EXPECT_EQ(sink.Retain(kAt, kAt + hours(1)).value(), 1u);
  EXPECT_TRUE(sink.Append(entry("c", kAt + hours(2))));
}

}  // namespace
}  // namespace understudy
