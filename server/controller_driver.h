// -----------------------------------------------------------------------------
// File: server/controller_driver.h
// -----------------------------------------------------------------------------
// This node's part in the metadata: its replica of the log (server/metadata_log.h), whose images it
// hands to every shard, and the controller (coordination/metadata/controller.h), which is active
// while this node leads the quorum. Once all shards have followed, the controller's answers go out:
// whoever is told that a topic exists finds it on every shard of the node that decided.
// While another node leads, what is asked goes there. A request that may have been carried out is
// sent again only to the same controller, which knows it by its number.
// Threading: the controller's shard; Open also on the starting thread, before the loop runs.
// Errors: a full disk, or more records than a batch has room for, fail the request. When the log
//   fails, the node does.
#ifndef WEIR_SERVER_CONTROLLER_DRIVER_H_
#define WEIR_SERVER_CONTROLLER_DRIVER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "coordination/raft/types.h"
#include "log/file.h"
#include "server/event_loop.h"
#include "server/metadata_log_observer.h"
#include "server/node.h"
#include "server/peer_network.h"
#include "server/producer_ids.h"
#include "server/reply.h"
#include "server/timers.h"

namespace weir::metadata {
class Controller;
}

namespace weir::server {

// Whoever works with these includes their headers: most who ask the controller do not.
class MetadataLog;
class QuorumRequests;

class ControllerDriver final : private MetadataLogObserver {
 public:
  // Hands an image to every shard and calls `followed` when all have it.
  using Publish =
      std::function<void(metadata::MetadataImagePtr image, absl::AnyInvocable<void()> followed)>;

  // What happens to the quorum and the log.
  struct Listener {
    // Who leads, or kNoBroker.
    std::function<void(BrokerId leader)> on_leader;
    // This node has followed the log up to but not with `end`: on all shards, once Publish is set.
    // Before that, called too when this node's controller becomes active.
    std::function<void(Offset end)> on_followed;
    // This node's controller has become active.
    std::function<void()> on_active;
  };

  // All outlive the driver. `peers` null: there are no other nodes.
  ControllerDriver(const Node& node, log::FileSystem& files, EventLoop& loop, Random& random,
                   PeerNetwork* peers, Listener listener);
  ~ControllerDriver() override;

  // Reads the log and begins to take part in its quorum; alone: the configuration knows no other
  // node that might. Blocks.
  absl::Status Open(const raft::ReplicaKey& self, bool is_alone);
  absl::Status Close();

  // From now on each image goes to the shards, beginning with the present one.
  void StartPublishing(Publish publish);

  bool is_open() const { return log_ != nullptr; }
  const MetadataLog& log() const { return *log_; }
  MetadataLog& log() { return *log_; }
  // What is committed.
  const metadata::MetadataImagePtr& image() const;
  bool is_active() const;
  // See metadata::Controller.
  bool HasHeardOf(BrokerId broker) const;

  // Asks the active controller, on behalf of a client or the broker itself; the token of the event
  // is set here. `answer` gets what the controller answers to such an event.
  using Answer = absl::AnyInvocable<void(metadata::ControllerResponse)>;
  void AskAny(metadata::ControllerEvent event, ClientIdentity client, Answer answer);
  // The same for an event whose answers are of type Response.
  template <class Response, class Event>
  void Ask(Event event, Reply<Response> reply, ClientIdentity client = {}) {
    AskAny(std::move(event), std::move(client),
           [reply = std::move(reply)](metadata::ControllerResponse response) mutable {
             reply(std::get<Response>(std::move(response)));
           });
  }
  // Asks the leader of the quorum about it (server/quorum_requests.h). Nothing came: no leader did.
  template <class Response, class Request>
  void AskQuorum(Request request, ClientIdentity client, Reply<std::optional<Response>> reply);
  // The process of a broker, of a leader of the quorum, has ended.
  void OnBrokerLost(const metadata::BrokerLost& lost);
  void OnLeaderGone(LeaderEpoch term, BrokerId leader);
  // Takes what another node asks.
  void Serve(ControllerCall call, absl::AnyInvocable<void(ControllerAnswer)> answer);
  // Creates __consumer_offsets as the configuration has it.
  void CreateOffsetsTopic(Reply<protocol::CreateTopicsResponse> reply);
  void AllocateProducerIds(Reply<absl::StatusOr<ProducerIdBlock>> reply);

