// -----------------------------------------------------------------------------
// File: server/fetch_session.h
// -----------------------------------------------------------------------------
// Incremental fetch sessions (KIP-227): the broker remembers what a client fetches, so that each
// further request names only what changed and each response only what is new.
//
// A cache is a pure state machine: the handler calls Begin with a request, reads the partitions of
// the context in their order, and calls Finish with what it found to learn what to answer. Between
// the two (a long poll) the session may be used, closed or evicted by another request.
// A session with more partitions may take the slot of a smaller one that is older than
// kFetchSessionEvictionNs; one that was not used for that long gives way to any. A client that gets
// no slot is told session 0 and goes on with full requests.
// Threading: none; one cache per reactor, each with ids of its own (`shard` of `shards`).
// Limits: slots; kFetchSessionPartitionsMax over all sessions of a cache; names longer than a topic
// name can be are not remembered. Finding a slot to evict is linear in the slots.
#ifndef WEIR_SERVER_FETCH_SESSION_H_
#define WEIR_SERVER_FETCH_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/uuid.h"

namespace weir::server {

inline constexpr int64_t kFetchSessionEvictionNs = 120'000 * kNsPerMs;
inline constexpr size_t kFetchSessionPartitionsMax = 500'000;

inline constexpr int32_t kNoFetchSession = 0;
inline constexpr int32_t kInitialFetchEpoch = 0;  // asks for a new session
inline constexpr int32_t kFinalFetchEpoch = -1;   // asks for none, closing the one it names

// Kafka's error codes.
enum class FetchSessionError : int16_t {
  kNone = 0,
  kSessionIdNotFound = 70,
  kInvalidEpoch = 71,
  kTopicIdError = 106,  // a session by topic id is used by name, or the other way round
};

// The epoch that follows: 1 after the largest, 0 never comes again.
inline constexpr int32_t NextFetchEpoch(int32_t epoch) {
  if (epoch < 0) return kFinalFetchEpoch;
  return epoch == std::numeric_limits<int32_t>::max() ? 1 : epoch + 1;
}

// How a request names a partition: by topic id from version 13 on, before by topic name; the other
// one is zero or empty.
struct FetchPartitionKey {
  Uuid topic_id;
  std::string topic_name;
  PartitionIndex partition;

  friend bool operator==(const FetchPartitionKey&, const FetchPartitionKey&) = default;
  template <class H>
  friend H AbslHashValue(H state, const FetchPartitionKey& key) {
    return H::combine(std::move(state), key.topic_id, key.topic_name, key.partition);
  }
};

// What a client wants of one partition.
struct FetchPartition {
  FetchPartitionKey key;
  Offset fetch_offset;
  int32_t bytes_max = 0;
  LeaderEpoch current_leader_epoch = kNoLeaderEpoch;
  LeaderEpoch last_fetched_epoch = kNoLeaderEpoch;
  Offset log_start_offset = kNoOffset;  // a follower's; -1 from consumers
};

struct FetchSessionRequest {
  int32_t session_id = kNoFetchSession;
  int32_t epoch = kFinalFetchEpoch;
  bool by_topic_id = false;  // version 13 and later
  std::vector<FetchPartition> partitions;
  std::vector<FetchPartitionKey> forgotten;
};

// What was found for one partition: what decides whether the client has to hear of it.
struct FetchOutcome {
  bool error = false;
  bool has_records = false;
  bool must_tell = false;  // a diverging epoch or a preferred replica
  Offset high_watermark = kNoOffset;
  Offset last_stable_offset = kNoOffset;
  Offset log_start_offset = kNoOffset;
};

// One request between Begin and Finish.
struct FetchContext {
  enum class Kind : int8_t { kError, kSessionless, kFull, kIncremental };
  Kind kind = Kind::kSessionless;
  FetchSessionError error = FetchSessionError::kNone;  // of kError: answer this, and no partitions
  int32_t session_id = kNoFetchSession;                // of kIncremental
  int32_t next_epoch = 0;                              // of kIncremental
  uint64_t serial = 0;  // of kIncremental: not of a later session that drew the same id
  bool by_topic_id = false;
  std::vector<FetchPartition> partitions;  // in the order in which to fill the response
};

struct FetchReply {
  FetchSessionError error = FetchSessionError::kNone;
  int32_t session_id = kNoFetchSession;
  std::vector<size_t> included;  // indices into FetchContext::partitions
};

class FetchSessionCache {
 public:
  // Ids are drawn from *random, congruent to `shard` modulo `shards`.
  FetchSessionCache(size_t slots, Random* random, int32_t shard = 0, int32_t shards = 1,
                    size_t partitions_max = kFetchSessionPartitionsMax)
      : slots_(slots),
        partitions_max_(partitions_max),
        random_(random),
        shard_(shard),
        shards_(shards) {
    WEIR_CHECK(shards > 0 && shard >= 0 && shard < shards);
  }

