// The producer against brokers in memory: batches, order and sequence numbers under failures.
#include "client/producer.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/random.h"
#include "client/cluster.h"
#include "client/memory_peer.h"
#include "gtest/gtest.h"
#include "protocol/api/init_producer_id.h"
#include "protocol/api/metadata.h"
#include "protocol/api/produce.h"
#include "protocol/compression.h"
#include "protocol/compression_batch.h"
#include "protocol/error_code.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"

namespace weir::client {
namespace {

using protocol::ErrorCode;

// One broker that keeps the values it was sent, and checks sequence numbers as Kafka does.
class ProducerTest : public testing::Test {
 protected:
  ProducerTest() : broker_(net_.AddBroker("b", 9092)) {
    broker_.On<protocol::MetadataRequest>(
        [this](const protocol::MetadataRequest& request, int16_t) {
          protocol::MetadataResponse response;
          response.brokers = {{1, "b", 9092, std::nullopt}};
          for (const auto& asked : *request.topics) {
            protocol::MetadataResponse::Topic topic;
            topic.name = asked.name;
            if (topic_error_ != ErrorCode::kNone)
              topic.error_code = static_cast<int16_t>(topic_error_);
            for (int32_t i = 0; i < 3 && topic_error_ == ErrorCode::kNone; ++i) {
              protocol::MetadataResponse::Partition partition;
              partition.partition_index = i;
              partition.leader_id = 1;
              topic.partitions.push_back(partition);
            }
            response.topics.push_back(topic);
          }
          return response;
        });
    broker_.On<protocol::InitProducerIdRequest>(
        [this](const protocol::InitProducerIdRequest&, int16_t) {
          protocol::InitProducerIdResponse response;
          response.producer_id = ++producer_id_;
          next_sequence_ = 0;
          return response;
        });
    broker_.On<protocol::ProduceRequest>(
        [this](const protocol::ProduceRequest& request,
               int16_t) -> std::optional<protocol::ProduceResponse> { return Produce(request); });
    cluster_ = *Cluster::Create({.bootstrap_servers = "b:9092"}, {net_, net_.clock(), random_});
  }

  std::optional<protocol::ProduceResponse> Produce(const protocol::ProduceRequest& request) {
    protocol::ProduceResponse response;
    for (const auto& topic : request.topic_data) {
      response.responses.push_back({topic.name, topic.topic_id, {}});
      for (const auto& data : topic.partition_data) {
        protocol::ProduceResponse::PartitionProduceResponse answer;
        answer.index = data.index;
        answer.error_code = static_cast<int16_t>(Append(data.records.bytes, &answer.base_offset));
        response.responses.back().partition_responses.push_back(answer);
      }
    }
    if (lose_answers_ > 0 && --lose_answers_ >= 0) {
      broker_.CloseOnNextRequest();
      return std::nullopt;
    }
    return response;
  }

  ErrorCode Append(absl::string_view bytes, int64_t* base_offset) {
    const auto batch = protocol::RecordBatchView::Parse(bytes);
    EXPECT_TRUE(batch.ok() && batch->CrcIsValid());
    ++batches_;
    if (!failures_.empty()) {
      const ErrorCode error = failures_.front();
      failures_.erase(failures_.begin());
      if (error != ErrorCode::kNone) return error;
    }
    if (batch->has_producer_id()) {
      if (batch->producer_id().value() != producer_id_) return ErrorCode::kUnknownProducerId;
      if (batch->base_sequence() < next_sequence_) return ErrorCode::kDuplicateSequenceNumber;
      if (batch->base_sequence() > next_sequence_) return ErrorCode::kOutOfOrderSequenceNumber;
      next_sequence_ = protocol::AdvanceSequence(next_sequence_, batch->record_count());
    }
    *base_offset = static_cast<int64_t>(values_.size());
    std::string scratch;
    absl::string_view records;
    EXPECT_TRUE(protocol::DecompressRecords(decompressor_, *batch, {}, &scratch, &records).ok());
    protocol::RecordIterator it(records, batch->record_count());
    protocol::Record record;
    while (it.Next(&record)) values_.push_back(std::string(*record.value));
    return ErrorCode::kNone;
  }

