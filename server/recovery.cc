#include "server/recovery.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/random.h"
#include "coordination/metadata/image_delta.h"
#include "log/log.h"
#include "log/log_move.h"
#include "server/data_directories.h"
#include "server/logger.h"
#include "server/partition_table.h"
#include "server/shard.h"
#include "server/topic_config.h"

namespace weir::server {
namespace {

// 1234567 as "1,234,567".
std::string Grouped(int64_t number) {
  std::string digits = absl::StrCat(number);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<size_t>(at), 1, ',');
  return digits;
}

std::string Seconds(int64_t ns) {
  const int64_t tenths = ns / (100 * kNsPerMs);
  return absl::StrCat(tenths / 10, ".", tenths % 10, " s");
}

struct Topic {
  const metadata::TopicImage* image;
  TopicSettings settings;
};

struct Job {
  const Topic* topic;
  TopicPartition partition;
  const metadata::PartitionImage* image;
  PartitionTable* table;
  // Of a log that was on its way to another folder: for the copy's name.
  std::optional<uint64_t> seed;
  absl::StatusOr<std::unique_ptr<log::Log>> log = std::unique_ptr<log::Log>();
  absl::StatusOr<std::unique_ptr<log::LogMove>> copy = std::unique_ptr<log::LogMove>();
};

// The report of all logs, and what keeps the broker from serving them.
absl::Status Report(Node& node, const std::vector<Job>& jobs, int64_t took_ns) {
  int64_t segments = 0, bytes = 0, lacking = 0;
  std::string first;
  for (const Job& job : jobs) {
    if (job.log.ok()) {
      segments += (*job.log)->recovery_report().segments_scanned;
      bytes += (*job.log)->recovery_report().bytes_scanned;
    } else if (absl::IsUnavailable(job.log.status()) && ++lacking == 1) {
      first = std::string(job.log.status().message());
    }
  }
  if (lacking > 0) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "of ", Grouped(static_cast<int64_t>(jobs.size())), " partitions ", Grouped(lacking),
        " cannot be opened, each segment takes one open file: raise the limit (ulimit -Hn, "
        "LimitNOFILE= of a systemd unit, --ulimit nofile= of a container); ",
        first));
  }
  node.logger->Info("opened ", Grouped(static_cast<int64_t>(jobs.size())), " partitions in ",
                    Seconds(took_ns),
                    node.directories->were_clean()
                        ? std::string(" after a clean shutdown")
                        : absl::StrCat(", checked ", Grouped(segments), " segments of ",
                                       Grouped(bytes), " bytes behind the recovery points"));
  return absl::OkStatus();
}

}  // namespace

std::optional<std::string> RecoveryProgress::Done(MonotonicNs now) {
  ++done_;
  if (done_ == total_ || now - told_ < kIntervalNs) return std::nullopt;
  told_ = now;
  return absl::StrCat("recovered ", Grouped(static_cast<int64_t>(done_)), " of ",
                      Grouped(static_cast<int64_t>(total_)), " partitions in ",
                      Seconds(now - start_));
}

absl::Status RecoverLogs(Node& node, absl::Span<const std::unique_ptr<Shard>> shards,
                         const metadata::MetadataImagePtr& image, Clock& clock) {
  std::vector<Topic> topics;
  for (const metadata::TopicImage* topic :
       metadata::Compare(metadata::EmptyImage(), image).created_topics) {
    topics.push_back(
        {topic, EffectiveTopicConfig(node.config, TopicOverridesOf(*image, topic->name),
                                     ClusterOverridesOf(*image))});
  }
  std::vector<Job> jobs;
  for (const Topic& topic : topics) {
    for (int32_t i = 0; i < topic.image->partition_count(); ++i) {
      const PartitionIndex index(i);
      const metadata::PartitionImage& partition = *topic.image->Find(index);
      const std::vector<BrokerId>& replicas = partition.replicas;
      if (std::count(replicas.begin(), replicas.end(), node.config.node_id) == 0) continue;
      const ShardId owner = shards.front()->OwnerOf(topic.image->name, index);
      jobs.push_back(
          {&topic, {topic.image->id, index}, &partition, &shards[owner.value()]->partitions()});
      if (node.directories->CopyOf({topic.image->name, i}) != nullptr) {
        jobs.back().seed = shards.front()->random().NextU64();
      }
    }
  }
  if (jobs.empty()) return absl::OkStatus();

  const MonotonicNs start = clock.Monotonic();
  std::mutex mutex;
  RecoveryProgress progress(jobs.size(), start);  // guarded by mutex
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < jobs.size(); i = next++) {
      Job& job = jobs[i];
      job.log = job.table->OpenLog(job.partition, job.topic->image->name, *job.image,
                                   job.topic->settings);
      if (job.log.ok() && job.seed.has_value()) {
        SeededRandom random(*job.seed);
        job.copy =
            job.table->OpenCopy(job.partition, job.topic->image->name, job.topic->settings, random);
      }
      std::lock_guard<std::mutex> lock(mutex);
      if (const auto line = progress.Done(clock.Monotonic())) node.logger->Info(*line);
    }
  };
  std::vector<std::thread> threads(
      std::min<size_t>(static_cast<size_t>(node.config.recovery_threads), jobs.size()) - 1);
  for (std::thread& thread : threads) thread = std::thread(work);
  work();
  for (std::thread& thread : threads) thread.join();

  const absl::Status status = Report(node, jobs, clock.Monotonic() - start);
  if (!status.ok()) return status;
  for (Job& job : jobs) {
    if (!job.copy.ok()) {
      node.logger->Error(job.topic->image->name, "-", job.partition.partition.value(),
                         ": its move does not go on: ", job.copy.status().message());
      job.copy = nullptr;
    }
    job.table->AddRecovered(job.partition, std::move(job.log), *std::move(job.copy));
  }
  return absl::OkStatus();
}

}  // namespace weir::server
