#include "log/producer_state.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "base/ids.h"
#include "gtest/gtest.h"
#include "log/test_batches.h"
#include "log/transaction_index.h"
#include "log/transaction_marker.h"
#include "protocol/record_batch.h"

namespace weir::log {
namespace {

constexpr int32_t kMax = std::numeric_limits<int32_t>::max();
constexpr int16_t kTransactional = protocol::record_batch_attribute::kTransactional;
constexpr int16_t kControl = protocol::record_batch_attribute::kControl;

class ProducerStateTest : public ::testing::Test {
 protected:
  ProducerVerdict Check(TestBatch spec, AppendTerms terms = {}) {
    spec.producer = ProducerId(9);
    const std::string bytes = MakeBatch(spec);
    return state_.Check(*protocol::RecordBatchHeader::Parse(bytes), std::nullopt, terms,
                        &original_);
  }
  void Update(TestBatch spec, int64_t producer = 9) {
    spec.producer = ProducerId(producer);
    spec.base_offset = next_;
    next_ += spec.records;
    const std::string bytes = MakeBatch(spec);
    const auto batch = protocol::RecordBatchView::Parse(bytes);
    state_.Update(*batch, MarkerOf(*batch));
  }
  ProducerVerdict CheckMarker(TestMarker spec, int8_t version = 0) {
    spec.producer = ProducerId(9);
    const std::string bytes = MakeMarker(spec);
    const auto batch = protocol::RecordBatchView::Parse(bytes);
    return state_.Check(*batch, MarkerOf(*batch), {AppendOrigin::kCoordinator, false, version},
                        &original_);
  }
  std::optional<EndedTransaction> UpdateMarker(TestMarker spec, int64_t producer = 9) {
    spec.producer = ProducerId(producer);
    spec.base_offset = next_;
    next_ += 1;
    const std::string bytes = MakeMarker(spec);
    const auto batch = protocol::RecordBatchView::Parse(bytes);
    return state_.Update(*batch, MarkerOf(*batch));
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
  Update({.sequence = 0, .attributes = kTransactional});
  Update({.sequence = 1, .attributes = kTransactional});
  EXPECT_EQ(state_.FirstUnstableOffset(), Offset(0));
  state_.Expire(1'000'000, 100);
  EXPECT_EQ(state_.size(), 1u);
  UpdateMarker({});
  EXPECT_EQ(state_.FirstOpenOffset(), kNoOffset);
  state_.Expire(1'000'000, 100);
  EXPECT_EQ(state_.size(), 0u);
}

TEST_F(ProducerStateTest, ATransactionEndsWithItsMarkerAndIsStableBelowTheHighWatermark) {
  Update({.records = 2, .sequence = 0, .attributes = kTransactional}, 1);  // 0, 1
  Update({.sequence = 0, .attributes = kTransactional}, 2);                // 2
  EXPECT_EQ(state_.FirstUnstableOffset(), Offset(0));
  const auto ended = UpdateMarker({.aborts = true, .coordinator_epoch = 4}, 1);  // 3
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->first_offset, Offset(0));
  EXPECT_EQ(ended->last_offset, Offset(3));
  EXPECT_TRUE(ended->aborted);
  EXPECT_EQ(state_.IndexEntry(*ended),
            (AbortedTransaction{ProducerId(1), Offset(0), Offset(3), Offset(2)}))
      << "what producer 2 has open is where it stops being stable";
  EXPECT_EQ(state_.FirstOpenOffset(), Offset(2));
  EXPECT_EQ(state_.FirstUnstableOffset(), Offset(0)) << "the marker may be lost";
  state_.ForgetEndedBefore(Offset(3));
  EXPECT_EQ(state_.FirstUnstableOffset(), Offset(0));
  state_.ForgetEndedBefore(Offset(4));
  EXPECT_EQ(state_.FirstUnstableOffset(), Offset(2));
  const auto committed = UpdateMarker({}, 2);  // 4
  ASSERT_TRUE(committed.has_value());
  EXPECT_FALSE(committed->aborted);
  EXPECT_EQ(state_.IndexEntry(*committed).last_stable_offset, Offset(5));
  EXPECT_FALSE(UpdateMarker({}, 2).has_value()) << "of no batch";
  EXPECT_EQ(state_.Find(ProducerId(1))->coordinator_epoch, 4);
}

TEST_F(ProducerStateTest, TransactionalBatchesNeedAnOpenTransactionOrTheCoordinatorsWord) {
  EXPECT_EQ(Check({.sequence = 0, .attributes = kTransactional}),
            ProducerVerdict::kInvalidTransactionState);
  EXPECT_EQ(Check({.sequence = 0, .attributes = kTransactional}, {.transaction_verified = true}),
            ProducerVerdict::kAccept);
  Update({.sequence = 0, .attributes = kTransactional});
  EXPECT_EQ(Check({.sequence = 1, .attributes = kTransactional}), ProducerVerdict::kAccept);
  EXPECT_EQ(Check({.sequence = 0, .attributes = kTransactional}), ProducerVerdict::kDuplicate);
  EXPECT_EQ(Check({.sequence = 1}), ProducerVerdict::kInvalidTransactionState)
      << "outside of the transaction that is open";
  UpdateMarker({});
  EXPECT_EQ(Check({.sequence = 1, .attributes = kTransactional}),
            ProducerVerdict::kInvalidTransactionState);
  EXPECT_EQ(Check({.sequence = 1}), ProducerVerdict::kAccept) << "sequences go on";
  EXPECT_EQ(
      Check({.sequence = 7, .attributes = kTransactional}, {AppendOrigin::kCoordinator, true, 0}),
      ProducerVerdict::kAccept)
      << "the broker's own records have no sequences";
}

TEST_F(ProducerStateTest, MarkersOfOldEpochsAreRefused) {
  Update({.epoch = 3, .sequence = 0, .attributes = kTransactional});
  EXPECT_EQ(CheckMarker({.epoch = 2}), ProducerVerdict::kInvalidProducerEpoch);
  EXPECT_EQ(CheckMarker({.epoch = 3}), ProducerVerdict::kAccept);
  EXPECT_EQ(CheckMarker({.epoch = 3}, 2), ProducerVerdict::kInvalidProducerEpoch)
      << "with transaction.version 2 the marker raises the epoch";
  EXPECT_EQ(CheckMarker({.epoch = 4}, 2), ProducerVerdict::kAccept);
  UpdateMarker({.epoch = 4, .coordinator_epoch = 6});
  EXPECT_EQ(CheckMarker({.epoch = 4, .coordinator_epoch = 6}, 2), ProducerVerdict::kAccept)
      << "a repetition";
  EXPECT_EQ(CheckMarker({.epoch = 4, .coordinator_epoch = 5}), ProducerVerdict::kCoordinatorFenced);
  EXPECT_EQ(Check({.epoch = 4, .sequence = 1, .attributes = kTransactional},
                  {.transaction_verified = true}),
            ProducerVerdict::kOutOfOrderSequence)
      << "a new epoch begins with sequence 0";
}

TEST_F(ProducerStateTest, RestoreTakesBackTransactions) {
  Update({.sequence = 0, .attributes = kTransactional});  // 0
  const ProducerEntry open = *state_.Find(ProducerId(9));
  const auto nothing = std::optional<ProducerEntry>();
  ASSERT_TRUE(UpdateMarker({}).has_value());  // 1
  state_.Restore(ProducerId(9), open);
  state_.ForgetEndedFrom(Offset(1));
  EXPECT_EQ(state_.FirstOpenOffset(), Offset(0));
  state_.Restore(ProducerId(9), nothing);
  EXPECT_EQ(state_.FirstUnstableOffset(), kNoOffset);
}

// Compaction drops the records of a transaction and keeps its producer's last batch without them,
// perhaps longer than the marker.
TEST_F(ProducerStateTest, WhatCompactionLeftOfATransactionOpensNone) {
  Update({.records = 0, .sequence = 0, .attributes = kTransactional});
  EXPECT_EQ(state_.FirstUnstableOffset(), kNoOffset);
  Update({.sequence = 0, .attributes = kTransactional});
  Update({.records = 0, .attributes = static_cast<int16_t>(kTransactional | kControl)});
  EXPECT_EQ(state_.FirstOpenOffset(), kNoOffset) << "a marker that is empty is one, too";
}

TEST_F(ProducerStateTest, SnapshotRoundTrip) {
  Update({.records = 2, .timestamp = 55, .epoch = 1, .sequence = 5});
  Update({.records = 3, .timestamp = 66, .epoch = 1, .sequence = 7, .attributes = kTransactional});
  const std::string bytes = state_.Encode();
  EXPECT_EQ(bytes.size(), 10u + 46u);
  EXPECT_EQ(bytes.substr(0, 2), std::string("\0\1", 2));
  const auto decoded = ProducerState::Decode(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const ProducerEntry* entry = decoded->Find(ProducerId(9));
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->epoch, ProducerEpoch(1));
  EXPECT_EQ(entry->last_timestamp, 66);
  EXPECT_EQ(decoded->FirstOpenOffset(), Offset(2)) << "a transaction goes on";
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
