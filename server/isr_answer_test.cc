#include "server/isr_answer.h"

#include <cstddef>
#include <vector>

#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/controller_types.h"
#include "gtest/gtest.h"
#include "protocol/error_code.h"
#include "replication/partition_events.h"

namespace weir::server {
namespace {

using protocol::ErrorCode;

const TopicPartition kTp{Uuid{1, 1}, PartitionIndex(0)};

replication::IsrAnswered Answer(const metadata::PartitionsAltered& answer, size_t index) {
  replication::ProposeIsr proposal;
  proposal.leader_epoch = LeaderEpoch(3);
  proposal.partition_epoch = static_cast<int32_t>(10 + index);
  return AnswerToProposal(kTp, proposal, answer, index);
}

// The second of a partition is refused for that; the first is what it would have been alone.
TEST(IsrAnswer, EachOfTwoProposalsOfAPartitionHearsOfItself) {
  metadata::PartitionsAltered answer;
  answer.results.resize(2);
  answer.results[0] = {kTp, ErrorCode::kNone, BrokerId(1), LeaderEpoch(3), 11, {BrokerId(1)}, 0};
  answer.results[1].partition = kTp;
  answer.results[1].error = ErrorCode::kInvalidRequest;
  const replication::IsrAnswered first = Answer(answer, 0);
  EXPECT_EQ(first.error, ErrorCode::kNone);
  EXPECT_EQ(first.partition_epoch, 11);
  EXPECT_EQ(first.isr, std::vector<BrokerId>{BrokerId(1)});
  const replication::IsrAnswered second = Answer(answer, 1);
  EXPECT_EQ(second.error, ErrorCode::kInvalidRequest);
  EXPECT_EQ(second.leader_epoch, LeaderEpoch(3));
  EXPECT_EQ(second.partition_epoch, 11) << "of the proposal";
}

TEST(IsrAnswer, OneThatDoesNotFitSaysNothing) {
  metadata::PartitionsAltered answer;
  EXPECT_EQ(Answer(answer, 0).error, ErrorCode::kUnknownServerError);
  answer.results.resize(1);
  EXPECT_EQ(Answer(answer, 0).error, ErrorCode::kUnknownServerError) << "of another partition";
  answer.error = ErrorCode::kStaleBrokerEpoch;
  EXPECT_EQ(Answer(answer, 0).error, ErrorCode::kStaleBrokerEpoch);
  EXPECT_EQ(Answer(answer, 0).partition_epoch, 10);
}

}  // namespace
}  // namespace weir::server
