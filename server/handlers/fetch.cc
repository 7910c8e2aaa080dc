// Fetch, and the offsets to begin at.

#include "protocol/api/fetch.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/ids.h"
#include "coordination/metadata/image.h"
#include "protocol/api/list_offsets.h"
#include "protocol/error_code.h"
#include "server/call_each.h"
#include "server/endpoints.h"
#include "server/fetch_session.h"
#include "server/gather.h"
#include "server/handlers/handlers.h"
#include "server/partition_table.h"
#include "server/preferred_replica.h"
#include "server/request.h"
#include "server/shard.h"

namespace weir::server {

// --- Fetch ---------------------------------------------------------------------------------------
// Fetch: reads each partition on the shard that owns it and answers with slices of its files. While
// there is less than min_bytes, waits until max_wait_ms is over for high watermarks to advance, or
// for last stable offsets where only committed records are wanted.
// Sessions (KIP-227) live on the shard of the connection. Replicas that follow answer as well, and
// leaders send consumers to one in their own rack (KIP-392).

namespace {

using protocol::ErrorCode;
using protocol::FetchRequest;
using protocol::FetchResponse;

constexpr int16_t kFirstFetchFromFollowers = 11;
constexpr int16_t kFirstFetchByTopicId = 13;
constexpr int16_t kFirstFetchWithEndpoints = 16;

FetchPartitionKey KeyOf(const FetchRequest::FetchTopic& topic, int32_t partition, bool by_id) {
  return by_id ? FetchPartitionKey{topic.topic_id, "", PartitionIndex(partition)}
               : FetchPartitionKey{Uuid(), topic.topic, PartitionIndex(partition)};
}

FetchSessionRequest SessionRequest(const FetchRequest& asked, int16_t version) {
  FetchSessionRequest request;
  request.session_id = asked.session_id;
  request.epoch = version < 7 ? kFinalFetchEpoch : asked.session_epoch;
  request.by_topic_id = version >= kFirstFetchByTopicId;
  for (const FetchRequest::FetchTopic& topic : asked.topics) {
    for (const FetchRequest::FetchPartition& partition : topic.partitions) {
      FetchPartition& wanted = request.partitions.emplace_back();
      wanted.key = KeyOf(topic, partition.partition, request.by_topic_id);
      wanted.fetch_offset = Offset(partition.fetch_offset);
      wanted.bytes_max = partition.partition_max_bytes;
      wanted.current_leader_epoch = LeaderEpoch(partition.current_leader_epoch);
      wanted.last_fetched_epoch = LeaderEpoch(partition.last_fetched_epoch);
      wanted.log_start_offset = Offset(partition.log_start_offset);
    }
  }
  for (const FetchRequest::ForgottenTopic& topic : asked.forgotten_topics_data) {
    for (const int32_t partition : topic.partitions) {
      request.forgotten.push_back({request.by_topic_id ? topic.topic_id : Uuid(),
                                   request.by_topic_id ? std::string() : topic.topic,
                                   PartitionIndex(partition)});
    }
  }
  return request;
}

// One fetch from its request to its response, over as many rounds of reading as it takes.
class FetchCall : public std::enable_shared_from_this<FetchCall> {
 public:
  FetchCall(RequestRef request, const FetchRequest& asked)
      : request_(std::move(request)),
        shard_(request_->shard()),
        bytes_max_(std::min(asked.max_bytes, shard_.node().config.fetch_bytes_max)),
        bytes_min_(std::min(asked.min_bytes, bytes_max_)),
        read_committed_(asked.isolation_level == protocol::kReadCommitted),
        rack_(shard_.node().config.prefers_replicas_by_rack ? asked.rack_id : ""),
        wait_(shard_.NextWaitToken()),
        deadline_(shard_.loop().now() + int64_t{std::max(asked.max_wait_ms, 0)} * kNsPerMs),
        context_(shard_.fetch_sessions().Begin(shard_.loop().now(),
                                               SessionRequest(asked, request_->version()))) {}

