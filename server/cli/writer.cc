#include "server/cli/writer.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "client/producer.h"
#include "protocol/record_codec.h"
#include "server/cli/client_properties.h"

namespace weir::cli {
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
