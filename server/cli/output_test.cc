// Tables and JSON.
#include "server/cli/output.h"

#include <string>

#include "gtest/gtest.h"

namespace weir::cli {
namespace {

std::string Quoted(absl::string_view text) {
  std::string out;
  AppendJsonString(text, &out);
  return out;
}

TEST(JsonTest, EscapesWhatJsonDoesNotTake) {
  EXPECT_EQ(Quoted("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(Quoted("\n\t\r\x01\x7f"), R"("\n\t\r\u0001\u007f")");
  EXPECT_EQ(Quoted(absl::string_view("\0", 1)), R"("\u0000")");
  EXPECT_EQ(Quoted("gr\xc3\xbc\xc3\x9f \xf0\x9f\x8c\x8a"),
            "\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x8c\x8a\"");
}

TEST(JsonTest, ReplacesBytesThatAreNotUtf8) {
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(Quoted("a\xff"), "\"a" + bad + "\"");
  EXPECT_EQ(Quoted("\xc3"), "\"" + bad + "\"") << "cut";
  EXPECT_EQ(Quoted("\xc0\xaf"), "\"" + bad + bad + "\"") << "longer than needed";
  EXPECT_EQ(Quoted("\xed\xa0\x80"), "\"" + bad + bad + bad + "\"") << "a surrogate";
  EXPECT_EQ(Quoted("\xf4\x90\x80\x80"), "\"" + bad + bad + bad + bad + "\"") << "beyond U+10FFFF";
}

TEST(JsonTest, PutsCommasBetween) {
  JsonWriter json;
  json.BeginObject().Key("a").BeginArray().Number(int64_t{1}).Null().BeginObject().EndObject();
  json.EndArray().Key("b").Bool(true).Key("c").Number(0.5).EndObject();
  EXPECT_EQ(json.text(), R"({"a": [1, null, {}], "b": true, "c": 0.500})");
  EXPECT_EQ(JsonWriter().Number(1.0 / 0.0).text(), "null");
}

TEST(TableTest, AlignsColumnsByCharacters) {
  Table table({"GROUP", "LAG", "HOST"});
  table.Add(
      {"gr\xc3\xbc\xc3\x9f"
       "e-an-alle",
       int64_t{12}, "h"});
  table.Add({"g", Cell(), Cell()});
  EXPECT_EQ(table.ToText(),
            "GROUP          LAG  HOST\n"
            "gr\xc3\xbc\xc3\x9f"
            "e-an-alle  12   h\n"
            "g              -    -\n");
}

TEST(TableTest, NamesTheSameThingsInJson) {
  Table table({"LOG-END-OFFSET", "#MEMBERS", "COORDINATOR (ID)", "OK"});
  table.Add({int64_t{5}, Cell(), "h:1 (2)", true});
  EXPECT_EQ(table.ToJson(),
            "[{\"log_end_offset\": 5, \"members\": null, \"coordinator_id\": \"h:1 (2)\", "
            "\"ok\": true}]\n");
  EXPECT_EQ(Table({"A"}).ToJson(), "[]\n");
}

}  // namespace
}  // namespace weir::cli