  FetchSessionCache(const FetchSessionCache&) = delete;
  FetchSessionCache& operator=(const FetchSessionCache&) = delete;

  size_t sessions() const { return sessions_.size(); }
  size_t partitions() const { return partitions_; }

  // Takes a request's partitions into its session and says what to fetch.
  FetchContext Begin(MonotonicNs now, FetchSessionRequest request) {
    FetchContext context;
    context.by_topic_id = request.by_topic_id;
    if (request.epoch == kInitialFetchEpoch || request.epoch == kFinalFetchEpoch) {
      Remove(request.session_id);  // a full request closes the session it names
      context.kind = request.epoch == kInitialFetchEpoch ? FetchContext::Kind::kFull
                                                         : FetchContext::Kind::kSessionless;
      context.partitions = std::move(request.partitions);
      return context;
    }
    const auto found = sessions_.find(request.session_id);
    if (found == sessions_.end()) return Error(FetchSessionError::kSessionIdNotFound);
    Session& session = found->second;
    if (session.epoch != request.epoch) return Error(FetchSessionError::kInvalidEpoch);
    if (session.by_topic_id != request.by_topic_id) {
      return Error(FetchSessionError::kTopicIdError);
    }
    if (!Update(&session, request)) {
      Remove(request.session_id);  // the client asks again in full, and is served without one
      return Error(FetchSessionError::kSessionIdNotFound);
    }
    if (session.order.empty()) {
      Remove(request.session_id);
      return context;
    }
    session.last_used = now;
    session.epoch = NextFetchEpoch(session.epoch);
    context.kind = FetchContext::Kind::kIncremental;
    context.session_id = request.session_id;
    context.next_epoch = session.epoch;
    context.serial = session.serial;
    context.partitions.reserve(session.order.size());
    for (const Cached& cached : session.order) context.partitions.push_back(cached.wanted);
    return context;
  }

  // Says what to answer, where outcomes[i] belongs to context.partitions[i].
  FetchReply Finish(MonotonicNs now, const FetchContext& context,
                    absl::Span<const FetchOutcome> outcomes) {
    WEIR_CHECK(outcomes.size() == context.partitions.size());
    FetchReply reply;
    if (context.kind == FetchContext::Kind::kError) {
      reply.error = context.error;
      return reply;
    }
    if (context.kind == FetchContext::Kind::kIncremental) {
      return FinishIncremental(context, outcomes);
    }
    if (context.kind == FetchContext::Kind::kFull) {
      reply.session_id = Create(now, context, outcomes);
    }
    for (size_t i = 0; i < outcomes.size(); ++i) reply.included.push_back(i);
    return reply;
  }

 private:
  struct Cached {
    FetchPartition wanted;
    // What the client was told last; -1 makes the next answer tell it again.
    Offset high_watermark = kNoOffset;
    Offset last_stable_offset = kNoOffset;
    Offset log_start_offset = kNoOffset;

    // Whether the client has to hear of `outcome`.
    bool Learn(const FetchOutcome& outcome) {
      const bool changed = high_watermark != outcome.high_watermark ||
                           last_stable_offset != outcome.last_stable_offset ||
                           log_start_offset != outcome.log_start_offset;
      high_watermark = outcome.error ? kNoOffset : outcome.high_watermark;
      last_stable_offset = outcome.last_stable_offset;
      log_start_offset = outcome.log_start_offset;
      return changed || outcome.error || outcome.has_records || outcome.must_tell;
    }
  };
  using Order = std::list<Cached>;

  struct Session {
    uint64_t serial = 0;
    bool by_topic_id = false;
    MonotonicNs created;
    MonotonicNs last_used;
    int32_t epoch = 0;  // that the next request must carry
    Order order;        // those that gave records last come last
    absl::flat_hash_map<FetchPartitionKey, Order::iterator> by_key;
  };

  static FetchContext Error(FetchSessionError error) {
    FetchContext context;
    context.kind = FetchContext::Kind::kError;
    context.error = error;
    return context;
  }

  void Remove(int32_t id) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return;
    partitions_ -= found->second.order.size();
    sessions_.erase(found);
  }

