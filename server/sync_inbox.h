// -----------------------------------------------------------------------------
// File: server/sync_inbox.h
// -----------------------------------------------------------------------------
// A shard's file system as one of its users sees it: the same files, but only the user's own syncs
// among the completions, which the shard hands over (its loop drains them all).
// Threading: the shard's.
#ifndef WEIR_SERVER_SYNC_INBOX_H_
#define WEIR_SERVER_SYNC_INBOX_H_

#include <iterator>
#include <vector>

#include "log/file.h"
#include "log/forwarding_files.h"

namespace weir::server {

class SyncInbox final : public log::ForwardingFiles {
 public:
  explicit SyncInbox(log::FileSystem& files) : ForwardingFiles(files) {}

  void Deliver(const log::SyncDone& sync) { done_.push_back(sync); }

  void DrainSyncs(std::vector<log::SyncDone>* done) override {
    done->insert(done->end(), std::make_move_iterator(done_.begin()),
                 std::make_move_iterator(done_.end()));
    done_.clear();
  }

 private:
  std::vector<log::SyncDone> done_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_SYNC_INBOX_H_
