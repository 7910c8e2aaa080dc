// Lines made into records, and records into lines.
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/fetched_records.h"
#include "gtest/gtest.h"
#include "protocol/record_batch.h"
#include "server/cli/flags.h"
#include "server/cli/line_parser.h"
#include "server/cli/record_printer.h"

namespace weir::cli {
namespace {

using Properties = std::map<std::string, std::string>;

absl::StatusOr<ParsedLine> Parse(const Properties& properties, absl::string_view line) {
  const auto parser = LineParser::Create(properties);
  EXPECT_TRUE(parser.ok()) << parser.status();
  return parser->Parse(line, 7);
}

TEST(LineParserTest, TakesTheWholeLineAsValue) {
  const auto line = Parse({}, "a\tb:c");
  ASSERT_TRUE(line.ok());
  EXPECT_FALSE(line->key.has_value());
  EXPECT_EQ(line->value, "a\tb:c");
  EXPECT_EQ(Parse({}, "")->value, "") << "an empty line is an empty value";
}

TEST(LineParserTest, CutsAtTheFirstSeparator) {
  const Properties properties{{"parse.key", "true"}, {"key.separator", "=>"}};
  const auto line = Parse(properties, "k=>v=>w");
  EXPECT_EQ(line->key, "k");
  EXPECT_EQ(line->value, "v=>w");
  EXPECT_EQ(Parse(properties, "=>")->key, "") << "an empty key is a key";
  EXPECT_EQ(Parse(properties, "kv").status().message(),
            "line 7: expected a key and '=>' behind it");
}

TEST(LineParserTest, ReadsHeadersBeforeTheKey) {
  const Properties properties{{"parse.key", "true"},
                              {"parse.headers", "true"},
                              {"key.separator", "|"},
                              {"null.marker", "NIL"}};
  const auto line = Parse(properties, "a:1,b:,c:NIL\tNIL|NIL");
  ASSERT_TRUE(line.ok()) << line.status();
  ASSERT_EQ(line->headers.size(), 3u);
  EXPECT_EQ(line->headers[0].value, "1");
  EXPECT_EQ(line->headers[1].value, "");
  EXPECT_FALSE(line->headers[2].value.has_value());
  EXPECT_FALSE(line->key.has_value());
  EXPECT_FALSE(line->value.has_value());
  EXPECT_FALSE(Parse(properties, "a\tk|v").ok());
  EXPECT_FALSE(Parse(properties, "k|v").ok());
  EXPECT_TRUE(Parse(properties, "NIL\tk|v")->headers.empty());
}

TEST(LineParserTest, TakesWhatIsThereWhenErrorsAreIgnored) {
  const Properties properties{
      {"parse.key", "true"}, {"parse.headers", "true"}, {"ignore.error", "true"}};
  const auto line = Parse(properties, "plain");
  ASSERT_TRUE(line.ok());
  EXPECT_FALSE(line->key.has_value());
  EXPECT_EQ(line->value, "plain");
}

TEST(LineParserTest, RefusesSeparatorsThatCannotBeToldApart) {
  for (const Properties& bad :
       {Properties{{"key.separator", ""}}, Properties{{"null.marker", "\t"}},
        Properties{{"headers.separator", ":"}}, Properties{{"headers.delimiter", ","}}}) {
    EXPECT_TRUE(IsUsageError(LineParser::Create(bad).status())) << bad.begin()->first;
  }
}

client::ConsumerRecord MakeRecord() {
  client::ConsumerRecord record;
  record.topic = "t";
  record.partition = 3;
  record.offset = Offset(42);
  record.timestamp = 1234;
  record.key = "k";
  record.value = "v";
  record.headers = {{"h", "1"}, {"i", std::nullopt}};
  return record;
}

std::string Printed(const Properties& properties, const client::ConsumerRecord& record) {
  std::string text;
  RecordPrinter(properties).AppendText(record, &text);
  return text;
}

TEST(RecordPrinterTest, PrintsTheValueAlone) { EXPECT_EQ(Printed({}, MakeRecord()), "v\n"); }

TEST(RecordPrinterTest, PrintsEverythingInKafkasOrder) {
  Properties all;
  for (const char* name : {"key", "value", "offset", "partition", "headers", "timestamp"}) {
    all[std::string("print.") + name] = "true";
  }
  EXPECT_EQ(Printed(all, MakeRecord()),
            "CreateTime:1234\tPartition:3\tOffset:42\th:1,i:null\tk\tv\n");
  client::ConsumerRecord bare;
  bare.timestamp_type = protocol::TimestampType::kLogAppendTime;
  EXPECT_EQ(Printed(all, bare),
            "LogAppendTime:-1\tPartition:0\tOffset:-1\tNO_HEADERS\tnull\tnull\n");
}

TEST(RecordPrinterTest, TakesOtherSeparators) {
  const Properties properties{{"print.key", "true"},     {"key.separator", "="},
                              {"print.headers", "true"}, {"headers.separator", "+"},
                              {"line.separator", ";"},   {"null.literal", "~"},
                              {"print.value", "false"}};
  EXPECT_EQ(Printed(properties, MakeRecord()), "h:1+i:~=k;");
}

TEST(RecordPrinterTest, WritesJson) {
  std::string text;
  RecordPrinter::AppendJson(MakeRecord(), &text);
  EXPECT_EQ(text, R"({"topic": "t", "partition": 3, "offset": 42, "timestamp": 1234, )"
                  R"("timestamp_type": "CreateTime", "key": "k", "value": "v", )"
                  R"("headers": [{"key": "h", "value": "1"}, {"key": "i", "value": null}]})");
}

}  // namespace
}  // namespace weir::cli