  // Adds or updates one partition; false where there is no room for it.
  bool Put(Session* session, const FetchPartition& wanted) {
    const auto found = session->by_key.find(wanted.key);
    if (found != session->by_key.end()) {
      found->second->wanted = wanted;
      return true;
    }
    if (partitions_ >= partitions_max_ || wanted.key.topic_name.size() > kTopicNameBytesMax) {
      return false;
    }
    session->order.push_back(Cached{wanted});
    session->by_key.emplace(wanted.key, std::prev(session->order.end()));
    ++partitions_;
    return true;
  }

  bool Update(Session* session, const FetchSessionRequest& request) {
    for (const FetchPartition& wanted : request.partitions) {
      if (!Put(session, wanted)) return false;
    }
    for (const FetchPartitionKey& key : request.forgotten) {
      const auto found = session->by_key.find(key);
      if (found == session->by_key.end()) continue;
      session->order.erase(found->second);
      session->by_key.erase(found);
      --partitions_;
    }
    return true;
  }

  FetchReply FinishIncremental(const FetchContext& context,
                               absl::Span<const FetchOutcome> outcomes) {
    FetchReply reply;
    reply.session_id = context.session_id;
    const auto found = sessions_.find(context.session_id);
    // Evicted or closed while the request waited: tell everything; the next request hears of it.
    const bool is_there = found != sessions_.end() && found->second.serial == context.serial;
    Session* const session = is_there ? &found->second : nullptr;
    if (session != nullptr && session->epoch != context.next_epoch) {
      reply.error = FetchSessionError::kInvalidEpoch;  // another request came in between
      return reply;
    }
    for (size_t i = 0; i < outcomes.size(); ++i) {
      if (session == nullptr) {
        reply.included.push_back(i);
        continue;
      }
      const auto cached = session->by_key.find(context.partitions[i].key);
      WEIR_CHECK(cached != session->by_key.end());  // same epoch: same partitions
      if (cached->second->Learn(outcomes[i])) reply.included.push_back(i);
      if (outcomes[i].has_records) {
        session->order.splice(session->order.end(), session->order, cached->second);
      }
    }
    return reply;
  }

  // Makes a session of a full request; its id, or kNoFetchSession where there is no room.
  int32_t Create(MonotonicNs now, const FetchContext& context,
                 absl::Span<const FetchOutcome> outcomes) {
    if (outcomes.empty() || slots_ == 0) return kNoFetchSession;
    if (sessions_.size() >= slots_ && !Evict(now, outcomes.size())) return kNoFetchSession;
    const int32_t id = NewId();
    Session& session = sessions_[id];
    session.serial = ++last_serial_;
    session.by_topic_id = context.by_topic_id;
    session.created = now;
    session.last_used = now;
    session.epoch = NextFetchEpoch(kInitialFetchEpoch);
    for (size_t i = 0; i < outcomes.size(); ++i) {
      if (!Put(&session, context.partitions[i])) {
        Remove(id);
        return kNoFetchSession;
      }
      Cached& cached = *session.by_key.find(context.partitions[i].key)->second;
      cached.Learn(outcomes[i]);
    }
    return id;
  }

  // Frees a slot for a session of `size` partitions, if one may be taken.
  bool Evict(MonotonicNs now, size_t size) {
    int32_t stalest = kNoFetchSession;
    int32_t smallest = kNoFetchSession;
    MonotonicNs last_used = now;
    size_t fewest = size;
    for (const auto& [id, session] : sessions_) {
      if (now - session.last_used > kFetchSessionEvictionNs &&
          (session.last_used < last_used || (session.last_used == last_used && id < stalest))) {
        stalest = id;
        last_used = session.last_used;
      }
      // Equal sizes: the lower id, so that a run repeats from its seed.
      const bool less =
          session.order.size() < fewest ||
          (session.order.size() == fewest && smallest != kNoFetchSession && id < smallest);
      if (less && now - session.created > kFetchSessionEvictionNs) {
        smallest = id;
        fewest = session.order.size();
      }
    }
    const int32_t victim = stalest != kNoFetchSession ? stalest : smallest;
    Remove(victim);
    return victim != kNoFetchSession;
  }

  int32_t NewId() {
    while (true) {
      const int64_t drawn = static_cast<int64_t>(random_->Below(int64_t{1} << 31));
      const int64_t id = drawn - drawn % shards_ + shard_;
      if (id <= 0 || id > std::numeric_limits<int32_t>::max()) continue;
      if (!sessions_.contains(static_cast<int32_t>(id))) return static_cast<int32_t>(id);
    }
  }

  size_t slots_;
  size_t partitions_max_;
  Random* random_;
  int32_t shard_;
  int32_t shards_;
  size_t partitions_ = 0;  // of all sessions
  uint64_t last_serial_ = 0;
  absl::flat_hash_map<int32_t, Session> sessions_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_FETCH_SESSION_H_
