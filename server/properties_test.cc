#include "server/properties.h"

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace weir::server {
namespace {

std::string ValueOf(absl::string_view text, absl::string_view key) {
  const absl::StatusOr<Properties> parsed = ParseProperties(text, "f");
  if (!parsed.ok()) return absl::StrCat("error: ", parsed.status().message());
  const Property* property = parsed->Find(key);
  return property == nullptr ? "(unset)" : property->value;
}

// The examples of the documentation of java.util.Properties.load.
TEST(Properties, JavaDocumentationExamples) {
  EXPECT_EQ(ValueOf("Truth = Beauty", "Truth"), "Beauty");
  EXPECT_EQ(ValueOf(" Truth:Beauty", "Truth"), "Beauty");
  EXPECT_EQ(ValueOf("Truth                    :Beauty", "Truth"), "Beauty");
  EXPECT_EQ(ValueOf("fruits                           apple, banana, pear, \\\n"
                    "                                 cantaloupe, watermelon, \\\n"
                    "                                 kiwi, mango\n",
                    "fruits"),
            "apple, banana, pear, cantaloupe, watermelon, kiwi, mango");
  EXPECT_EQ(ValueOf("cheeses", "cheeses"), "");
}

TEST(Properties, Separators) {
  EXPECT_EQ(ValueOf("a=b=c", "a"), "b=c");
  EXPECT_EQ(ValueOf("a:b:c", "a"), "b:c");
  EXPECT_EQ(ValueOf("a b c", "a"), "b c");
  EXPECT_EQ(ValueOf("a = = c", "a"), "= c");
  EXPECT_EQ(ValueOf("a\\=b=c", "a=b"), "c");
  EXPECT_EQ(ValueOf("a\\:b\\ c=d", "a:b c"), "d");
  EXPECT_EQ(ValueOf("=v", ""), "v");
  EXPECT_EQ(ValueOf("a=v  ", "a"), "v  ");  // Java keeps trailing blanks
}

TEST(Properties, CommentsAndBlankLines) {
  EXPECT_EQ(ValueOf("# a=1\n  ! a=2\n\n\t\n a=3", "a"), "3");
  EXPECT_EQ(ValueOf("# comments have no continuation \\\na=3", "a"), "3");
  EXPECT_EQ(ValueOf("a=1#2", "a"), "1#2");
  EXPECT_EQ(ValueOf("a=1\\\n#2", "a"), "1#2");  // a continuation line is no comment
}

TEST(Properties, LineEndsAndContinuation) {
  EXPECT_EQ(ValueOf("a=1\r\nb=2\rc=3", "b"), "2");
  EXPECT_EQ(ValueOf("a=1\r\nb=2\rc=3", "c"), "3");
  EXPECT_EQ(ValueOf("a=x\\\r\n  y", "a"), "xy");
  EXPECT_EQ(ValueOf("a=x\\\\\nb=y", "a"), "x\\");  // an even number of backslashes ends the line
  EXPECT_EQ(ValueOf("a=x\\\\\nb=y", "b"), "y");
  EXPECT_EQ(ValueOf("a=x\\", "a"), "x");
}

TEST(Properties, Escapes) {
  EXPECT_EQ(ValueOf("a=\\t\\n\\r\\f\\q\\\\", "a"), "\t\n\r\fq\\");
  EXPECT_EQ(ValueOf("a=\\u0041\\u00e9\\u20AC", "a"), "A\xc3\xa9\xe2\x82\xac");
  EXPECT_EQ(ValueOf("a=\\ud83d\\ude00!", "a"), "\xf0\x9f\x98\x80!");
  EXPECT_EQ(ValueOf("a=\xc3\xa9", "a"), "\xc3\xa9");
  EXPECT_EQ(ValueOf("k\\u003d=v", "k="), "v");
}

TEST(Properties, MalformedEscapesNameTheLine) {
  for (const char* value :
       {"\\u12", "\\u12g4", "\\u", "\\ud83d", "\\ud83dx", "\\ud83d\\u0041", "\\ude00"}) {
    const absl::StatusOr<Properties> parsed = ParseProperties(absl::StrCat("\na=", value), "f");
    ASSERT_FALSE(parsed.ok()) << value;
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(parsed.status().message().substr(0, 4), "f:2:");
  }
}

TEST(Properties, LastSettingWinsAndIsWhereItComesFrom) {
  const absl::StatusOr<Properties> parsed = ParseProperties("a=1\nb=2\n\na=3\n", "f");
  ASSERT_TRUE(parsed.ok());
  ASSERT_EQ(parsed->entries().size(), 2u);
  EXPECT_EQ(parsed->Find("a")->value, "3");
  EXPECT_EQ(parsed->Find("a")->origin, "f:4");
  EXPECT_EQ(parsed->Find("b")->origin, "f:2");
}

TEST(Properties, OverrideGoesBeforeTheFile) {
  absl::StatusOr<Properties> parsed = ParseProperties("a=1", "f");
  ASSERT_TRUE(parsed.ok());
  ASSERT_TRUE(ApplyOverride("a=x=y", &*parsed).ok());
  EXPECT_EQ(parsed->Find("a")->value, "x=y");
  EXPECT_EQ(parsed->Find("a")->origin, "--override");
  EXPECT_FALSE(ApplyOverride("a", &*parsed).ok());
  EXPECT_FALSE(ApplyOverride("=1", &*parsed).ok());
}

TEST(Properties, SizeIsBounded) {
  EXPECT_FALSE(ParseProperties(std::string(kPropertiesBytesMax + 1, '#'), "f").ok());
  EXPECT_TRUE(ParseProperties(std::string(kPropertiesBytesMax, '#'), "f").ok());
}

}  // namespace
}  // namespace weir::server