  // Sends "0", "1", ... to partition 0 and flushes.
  void SendNumbers(Producer& producer, int count) {
    for (int i = 0; i < count; ++i) {
      const std::string value = absl::StrCat(i);
      ASSERT_TRUE(producer
                      .Send({.topic = "t", .value = value, .partition = 0},
                            [this](const Delivery& d) { deliveries_.push_back(d); })
                      .ok());
    }
    flushed_ = producer.Flush(600'000);
  }

  void ExpectNumbers(int count) {
    ASSERT_EQ(values_.size(), static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) ASSERT_EQ(values_[static_cast<size_t>(i)], absl::StrCat(i));
    ASSERT_EQ(deliveries_.size(), static_cast<size_t>(count));
    for (const Delivery& d : deliveries_) ASSERT_TRUE(d.status.ok()) << d.status;
    EXPECT_TRUE(flushed_.ok()) << flushed_;
  }

  MemoryNetwork net_;
  MemoryBroker& broker_;
  SeededRandom random_{3};
  std::unique_ptr<Cluster> cluster_;
  protocol::Decompressor decompressor_;
  ErrorCode topic_error_ = ErrorCode::kNone;
  int64_t producer_id_ = 100;
  int32_t next_sequence_ = 0;
  std::vector<ErrorCode> failures_;  // of the next batches
  int lose_answers_ = 0;             // so many requests are served, and not answered
  int batches_ = 0;
  std::vector<std::string> values_;
  std::vector<Delivery> deliveries_;
  absl::Status flushed_;
};

TEST_F(ProducerTest, BatchesAndTellsOffsets) {
  Producer producer(*cluster_, {.batch_size = 200});
  SendNumbers(producer, 100);
  ExpectNumbers(100);
  EXPECT_LT(batches_, 20);
  EXPECT_GT(batches_, 4);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(deliveries_[static_cast<size_t>(i)].offset, Offset(i));
  }
  EXPECT_EQ(producer.buffered_bytes(), 0);
}

TEST_F(ProducerTest, LingersAndThenSends) {
  Producer producer(*cluster_, {.linger_ms = 50});
  ASSERT_TRUE(producer.Send({.topic = "t", .value = "a"}).ok());
  producer.Poll(40);
  EXPECT_EQ(batches_, 0);
  producer.Poll(20);
  EXPECT_EQ(batches_, 1);
}

TEST_F(ProducerTest, CompressesWithEveryCodec) {
  for (int codec = 1; codec <= 4; ++codec) {
    values_.clear();
    deliveries_.clear();
    Producer producer(*cluster_, {.compression = static_cast<protocol::Codec>(codec)});
    SendNumbers(producer, 500);
    ExpectNumbers(500);
  }
}

TEST_F(ProducerTest, KeepsOrderWhenBatchesInTheMiddleFail) {
  failures_ = {ErrorCode::kNone, ErrorCode::kNotLeaderOrFollower, ErrorCode::kNone,
               ErrorCode::kNotEnoughReplicas};
  Producer producer(*cluster_, {.batch_size = 100});
  SendNumbers(producer, 200);
  ExpectNumbers(200);
  EXPECT_EQ(producer_id_, 101) << "no new identity was needed";
}

TEST_F(ProducerTest, WritesOnceWhenAnswersAreLost) {
  lose_answers_ = 2;
  Producer producer(*cluster_, {.batch_size = 100, .request_timeout_ms = 1'000});
  SendNumbers(producer, 200);
  ExpectNumbers(200);
  EXPECT_EQ(producer_id_, 101);
}

TEST_F(ProducerTest, StartsAgainUnderANewIdWhenTheBrokerForgotIt) {
  Producer producer(*cluster_, {.batch_size = 100});
  SendNumbers(producer, 10);
  failures_ = {ErrorCode::kUnknownProducerId};
  deliveries_.clear();
  values_.clear();
  SendNumbers(producer, 30);
  ExpectNumbers(30);
  EXPECT_EQ(producer_id_, 102);
}

TEST_F(ProducerTest, GivesUpWhatIsRefusedAndGoesOn) {
  failures_ = {ErrorCode::kMessageTooLarge};
  Producer producer(*cluster_, {.batch_size = 100});
  SendNumbers(producer, 40);
  EXPECT_TRUE(flushed_.ok());
  size_t refused = 0;
  for (const Delivery& d : deliveries_) refused += d.error == ErrorCode::kMessageTooLarge ? 1 : 0;
  EXPECT_GT(refused, 0u);
  EXPECT_EQ(values_.size() + refused, 40u);
  EXPECT_EQ(values_.back(), "39");
}

TEST_F(ProducerTest, ExpiresWhatCannotBeDelivered) {
  failures_.assign(100'000, ErrorCode::kNotLeaderOrFollower);
  Producer producer(*cluster_, {.delivery_timeout_ms = 5'000});
  SendNumbers(producer, 3);
  ASSERT_EQ(deliveries_.size(), 3u);
  EXPECT_FALSE(deliveries_[0].status.ok());
  EXPECT_TRUE(values_.empty());
  EXPECT_LT(batches_, 100) << "there is a pause between tries";
}

TEST_F(ProducerTest, WithoutAcksNothingIsWaitedFor) {
  lose_answers_ = 1'000'000;  // none is sent
  Producer producer(*cluster_, {.acks = 0});
  ASSERT_TRUE(
      producer
          .Send({.topic = "t", .value = "a"}, [&](const Delivery& d) { deliveries_.push_back(d); })
          .ok());
  EXPECT_TRUE(producer.Flush(1'000).ok());
  ASSERT_EQ(deliveries_.size(), 1u);
  EXPECT_EQ(deliveries_[0].offset, kNoOffset);
}

TEST_F(ProducerTest, BoundsItsMemory) {
  broker_.On<protocol::ProduceRequest>(
      [](const protocol::ProduceRequest&, int16_t) -> std::optional<protocol::ProduceResponse> {
        return std::nullopt;
      });
  Producer producer(*cluster_, {.buffer_memory = 10'000, .max_block_ms = 100});
  absl::Status status;
  const std::string value(1000, 'v');
  for (int i = 0; i < 20 && status.ok(); ++i) {
    status = producer.Send({.topic = "t", .value = value});
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_LE(producer.buffered_bytes(), 10'000);
}

TEST_F(ProducerTest, RefusesWhatCannotBe) {
  Producer producer(*cluster_, {.max_block_ms = 1'000});
  EXPECT_EQ(producer.Send({.topic = "t", .partition = 3}).code(),
            absl::StatusCode::kInvalidArgument);
  const std::string big(2 << 20, 'b');
  EXPECT_EQ(producer.Send({.topic = "t", .value = big}).code(), absl::StatusCode::kInvalidArgument);
  topic_error_ = ErrorCode::kInvalidTopicException;
  EXPECT_EQ(producer.Send({.topic = "u"}).code(), absl::StatusCode::kFailedPrecondition);
  topic_error_ = ErrorCode::kUnknownTopicOrPartition;
  EXPECT_EQ(producer.Send({.topic = "v"}).code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace weir::client
