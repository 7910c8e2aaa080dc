#include "log/producer_state.h"

#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "base/ids.h"
#include "gtest/gtest.h"
#include "log/test_batches.h"
#include "protocol/record_batch.h"

namespace weir::log {
namespace {

constexpr int32_t kMax = std::numeric_limits<int32_t>::max();

class ProducerStateTest : public ::testing::Test {
 protected:
  ProducerVerdict Check(TestBatch spec) {
    spec.producer = ProducerId(9);
    const std::string bytes = MakeBatch(spec);
    return state_.Check(*protocol::RecordBatchHeader::Parse(bytes), &original_);
  }
  void Update(TestBatch spec) {
    spec.producer = ProducerId(9);
    spec.base_offset = next_;
    next_ += spec.records;
    const std::string bytes = MakeBatch(spec);
    state_.Update(*protocol::RecordBatchHeader::Parse(bytes));
  }

  ProducerState state_;
  ProducerBatch original_;
  Offset next_{0};
};

TEST_F(ProducerStateTest, AnUnknownProducerStartsAnywhere) {
  EXPECT_EQ(Check({.sequence = 1234}), ProducerVerdict::kAccept);
}

TEST_F(ProducerStateTest, RemembersFiveBatches) {
  for (int i = 0; i < 6; ++i) Update({.records = 2, .sequence = 2 * i});
  EXPECT_EQ(Check({.records = 2, .sequence = 0}), ProducerVerdict::kOutOfOrderSequence);
  for (int i = 1; i < 6; ++i) {
    EXPECT_EQ(Check({.records = 2, .sequence = 2 * i}), ProducerVerdict::kDuplicate);
    EXPECT_EQ(original_.first_offset(), Offset(2 * i));
    EXPECT_EQ(original_.last_offset, Offset(2 * i + 1));
  }
  EXPECT_EQ(Check({.records = 1, .sequence = 4}), ProducerVerdict::kOutOfOrderSequence)
      << "a part of a batch is not a duplicate";
  EXPECT_EQ(Check({.sequence = 12}), ProducerVerdict::kAccept);
  EXPECT_EQ(Check({.sequence = 13}), ProducerVerdict::kOutOfOrderSequence);
}

TEST_F(ProducerStateTest, SequencesWrap) {
  Update({.records = 3, .sequence = kMax - 1});  // max-1, max, 0
  EXPECT_EQ(Check({.records = 3, .sequence = kMax - 1}), ProducerVerdict::kDuplicate);
  EXPECT_EQ(Check({.sequence = 1}), ProducerVerdict::kAccept);
  Update({.records = 1, .epoch = 1, .sequence = 0});
  Update({.records = 1, .epoch = 1, .sequence = kMax});
  EXPECT_EQ(Check({.epoch = 1, .sequence = 0}), ProducerVerdict::kDuplicate);
  EXPECT_EQ(Check({.records = 2, .epoch = 1, .sequence = 0}), ProducerVerdict::kAccept)
      << "max is followed by 0";
}

TEST_F(ProducerStateTest, Epochs) {
  Update({.epoch = 3, .sequence = 0});
  EXPECT_EQ(Check({.epoch = 2, .sequence = 1}), ProducerVerdict::kInvalidProducerEpoch);
  EXPECT_EQ(Check({.epoch = 4, .sequence = 1}), ProducerVerdict::kOutOfOrderSequence);
  EXPECT_EQ(Check({.epoch = 4, .sequence = 0}), ProducerVerdict::kAccept);
  Update({.epoch = 4, .sequence = 0});
  EXPECT_EQ(Check({.epoch = 4, .sequence = 0}), ProducerVerdict::kDuplicate);
  EXPECT_EQ(state_.Find(ProducerId(9))->batch_count, 1);
}

TEST_F(ProducerStateTest, Expires) {
  Update({.timestamp = 1000, .sequence = 0});
  state_.Expire(1099, 100);
  EXPECT_EQ(state_.size(), 1u);
  state_.Expire(1100, 100);
  EXPECT_EQ(state_.size(), 0u);
}

TEST_F(ProducerStateTest, OpenTransactionsDoNotExpire) {
  Update({.sequence = 0, .attributes = protocol::record_batch_attribute::kTransactional});
  Update({.sequence = 1, .attributes = protocol::record_batch_attribute::kTransactional});
  EXPECT_EQ(state_.FirstUnstableOffset(), Offset(0));
  state_.Expire(1'000'000, 100);
  EXPECT_EQ(state_.size(), 1u);
  Update({.attributes = protocol::record_batch_attribute::kTransactional |
                        protocol::record_batch_attribute::kControl});
  EXPECT_EQ(state_.FirstUnstableOffset(), kNoOffset);
}

TEST_F(ProducerStateTest, SnapshotRoundTrip) {
  Update({.records = 2, .timestamp = 55, .epoch = 1, .sequence = 5});
  Update({.records = 3, .timestamp = 66, .epoch = 1, .sequence = 7});
  const std::string bytes = state_.Encode();
  EXPECT_EQ(bytes.size(), 10u + 46u);
  EXPECT_EQ(bytes.substr(0, 2), std::string("\0\1", 2));
  const auto decoded = ProducerState::Decode(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const ProducerEntry* entry = decoded->Find(ProducerId(9));
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->epoch, ProducerEpoch(1));
  EXPECT_EQ(entry->last_timestamp, 66);
  ASSERT_EQ(entry->batch_count, 1) << "the last batch alone is kept";
  EXPECT_EQ(*entry->last_batch(), *state_.Find(ProducerId(9))->last_batch());
}

TEST_F(ProducerStateTest, DamagedSnapshotsAreRefused) {
  Update({.sequence = 5});
  const std::string good = state_.Encode();
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] ^= 0x10;
    EXPECT_TRUE(absl::IsDataLoss(ProducerState::Decode(bad).status())) << i;
    EXPECT_TRUE(absl::IsDataLoss(ProducerState::Decode(good.substr(0, i)).status())) << i;
  }
}

}  // namespace
}  // namespace weir::log
