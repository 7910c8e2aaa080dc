#include "server/log_cleaner.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "log/cleaner.h"
#include "server/logger.h"
#include "server/partition_table.h"

namespace weir::server {
namespace {

constexpr int64_t kStepBytes = 1 << 20;
constexpr int64_t kRetryNs = 60'000 * kNsPerMs;

}  // namespace

struct LogCleaner::Job {
  TopicPartition partition;
  Worker& worker;
  Reply<CleaningEnd> reply;
  std::unique_ptr<log::Cleaning> cleaning;
  std::mutex mutex;      // held during a step
  bool aborted = false;  // guarded by mutex
};

LogCleaner::LogCleaner(const Node& node, PartitionTable& partitions, EventLoop& loop,
                       Random& random)
    : node_(node), partitions_(partitions), loop_(loop), random_(random) {}

LogCleaner::~LogCleaner() = default;

DirtiestLog LogCleaner::Dirtiest() const {
  DirtiestLog dirtiest;
  for (const DirtyLog& log : partitions_.DirtyLogs()) {
    const auto wait = not_before_.find(log.partition);
    const bool must_wait = wait != not_before_.end() && loop_.now() < wait->second;
    if (must_wait || jobs_.contains(log.partition) || uncleanable_.contains(log.partition)) {
      continue;
    }
    if (log.ratio > dirtiest.ratio) dirtiest = {log.partition, log.ratio};
  }
  return dirtiest;
}

void LogCleaner::Start(const TopicPartition& partition, Worker& worker, Reply<CleaningEnd> reply) {
  absl::StatusOr<log::CleaningPlan> plan = absl::AlreadyExistsError("it is being cleaned");
  if (!jobs_.contains(partition)) plan = partitions_.PlanCleaning(partition);
  if (!plan.ok()) {
    not_before_[partition] = loop_.now() + kRetryNs;  // nobody may ask for it again at once
    return reply(CleaningEnd());
  }
  const BrokerConfig& config = node_.config;
  log::CleanerConfig cleaner;
  cleaner.dedupe_buffer_bytes = config.cleaner_dedupe_buffer_bytes / config.cleaner_threads;
  cleaner.dedupe_buffer_load_factor = config.cleaner_dedupe_buffer_load_factor;
  cleaner.io_buffer_bytes = config.cleaner_io_buffer_bytes / config.cleaner_threads;
  auto cleaning = log::Cleaner(worker.files(), cleaner, random_).Start(*std::move(plan));
  const JobPtr job(new Job{partition, worker, std::move(reply), std::move(cleaning), {}, false});
  jobs_.emplace(partition, job);
  TakeStep(job);
}

void LogCleaner::TakeStep(const JobPtr& job) {
  job->worker.Post([this, job, loop = &loop_] {
    std::lock_guard<std::mutex> lock(job->mutex);
    if (job->aborted) return;
    const int64_t before = job->cleaning->stats().moved_bytes;
    absl::StatusOr<log::CleanStep> step = job->cleaning->Step(kStepBytes);
    const int64_t bytes = job->cleaning->stats().moved_bytes - before;
    loop->Post([this, job, step = std::move(step), bytes] { OnStep(job, step, bytes); });
  });
}

void LogCleaner::OnStep(const JobPtr& job, const absl::StatusOr<log::CleanStep>& step,
                        int64_t bytes) {
  if (job->aborted) return;
  if (!step.ok()) return Fail(job, step.status());
  if (*step == log::CleanStep::kReplace) {
    const absl::Status taken = partitions_.TakeCleaned(job->partition, job->cleaning->cleaned());
    if (!taken.ok()) return Fail(job, taken);
  } else if (*step == log::CleanStep::kDone) {
    partitions_.FinishCleaning(job->partition, *job->cleaning);
    return End(job, true);
  }
  const int64_t pause_ns = PauseNs(bytes);
  if (pause_ns == 0) return TakeStep(job);
  loop_.timers().Schedule(loop_.now() + pause_ns, [this, job] {
    if (!job->aborted) TakeStep(job);
  });
}

// So that all threads together stay below log.cleaner.io.max.bytes.per.second.
int64_t LogCleaner::PauseNs(int64_t bytes) const {
  constexpr double kMostNs = 3600e9;
  const double rate = node_.config.cleaner_io_bytes_per_second_max / node_.config.cleaner_threads;
  const double ns = std::min(static_cast<double>(bytes) / rate * 1e9, kMostNs);
  return ns < 1e5 ? 0 : static_cast<int64_t>(ns);
}

void LogCleaner::Fail(const JobPtr& job, const absl::Status& status) {
  if (absl::IsResourceExhausted(status)) {
    not_before_[job->partition] = loop_.now() + kRetryNs;
    node_.logger->Warning(job->cleaning->plan().directory,
                          " is not cleaned now: ", status.message());
  } else if (!absl::IsAborted(status) && !absl::IsNotFound(status)) {
    uncleanable_.insert(job->partition);
    node_.logger->Error(job->cleaning->plan().directory,
                        " cannot be cleaned and stays as it is: ", status.message());
  }
  End(job, false);
}

void LogCleaner::End(const JobPtr& job, bool cleaned) {
  jobs_.erase(job->partition);
  if (cleaned) not_before_.erase(job->partition);
  job->reply(CleaningEnd{cleaned});
}

void LogCleaner::Abort(const std::vector<TopicPartition>& partitions) {
  for (const TopicPartition& partition : partitions) {
    uncleanable_.erase(partition);
    not_before_.erase(partition);
    const auto found = jobs_.find(partition);
    if (found == jobs_.end()) continue;
    const JobPtr job = found->second;
    {
      std::lock_guard<std::mutex> lock(job->mutex);
      job->aborted = true;
    }
    End(job, false);
  }
}

}  // namespace weir::server