  void Start() {
    if (context_.kind == FetchContext::Kind::kError) return RespondError(context_.error);
    Resolve();
    Read();
  }

 private:
  struct Part {
    TopicPartition partition;
    ReadReply reply;                 // why not, where it could not be resolved
    BrokerId preferred = kNoBroker;  // where the consumer had better read
  };
  // What is read on one shard: indices of parts_.
  struct Share {
    ShardId owner;
    std::vector<size_t> parts;
  };

  // Finds the partitions of the session, in its order, and the shards that own them.
  void Resolve() {
    parts_.resize(context_.partitions.size());
    std::vector<std::vector<size_t>> by_owner(shard_.node().shards.size());
    for (size_t i = 0; i < parts_.size(); ++i) {
      const FetchPartitionKey& key = context_.partitions[i].key;
      const TopicInfo* topic = context_.by_topic_id ? shard_.topics().Find(key.topic_id)
                                                    : shard_.topics().Find(key.topic_name);
      Part& part = parts_[i];
      if (topic == nullptr || topic->Partition(key.partition) == nullptr) {
        part.reply.answer.error = topic == nullptr && context_.by_topic_id
                                      ? ErrorCode::kUnknownTopicId
                                      : ErrorCode::kUnknownTopicOrPartition;
        continue;
      }
      part.partition = {topic->id(), key.partition};
      by_owner[shard_.OwnerOf(part.partition).value()].push_back(i);
    }
    for (size_t owner = 0; owner < by_owner.size(); ++owner) {
      if (by_owner[owner].empty()) continue;
      shares_.push_back({ShardId(static_cast<uint32_t>(owner)), std::move(by_owner[owner])});
    }
  }

  void Read() {
    const bool may_wait = shard_.loop().now() < deadline_;
    may_be_waiting_ |= may_wait;
    auto gather = Gather<std::vector<ReadReply>>::Create(
        shares_.size(), [self = shared_from_this()](std::vector<std::vector<ReadReply>> replies) {
          self->OnRead(std::move(replies));
        });
    for (size_t i = 0; i < shares_.size(); ++i) {
      shard_.Call<std::vector<ReadReply>>(
          shares_[i].owner,
          [self = shared_from_this(), may_wait, questions = Questions(shares_[i])](
              Shard& owner, Reply<std::vector<ReadReply>> reply) {
            reply(self->ReadOn(owner, questions, may_wait));
          },
          [gather, i](std::vector<ReadReply> replies) { gather->Set(i, std::move(replies)); });
    }
  }

  std::vector<ReadQuestion> Questions(const Share& share) const {
    std::vector<ReadQuestion> questions;
    questions.reserve(share.parts.size());
    for (const size_t part : share.parts) {
      const FetchPartition& wanted = context_.partitions[part];
      replication::ReadRequest request;
      request.offset = wanted.fetch_offset;
      request.bytes_max = std::min(wanted.bytes_max, bytes_max_);
      request.at_least_one_batch = true;
      request.current_leader_epoch = wanted.current_leader_epoch;
      request.last_fetched_epoch = wanted.last_fetched_epoch;
      request.read_committed = read_committed_;
      request.allow_follower = request_->version() >= kFirstFetchFromFollowers;
      questions.push_back({parts_[part].partition, request, !rack_.empty()});
    }
    return questions;
  }

  // On the owner's shard: reads, and when that cannot be enough to answer, waits from there on, so
  // that no advance in between is missed. Touches nothing of this object that changes.
  std::vector<ReadReply> ReadOn(Shard& owner, std::vector<ReadQuestion> questions, bool may_wait) {
    std::vector<ReadReply> replies;
    replies.reserve(questions.size());
    int64_t bytes = 0;
    bool complete = !may_wait;
    for (ReadQuestion& question : questions) {
      // Enough for the whole response: the others are only asked how they are.
      if (bytes >= bytes_max_) {
        question.request.bytes_max = 0;
        question.request.at_least_one_batch = false;
      }
      replies.push_back(owner.partitions().Read(question));
      bytes += replies.back().answer.slice.size_bytes;
      complete |= EndsWaiting(replies.back());
    }
    if (!complete && bytes < bytes_min_) Await(owner, questions, replies);
    return replies;
  }

