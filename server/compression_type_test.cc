// compression.type: what of it clients see, and what lies on the disk.
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/admin.h"
#include "client/producer.h"
#include "client/system_cluster.h"
#include "gtest/gtest.h"
#include "log/checkpoint_file.h"
#include "log/posix_file.h"
#include "protocol/record_batch.h"
#include "protocol/record_codec.h"
#include "server/embedded_broker.h"
#include "server/read_values.h"

namespace weir::server {
namespace {

using protocol::Codec;

constexpr Codec kCodecs[] = {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd};

class CompressionTypeTest : public testing::Test {
 protected:
  void Start(EmbeddedBroker::Options options = {}) {
    auto broker = EmbeddedBroker::Start(std::move(options));
    ASSERT_TRUE(broker.ok()) << broker.status();
    broker_ = *std::move(broker);
    auto system =
        client::SystemCluster::Create({.bootstrap_servers = broker_->bootstrap_servers()});
    ASSERT_TRUE(system.ok()) << system.status();
    system_ = *std::move(system);
  }

  void Create(const std::string& name, std::map<std::string, std::string> configs) {
    client::NewTopic topic{.name = name, .partitions = 1};
    topic.configs = std::move(configs);
    const auto created = client::Admin(system_->cluster()).CreateTopics({&topic, 1});
    ASSERT_TRUE(created.ok()) << created.status();
    ASSERT_TRUE(created->front().status.ok()) << created->front().status;
  }

  absl::Status Send(absl::string_view topic, absl::string_view value, Codec codec) {
    client::Producer producer(system_->cluster(), {.compression = codec});
    absl::Status delivered = absl::UnknownError("no callback");
    absl::Status sent =
        producer.Send({.topic = topic, .value = value},
                      [&](const client::Delivery& delivery) { delivered = delivery.status; });
    sent.Update(producer.Flush(10'000));
    return sent.ok() ? delivered : sent;
  }

  std::vector<std::string> Read(const std::string& topic, size_t count) {
    return ReadValues(system_->cluster(), topic, count);
  }

  // Of the batches in the first segment of partition 0.
  std::vector<Codec> CodecsOnDisk(absl::string_view topic) {
    log::PosixFileSystem files;
    const auto bytes = log::ReadWholeFile(
        files, absl::StrCat(broker_->data_directory(), "/", topic, "-0/00000000000000000000.log"),
        1 << 20);
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    std::vector<Codec> codecs;
    for (absl::string_view rest = *bytes; !rest.empty();) {
      const auto batch = protocol::RecordBatchView::Parse(rest);
      EXPECT_TRUE(batch.ok() && batch->CrcIsValid());
      if (!batch.ok()) break;
      codecs.push_back(batch->codec());
      rest.remove_prefix(static_cast<size_t>(batch->size_bytes()));
    }
    return codecs;
  }

  std::unique_ptr<EmbeddedBroker> broker_;
  std::unique_ptr<client::SystemCluster> system_;
};

TEST_F(CompressionTypeTest, EveryBatchIsKeptInTheTopicsCodec) {
  Start();
  for (const Codec to : kCodecs) {
    const std::string type(to == Codec::kNone ? "uncompressed" : protocol::CodecName(to));
    Create(type, {{"compression.type", type}});
    std::vector<std::string> values;
    for (const Codec from : kCodecs) {
      values.push_back(absl::StrCat(std::string(500, 'x'), protocol::CodecName(from)));
      EXPECT_EQ(Send(type, values.back(), from), absl::OkStatus());
    }
    EXPECT_EQ(Read(type, values.size()), values);
    EXPECT_EQ(CodecsOnDisk(type), std::vector<Codec>(values.size(), to)) << type;
  }
}

TEST_F(CompressionTypeTest, ProducerKeepsWhatWasSentAndTheBrokersKeyIsTheDefault) {
  Start({.config = {{"compression.type", "lz4"}, {"compression.lz4.level", "12"}}});
  Create("kept", {{"compression.type", "producer"}});
  EXPECT_EQ(Send("kept", "v", Codec::kGzip), absl::OkStatus());
  EXPECT_EQ(Send("made", "v", Codec::kGzip), absl::OkStatus());
  EXPECT_EQ(CodecsOnDisk("kept"), std::vector<Codec>{Codec::kGzip});
  EXPECT_EQ(CodecsOnDisk("made"), std::vector<Codec>{Codec::kLz4});
}

TEST_F(CompressionTypeTest, TheSizeThatIsKeptIsBoundedToo) {
  Start();
  Create("small", {{"compression.type", "uncompressed"}, {"max.message.bytes", "2000"}});
  const absl::Status refused = Send("small", std::string(10'000, 'x'), Codec::kZstd);
  EXPECT_TRUE(absl::StrContains(refused.message(), "MESSAGE_TOO_LARGE")) << refused;
  EXPECT_EQ(Send("small", std::string(1'000, 'x'), Codec::kZstd), absl::OkStatus());
  EXPECT_EQ(Read("small", 1), std::vector<std::string>{std::string(1'000, 'x')});
}

TEST_F(CompressionTypeTest, TakesLogAppendTimeWithIt) {
  Start();
  Create("timed", {{"compression.type", "zstd"}, {"message.timestamp.type", "LogAppendTime"}});
  EXPECT_EQ(Send("timed", "v", Codec::kNone), absl::OkStatus());
  EXPECT_EQ(Read("timed", 1), std::vector<std::string>{"v"});
  EXPECT_EQ(CodecsOnDisk("timed"), std::vector<Codec>{Codec::kZstd});
}

}  // namespace
}  // namespace weir::server
