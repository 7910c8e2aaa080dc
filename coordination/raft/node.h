// -----------------------------------------------------------------------------
// File: coordination/raft/node.h
// -----------------------------------------------------------------------------
// A Raft core on a storage and a transport: carries out the effects that are theirs, one sync for
// all writes since the last, and hands the others to the application. The host calls Run when
// something was posted, when a sync has completed, and at NextDeadline.
// Threading: one thread. Errors: of the storage, raft().failed().
#ifndef WEIR_COORDINATION_RAFT_NODE_H_
#define WEIR_COORDINATION_RAFT_NODE_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "coordination/raft/events.h"
#include "coordination/raft/raft.h"
#include "coordination/raft/storage.h"
#include "coordination/raft/transport.h"

namespace weir::raft {

class Node {
 public:
  // All of them must outlive the node. Errors: as Raft::Open.
  static absl::StatusOr<std::unique_ptr<Node>> Open(RaftConfig config, Storage& storage,
                                                    Transport& transport, Random& random,
                                                    MonotonicNs now) {
    WEIR_ASSIGN_OR_RETURN(std::unique_ptr<Raft> raft,
                          Raft::Open(std::move(config), storage, random, now));
    return std::unique_ptr<Node>(new Node(std::move(raft), storage, transport));
  }

  // For the next Run.
  void Post(Event event) { events_.push_back(std::move(event)); }

  // Takes what was posted and what has become due; appends to *effects what is the application's.
  void Run(MonotonicNs now, Effects* effects) {
    if (now >= raft_->NextDeadline() || !started_) Post(Tick{});
    started_ = true;
    while (true) {
      for (auto& [token, status] : storage_.TakeSynced()) {
        syncing_ = false;
        if (status.ok()) {
          Post(Persisted{token});
        } else {
          Post(StorageFailed{std::move(status)});
        }
      }
      if (events_.empty()) return;
      std::vector<Event> events = std::exchange(events_, {});
      Effects step;
      raft_->Step(now, absl::MakeSpan(events), &step);
      for (Effect& effect : step) CarryOut(std::move(effect), effects);
      if (written_ > sync_started_ && !syncing_ && raft_->failed().ok()) {
        syncing_ = true;
        sync_started_ = written_;
        storage_.StartSync(written_);
      }
    }
  }

  MonotonicNs NextDeadline() const { return raft_->NextDeadline(); }
  const Raft& raft() const { return *raft_; }

 private:
  Node(std::unique_ptr<Raft> raft, Storage& storage, Transport& transport)
      : raft_(std::move(raft)), storage_(storage), transport_(transport) {}

  void CarryOut(Effect effect, Effects* effects) {
    if (auto* persist = std::get_if<Persist>(&effect)) {
      if (!write_status_.ok()) return;  // nothing may be written behind a gap
      write_status_ = storage_.Write(persist->write);
      if (!write_status_.ok()) return Post(StorageFailed{write_status_});
      written_ = persist->token;
    } else if (auto* send = std::get_if<Send>(&effect)) {
      transport_.Send(std::move(send->message));
    } else {
      effects->push_back(std::move(effect));
    }
  }

  const std::unique_ptr<Raft> raft_;
  Storage& storage_;
  Transport& transport_;
  std::vector<Event> events_;
  bool started_ = false;
  uint64_t written_ = 0;
  uint64_t sync_started_ = 0;
  bool syncing_ = false;
  absl::Status write_status_;
};

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_RAFT_NODE_H_