  Offset ReadableEnd(const replication::ReadAnswer& answer) const {
    return read_committed_ ? answer.last_stable_offset : answer.high_watermark;
  }

  // Whether waiting would bring this partition no more: it failed, or more is there already than
  // one answer holds, which ends with a segment.
  bool EndsWaiting(const ReadReply& reply) const {
    const log::LogSlice& slice = reply.answer.slice;
    return reply.failed() || reply.diverges() ||
           (!slice.empty() && slice.next_offset < ReadableEnd(reply.answer));
  }

  void Await(Shard& owner, const std::vector<ReadQuestion>& questions,
             const std::vector<ReadReply>& replies) {
    std::vector<AwaitedPlace> places;
    places.reserve(questions.size());
    for (size_t i = 0; i < questions.size(); ++i) {
      // Of several partitions, each may bring the byte that is missing; of one, it must bring all.
      const bool alone = context_.partitions.size() == 1;
      const Offset from = alone ? questions[i].request.offset : ReadableEnd(replies[i].answer);
      places.push_back({questions[i].partition, from, alone ? bytes_min_ : 1, read_committed_});
    }
    owner.partitions().Await(wait_, places,
                             Reply<Advanced>(&owner == &shard_ ? nullptr : &shard_.loop(),
                                             [weak = weak_from_this()](Advanced) {
                                               if (const auto self = weak.lock()) self->OnAdvance();
                                             }));
  }

  void OnRead(std::vector<std::vector<ReadReply>> replies) {
    if (done_) return;
    bool ends = false;
    for (size_t i = 0; i < shares_.size(); ++i) {
      for (size_t j = 0; j < shares_[i].parts.size(); ++j) {
        parts_[shares_[i].parts[j]].reply = std::move(replies[i][j]);
      }
    }
    int64_t bytes = 0;
    for (size_t i = 0; i < parts_.size(); ++i) {
      Part& part = parts_[i];
      part.preferred = PreferredReplica(part, context_.partitions[i].fetch_offset);
      if (part.preferred != kNoBroker) part.reply.answer.slice = log::LogSlice();
      ends |= EndsWaiting(part.reply) || part.preferred != kNoBroker;
      bytes += part.reply.answer.slice.size_bytes;
    }
    const bool over = shard_.loop().now() >= deadline_;
    if (ends || bytes >= bytes_min_ || over || parts_.empty()) return Respond();
    reading_ = false;
    if (advanced_) return ReadAgain();
    if (timer_ == TimerId()) {
      request_->WhenClosed([weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->Abandon();
      });
      if (done_) return;  // closed while the partitions were read
      timer_ = shard_.loop().timers().Schedule(deadline_, [self = shared_from_this()] {
        self->timer_ = TimerId();
        self->OnDeadline();
      });
    }
  }

  // A replica in the consumer's rack; kNoBroker where the consumer stays.
  BrokerId PreferredReplica(const Part& part, Offset offset) const {
    if (rack_.empty() || part.reply.failed() || part.reply.diverges()) return kNoBroker;
    const metadata::MetadataImage& image = *shard_.image();
    const metadata::PartitionImage* partition = image.FindPartition(part.partition);
    const BrokerId self = shard_.node().config.node_id;
    if (partition == nullptr || partition->leader != self) return kNoBroker;
    if (shard_.node().config.rack == rack_ || offset > part.reply.answer.high_watermark) {
      return kNoBroker;
    }
    return server::PreferredReplica(part.reply.in_sync, offset, [&](BrokerId replica) {
      const metadata::BrokerImage* broker = image.FindBroker(replica);
      return broker != nullptr && broker->is_active() && broker->rack == rack_;
    });
  }

