#include "server/broker.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "log/posix_file.h"
#include "server/broker_core.h"
#include "server/event_loop.h"
#include "server/node.h"
#include "server/poller.h"
#include "server/poller_factory.h"
#include "server/thread_worker.h"
#include "server/worker.h"

namespace weir::server {
namespace {

std::string HostName() {
  char name[256] = "localhost";
  if (gethostname(name, sizeof(name) - 1) != 0) return "localhost";
  name[sizeof(name) - 1] = '\0';
  return name;
}

// Until then leaders are handed over, as far as that comes.
constexpr int64_t kLeaveMsMax = 5'000;

size_t ReactorCount(const BrokerConfig& config) {
  if (config.reactors > 0) return static_cast<size_t>(config.reactors);
  return std::max<size_t>(1, std::thread::hardware_concurrency());
}

}  // namespace

struct Broker::Reactor {
  explicit Reactor(std::unique_ptr<Poller> with)
      : poller(std::move(with)), files(&poller->syncer()), loop(*poller, clock, &files) {}

  SystemClock clock;
  SystemRandom random;
  std::unique_ptr<Poller> poller;
  log::PosixFileSystem files;
  EventLoop loop;
  std::thread thread;
};

Broker::Broker() = default;

const Node& Broker::node() const { return core_->node(); }

int Broker::port(size_t listener) const { return core_->port(listener); }

absl::StatusOr<std::unique_ptr<Broker>> Broker::Start(Options options) {
  // Ready, or why not; who fails later tells on_failed.
  struct Beginning {
    std::promise<absl::Status> status;
    std::atomic<bool> is_over{false};
  };
  const auto beginning = std::make_shared<Beginning>();
  options.on_ready = [beginning, on_ready = std::move(options.on_ready)] {
    beginning->is_over.store(true);
    beginning->status.set_value(absl::OkStatus());
    if (on_ready) on_ready();
  };
  options.on_failed = [beginning,
                       on_failed = std::move(options.on_failed)](const absl::Status& why) {
    if (!beginning->is_over.exchange(true)) return beginning->status.set_value(why);
    if (on_failed) on_failed(why);
  };
  WEIR_ASSIGN_OR_RETURN(std::unique_ptr<Broker> broker, Begin(std::move(options)));
  const absl::Status began = beginning->status.get_future().get();
  if (began.ok()) return broker;
  broker->Stop().IgnoreError();
  return began;
}

absl::StatusOr<std::unique_ptr<Broker>> Broker::Begin(Options options) {
  std::unique_ptr<Broker> broker(new Broker());
  const BrokerConfig& config = options.config;
  std::vector<ShardEnvironment> environments;
  const size_t count = ReactorCount(config);
  for (size_t i = 0; i < count; ++i) {
    WEIR_ASSIGN_OR_RETURN(ChosenPoller chosen, MakePoller(config.poller));
    if (i == 0) options.logger->Info("poller: ", chosen.reason);
    chosen.poller->set_socket_buffers(config.socket_send_buffer_bytes,
                                      config.socket_receive_buffer_bytes);
    broker->reactors_.push_back(std::make_unique<Reactor>(std::move(chosen.poller)));
    Reactor& reactor = *broker->reactors_.back();
    environments.push_back({reactor.loop, reactor.files, reactor.random});
  }
  std::vector<Worker*> workers;
  for (int32_t i = 0; i < config.cleaner_threads; ++i) {
    broker->workers_.push_back(std::make_unique<ThreadWorker>());
    workers.push_back(broker->workers_.back().get());
  }
  BrokerCore::Options core_options;
  core_options.config = std::move(options.config);
  core_options.host_name = HostName();
  core_options.logger = options.logger;
  core_options.peers = options.peers;
  core_options.on_failed = std::move(options.on_failed);
  core_options.workers = std::move(workers);
  if (options.peers != nullptr) {
    broker->replica_reader_ = std::make_unique<ThreadWorker>();
    core_options.replica_reader = broker->replica_reader_.get();
  }
  broker->move_reader_ = std::make_unique<ThreadWorker>();
  core_options.move_reader = broker->move_reader_.get();
  WEIR_ASSIGN_OR_RETURN(broker->core_, BrokerCore::Open(std::move(core_options), environments,
                                                        [on_ready = std::move(options.on_ready)] {
                                                          if (on_ready) on_ready();
                                                        }));
  for (const std::unique_ptr<Reactor>& reactor : broker->reactors_) {
    reactor->thread = std::thread([&loop = reactor->loop] { loop.Run(); });
  }
  return broker;
}

absl::Status Broker::Stop() {
  if (core_ != nullptr && !reactors_.empty() && reactors_.front()->thread.joinable()) {
    const auto left = std::make_shared<std::promise<void>>();
    reactors_.front()->loop.Post([this, left] { core_->Leave([left] { left->set_value(); }); });
    left->get_future().wait_for(std::chrono::milliseconds(kLeaveMsMax));
  }
  for (const std::unique_ptr<Reactor>& reactor : reactors_) reactor->loop.Stop();
  for (const std::unique_ptr<Reactor>& reactor : reactors_) {
    if (reactor->thread.joinable()) reactor->thread.join();
  }
  for (const std::unique_ptr<ThreadWorker>& worker : workers_) worker->Stop();
  if (replica_reader_ != nullptr) replica_reader_->Stop();
  if (move_reader_ != nullptr) move_reader_->Stop();
  if (core_ == nullptr) return absl::OkStatus();
  const absl::Status closed = core_->Close();
  core_.reset();
  return closed;
}

Broker::~Broker() { Stop().IgnoreError(); }

}  // namespace weir::server
