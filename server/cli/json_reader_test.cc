#include "server/cli/json_reader.h"

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace weir::cli {
namespace {

TEST(JsonReaderTest, ReadsValuesOfEveryKind) {
  const auto value = ParseJson(
      " {\"version\":1, \"ok\" : true,\"no\":false,\n\"none\":null,"
      "\"list\":[ -7 , [ ] , {} ],\"text\":\"a\\\"\\\\\\/\\n\\u00fc\\u20ac\\ud83d\\ude00\"} ");
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(value->Find("version")->number, 1);
  EXPECT_TRUE(value->Find("ok")->truth);
  EXPECT_FALSE(value->Find("no")->truth);
  EXPECT_EQ(value->Find("none")->kind, JsonValue::Kind::kNull);
  ASSERT_EQ(value->Find("list")->items.size(), 3u);
  EXPECT_EQ(value->Find("list")->items[0].number, -7);
  EXPECT_EQ(value->Find("list")->items[2].kind, JsonValue::Kind::kObject);
  EXPECT_EQ(value->Find("text")->text, "a\"\\/\n\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(value->Find("other"), nullptr);
  EXPECT_EQ(ParseJson("9223372036854775807")->number, INT64_MAX);
}

TEST(JsonReaderTest, SaysWhatIsMissing) {
  const auto value = ParseJson("{\"a\":1}");
  EXPECT_TRUE(value->Member("a", JsonValue::Kind::kNumber).ok());
  EXPECT_EQ(value->Member("a", JsonValue::Kind::kArray).status().message(),
            "'a': expected an array, came a whole number");
  EXPECT_EQ(value->Member("b", JsonValue::Kind::kArray).status().message(),
            "'b': expected an array, came nothing");
}

TEST(JsonReaderTest, RefusesWhatIsNoJson) {
  for (const std::string& text : {std::string(),
                                  std::string("{"),
                                  std::string("[1,]"),
                                  std::string("{\"a\"}"),
                                  std::string("{\"a\":1,}"),
                                  std::string("{a:1}"),
                                  std::string("1 2"),
                                  std::string("1.5"),
                                  std::string("9223372036854775808"),
                                  std::string("\"a"),
                                  std::string("\"\\x\""),
                                  std::string("\"\\u12\""),
                                  std::string("\"\\ud83d\""),
                                  std::string("\"\\ud83d\\u0041\""),
                                  std::string("\"\\udc00\""),
                                  std::string("\"a\nb\""),
                                  std::string("nul"),
                                  std::string("]"),
                                  std::string(40, '['),
                                  std::string("\"\\")}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseJson(text).status())) << text;
  }
  EXPECT_EQ(ParseJson("[1 2]").status().message(),
            "JSON at byte 3: expected ',' or ']', came '2]'");
}

}  // namespace
}  // namespace weir::cli
