// -----------------------------------------------------------------------------
// File: server/leader_doubts.h
// -----------------------------------------------------------------------------
// Brokers that may have ended just now, though the metadata still name them as leaders: a
// replication stream to one has broken. A client that lost its leader asks others at once who leads
// instead, a tenth of a second before the controller has found out (docs/adr/0013); told of the old
// leader, it tries that again, and some then ask no more for a second (librdkafka). So who is in
// doubt is not named until the metadata say something new or the broker speaks again, for kWaitMs
// at most; a broker that breaks its streams again and again is named at once all the same.
// A pure state machine: each function takes the time.
// Threading: single-threaded.
// Limits: one doubt for each broker of the metadata.
#ifndef WEIR_SERVER_LEADER_DOUBTS_H_
#define WEIR_SERVER_LEADER_DOUBTS_H_

#include <cstdint>
#include <map>

#include "base/clock.h"
#include "base/ids.h"
#include "coordination/metadata/image.h"

namespace weir::server {

class LeaderDoubts {
 public:
  static constexpr int64_t kWaitMs = 400;
  static constexpr int64_t kApartMs = 5'000;  // between two doubts of one process

  void OnStreamBroken(MonotonicNs now, BrokerId id, const metadata::MetadataImage& image) {
    std::erase_if(doubts_, [&](const auto& doubt) { return !image.FindBroker(doubt.first); });
    const metadata::BrokerImage* broker = image.FindBroker(id);
    if (broker == nullptr || broker->fenced) return;
    const auto [it, is_new] = doubts_.try_emplace(id);
    Doubt& doubt = it->second;
    const bool is_same = !is_new && doubt.broker_epoch == broker->epoch;
    if (is_same && now < doubt.since + kApartMs * kNsPerMs) return;
    doubt = {broker->epoch, now, /*is_over=*/false};
  }

  void OnSpoke(BrokerId id) {
    const auto it = doubts_.find(id);
    if (it != doubts_.end()) it->second.is_over = true;
  }

  bool IsDoubted(MonotonicNs now, BrokerId id, const metadata::MetadataImage& image) const {
    const auto it = doubts_.find(id);
    if (it == doubts_.end()) return false;
    const Doubt& doubt = it->second;
    const metadata::BrokerImage* broker = image.FindBroker(id);
    return !doubt.is_over && now < doubt.since + kWaitMs * kNsPerMs && broker != nullptr &&
           !broker->fenced && broker->epoch == doubt.broker_epoch;
  }

 private:
  struct Doubt {
    int64_t broker_epoch = -1;
    MonotonicNs since;
    bool is_over = false;
  };

  std::map<BrokerId, Doubt> doubts_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_LEADER_DOUBTS_H_