  // False when the token is not of this log.
  bool OnSyncDone(const log::SyncDone& sync);
  void OnTickEnd();

 private:
  void OnLeader(LeaderEpoch term, BrokerId leader) override;
  void OnGained(LeaderEpoch epoch, Offset next_offset) override;
  void OnLost() override;
  void OnCommitted(Offset end) override;
  void OnAppendFailed(metadata::AppendToken token, const absl::Status& status) override;
  void OnSnapshotRefused(const absl::Status& status) override;
  void OnNoRoom(const absl::Status& status) override;
  void OnRoomAgain() override;
  void OnFailed(const absl::Status& status) override;

  // A request on its way to another node.
  struct Forwarded {
    ControllerCall call;
    absl::AnyInvocable<void()> serve_here;  // this node leads now
    // The response, or why nobody gave one.
    absl::AnyInvocable<void(absl::StatusOr<std::string>)> done;
    MonotonicNs deadline;
    int64_t call_ms_max = 0;  // that one controller has to answer it
    // Whom it was sent to, in which term, where no answer came.
    std::optional<std::pair<BrokerId, LeaderEpoch>> may_have_done;
  };
  struct UnderWay {
    Forwarded forwarded;
    std::pair<BrokerId, LeaderEpoch> to;
  };
  // A request of another node, by who asks and its number.
  using CallId = std::pair<Uuid, uint64_t>;
  struct Served {
    std::optional<ControllerAnswer> answer;
    std::vector<absl::AnyInvocable<void(ControllerAnswer)>> waiting;
  };

  bool IsOnDiskOfPredecessor(const metadata::RegisterBroker& event) const;
  void StepFor(metadata::ControllerEvent event, Answer answer);
  void Forward(Forwarded forwarded);
  void ForwardLater(Forwarded forwarded);
  void OnForwarded(uint64_t number, absl::StatusOr<ControllerAnswer> answer);
  void GiveUpFormerLeaders();
  metadata::ControllerResponse RefusalOf(metadata::ControllerEvent event);
  template <class Request, class Response>
  void ServeQuorum(const ControllerCall& call, absl::AnyInvocable<void(ControllerAnswer)> answer);
  ControllerCall NewCall(int16_t api_key, int16_t api_version, std::string request,
                         ClientIdentity client);
  void ScheduleReplacement();
  void OnServed(const CallId& id, ControllerAnswer answer);
  void Step(metadata::ControllerEvent event);
  void OnFollowed(Offset end);
  void ArmTimer();

  const Node& node_;
  log::FileSystem& files_;
  EventLoop& loop_;
  Random& random_;
  PeerNetwork* const peers_;
  const Listener listener_;

  const std::unique_ptr<metadata::Controller> controller_;
  std::unique_ptr<MetadataLog> log_;
  std::unique_ptr<QuorumRequests> quorum_;
  Publish publish_;
  TimerId timer_;
  absl::flat_hash_map<metadata::RequestToken, Answer> answers_;
  metadata::RequestToken next_request_ = 1;
  uint64_t next_call_ = 1;
  uint64_t next_forward_ = 1;
  std::map<uint64_t, UnderWay> under_way_;
  std::map<CallId, Served> served_;
  std::deque<CallId> served_order_;
  size_t served_bytes_ = 0;
  MonotonicNs append_failed_;  // the last time; then the controller's timer waits
};

}  // namespace weir::server

#endif  // WEIR_SERVER_CONTROLLER_DRIVER_H_
