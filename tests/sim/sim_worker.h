// -----------------------------------------------------------------------------
// File: tests/sim/sim_worker.h
// -----------------------------------------------------------------------------
// The broker's worker thread as the simulator runs it: a task when the driver says so.
#ifndef WEIR_TESTS_SIM_SIM_WORKER_H_
#define WEIR_TESTS_SIM_SIM_WORKER_H_

#include <deque>
#include <utility>

#include "log/file.h"
#include "log/memory_file_view.h"
#include "server/mailbox.h"
#include "server/worker.h"

namespace weir::sim {

class SimWorker final : public server::Worker {
 public:
  explicit SimWorker(log::SharedMemoryFiles& shared) : files_(shared) {}

  log::FileSystem& files() override { return files_; }
  void Post(server::Task task) override { tasks_.push_back(std::move(task)); }

  // False when there is nothing to do.
  bool RunOne() {
    if (tasks_.empty()) return false;
    server::Task task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
    return true;
  }

 private:
  log::MemoryFileView files_;
  std::deque<server::Task> tasks_;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_SIM_WORKER_H_