  // The client is gone.
  void Abandon() {
    if (!done_) StopWaiting();
  }
  void OnAdvance() {
    if (done_) return;
    advanced_ = true;
    if (!reading_) ReadAgain();
  }
  void OnDeadline() {
    if (!done_ && !reading_) ReadAgain();
  }
  void ReadAgain() {
    reading_ = true;
    advanced_ = false;
    Read();
  }

  // Takes out what exceeds the response's limit, in the order of the session. The first partition
  // with records keeps its first batch whatever its size, so that a client always gets on.
  void Limit() {
    int64_t left = bytes_max_;
    bool first = true;
    for (Part& part : parts_) {
      log::LogSlice& slice = part.reply.answer.slice;
      if (slice.empty()) continue;
      if (slice.size_bytes > left && !first) slice = log::LogSlice();
      left -= slice.size_bytes;
      first = false;
    }
  }

  void Respond() {
    Limit();
    std::vector<FetchOutcome> outcomes;
    outcomes.reserve(parts_.size());
    for (const Part& part : parts_) {
      const replication::ReadAnswer& answer = part.reply.answer;
      outcomes.push_back({.error = part.reply.failed(),
                          .has_records = !answer.slice.empty(),
                          .must_tell = part.reply.diverges() || part.preferred != kNoBroker,
                          .high_watermark = answer.high_watermark,
                          .last_stable_offset = answer.last_stable_offset,
                          .log_start_offset = answer.log_start_offset});
    }
    const FetchReply session =
        shard_.fetch_sessions().Finish(shard_.loop().now(), context_, outcomes);
    if (session.error != FetchSessionError::kNone) return RespondError(session.error);
    FetchResponse response;
    response.session_id = session.session_id;
    std::vector<FileSlice> slices;
    for (const size_t index : session.included) {
      const FetchPartitionKey& key = context_.partitions[index].key;
      TopicFor(key, &response)
          .partitions.push_back(Describe(key.partition, parts_[index].reply, &slices));
      FetchResponse::PartitionData& data = response.responses.back().partitions.back();
      data.preferred_read_replica = parts_[index].preferred.value();
      TellLeader(parts_[index], &data, &response);
    }
    Finish(response, std::move(slices));
  }

  FetchResponse::FetchableTopicResponse& TopicFor(const FetchPartitionKey& key,
                                                  FetchResponse* response) const {
    if (response->responses.empty() || response->responses.back().topic != key.topic_name ||
        response->responses.back().topic_id != key.topic_id) {
      auto& topic = response->responses.emplace_back();
      topic.topic = key.topic_name;
      topic.topic_id = key.topic_id;
    }
    return response->responses.back();
  }

  FetchResponse::PartitionData Describe(PartitionIndex index, const ReadReply& reply,
                                        std::vector<FileSlice>* slices) const {
    const replication::ReadAnswer& answer = reply.answer;
    FetchResponse::PartitionData data;
    data.partition_index = index.value();
    data.error_code = WireCode(answer.error);
    if (reply.failed()) {
      data.high_watermark = -1;  // as Kafka: the offsets of a failed partition are not told
    } else {
      data.high_watermark = answer.high_watermark.value();
      data.last_stable_offset = answer.last_stable_offset.value();
      data.log_start_offset = answer.log_start_offset.value();
    }
    // A partition that is not there has an empty list in Kafka's answer, whoever asks.
    const bool unknown = answer.error == ErrorCode::kUnknownTopicOrPartition ||
                         answer.error == ErrorCode::kUnknownTopicId;
    if (!read_committed_ && !unknown) data.aborted_transactions = std::nullopt;
    if (!answer.slice.empty()) {
      for (const log::AbortedTransaction& aborted : answer.aborted) {
        data.aborted_transactions->push_back(
            {aborted.producer_id.value(), aborted.first_offset.value()});
      }
    }
    if (reply.diverges()) {
      data.diverging_epoch.epoch = answer.diverging.epoch.value();
      data.diverging_epoch.end_offset = answer.diverging.end_offset.value();
    }
    if (!answer.slice.empty()) {
      data.records.external_bytes = answer.slice.size_bytes;
      slices->push_back({answer.slice.file, answer.slice.position, answer.slice.size_bytes});
    }
    return data;
  }

