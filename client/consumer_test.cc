// The consumer against a broker in memory: resets, seeks, codecs, transactions, damage.
#include "client/consumer.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "client/cluster.h"
#include "client/memory_peer.h"
#include "gtest/gtest.h"
#include "protocol/api/fetch.h"
#include "protocol/api/list_offsets.h"
#include "protocol/api/metadata.h"
#include "protocol/compression.h"
#include "protocol/compression_batch.h"
#include "protocol/error_code.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"
#include "protocol/record_codec.h"

namespace weir::client {
namespace {

using protocol::ErrorCode;
using protocol::FetchRequest;
using protocol::FetchResponse;

class ConsumerTest : public testing::Test {
 protected:
  ConsumerTest() : broker_(net_.AddBroker("b", 9092)) {
    broker_.On<protocol::MetadataRequest>([](const protocol::MetadataRequest& request, int16_t) {
      protocol::MetadataResponse response;
      response.brokers = {{1, "b", 9092, std::nullopt}};
      for (const auto& asked : *request.topics) {
        protocol::MetadataResponse::Topic topic;
        topic.name = asked.name;
        topic.topic_id = {5, 6};
        topic.partitions.resize(1);
        topic.partitions[0].leader_id = 1;
        response.topics.push_back(topic);
      }
      return response;
    });
    broker_.On<protocol::ListOffsetsRequest>(
        [this](const protocol::ListOffsetsRequest& request, int16_t) {
          const int64_t time = request.topics[0].partitions[0].timestamp;
          protocol::ListOffsetsResponse response;
          response.topics.push_back({request.topics[0].name, {}});
          response.topics[0].partitions.resize(1);
          auto& partition = response.topics[0].partitions[0];
          partition.offset = time == -1 ? end_ : time == -2 ? start_ : time > 1000 ? -1 : 2;
          return response;
        });
    broker_.On<FetchRequest>(
        [this](const FetchRequest& request, int16_t) { return Fetch(request); });
    cluster_ = *Cluster::Create({.bootstrap_servers = "b:9092"}, {net_, net_.clock(), random_});
  }

  FetchResponse Fetch(const FetchRequest& request) {
    FetchResponse response;
    EXPECT_EQ(request.topics[0].topic_id, (Uuid{5, 6}));
    response.responses.push_back({"", {5, 6}, {}});
    response.responses[0].partitions.resize(1);
    FetchResponse::PartitionData& data = response.responses[0].partitions[0];
    data.error_code = static_cast<int16_t>(std::exchange(fetch_error_, ErrorCode::kNone));
    const int64_t offset = request.topics[0].partitions[0].fetch_offset;
    data.high_watermark = end_;
    data.aborted_transactions = aborted_;
    if (data.error_code == 0 && (offset < start_ || offset > end_)) {
      data.error_code = static_cast<int16_t>(ErrorCode::kOffsetOutOfRange);
    }
    log_from_ = "";
    for (const std::string& batch : batches_) {
      if (protocol::RecordBatchView::Parse(batch)->last_offset().value() >= offset) {
        log_from_ += batch;
      }
    }
    if (cut_ > 0 && log_from_.size() > cut_) log_from_.resize(log_from_.size() - cut_);
    if (data.error_code == 0) data.records.bytes = log_from_;
    net_.clock().Advance(10'000'000);  // as the long poll of a broker
    return response;
  }

  // A batch of values, each its own offset.
  void Add(int count, protocol::Codec codec = protocol::Codec::kNone, int64_t transaction_of = -1,
           bool abort = false) {
    protocol::RecordBatchOptions options;
    options.base_offset = Offset(end_);
    options.producer_id = ProducerId(transaction_of);
    options.is_transactional = transaction_of >= 0;
    options.is_control = abort;
    protocol::RecordBatchBuilder builder(options);
    const protocol::RecordHeader header{"h", "x"};
    for (int i = 0; i < count; ++i) {
      const std::string value = absl::StrCat(end_ + i);
      if (abort) {
        ASSERT_TRUE(builder.AppendEndTransaction(1, protocol::ControlType::kAbort, 0).ok());
      } else {
        ASSERT_TRUE(builder.Append({1000 + end_, std::nullopt, value, {&header, 1}}).ok());
      }
    }
    std::string bytes = builder.Build();
    if (codec != protocol::Codec::kNone) {
      protocol::Compressor compressor;
      std::string compressed;
      ASSERT_TRUE(protocol::CompressBatch(compressor, *protocol::RecordBatchView::Parse(bytes),
                                          codec, std::nullopt, &compressed)
                      .ok());
      bytes = compressed;
    }
    batches_.push_back(bytes);
    end_ += count;
  }

  // Offsets that Poll() brings until the end, checking that values fit.
  std::vector<int64_t> ReadAll(Consumer& consumer) {
    std::vector<int64_t> offsets;
    for (int i = 0; i < 50; ++i) {
      const absl::StatusOr<ConsumedRecords> records = consumer.Poll(100);
      EXPECT_TRUE(records.ok()) << records.status();
      if (!records.ok()) break;
      for (const ConsumerRecord& record : *records) {
        offsets.push_back(record.offset.value());
        EXPECT_EQ(*record.value, absl::StrCat(record.offset.value()));
        EXPECT_EQ(record.topic, "t");
        EXPECT_EQ(record.headers.size(), 1u);
      }
      if (consumer.AtEnd()) break;
    }
    return offsets;
  }

  static std::vector<int64_t> Range(int64_t from, int64_t to) {
    std::vector<int64_t> offsets;
    for (; from < to; ++from) offsets.push_back(from);
    return offsets;
  }

