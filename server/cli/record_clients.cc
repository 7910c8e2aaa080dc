// A consumer and a producer, compiled at one go for what they share.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "client/consumer.h"
#include "client/producer.h"
#include "protocol/record_codec.h"
#include "server/cli/client_properties.h"
#include "server/cli/flags.h"
#include "server/cli/reader.h"
#include "server/cli/writer.h"

namespace weir::cli {

// --- reader.h ------------------------------------------------------------------------------------

namespace {

constexpr int64_t kCloseMs = 10'000;

// Short names, and Java's classes by which Kafka's tools know them.
std::vector<std::string> StrategiesOf(const std::string& text) {
  constexpr std::pair<const char*, const char*> kClasses[] = {
      {"RangeAssignor", "range"},
      {"RoundRobinAssignor", "roundrobin"},
      {"CooperativeStickyAssignor", "cooperative-sticky"}};
  std::vector<std::string> names = absl::StrSplit(text, ',', absl::SkipWhitespace());
  for (std::string& name : names) {
    name = std::string(absl::StripAsciiWhitespace(name));
    for (const auto& [java, own] : kClasses) {
      if (name == std::string("org.apache.kafka.clients.consumer.") + java) name = own;
    }
  }
  return names;
}

void TakeGroupProperties(ClientProperties* properties, client::ConsumerConfig* config) {
  properties->TakeText("group.id", &config->group_id);
  std::string text;
  properties->TakeText("group.instance.id", &text);
  if (!text.empty()) config->group_instance_id = text;
  std::string strategies;
  properties->TakeText("partition.assignment.strategy", &strategies);
  if (!strategies.empty()) config->partition_assignment_strategy = StrategiesOf(strategies);
  properties->TakeNumber("session.timeout.ms", 1, INT32_MAX, &config->session_timeout_ms);
  properties->TakeNumber("heartbeat.interval.ms", 1, INT32_MAX, &config->heartbeat_interval_ms);
  properties->TakeNumber("max.poll.interval.ms", 1, INT32_MAX, &config->max_poll_interval_ms);
  properties->TakeBool("enable.auto.commit", &config->enable_auto_commit);
  properties->TakeNumber("auto.commit.interval.ms", 1, INT32_MAX, &config->auto_commit_interval_ms);
  properties->TakeBool("exclude.internal.topics", &config->exclude_internal_topics);
  properties->TakeNumber("default.api.timeout.ms", 1, INT32_MAX, &config->default_api_timeout_ms);
  std::string protocol;
  properties->TakeChoice("group.protocol", {"classic"}, &protocol);
}

void TakeConsumerProperties(ClientProperties* properties, client::ConsumerConfig* config) {
  std::string reset = "latest";
  properties->TakeChoice("auto.offset.reset", {"latest", "earliest", "none"}, &reset);
  config->auto_offset_reset = reset == "earliest" ? client::OffsetReset::kEarliest
                              : reset == "none"   ? client::OffsetReset::kNone
                                                  : client::OffsetReset::kLatest;
  std::string isolation = "read_uncommitted";
  properties->TakeChoice("isolation.level", {"read_uncommitted", "read_committed"}, &isolation);
  config->read_committed = isolation == "read_committed";
  properties->TakeBool("check.crcs", &config->check_crcs);
  properties->TakeNumber("fetch.min.bytes", 0, INT32_MAX, &config->fetch_min_bytes);
  properties->TakeNumber("fetch.max.wait.ms", 0, INT32_MAX, &config->fetch_max_wait_ms);
  properties->TakeNumber("fetch.max.bytes", 1, INT32_MAX, &config->fetch_max_bytes);
  properties->TakeNumber("max.partition.fetch.bytes", 1, INT32_MAX,
                         &config->max_partition_fetch_bytes);
  int64_t max_poll_records = static_cast<int64_t>(config->max_poll_records);
  properties->TakeNumber("max.poll.records", 1, INT32_MAX, &max_poll_records);
  config->max_poll_records = static_cast<size_t>(max_poll_records);
  properties->TakeNumber("request.timeout.ms", 1, INT32_MAX, &config->request_timeout_ms);
  properties->TakeNumber("retry.backoff.ms", 1, INT32_MAX, &config->retry_backoff_ms);
  properties->Ignore({"key.deserializer", "value.deserializer"});
}

}  // namespace

struct RecordReader::Parts {
  Parts(client::Cluster& cluster, const client::ConsumerConfig& config)
      : consumer(cluster, config) {}

