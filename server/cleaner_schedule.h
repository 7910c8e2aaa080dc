// -----------------------------------------------------------------------------
// File: server/cleaner_schedule.h
// -----------------------------------------------------------------------------
// Gives each worker that is free the dirtiest log of the node, whichever shard has it: when one was
// cleaned at once, otherwise every log.cleaner.backoff.ms.
// Threading: on the loop of the controller's shard.
#ifndef WEIR_SERVER_CLEANER_SCHEDULE_H_
#define WEIR_SERVER_CLEANER_SCHEDULE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "server/gather.h"
#include "server/log_cleaner.h"
#include "server/node.h"
#include "server/reply.h"
#include "server/shard.h"
#include "server/worker.h"

namespace weir::server {

class CleanerSchedule {
 public:
  // `home` is the controller's shard; both it and the workers outlive the schedule.
  CleanerSchedule(Shard& home, std::vector<Worker*> workers)
      : home_(home), idle_(std::move(workers)) {
    if (!idle_.empty()) ScheduleLook();
  }
  CleanerSchedule(const CleanerSchedule&) = delete;
  CleanerSchedule& operator=(const CleanerSchedule&) = delete;

 private:
  void ScheduleLook() {
    const int64_t pause_ns =
        std::max<int64_t>(home_.node().config.cleaner_backoff_ms, 1) * kNsPerMs;
    home_.loop().timers().Schedule(home_.loop().now() + pause_ns, [this] {
      Look();
      ScheduleLook();
    });
  }

  void Look() {
    if (looking_ || idle_.empty()) return;
    looking_ = true;
    const size_t shards = home_.node().shards.size();
    auto gather = Gather<DirtiestLog>::Create(
        shards, [this](std::vector<DirtiestLog> found) { Take(found); });
    for (size_t i = 0; i < shards; ++i) {
      home_.Call<DirtiestLog>(
          ShardId(static_cast<uint32_t>(i)),
          [](Shard& shard, Reply<DirtiestLog> reply) { reply(shard.cleaner().Dirtiest()); },
          [gather, i](DirtiestLog found) { gather->Set(i, found); });
    }
  }

  void Take(const std::vector<DirtiestLog>& found) {
    looking_ = false;
    const auto best = std::max_element(
        found.begin(), found.end(),
        [](const DirtiestLog& a, const DirtiestLog& b) { return a.ratio < b.ratio; });
    if (best->ratio <= 0) return;
    Worker* const worker = idle_.back();
    idle_.pop_back();
    home_.Call<CleaningEnd>(
        ShardId(static_cast<uint32_t>(best - found.begin())),
        [partition = best->partition, worker](Shard& shard, Reply<CleaningEnd> reply) {
          shard.cleaner().Start(partition, *worker, std::move(reply));
        },
        [this, worker](CleaningEnd end) {
          idle_.push_back(worker);
          if (end.cleaned) Look();
        });
    Look();  // for the other workers
  }

  Shard& home_;
  std::vector<Worker*> idle_;
  bool looking_ = false;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_CLEANER_SCHEDULE_H_
