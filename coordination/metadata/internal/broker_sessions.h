// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/broker_sessions.h
// -----------------------------------------------------------------------------
// When the controller last heard of each broker and how far the broker has followed the metadata
// log. Which brokers are fenced or shutting down says the image: what is here is lost with the
// leadership, and every broker begins a new session with the next controller (KIP-631). What is
// here of a broker that the image does not know counts for nothing.
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_BROKER_SESSIONS_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_BROKER_SESSIONS_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/sort.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"

namespace weir::metadata::metadata_internal {

class BrokerSessions {
 public:
  explicit BrokerSessions(int64_t timeout_ms) : timeout_ns_(timeout_ms * kNsPerMs) {}

  // Begins anew at the head of a leadership. `end` is the offset of the last record.
  void Restart(const MetadataImage& image, MonotonicNs now, Offset end) {
    sessions_.clear();
    image.brokers.ForEach([&](BrokerId id, const BrokerImage& broker) {
      Session& session = sessions_[id];
      session.last_contact = now;
      if (broker.in_controlled_shutdown) session.shutdown_offset = end;
    });
  }

  void Touch(BrokerId id, MonotonicNs now, Offset metadata_offset) {
    Session& session = sessions_[id];
    session.last_contact = now;
    session.metadata_offset = metadata_offset;
  }
  // A new incarnation.
  void Register(BrokerId id, MonotonicNs now) { sessions_[id] = Session{.last_contact = now}; }

  Offset MetadataOffset(BrokerId id) const {
    const auto found = sessions_.find(id);
    return found == sessions_.end() ? kNoOffset : found->second.metadata_offset;
  }

  // Whether the broker that the image calls unfenced may still be there.
  bool IsAlive(BrokerId id, MonotonicNs now) const {
    const auto found = sessions_.find(id);
    return found != sessions_.end() && now - found->second.last_contact <= timeout_ns_;
  }

  // The unfenced brokers that were silent for too long, longest first.
  std::vector<BrokerId> Expired(const MetadataImage& image, MonotonicNs now) const {
    std::vector<std::pair<MonotonicNs, BrokerId>> expired;
    for (const auto& [id, session] : sessions_) {
      const BrokerImage* broker = image.FindBroker(id);
      if (broker != nullptr && !broker->fenced && !IsAlive(id, now)) {
        expired.emplace_back(session.last_contact, id);
      }
    }
    Sort(expired);
    std::vector<BrokerId> ids;
    for (const auto& [contact, id] : expired) ids.push_back(id);
    return ids;
  }

  // When the next session expires unless something is heard.
  std::optional<MonotonicNs> NextDeadline(const MetadataImage& image) const {
    std::optional<MonotonicNs> next;
    for (const auto& [id, session] : sessions_) {
      const BrokerImage* broker = image.FindBroker(id);
      if (broker == nullptr || broker->fenced) continue;
      const MonotonicNs at = session.last_contact + timeout_ns_ + 1;
      if (!next.has_value() || at < *next) next = at;
    }
    return next;
  }

  // The others have to follow up to `offset` before the broker may go.
  void BeginShutdown(BrokerId id, Offset offset) {
    Session& session = sessions_[id];
    if (session.shutdown_offset == kNoOffset) session.shutdown_offset = offset;
  }
  // Whether all active brokers know that the broker leads nothing any more.
  bool OthersFollowed(const MetadataImage& image, BrokerId leaving) const {
    const auto self = sessions_.find(leaving);
    const Offset wanted = self == sessions_.end() ? kNoOffset : self->second.shutdown_offset;
    return std::all_of(sessions_.begin(), sessions_.end(), [&](const auto& entry) {
      const BrokerImage* broker = image.FindBroker(entry.first);
      return entry.first == leaving || broker == nullptr || !broker->is_active() ||
             entry.second.metadata_offset >= wanted;
    });
  }

 private:
  struct Session {
    MonotonicNs last_contact;
    Offset metadata_offset = kNoOffset;  // as of its last heartbeat
    Offset shutdown_offset = kNoOffset;  // where its last leadership went elsewhere
  };

  const int64_t timeout_ns_;
  std::map<BrokerId, Session> sessions_;
};

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_BROKER_SESSIONS_H_