  // To whom the client is to go instead, and where that is (KIP-951). The fields of the former are
  // older than those of the latter, but a client that is told of a broker it has never heard of can
  // do nothing with that: kafka-python 3.0.12 never fetches from it again.
  void TellLeader(const Part& part, FetchResponse::PartitionData* data,
                  FetchResponse* response) const {
    const ErrorCode error = part.reply.answer.error;
    if (error != ErrorCode::kNotLeaderOrFollower && error != ErrorCode::kFencedLeaderEpoch) return;
    if (request_->version() < kFirstFetchWithEndpoints) return;
    const metadata::PartitionImage* partition = shard_.image()->FindPartition(part.partition);
    if (partition == nullptr) return;
    data->current_leader.leader_id = partition->leader.value();
    data->current_leader.leader_epoch = partition->leader_epoch.value();
    AddLeaderEndpoint(*shard_.image(), shard_.node(), request_->listener(), partition->leader,
                      &response->node_endpoints);
  }

  void RespondError(FetchSessionError error) {
    FetchResponse response;
    response.error_code = static_cast<int16_t>(error);
    Finish(response, {});
  }

  void Finish(const FetchResponse& response, std::vector<FileSlice> slices) {
    StopWaiting();
    request_->RespondWithSlices(response, std::move(slices));
  }

  void StopWaiting() {
    done_ = true;
    shard_.loop().timers().Cancel(timer_);
    for (const Share& share : shares_) {
      if (!may_be_waiting_) break;
      shard_.Tell(share.owner,
                  [wait = wait_](Shard& owner) { owner.partitions().CancelAwait(wait); });
    }
  }

