// What is typed: flags, their values, and what is said of those that are wrong.
#include "server/cli/flags.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "server/cli/config_edits.h"

namespace weir::cli {
namespace {

constexpr FlagSpec kSpecs[] = {
    {"list", FlagKind::kSwitch, "", ""},
    {"topic", FlagKind::kOne, "TOPIC", ""},
    {"partitions", FlagKind::kOne, "N", ""},
    {"state", FlagKind::kOptional, "STATE", ""},
    {"property", FlagKind::kMany, "KEY=VALUE", "", "reader-property"},
    {"producer-props", FlagKind::kWords, "KEY=VALUE", ""},
};

absl::StatusOr<Flags> Parse(const std::vector<std::string>& words) {
  return Flags::Parse(kSpecs, words);
}

std::string Complaint(const std::vector<std::string>& words) {
  const auto flags = Parse(words);
  EXPECT_FALSE(flags.ok());
  EXPECT_TRUE(IsUsageError(flags.status()));
  return std::string(flags.status().message());
}

TEST(FlagsTest, TakesValuesBehindBlanksAndEqualsSigns) {
  const auto flags = Parse({"--topic", "a=b", "--partitions=3", "--list"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->Text("topic"), "a=b");
  EXPECT_TRUE(flags->Has("list"));
  int32_t partitions = -1;
  ASSERT_TRUE(flags->Number("partitions", 1, 10, &partitions).ok());
  EXPECT_EQ(partitions, 3);
  EXPECT_FALSE(flags->Has("state"));
  EXPECT_EQ(flags->Text("state", "none"), "none");
}

TEST(FlagsTest, KeepsWhatIsGivenOftenAndUnderAnotherName) {
  const auto flags = Parse({"--property", "a=1", "--reader-property", "b=2", "--producer-props",
                            "c=3", "d=-4", "--list", "--property=key.separator=--"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->All("property"), (std::vector<std::string>{"a=1", "b=2", "key.separator=--"}));
  EXPECT_EQ(flags->All("producer-props"), (std::vector<std::string>{"c=3", "d=-4"}));
}

TEST(FlagsTest, OptionalValuesMayBeMissing) {
  EXPECT_EQ(Parse({"--state", "--list"})->Text("state", "x"), "x");
  EXPECT_TRUE(Parse({"--state"})->Has("state"));
  EXPECT_EQ(Parse({"--state", "Stable"})->Text("state"), "Stable");
}

TEST(FlagsTest, NegativeNumbersAreValues) {
  const auto flags = Parse({"--partitions", "-5"});
  ASSERT_TRUE(flags.ok());
  int64_t number = 0;
  ASSERT_TRUE(flags->Number("partitions", -10, 10, &number).ok());
  EXPECT_EQ(number, -5);
}

TEST(FlagsTest, SaysWhatIsWrong) {
  EXPECT_EQ(Complaint({"--tpoic", "x"}), "there is no flag --tpoic, did you mean --topic?");
  EXPECT_EQ(Complaint({"--zzzzzzzzzz"}), "there is no flag --zzzzzzzzzz");
  EXPECT_EQ(Complaint({"topic"}), "expected a flag, came 'topic'");
  EXPECT_EQ(Complaint({"--topic"}), "--topic: expected TOPIC behind it");
  EXPECT_EQ(Complaint({"--topic", "--list"}), "--topic: expected TOPIC behind it");
  EXPECT_EQ(Complaint({"--list=yes"}), "--list takes no value, came 'yes'");
  EXPECT_EQ(Complaint({"--topic", "a", "--topic", "b"}), "--topic was given twice");
}

TEST(FlagsTest, SaysWhatNumbersAreExpected) {
  const auto flags = Parse({"--partitions", "many"});
  int64_t number = 7;
  EXPECT_EQ(flags->Number("partitions", 1, 9, &number).message(),
            "--partitions: expected a whole number from 1 to 9, came 'many'");
  EXPECT_EQ(number, 7);
  EXPECT_EQ(ParseNumber("n", "0", 1, INT64_MAX).status().message(),
            "--n: expected a whole number of at least 1, came '0'");
  EXPECT_FALSE(ParseNumber("n", "9223372036854775808", INT64_MIN, INT64_MAX).ok());
}

TEST(FlagsTest, WantsExactlyOneAction) {
  EXPECT_EQ(*Parse({"--list"})->ExactlyOne({"list", "topic"}), "list");
  EXPECT_EQ(Parse({})->ExactlyOne({"list", "topic"}).status().message(),
            "expected one of --list, --topic, came none");
  EXPECT_EQ(Parse({"--list", "--topic=t"})->ExactlyOne({"list", "topic"}).status().message(),
            "expected one of --list, --topic, came --list and --topic");
}

TEST(FlagsTest, RefusesPropertiesThatDoNotExist) {
  EXPECT_EQ(ParseKeyValues("property", {"print.kee=true"}, {"print.key"}).status().message(),
            "--property: there is no property print.kee, did you mean print.key?");
  EXPECT_EQ(ParseKeyValues("property", {"print.key"}, {"print.key"}).status().message(),
            "--property: expected KEY=VALUE, came 'print.key'");
  EXPECT_EQ(ParseKeyValues("property", {"a=1", "a=2=3"})->at("a"), "2=3");
}

TEST(FlagsTest, MatchesWholeNames) {
  const std::vector<std::string> names{"orders", "orders-2", "users"};
  EXPECT_EQ(*Matching("orders", names), std::vector<std::string>{"orders"});
  EXPECT_EQ(Matching("orders.*|users", names)->size(), 3u);
  EXPECT_TRUE(IsUsageError(Matching("(", names).status()));
}

TEST(ConfigEditsTest, CutsAtCommasOutsideOfBrackets) {
  const auto edits = ParseConfigEdits({"a=1,b=[x,y],c="}, {"d,e"});
  ASSERT_TRUE(edits.ok()) << edits.status();
  ASSERT_EQ(edits->size(), 5u);
  EXPECT_EQ((*edits)[1].name, "b");
  EXPECT_EQ((*edits)[1].value, "x,y");
  EXPECT_EQ((*edits)[2].value, "");
  EXPECT_EQ((*edits)[4].name, "e");
  EXPECT_EQ((*edits)[4].operation, protocol::kDeleteConfig);
  EXPECT_FALSE(ParseConfigEdits({"a"}, {}).ok());
}

}  // namespace
}  // namespace weir::cli
