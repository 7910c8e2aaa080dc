#include "server/controller_driver.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "coordination/metadata/controller.h"
#include "coordination/metadata/node_directory.h"
#include "coordination/metadata/topic_name.h"
#include "coordination/raft/transport.h"
#include "protocol/api/add_raft_voter.h"
#include "protocol/api/describe_quorum.h"
#include "protocol/api/remove_raft_voter.h"
#include "protocol/message.h"
#include "server/controller_calls.h"
#include "server/data_directories.h"
#include "server/data_directory.h"
#include "server/logger.h"
#include "server/metadata_log.h"
#include "server/quorum_requests.h"
#include "server/scram_keys.h"
#include "server/topic_config.h"
#include "server/topic_config_table.h"

namespace weir::server {
namespace {

std::vector<protocol::CreateTopicsResponse::CreatableTopicConfigs> DescribeConfigs(
    const BrokerConfig& config, const metadata::ConfigMap& topic,
    const metadata::ConfigMap& cluster) {
  std::vector<protocol::CreateTopicsResponse::CreatableTopicConfigs> configs;
  for (const ConfigEntry& entry : DescribeTopicConfigs(config, topic, cluster)) {
    configs.push_back({entry.name, entry.value, entry.read_only, static_cast<int8_t>(entry.source),
                       entry.sensitive});
  }
  return configs;
}

metadata::ControllerConfig ControllerConfigOf(const Node& node) {
  const BrokerConfig& config = node.config;
  metadata::ControllerConfig out;
  out.num_partitions = config.num_partitions;
  out.default_replication_factor = static_cast<int16_t>(config.default_replication_factor);
  out.delete_topic_enable = config.delete_topics_enabled;
  if (config.settings.Find(kMinInsyncReplicas) != nullptr) {
    out.min_insync_replicas = config.min_insync_replicas;
  }
  out.unclean_leader_election_enable = config.unclean_leader_election;
  out.broker_session_timeout_ms = config.broker_session_timeout_ms;
  out.auto_leader_rebalance_enable = config.auto_leader_rebalance;
  out.leader_imbalance_check_interval_ms = config.leader_imbalance_check_interval_seconds * 1000;
  out.validate_topic_config = [](absl::string_view name, absl::string_view value) {
    return ValidateTopicConfig(name, value);
  };
  out.validate_topic_configs = [&config](const metadata::ConfigMap& set) {
    return ValidateTopicConfigs(config, TopicOverrides(set));
  };
  out.topic_list_default = [](absl::string_view name) -> std::optional<std::string> {
    const TopicConfigDef* topic = FindTopicConfig(name);
    if (topic == nullptr || topic->def.type != ConfigType::kList) return std::nullopt;
    return topic->def.default_value;
  };
  out.describe_topic_configs = [&config](const metadata::ConfigMap& topic,
                                         const metadata::ConfigMap& cluster) {
    return DescribeConfigs(config, topic, cluster);
  };
  out.derive_scram_keys = DeriveScramKeys;
  return out;
}

constexpr int64_t kForwardTimeoutMs = 30'000;  // what Kafka's clients wait
constexpr int64_t kOwnTimeoutMs = 4'000;
constexpr int64_t kCallTimeoutMs = 10'000;
constexpr int64_t kQuorumMarginMs = 2'000;  // for the way to the leader and back
// What a leader that leads no more has for answers that are on their way.
constexpr int64_t kFormerLeaderMs = 500;
constexpr int64_t kForwardPauseMs = 50;
constexpr int64_t kReplacementMs = 1'000;
constexpr int64_t kAppendPauseMs = 1'000;  // after an append that found no room
constexpr size_t kServedKept = 10'000;
constexpr size_t kServedBytesKept = size_t{16} << 20;

// Of a node without others.
class NoTransport final : public raft::Transport {
 public:
  void Send(raft::Message) override {}
};
NoTransport no_transport;

}  // namespace

ControllerDriver::ControllerDriver(const Node& node, log::FileSystem& files, EventLoop& loop,
                                   Random& random, PeerNetwork* peers, Listener listener)
    : node_(node),
      files_(files),
      loop_(loop),
      random_(random),
      peers_(peers),
      listener_(std::move(listener)),
      controller_(std::make_unique<metadata::Controller>(ControllerConfigOf(node), random)) {}

ControllerDriver::~ControllerDriver() { loop_.timers().Cancel(timer_); }

absl::Status ControllerDriver::Open(const raft::ReplicaKey& self, bool is_alone) {
  MetadataLog::Options options;
  options.raft.cluster_id = node_.cluster_id;
  options.raft.self = self;
  options.raft.election_timeout_ms = node_.config.quorum_election_timeout_ms;
  options.raft.heartbeat_interval_ms = std::min<int64_t>(
      options.raft.heartbeat_interval_ms, node_.config.quorum_election_timeout_ms / 10);
  options.directory =
      absl::StrCat(node_.directories->metadata().path(), "/", metadata::kMetadataLogFolder);
  options.is_alone = is_alone;
  options.snapshot_bytes = node_.config.metadata_snapshot_bytes;
  options.snapshot_interval_ms = node_.config.metadata_snapshot_interval_ms;
  raft::Transport& transport = peers_ == nullptr ? no_transport : peers_->transport();
  log_ = std::make_unique<MetadataLog>(std::move(options), files_, loop_, random_, transport,
                                       static_cast<MetadataLog::Observer&>(*this));
  quorum_ = std::make_unique<QuorumRequests>(node_, loop_, *log_, peers_);
  if (absl::Status opened = log_->Open(); !opened.ok()) {
    // What comes until the node has ended finds none.
    quorum_.reset();
    log_.reset();
    return opened;
  }
  if (peers_ != nullptr && node_.config.is_controller) ScheduleReplacement();
  return absl::OkStatus();
}

void ControllerDriver::ScheduleReplacement() {
  loop_.timers().Schedule(loop_.clock().Monotonic() + kReplacementMs * kNsPerMs, [this] {
    quorum_->ReplaceLostVoters();
    ScheduleReplacement();
  });
}

absl::Status ControllerDriver::Close() {
  return log_ == nullptr ? absl::OkStatus() : log_->Close();
}

const metadata::MetadataImagePtr& ControllerDriver::image() const { return log_->image(); }

bool ControllerDriver::is_active() const { return controller_->is_active(); }

bool ControllerDriver::HasHeardOf(BrokerId broker) const { return controller_->HasHeardOf(broker); }

void ControllerDriver::StartPublishing(Publish publish) {
  publish_ = std::move(publish);
  OnCommitted(log_->applied_end());
}

// --- the log ------------------------------------------------------------------------------------

bool ControllerDriver::OnSyncDone(const log::SyncDone& sync) {
  return log_ != nullptr && log_->OnSyncDone(sync);
}

void ControllerDriver::OnTickEnd() {
  if (log_ != nullptr) log_->OnTickEnd();
}

void ControllerDriver::OnLeader(LeaderEpoch term, BrokerId leader) {
  if (leader != kNoBroker && peers_ != nullptr) {
    node_.logger->Info("the active controller of epoch ", term.value(), " is node ",
                       leader.value());
  }
  listener_.on_leader(leader);
  if (leader == kNoBroker || under_way_.empty()) return;
  loop_.timers().Schedule(loop_.clock().Monotonic() + kFormerLeaderMs * kNsPerMs,
                          [this] { GiveUpFormerLeaders(); });
}

void ControllerDriver::OnGained(LeaderEpoch epoch, Offset next_offset) {
  Step(metadata::LeadershipGained{epoch, next_offset, log_->image()});
  if (!publish_) listener_.on_followed(log_->applied_end());
  listener_.on_active();
}

void ControllerDriver::OnLost() { Step(metadata::LeadershipLost{}); }

void ControllerDriver::OnCommitted(Offset end) {
  if (!publish_) return OnFollowed(end);
  publish_(log_->image(), [this, end] { OnFollowed(end); });
}

void ControllerDriver::OnFollowed(Offset end) {
  if (controller_->is_active()) Step(metadata::Committed{end - 1});
  listener_.on_followed(end);
}

void ControllerDriver::OnAppendFailed(metadata::AppendToken token, const absl::Status& status) {
  const bool is_large = absl::IsInvalidArgument(status);
  const MonotonicNs now = loop_.clock().Monotonic();
  if (now - append_failed_ >= kAppendPauseMs * kNsPerMs) {
    node_.logger->Error("the metadata log: ", status.message());
  }
  append_failed_ = now;
  Step(metadata::AppendFailed{token, is_large ? protocol::ErrorCode::kPolicyViolation
                                              : protocol::ErrorCode::kKafkaStorageError});
}

void ControllerDriver::OnSnapshotRefused(const absl::Status& status) {
  node_.logger->Error("no snapshot of the metadata: ", status.message());
}

void ControllerDriver::OnNoRoom(const absl::Status& status) {
  node_.logger->Error("the metadata log follows no more until there is room: ", status.message());
}
void ControllerDriver::OnRoomAgain() { node_.logger->Info("the metadata log has room again"); }

void ControllerDriver::OnFailed(const absl::Status& status) {
  node_.fail(absl::Status(status.code(), absl::StrCat("the metadata log: ", status.message())));
  if (controller_->is_active()) Step(metadata::LeadershipLost{});
}

// --- the controller -----------------------------------------------------------------------------

// Who registers with the same disk has its lock, which the process before it has given up.
bool ControllerDriver::IsOnDiskOfPredecessor(const metadata::RegisterBroker& event) const {
  const metadata::BrokerImage* before = image()->FindBroker(BrokerId(event.registration.broker_id));
  if (before == nullptr) return false;
  const std::vector<Uuid>& had = before->directories;
  const std::vector<Uuid>& has = event.registration.log_dirs;
  return std::find_first_of(has.begin(), has.end(), had.begin(), had.end()) != has.end();
}

void ControllerDriver::AskAny(metadata::ControllerEvent event, ClientIdentity client,
                              Answer answer) {
  if (peers_ == nullptr || controller_->is_active()) {
    return StepFor(std::move(event), std::move(answer));
  }
  std::optional<EncodedCall> encoded = EncodeCall(event);
  WEIR_CHECK(encoded.has_value());
  // What a broker says of itself, it says again by itself.
  const bool is_own = std::holds_alternative<metadata::RegisterBroker>(event) ||
                      std::holds_alternative<metadata::BrokerHeartbeat>(event) ||
                      std::holds_alternative<metadata::AlterPartition>(event) ||
                      std::holds_alternative<metadata::AssignReplicasToDirs>(event);
  struct Asked {
    metadata::ControllerEvent event;
    Answer answer;
  };
  const auto asked = std::make_shared<Asked>(Asked{std::move(event), std::move(answer)});
  Forwarded forwarded;
  forwarded.call = NewCall(encoded->api_key, encoded->api_version, std::move(encoded->request),
                           std::move(client));
  forwarded.call.internal = encoded->internal;
  forwarded.deadline =
      loop_.clock().Monotonic() + (is_own ? kOwnTimeoutMs : kForwardTimeoutMs) * kNsPerMs;
  forwarded.call_ms_max = kCallTimeoutMs;
  forwarded.serve_here = [this, asked] {
    StepFor(std::move(asked->event), std::move(asked->answer));
  };
  forwarded.done = [this, asked, key = encoded->api_key,
                    version = encoded->api_version](const absl::StatusOr<std::string>& bytes) {
    absl::StatusOr<metadata::ControllerResponse> response =
        bytes.ok() ? DecodeResponse(key, version, *bytes) : bytes.status();
    if (response.ok()) return asked->answer(*std::move(response));
    node_.logger->Error("a request to the controller: ", response.status().message());
    asked->answer(RefusalOf(std::move(asked->event)));
  };
  Forward(std::move(forwarded));
}

ControllerCall ControllerDriver::NewCall(int16_t api_key, int16_t api_version, std::string request,
                                         ClientIdentity client) {
  ControllerCall call;
  call.from = node_.config.node_id;
  call.incarnation = node_.incarnation;
  call.number = next_call_++;
  call.api_key = api_key;
  call.api_version = api_version;
  call.request = std::move(request);
  call.client = std::move(client);
  return call;
}

template <class Response, class Request>
void ControllerDriver::AskQuorum(Request request, ClientIdentity client,
                                 Reply<std::optional<Response>> reply) {
  const int16_t version = Request::kApi.versions.max;
  const auto asked = std::make_shared<std::pair<Request, Reply<std::optional<Response>>>>(
      std::move(request), std::move(reply));
  Forwarded forwarded;
  std::string bytes;
  protocol::Encode(asked->first, version, &bytes);
  forwarded.call = NewCall(Request::kApi.key, version, std::move(bytes), std::move(client));
  int64_t wait_ms = kForwardTimeoutMs;
  if constexpr (requires { asked->first.timeout_ms; }) {
    wait_ms = std::max(wait_ms, asked->first.timeout_ms + kQuorumMarginMs);
  }
  forwarded.deadline = loop_.clock().Monotonic() + wait_ms * kNsPerMs;
  forwarded.call_ms_max = wait_ms;
  forwarded.serve_here = [this, asked] {
    quorum_->Handle(asked->first,
                    [asked](Response response) { asked->second(std::move(response)); });
  };
  forwarded.done = [asked](const absl::StatusOr<std::string>& bytes) {
    if (!bytes.ok()) return asked->second(std::nullopt);
    absl::StatusOr<Response> response = protocol::Decode<Response>(*bytes, version);
    asked->second(response.ok() ? std::optional<Response>(*std::move(response)) : std::nullopt);
  };
  Forward(std::move(forwarded));
}

template void ControllerDriver::AskQuorum(protocol::DescribeQuorumRequest, ClientIdentity,
                                          Reply<std::optional<protocol::DescribeQuorumResponse>>);
template void ControllerDriver::AskQuorum(protocol::AddRaftVoterRequest, ClientIdentity,
                                          Reply<std::optional<protocol::AddRaftVoterResponse>>);
template void ControllerDriver::AskQuorum(protocol::RemoveRaftVoterRequest, ClientIdentity,
                                          Reply<std::optional<protocol::RemoveRaftVoterResponse>>);

void ControllerDriver::StepFor(metadata::ControllerEvent event, Answer answer) {
  if (auto* registration = std::get_if<metadata::RegisterBroker>(&event)) {
    registration->predecessor_is_gone = IsOnDiskOfPredecessor(*registration);
  }
  const metadata::RequestToken token = next_request_++;
  std::visit(
      [token](auto& e) {
        if constexpr (requires { e.token = metadata::RequestToken(); }) e.token = token;
      },
      event);
  answers_.emplace(token, std::move(answer));
  Step(std::move(event));
}

void ControllerDriver::OnBrokerLost(const metadata::BrokerLost& lost) {
  if (controller_->is_active()) Step(lost);
}

void ControllerDriver::OnLeaderGone(LeaderEpoch term, BrokerId leader) {
  node_.logger->Info("controller ", leader.value(), " has ended, which led epoch ", term.value());
  log_->OnLeaderGone(term, leader);
}

// --- to and from other nodes --------------------------------------------------------------------

void ControllerDriver::Forward(Forwarded forwarded) {
  const MonotonicNs now = loop_.clock().Monotonic();
  const BrokerId leader = log_->raft().leader().id;
  const std::pair<BrokerId, LeaderEpoch> to(leader, log_->raft().term());
  if (leader != kNoBroker && forwarded.may_have_done.value_or(to) != to) {
    return forwarded.done(absl::AbortedError(
        absl::StrCat("controller ", forwarded.may_have_done->first.value(),
                     " may have carried it out, but leads no more and did not answer")));
  }
  if (now >= forwarded.deadline) {
    return forwarded.done(absl::DeadlineExceededError("no controller has answered"));
  }
  if (controller_->is_active()) return forwarded.serve_here();
  if (leader == kNoBroker || leader == node_.config.node_id) {
    return ForwardLater(std::move(forwarded));
  }
  const int64_t left_ms = (forwarded.deadline - now) / kNsPerMs + 1;
  const int64_t timeout_ms = std::min(left_ms, forwarded.call_ms_max);
  ControllerCall call = forwarded.call;
  const uint64_t number = next_forward_++;
  under_way_.emplace(number, UnderWay{std::move(forwarded), to});
  peers_->Call(leader, std::move(call), timeout_ms,
               [this, number](absl::StatusOr<ControllerAnswer> answer) {
                 loop_.Post([this, number, answer = std::move(answer)]() mutable {
                   OnForwarded(number, std::move(answer));
                 });
               });
}

// A controller that was stopped or cut off may be silent for long, and is not asked again.
void ControllerDriver::GiveUpFormerLeaders() {
  const std::pair<BrokerId, LeaderEpoch> now(log_->raft().leader().id, log_->raft().term());
  if (now.first == kNoBroker) return;
  std::vector<Forwarded> former;
  for (auto it = under_way_.begin(); it != under_way_.end();) {
    if (it->second.to == now) {
      ++it;
      continue;
    }
    former.push_back(std::move(it->second.forwarded));
    former.back().may_have_done = it->second.to;
    it = under_way_.erase(it);
  }
  for (Forwarded& forwarded : former) Forward(std::move(forwarded));
}

void ControllerDriver::ForwardLater(Forwarded forwarded) {
  const MonotonicNs when = loop_.clock().Monotonic() + kForwardPauseMs * kNsPerMs;
  loop_.timers().Schedule(
      when, [this, forwarded = std::move(forwarded)]() mutable { Forward(std::move(forwarded)); });
}

void ControllerDriver::OnForwarded(uint64_t number, absl::StatusOr<ControllerAnswer> answer) {
  auto found = under_way_.extract(number);
  if (found.empty()) return;  // given up
  auto& [forwarded, to] = found.mapped();
  if (answer.ok() && answer->error == protocol::ErrorCode::kNone) {
    return forwarded.done(std::move(answer->response));
  }
  if (answer.ok() && answer->error != protocol::ErrorCode::kNotController) {
    return forwarded.done(absl::InvalidArgumentError(absl::StrCat(
        "controller ", to.first.value(), " refuses it: ", protocol::ErrorName(answer->error))));
  }
  if (!answer.ok() && !absl::IsUnavailable(answer.status())) {
    if (!absl::IsAborted(answer.status()) && !absl::IsDeadlineExceeded(answer.status())) {
      return forwarded.done(answer.status());  // refused as it is
    }
    forwarded.may_have_done = to;
  }
  ForwardLater(std::move(forwarded));
}

// As a controller that does not lead would answer.
metadata::ControllerResponse ControllerDriver::RefusalOf(metadata::ControllerEvent event) {
  metadata::ControllerEffects effects;
  metadata::Controller(metadata::ControllerConfig(), random_)
      .Step(loop_.clock().Monotonic(), std::move(event), &effects);
  WEIR_CHECK(effects.responses.size() == 1);
  return std::move(effects.responses.front().response);
}

void ControllerDriver::Serve(ControllerCall call,
                             absl::AnyInvocable<void(ControllerAnswer)> answer) {
  if (!controller_->is_active()) return answer({protocol::ErrorCode::kNotController, ""});
  switch (call.api_key) {
    case protocol::DescribeQuorumRequest::kApi.key:
      return ServeQuorum<protocol::DescribeQuorumRequest, protocol::DescribeQuorumResponse>(
          call, std::move(answer));
    case protocol::AddRaftVoterRequest::kApi.key:
      return ServeQuorum<protocol::AddRaftVoterRequest, protocol::AddRaftVoterResponse>(
          call, std::move(answer));
    case protocol::RemoveRaftVoterRequest::kApi.key:
      return ServeQuorum<protocol::RemoveRaftVoterRequest, protocol::RemoveRaftVoterResponse>(
          call, std::move(answer));
    default:
      break;
  }
  absl::StatusOr<metadata::ControllerEvent> event =
      DecodeCall(call.api_key, call.api_version, call.request, 0, call.internal);
  if (!event.ok()) {
    node_.logger->Error("node ", call.from.value(),
                        " asks the controller: ", event.status().message());
    return answer({protocol::ErrorCode::kInvalidRequest, ""});
  }
  const auto encode = [key = call.api_key,
                       version = call.api_version](const metadata::ControllerResponse& response) {
    return ControllerAnswer{protocol::ErrorCode::kNone, EncodeResponse(key, version, response)};
  };
  // These may come twice.
  if (std::holds_alternative<metadata::BrokerHeartbeat>(*event) ||
      std::holds_alternative<metadata::RegisterBroker>(*event)) {
    return StepFor(*std::move(event), [encode, answer = std::move(answer)](
                                          const metadata::ControllerResponse& response) mutable {
      answer(encode(response));
    });
  }
  const CallId id{call.incarnation, call.number};
  const auto [at, is_new] = served_.try_emplace(id);
  if (at->second.answer.has_value()) return answer(*at->second.answer);
  at->second.waiting.push_back(std::move(answer));
  if (!is_new) return;
  StepFor(*std::move(event), [this, id, encode](const metadata::ControllerResponse& response) {
    OnServed(id, encode(response));
  });
}

template <class Request, class Response>
void ControllerDriver::ServeQuorum(const ControllerCall& call,
                                   absl::AnyInvocable<void(ControllerAnswer)> answer) {
  const int16_t version = call.api_version;
  absl::StatusOr<Request> request =
      absl::InvalidArgumentError(absl::StrCat("expected another version than ", version));
  if (Request::kApi.versions.Contains(version)) {
    request = protocol::Decode<Request>(call.request, version);
  }
  if (!request.ok()) return answer({protocol::ErrorCode::kInvalidRequest, ""});
  quorum_->Handle(*request,
                  [version, answer = std::move(answer)](const Response& response) mutable {
                    std::string bytes;
                    protocol::Encode(response, version, &bytes);
                    answer({protocol::ErrorCode::kNone, std::move(bytes)});
                  });
}

void ControllerDriver::OnServed(const CallId& id, ControllerAnswer answer) {
  Served& served = served_[id];
  for (auto& waiting : std::exchange(served.waiting, {})) waiting(answer);
  served_bytes_ += answer.response.size();
  served.answer = std::move(answer);
  served_order_.push_back(id);
  while (served_order_.size() > kServedKept || served_bytes_ > kServedBytesKept) {
    const auto oldest = served_.find(served_order_.front());
    served_bytes_ -= oldest->second.answer->response.size();
    served_.erase(oldest);
    served_order_.pop_front();
  }
}

// --- the active controller ----------------------------------------------------------------------

void ControllerDriver::Step(metadata::ControllerEvent event) {
  metadata::ControllerEffects effects;
  const MonotonicNs now = loop_.clock().Monotonic();
  // Records that are the log's own, as those of voters.
  if (controller_->is_active() && log_->raft().log_end() > controller_->next_offset()) {
    controller_->Step(now, metadata::LogAdvanced{log_->raft().log_end()}, &effects);
  }
  controller_->Step(now, std::move(event), &effects);
  for (metadata::AppendRecords& append : effects.appends) {
    const metadata::AppendToken token = append.token;
    const absl::Status appended = log_->Append(std::move(append));
    if (appended.ok()) continue;
    OnAppendFailed(token, appended);
    break;
  }
  for (metadata::Respond& respond : effects.responses) {
    auto answer = answers_.extract(respond.token);
    if (!answer.empty()) answer.mapped()(std::move(respond.response));
  }
  ArmTimer();
}

void ControllerDriver::ArmTimer() {
  loop_.timers().Cancel(std::exchange(timer_, TimerId()));
  const std::optional<MonotonicNs> due = controller_->NextDeadline();
  if (!due.has_value()) return;
  const MonotonicNs not_before = append_failed_ + kAppendPauseMs * kNsPerMs;
  timer_ = loop_.timers().Schedule(std::max(*due, not_before), [this] {
    timer_ = TimerId();
    Step(metadata::Tick{});
  });
}

// --- requests -----------------------------------------------------------------------------------

void ControllerDriver::CreateOffsetsTopic(Reply<protocol::CreateTopicsResponse> reply) {
  const BrokerConfig& config = node_.config;
  // A cluster that never had as many brokers does with fewer; who is away for a moment counts.
  size_t brokers = 0;
  image()->brokers.ForEach([&](BrokerId, const metadata::BrokerImage&) { ++brokers; });
  protocol::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = std::string(metadata::kConsumerOffsetsTopic);
  topic.num_partitions = config.offsets_topic_partitions;
  topic.replication_factor =
      static_cast<int16_t>(std::min<size_t>(config.offsets_topic_replication_factor, brokers));
  topic.configs.push_back({"cleanup.policy", "compact"});
  topic.configs.push_back({"compression.type", "producer"});
  topic.configs.push_back({"segment.bytes", absl::StrCat(config.offsets_topic_segment_bytes)});
  Ask(metadata::CreateTopics{0, std::move(request), /*is_internal=*/true}, std::move(reply));
}

void ControllerDriver::AllocateProducerIds(Reply<absl::StatusOr<ProducerIdBlock>> reply) {
  const metadata::BrokerImage* self = image()->FindBroker(node_.config.node_id);
  const int64_t broker_epoch = self == nullptr ? -1 : self->epoch;
  AskAny(metadata::AllocateProducerIds{0, node_.config.node_id, broker_epoch}, {},
         [reply = std::move(reply)](metadata::ControllerResponse response) mutable {
           const auto& block = std::get<metadata::ProducerIdBlock>(response);
           if (block.error != protocol::ErrorCode::kNone) {
             return reply(absl::UnavailableError(protocol::ErrorName(block.error)));
           }
           reply(ProducerIdBlock{ProducerId(block.first_id), block.count});
         });
}

}  // namespace weir::server