  client::Consumer consumer;
};

absl::StatusOr<std::unique_ptr<RecordReader>> RecordReader::Create(Remote& remote,
                                                                   ClientProperties* properties) {
  client::ConsumerConfig config;
  TakeGroupProperties(properties, &config);
  TakeConsumerProperties(properties, &config);
  WEIR_RETURN_IF_ERROR(properties->Finish());
  return absl::WrapUnique(new RecordReader(std::make_unique<Parts>(remote.cluster(), config)));
}

RecordReader::RecordReader(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
RecordReader::~RecordReader() = default;

void RecordReader::Assign(absl::Span<const client::TopicAndPartition> partitions) {
  parts_->consumer.Assign(partitions);
}

absl::Status RecordReader::Subscribe(const std::vector<std::string>& topics) {
  return parts_->consumer.Subscribe(topics);
}

absl::Status RecordReader::SubscribeTo(const std::string& pattern) {
  WEIR_RETURN_IF_ERROR(Matching(pattern, {}).status());
  return parts_->consumer.Subscribe([pattern](absl::string_view topic) {
    const auto matching = Matching(pattern, {std::string(topic)});
    return matching.ok() && !matching->empty();
  });
}

void RecordReader::Seek(const client::TopicAndPartition& tp, Offset offset) {
  parts_->consumer.Seek(tp, offset);
}

void RecordReader::SeekToBeginning(const client::TopicAndPartition& tp) {
  parts_->consumer.SeekToBeginning(tp);
}

absl::StatusOr<client::ConsumedRecords> RecordReader::Poll(int64_t timeout_ms) {
  return parts_->consumer.Poll(timeout_ms);
}

bool RecordReader::AtEnd() const { return parts_->consumer.AtEnd(); }

absl::Status RecordReader::Close() { return parts_->consumer.Close(kCloseMs); }

// --- writer.h ------------------------------------------------------------------------------------

namespace {

void TakeCompression(ClientProperties* properties, client::ProducerConfig* config) {
  std::string codec = "none";
  properties->TakeChoice("compression.type", {"none", "gzip", "snappy", "lz4", "zstd"}, &codec);
  for (int i = 0; i <= 4; ++i) {
    if (protocol::CodecName(static_cast<protocol::Codec>(i)) == codec) {
      config->compression = static_cast<protocol::Codec>(i);
    }
  }
  constexpr int32_t kUnset = INT32_MIN;
  for (const std::string name : {"gzip", "lz4", "zstd"}) {
    int32_t level = kUnset;
    properties->TakeNumber("compression." + name + ".level", -131072, 22, &level);
    if (level != kUnset && name == codec) config->compression_level = level;
  }
}

void TakeProducerProperties(ClientProperties* properties, client::ProducerConfig* config) {
  std::string acks = "all";
  properties->TakeChoice("acks", {"all", "-1", "0", "1"}, &acks);
  config->acks = acks == "0" ? 0 : acks == "1" ? 1 : -1;
  properties->TakeBool("enable.idempotence", &config->enable_idempotence);
  TakeCompression(properties, config);
  properties->TakeNumber("batch.size", 0, INT32_MAX, &config->batch_size);
  properties->TakeNumber("linger.ms", 0, INT32_MAX, &config->linger_ms);
  properties->TakeNumber("buffer.memory", 1, INT64_MAX, &config->buffer_memory);
  properties->TakeNumber("max.request.size", 1, INT32_MAX, &config->max_request_size);
  properties->TakeNumber("max.in.flight.requests.per.connection", 1, 1000, &config->max_in_flight);
  if (config->enable_idempotence && config->acks == -1 && config->max_in_flight > 5) {
    config->max_in_flight = 5;
  }
  properties->TakeNumber("max.block.ms", 0, INT64_MAX / 2'000'000, &config->max_block_ms);
  properties->TakeNumber("request.timeout.ms", 1, INT32_MAX, &config->request_timeout_ms);
  properties->TakeNumber("delivery.timeout.ms", 1, INT32_MAX, &config->delivery_timeout_ms);
  properties->TakeNumber("retry.backoff.ms", 1, INT32_MAX, &config->retry_backoff_ms);
  properties->Ignore({"retries", "key.serializer", "value.serializer"});
}

}  // namespace

struct RecordWriter::Parts {
  Parts(client::Cluster& cluster, const client::ProducerConfig& config)
      : producer(cluster, config), patience_ms(config.delivery_timeout_ms + 1'000) {}

  client::Producer producer;
  int64_t patience_ms;
};

absl::StatusOr<std::unique_ptr<RecordWriter>> RecordWriter::Create(Remote& remote,
                                                                   ClientProperties* properties) {
  client::ProducerConfig config;
  TakeProducerProperties(properties, &config);
  WEIR_RETURN_IF_ERROR(properties->Finish());
  return absl::WrapUnique(new RecordWriter(std::make_unique<Parts>(remote.cluster(), config)));
}

RecordWriter::RecordWriter(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
RecordWriter::~RecordWriter() = default;

absl::Status RecordWriter::Send(absl::string_view topic, std::optional<absl::string_view> key,
                                std::optional<absl::string_view> value,
                                absl::Span<const protocol::RecordHeader> headers, Done done) {
  client::ProducerRecord record;
  record.topic = topic;
  record.key = key;
  record.value = value;
  record.headers = headers;
  return parts_->producer.Send(record, [done = std::move(done)](const client::Delivery& delivery) {
    done(delivery.status);
  });
}

void RecordWriter::Poll(int64_t timeout_ms) { parts_->producer.Poll(timeout_ms); }

absl::Status RecordWriter::Flush() { return parts_->producer.Flush(parts_->patience_ms); }

bool RecordWriter::empty() const { return parts_->producer.empty(); }

}  // namespace weir::cli
