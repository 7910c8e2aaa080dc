// -----------------------------------------------------------------------------
// File: tests/sim/sim_actor.h
// -----------------------------------------------------------------------------
// What the simulator's clients have in common: connections to the brokers, and where leaders are,
// as the answers to Metadata had it.
#ifndef WEIR_TESTS_SIM_SIM_ACTOR_H_
#define WEIR_TESTS_SIM_SIM_ACTOR_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "protocol/api/metadata.h"
#include "protocol/error_code.h"
#include "tests/sim/group_oracle.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim_poller.h"
#include "tests/sim/sim_session.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {

// The brokers that clients are configured with, and the leaders that they have heard of.
class BrokerMap {
 public:
  struct Broker {
    int32_t id;
    int port;
  };
  explicit BrokerMap(std::vector<Broker> brokers) : brokers_(std::move(brokers)) {}

  size_t size() const { return brokers_.size(); }
  int PortOf(size_t broker) const { return brokers_[broker].port; }
  int32_t IdOf(size_t broker) const { return brokers_[broker].id; }
  size_t Any(Random& random) const { return size() == 1 ? 0 : random.Below(size()); }

  // Nobody: not known, or there is none.
  std::optional<size_t> LeaderOf(const TopicPartition& partition) const {
    if (size() == 1) return 0;
    const auto found = leaders_.find(partition);
    return found == leaders_.end() ? std::nullopt : found->second.broker;
  }
  // Who is known to lead does not, or cannot be reached.
  void Forget(const TopicPartition& partition) {
    const auto found = leaders_.find(partition);
    if (found != leaders_.end()) found->second.broker.reset();
  }
  // As clients do: what is of an older epoch than what is known is not believed.
  void Learn(const protocol::MetadataResponse& response) {
    for (const auto& topic : response.topics) {
      for (const auto& partition : topic.partitions) {
        Leader& known = leaders_[{topic.topic_id, PartitionIndex(partition.partition_index)}];
        if (partition.leader_epoch < known.epoch) continue;
        known = {partition.leader_epoch, IndexOf(partition.leader_id)};
      }
    }
  }

  // In truth, whatever clients have heard.
  void SetTrueLeader(const TopicPartition& partition, int32_t leader_id, int32_t epoch) {
    true_leaders_[partition] = {epoch, IndexOf(leader_id)};
  }
  int32_t TrueEpochOf(const TopicPartition& partition) const {
    const auto found = true_leaders_.find(partition);
    return found == true_leaders_.end() ? -1 : found->second.epoch;
  }
  bool Leads(size_t broker, const TopicPartition& partition) const {
    if (size() == 1) return true;
    const auto found = true_leaders_.find(partition);
    return found != true_leaders_.end() && found->second.broker == broker;
  }

 private:
  struct Leader {
    int32_t epoch = -1;
    std::optional<size_t> broker;
  };
  std::optional<size_t> IndexOf(int32_t id) const {
    for (size_t i = 0; i < size(); ++i) {
      if (brokers_[i].id == id) return i;
    }
    return std::nullopt;
  }

  const std::vector<Broker> brokers_;
  std::map<TopicPartition, Leader> leaders_;
  std::map<TopicPartition, Leader> true_leaders_;
};

struct ClientContext {
  Random& random;
  Clock& clock;
  Trace& trace;
  Oracle& oracle;
  GroupOracle& groups;
  SimNetwork& network;
  BrokerMap& brokers;
};

class SimActor {
 public:
  SimActor(ClientContext& context, const std::string& name)
      : context_(context), session_(context.network, context.trace, name) {
    for (size_t i = 1; i < context.brokers.size(); ++i) {
      others_.push_back(
          std::make_unique<Session>(context.network, context.trace, absl::StrCat(name, "@", i)));
    }
  }
  virtual ~SimActor() = default;

  // One more request, if the client has something to ask now.
  void Act() {
    if (context_.brokers.size() == 1 && !Connected(0)) return;
    Ask();
  }
  // With the first broker.
  Session& session() { return session_; }
  Session& session(size_t broker) { return broker == 0 ? session_ : *others_[broker - 1]; }
  size_t sessions() const { return 1 + others_.size(); }
  size_t waiting() {
    size_t waiting = 0;
    for (size_t i = 0; i < sessions(); ++i) waiting += session(i).waiting();
    return waiting;
  }

 protected:
  using ErrorCode = protocol::ErrorCode;

  virtual void Ask() = 0;

