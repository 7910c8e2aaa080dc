// -----------------------------------------------------------------------------
// File: server/worker.h
// -----------------------------------------------------------------------------
// Where a shard has work done that would hold up its connections: compaction, so far. A port:
// threads of low priority do it in a broker (server/thread_worker.h), the simulator by itself.
// Threading: Post from any thread. Tasks run one after another, on no shard's thread.
#ifndef WEIR_SERVER_WORKER_H_
#define WEIR_SERVER_WORKER_H_

#include "log/file.h"
#include "server/mailbox.h"

namespace weir::server {

class Worker {
 public:
  virtual ~Worker() = default;

  // For the tasks; outlives what they open.
  virtual log::FileSystem& files() = 0;
  virtual void Post(Task task) = 0;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_WORKER_H_