  MemoryNetwork net_;
  MemoryBroker& broker_;
  SeededRandom random_{3};
  std::unique_ptr<Cluster> cluster_;
  std::vector<std::string> batches_;
  std::string log_from_;
  std::vector<FetchResponse::AbortedTransaction> aborted_;
  ErrorCode fetch_error_ = ErrorCode::kNone;
  size_t cut_ = 0;
  int64_t start_ = 0;
  int64_t end_ = 0;
};

TEST_F(ConsumerTest, ReadsEveryCodecFromTheBeginning) {
  for (int codec = 0; codec <= 4; ++codec) Add(10, static_cast<protocol::Codec>(codec));
  Consumer consumer(*cluster_, {.auto_offset_reset = OffsetReset::kEarliest});
  consumer.Assign({{"t", 0}});
  EXPECT_EQ(ReadAll(consumer), Range(0, 50));
  EXPECT_EQ(consumer.Position({"t", 0}), Offset(50));
}

TEST_F(ConsumerTest, StartsAtTheEndByDefault) {
  Add(10);
  Consumer consumer(*cluster_, {});
  consumer.Assign({{"t", 0}});
  EXPECT_TRUE(ReadAll(consumer).empty());
  Add(3);
  EXPECT_EQ(ReadAll(consumer), Range(10, 13));
}

TEST_F(ConsumerTest, SeeksWithinABatchToTimesAndToTheEnd) {
  Add(10);
  Consumer consumer(*cluster_, {});
  const TopicAndPartition tp{"t", 0};
  consumer.Assign({tp});
  consumer.Seek(tp, Offset(7));
  EXPECT_EQ(ReadAll(consumer), Range(7, 10));
  consumer.SeekToTime(tp, 500);  // the broker answers 2
  EXPECT_EQ(ReadAll(consumer), Range(2, 10));
  consumer.SeekToTime(tp, 5'000);  // none is that young
  EXPECT_TRUE(ReadAll(consumer).empty());
  consumer.SeekToBeginning(tp);
  EXPECT_EQ(ReadAll(consumer), Range(0, 10));
}

TEST_F(ConsumerTest, GoesOnWithoutABatchThatWasCut) {
  Add(5);
  Add(5);
  cut_ = 10;
  Consumer consumer(*cluster_, {.auto_offset_reset = OffsetReset::kEarliest});
  consumer.Assign({{"t", 0}});
  const absl::StatusOr<ConsumedRecords> first = consumer.Poll(100);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->size(), 5u);
  cut_ = 0;
  std::vector<int64_t> rest = ReadAll(consumer);
  if (rest.empty()) rest = ReadAll(consumer);
  EXPECT_EQ(rest, Range(5, 10));
}

TEST_F(ConsumerTest, ResetsOrTellsWhenTheOffsetIsGone) {
  Add(10);
  start_ = 5;
  batches_.clear();
  end_ = 5;
  Add(5);
  Consumer resets(*cluster_, {.auto_offset_reset = OffsetReset::kEarliest});
  resets.Assign({{"t", 0}});
  resets.Seek({"t", 0}, Offset(1));
  EXPECT_EQ(ReadAll(resets), Range(5, 10));
  Consumer tells(*cluster_, {.auto_offset_reset = OffsetReset::kNone});
  tells.Assign({{"t", 0}});
  tells.Seek({"t", 0}, Offset(1));
  EXPECT_EQ(tells.Poll(1'000).status().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(ConsumerTest, HidesAbortedTransactionsWhenReadingCommitted) {
  Add(2);                                    // 0, 1
  Add(3, protocol::Codec::kNone, 77);        // 2 to 4: aborted
  Add(1, protocol::Codec::kNone, 88);        // 5: another producer's
  Add(1, protocol::Codec::kNone, 77, true);  // 6: the marker
  Add(2, protocol::Codec::kNone, 77);        // 7, 8: its next transaction
  aborted_ = {{77, 2}};
  Consumer committed(*cluster_,
                     {.auto_offset_reset = OffsetReset::kEarliest, .read_committed = true});
  committed.Assign({{"t", 0}});
  EXPECT_EQ(ReadAll(committed), (std::vector<int64_t>{0, 1, 5, 7, 8}));
  Consumer all(*cluster_, {.auto_offset_reset = OffsetReset::kEarliest});
  all.Assign({{"t", 0}});
  EXPECT_EQ(ReadAll(all), (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 7, 8}));
}

TEST_F(ConsumerTest, RetriesWhatPassesAndTellsWhatDoesNot) {
  Add(10);
  fetch_error_ = ErrorCode::kNotLeaderOrFollower;
  Consumer consumer(*cluster_, {.auto_offset_reset = OffsetReset::kEarliest});
  consumer.Assign({{"t", 0}});
  EXPECT_EQ(ReadAll(consumer), Range(0, 10));
  fetch_error_ = ErrorCode::kTopicAuthorizationFailed;
  EXPECT_EQ(consumer.Poll(1'000).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(ConsumerTest, TellsDamage) {
  Add(10);
  batches_[0].back() ^= 1;
  Consumer consumer(*cluster_, {.auto_offset_reset = OffsetReset::kEarliest});
  consumer.Assign({{"t", 0}});
  EXPECT_EQ(consumer.Poll(1'000).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(ConsumerTest, PausesAndChangesItsAssignment) {
  Add(10);
  Consumer consumer(*cluster_, {.auto_offset_reset = OffsetReset::kEarliest});
  const TopicAndPartition tp{"t", 0};
  consumer.Assign({tp});
  consumer.Pause(tp);
  EXPECT_TRUE(consumer.Poll(500)->empty());
  consumer.Pause(tp, false);
  EXPECT_EQ(ReadAll(consumer), Range(0, 10));
  consumer.Assign({});
  EXPECT_TRUE(consumer.Poll(500)->empty());
}

}  // namespace
}  // namespace weir::client