  const RequestRef request_;
  Shard& shard_;
  const int32_t bytes_max_;
  const int32_t bytes_min_;
  const bool read_committed_;
  const std::string rack_;  // of the consumer, where that is to be cared for
  const replication::WaitToken wait_;
  const MonotonicNs deadline_;
  const FetchContext context_;
  std::vector<Part> parts_;  // as context_.partitions
  std::vector<Share> shares_;
  TimerId timer_;
  bool reading_ = true;
  bool advanced_ = false;        // a partition advanced while its neighbours were read
  bool may_be_waiting_ = false;  // on the shards that own the partitions
  bool done_ = false;
};

}  // namespace

void HandleFetch(const RequestRef& request) {
  const absl::StatusOr<FetchRequest> asked = request->Decode<FetchRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  std::make_shared<FetchCall>(request, *asked)->Start();
}

// --- ListOffsets ---------------------------------------------------------------------------------
// ListOffsets: asked of the shard that owns each partition.

namespace {

using protocol::ListOffsetsRequest;
using protocol::ListOffsetsResponse;
using PartitionAnswer = ListOffsetsResponse::ListOffsetsPartitionResponse;

// What `version` knows of `error`.
ErrorCode KnownTo(int16_t version, ErrorCode error) {
  constexpr int16_t kFirstOffsetNotAvailable = 5;
  const bool is_unknown =
      error == ErrorCode::kOffsetNotAvailable && version < kFirstOffsetNotAvailable;
  return is_unknown ? ErrorCode::kLeaderNotAvailable : error;
}

PartitionAnswer Refuse(int32_t partition, ErrorCode error) {
  PartitionAnswer answer;
  answer.partition_index = partition;
  answer.error_code = WireCode(error);
  return answer;
}

// A partition that a request names twice is an error of the client's and answered once: leaves one
// mention and returns which they were.
absl::flat_hash_set<int32_t> TakeRepeated(ListOffsetsRequest::ListOffsetsTopic* topic) {
  absl::flat_hash_set<int32_t> seen;
  absl::flat_hash_set<int32_t> repeated;
  std::erase_if(topic->partitions, [&](const auto& partition) {
    if (seen.insert(partition.partition_index).second) return false;
    repeated.insert(partition.partition_index);
    return true;
  });
  return repeated;
}

// The special timestamps that `version` does not know yet.
bool IsBeforeItsVersion(int64_t timestamp, int16_t version) {
  switch (timestamp) {
    case protocol::kMaxTimestamp:
      return version < 7;
    case protocol::kEarliestLocalTimestamp:
      return version < 8;
    case protocol::kLatestTieredTimestamp:
      return version < 9;
    case protocol::kEarliestPendingUploadTimestamp:
      return version < 11;
    default:
      return timestamp < protocol::kEarliestPendingUploadTimestamp;
  }
}

}  // namespace

void HandleListOffsets(const RequestRef& request) {
  absl::StatusOr<ListOffsetsRequest> asked = request->Decode<ListOffsetsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  Shard& shard = request->shard();

  ListOffsetsResponse response;
  size_t parts = 0;
  std::vector<absl::flat_hash_set<int32_t>> repeated;
  for (auto& topic : asked->topics) {
    repeated.push_back(TakeRepeated(&topic));
    response.topics.emplace_back().name = topic.name;
    parts += topic.partitions.size();
  }
  if (parts > kPartsPerRequestMax) {
    return request->CloseConnection(absl::StrCat("expected at most ", kPartsPerRequestMax,
                                                 " partitions in a request, came ", parts));
  }
  std::vector<size_t> counts;
  for (const auto& topic : asked->topics) counts.push_back(topic.partitions.size());
  auto gather = Gather<PartitionAnswer>::Create(
      parts, [request, response = std::move(response),
              counts = std::move(counts)](std::vector<PartitionAnswer> answers) mutable {
        auto next = std::make_move_iterator(answers.begin());
        for (size_t i = 0; i < counts.size(); ++i) {
          response.topics[i].partitions.assign(next, next + counts[i]);
          next += counts[i];
        }
        request->Respond(response);
      });

  CallEach<PartitionAnswer, OffsetQuestion> calls(shard);
  size_t part = 0;
  for (size_t i = 0; i < asked->topics.size(); ++i) {
    const auto& topic_asked = asked->topics[i];
    const TopicInfo* topic = shard.topics().Find(topic_asked.name);
    for (const auto& partition_asked : topic_asked.partitions) {
      const size_t index = part++;
      const int32_t number = partition_asked.partition_index;
      if (repeated[i].contains(number)) {
        gather->Set(index, Refuse(number, ErrorCode::kInvalidRequest));
        continue;
      }
      if (topic == nullptr || topic->Partition(PartitionIndex(number)) == nullptr) {
        gather->Set(index, Refuse(number, ErrorCode::kUnknownTopicOrPartition));
        continue;
      }
      if (IsBeforeItsVersion(partition_asked.timestamp, request->version())) {
        gather->Set(index, Refuse(number, ErrorCode::kUnsupportedVersion));
        continue;
      }
      const TopicPartition partition{topic->id(), PartitionIndex(number)};
      const OffsetQuestion question{partition, partition_asked.timestamp,
                                    LeaderEpoch(partition_asked.current_leader_epoch),
                                    asked->isolation_level == protocol::kReadCommitted};
      calls.Add(index, shard.OwnerOf(partition), question);
    }
  }
  calls.Run(
      [version = request->version()](Shard& owner, const OffsetQuestion& question,
                                     Reply<PartitionAnswer> reply) {
        const replication::OffsetAnswer found = owner.partitions().FindOffset(question);
        PartitionAnswer answer =
            Refuse(question.partition.partition.value(), KnownTo(version, found.error));
        answer.timestamp = found.timestamp;
        answer.offset = found.offset.value();
        answer.leader_epoch = found.leader_epoch.value();
        reply(std::move(answer));
      },
      [gather](size_t index, PartitionAnswer answer) { gather->Set(index, std::move(answer)); });
}

}  // namespace weir::server
