// -----------------------------------------------------------------------------
// File: server/controller_driver.h
// -----------------------------------------------------------------------------
// Runs the controller (coordination/metadata/controller.h) of a quorum of one: keeps the log
// __cluster_metadata, appends what the controller decides, and when that is durable, hands the new
// image to every shard; once all have followed, the controller's answers go out. So whoever is told
// that a topic exists finds it on every shard.
// Threading: Start on the starting thread; afterwards on the controller's shard.
// Errors: a full disk, or more records than a batch has room for, fail the request. When the log
//   fails, the controller stands down and requests are answered so.
#ifndef WEIR_SERVER_CONTROLLER_DRIVER_H_
#define WEIR_SERVER_CONTROLLER_DRIVER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "base/random.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "log/file.h"
#include "server/node.h"
#include "server/producer_ids.h"
#include "server/reply.h"

namespace weir::log {
class Log;
}
namespace weir::metadata {
class Controller;
}

namespace weir::server {

class ControllerDriver {
 public:
  // Hands an image to every shard and calls `followed` when all have it.
  using Publish =
      std::function<void(metadata::MetadataImagePtr image, absl::AnyInvocable<void()> followed)>;

  // All outlive the driver.
  ControllerDriver(const Node& node, log::FileSystem& files, Clock& clock, Random& random,
                   Publish publish);
  ~ControllerDriver();

  // Reads the log, takes the lead of a new epoch and registers this broker, durably. Blocks.
  absl::Status Start();

  // What is committed: what clients may see.
  const metadata::MetadataImagePtr& image() const { return image_; }

  void CreateTopics(protocol::CreateTopicsRequest request,
                    Reply<protocol::CreateTopicsResponse> reply);
  // Creates __consumer_offsets as the configuration has it.
  void CreateOffsetsTopic(Reply<protocol::CreateTopicsResponse> reply);
  void DeleteTopics(protocol::DeleteTopicsRequest request,
                    Reply<protocol::DeleteTopicsResponse> reply);
  void CreatePartitions(protocol::CreatePartitionsRequest request,
                        Reply<protocol::CreatePartitionsResponse> reply);
  // The tokens of the events are set here.
  void AlterConfigs(metadata::AlterConfigs event, Reply<metadata::ConfigsAltered> reply);
  void UpdateFeatures(metadata::UpdateFeatures event, Reply<metadata::FeaturesUpdated> reply);
  void AllocateProducerIds(Reply<absl::StatusOr<ProducerIdBlock>> reply);

  // False when the token is not of this log.
  bool OnSyncDone(const log::SyncDone& sync);
  // Starts to flush what the tick appended.
  void OnTickEnd();

  const log::Log& log() const { return *log_; }
  absl::Status Close();

 private:
  using Answer = absl::AnyInvocable<void(metadata::ControllerResponse)>;

  struct UncommittedImage {
    Offset last_offset;
    metadata::MetadataImagePtr image;
  };

  absl::Status OpenLog();
  absl::Status LoadSnapshot();
  absl::Status Replay();
  absl::Status TakeLead();
  absl::Status Register();

  metadata::RequestToken Expect(Answer answer);
  // Expects an answer of this type, for `reply`.
  template <class Response>
  metadata::RequestToken ExpectFor(Reply<Response> reply) {
    return Expect([reply = std::move(reply)](metadata::ControllerResponse response) mutable {
      reply(std::get<Response>(std::move(response)));
    });
  }
  void Step(metadata::ControllerEvent event);
  // As Step, and waits until what it appended is durable.
  absl::Status StepAndFlush(metadata::ControllerEvent event);
  absl::Status AppendBatch(absl::StatusOr<std::string> batch, LeaderEpoch epoch);
  void OnAppendFailed(const metadata::AppendRecords& append, const absl::Status& status,
                      bool is_encoded, metadata::ControllerEffects* effects);
  // The image of what is durable now, taken out of the queue; null when nothing is new.
  metadata::MetadataImagePtr TakeCommitted();
  void OnFailure(const absl::Status& status);

  const Node& node_;
  log::FileSystem& files_;
  Clock& clock_;
  Random& random_;
  const Publish publish_;

  const std::unique_ptr<metadata::Controller> controller_;
  std::unique_ptr<log::Log> log_;
  std::string log_directory_;
  metadata::MetadataImagePtr image_ = metadata::EmptyImage();
  std::deque<UncommittedImage> uncommitted_;
  int64_t broker_epoch_ = -1;
  bool dirty_ = false;
  bool failed_ = false;
  absl::flat_hash_map<metadata::RequestToken, Answer> answers_;
  metadata::RequestToken next_request_ = 1;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_CONTROLLER_DRIVER_H_
