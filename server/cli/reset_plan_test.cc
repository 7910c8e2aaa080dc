// Scopes, times, durations, and the offsets that come of them.
#include "server/cli/reset_plan.h"

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "base/ids.h"
#include "client/admin_types.h"
#include "client/topic_and_partition.h"
#include "gtest/gtest.h"

namespace weir::cli {
namespace {

TEST(ResetPlanTest, ReadsScopes) {
  EXPECT_FALSE(ParseTopicScope("topic", "t")->partitions.has_value());
  EXPECT_EQ(*ParseTopicScope("topic", "t:2,0")->partitions, (std::vector<int32_t>{2, 0}));
  for (const char* bad : {"", ":1", "t:", "t:x", "t:-1", "t:1,"}) {
    EXPECT_FALSE(ParseTopicScope("topic", bad).ok()) << bad;
  }
}

TEST(ResetPlanTest, ReadsTimes) {
  EXPECT_EQ(*ParseDatetime("f", "1970-01-01T00:00:00.000"), 0);
  EXPECT_EQ(*ParseDatetime("f", "2024-02-29T12:30:15.25"), 1709209815250);
  EXPECT_EQ(*ParseDatetime("f", "2024-02-29T12:30:15.2501Z"), 1709209815250);
  EXPECT_EQ(*ParseDatetime("f", "2024-02-29T14:30:15.250+02:00"), 1709209815250);
  EXPECT_EQ(*ParseDatetime("f", "2024-02-29T07:00:15.250-0530"), 1709209815250);
  EXPECT_EQ(*ParseDatetime("f", "2024-02-29T12:30"), 1709209800000);
  for (const char* bad :
       {"", "2024", "2023-02-29T00:00:00", "2024-13-01T00:00:00", "2024-01-01 00:00:00",
        "2024-01-01T24:00:00", "2024-01-01T00:00:00.", "2024-01-01T00:00:00x",
        "2024-01-01T00:00:00+2", "2024-01-01T00:00:00+19:00"}) {
    EXPECT_FALSE(ParseDatetime("f", bad).ok()) << bad;
  }
}

TEST(ResetPlanTest, ReadsDurations) {
  EXPECT_EQ(*ParseDuration("f", "P1DT2H3M4.5S"), 93784500);
  EXPECT_EQ(*ParseDuration("f", "PT90M"), 5400000);
  EXPECT_EQ(*ParseDuration("f", "P2D"), 172800000);
  for (const char* bad : {"", "P", "1D", "P1", "P1H", "PT1D", "PT", "PT1S2M", "PT1.5H", "P1D2D",
                          "PT1S ", "PT9999999999S"}) {
    EXPECT_FALSE(ParseDuration("f", bad).ok()) << bad;
  }
}

TEST(ResetPlanTest, StaysInsideOfTheLog) {
  PartitionFacts facts{Offset(10), Offset(90), Offset(50), std::nullopt};
  EXPECT_EQ(*NewOffset(ResetTo::kEarliest, 0, facts), Offset(10));
  EXPECT_EQ(*NewOffset(ResetTo::kLatest, 0, facts), Offset(90));
  EXPECT_EQ(*NewOffset(ResetTo::kCurrent, 0, facts), Offset(50));
  EXPECT_EQ(*NewOffset(ResetTo::kOffset, 3, facts), Offset(10));
  EXPECT_EQ(*NewOffset(ResetTo::kOffset, 300, facts), Offset(90));
  EXPECT_EQ(*NewOffset(ResetTo::kShift, -5, facts), Offset(45));
  EXPECT_EQ(*NewOffset(ResetTo::kShift, INT64_MIN, facts), Offset(10));
  EXPECT_EQ(*NewOffset(ResetTo::kShift, INT64_MAX, facts), Offset(90));
  EXPECT_EQ(*NewOffset(ResetTo::kTime, 0, facts), Offset(90)) << "nothing is so young";
  facts.at_time = Offset(33);
  EXPECT_EQ(*NewOffset(ResetTo::kTime, 0, facts), Offset(33));
}

TEST(ResetPlanTest, ShiftsOnlyWhatWasCommitted) {
  const PartitionFacts facts{Offset(10), Offset(90), std::nullopt, std::nullopt};
  EXPECT_TRUE(absl::IsNotFound(NewOffset(ResetTo::kShift, 1, facts).status()));
  EXPECT_EQ(*NewOffset(ResetTo::kCurrent, 0, facts), Offset(90));
}

// A partition whose end or time is not known is not reset, and that is told.
TEST(ResetPlanTest, TellsOfEachPartitionThatFallsOutOnce) {
  const client::OffsetAnswer fails{"t", 0, absl::UnavailableError("no leader")};
  for (const int64_t time : {client::kLatestTime, int64_t{12'345}}) {
    std::map<client::TopicAndPartition, PartitionFacts> facts;
    for (const int32_t partition : {0, 1}) {
      const client::OffsetAnswer knows{"t", partition, absl::OkStatus(), Offset(10)};
      EXPECT_TRUE(TakeAnswer(knows, client::kEarliestTime, &facts).ok());
    }
    EXPECT_TRUE(absl::IsUnavailable(TakeAnswer(fails, time, &facts)));
    EXPECT_EQ(facts.size(), 1u);
    EXPECT_EQ(facts.count({"t", 1}), 1u);
    EXPECT_TRUE(TakeAnswer(fails, time, &facts).ok()) << "it was told";
  }
  std::map<client::TopicAndPartition, PartitionFacts> facts;
  EXPECT_TRUE(absl::IsUnavailable(TakeAnswer(fails, client::kEarliestTime, &facts)));
  EXPECT_TRUE(facts.empty());
}

}  // namespace
}  // namespace weir::cli