  bool Connected(size_t broker) {
    return session(broker).connected() || session(broker).Connect(context_.brokers.PortOf(broker));
  }
  // Nobody, when the one that came to mind does not listen.
  Session* ToAny() {
    const size_t broker = context_.brokers.Any(context_.random);
    return Connected(broker) ? &session(broker) : nullptr;
  }
  // Whoever leads the partition; now and then, or when nobody knows, just anybody.
  std::optional<size_t> BrokerFor(const TopicPartition& partition) {
    const std::optional<size_t> leader = context_.brokers.LeaderOf(partition);
    if (context_.brokers.size() == 1) return leader;
    if (!leader.has_value() && !asks_metadata_ && context_.random.OneIn(2)) AskMetadata();
    if (!leader.has_value() || context_.random.OneIn(40)) {
      return context_.brokers.Any(context_.random);
    }
    if (Connected(*leader)) return leader;
    context_.brokers.Forget(partition);
    return std::nullopt;
  }
  Session* ToLeaderOf(const TopicPartition& partition) {
    const std::optional<size_t> broker = BrokerFor(partition);
    return broker.has_value() && Connected(*broker) ? &session(*broker) : nullptr;
  }

  void AskMetadata() {
    Session* const to = ToAny();
    if (to == nullptr) return;
    protocol::MetadataRequest request;
    request.topics = std::nullopt;
    request.allow_auto_topic_creation = false;
    asks_metadata_ = true;
    Send<protocol::MetadataResponse>(
        *to, request, 12, "metadata",
        [this](const protocol::MetadataResponse* response, uint64_t sent) {
          asks_metadata_ = false;
          if (response == nullptr) return;
          context_.oracle.OnMetadata(*response, sent);
          context_.brokers.Learn(*response);
        });
  }

  // Sends and gives `done` the answer and the event that the sending was.
  template <class Response, class Request, class Done>
  void Send(Session& to, const Request& request, int16_t version, absl::string_view what,
            Done done) {
    const uint64_t sent = context_.trace.Note(to.name(), ": ", what);
    to.Send<Response>(request, version, context_.clock.Monotonic(),
                      [this, &to, sent, done = std::move(done)](const Response* response) {
                        context_.trace.Note(
                            to.name(), response == nullptr ? ": closed" : ": answer", " to ", sent);
                        done(response, sent);
                      });
  }
  template <class Response, class Request, class Done>
  void Send(const Request& request, int16_t version, absl::string_view what, Done done) {
    Send<Response>(session_, request, version, what, std::move(done));
  }

  std::optional<TopicPartition> AnyPartition() {
    const std::vector<const Oracle::Topic*> live = context_.oracle.Live();
    if (live.empty()) return std::nullopt;
    const Oracle::Topic& topic = *live[context_.random.Below(live.size())];
    const auto index = context_.random.Below(static_cast<uint64_t>(topic.partitions));
    return TopicPartition{topic.id, PartitionIndex(static_cast<int32_t>(index))};
  }
  // An answer that the topic is not there.
  void OnUnknown(const TopicPartition& partition, uint64_t sent) {
    const Oracle::Topic* topic = context_.oracle.Find(partition.topic_id);
    if (context_.oracle.brokers_lag()) return;
    if (topic->delete_asked == 0 && topic->created < sent) {
      context_.trace.Fail(context_.oracle.Name(partition), " is unknown to the broker");
    }
  }
  void OnKnown(const TopicPartition& partition, uint64_t sent) {
    const Oracle::Topic* topic = context_.oracle.Find(partition.topic_id);
    if (context_.oracle.brokers_lag()) return;
    if (topic->deleted != 0 && topic->deleted < sent) {
      context_.trace.Fail(context_.oracle.Name(partition), " is served after its deletion");
    }
  }
  // What a broker says that does not lead, or does not know that it does.
  void OnMoved(const TopicPartition& partition, int16_t code) {
    const auto error = static_cast<ErrorCode>(code);
    if (error == ErrorCode::kNotLeaderOrFollower || error == ErrorCode::kFencedLeaderEpoch ||
        error == ErrorCode::kUnknownLeaderEpoch || error == ErrorCode::kLeaderNotAvailable ||
        IsUnknown(code)) {
      context_.brokers.Forget(partition);
    }
  }
  static bool IsUnknown(int16_t code) {
    const auto error = static_cast<ErrorCode>(code);
    return error == ErrorCode::kUnknownTopicId || error == ErrorCode::kUnknownTopicOrPartition;
  }

  ClientContext& context_;
  Session session_;

 private:
  std::vector<std::unique_ptr<Session>> others_;
  bool asks_metadata_ = false;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_SIM_ACTOR_H_
