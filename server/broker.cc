#include "server/broker.h"

#include <unistd.h>

#include <algorithm>
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

absl::StatusOr<std::unique_ptr<Broker>> Broker::Start(
    BrokerConfig config, Logger& logger, std::function<void(const absl::Status& why)> on_failed) {
  std::unique_ptr<Broker> broker(new Broker());
  std::vector<ShardEnvironment> environments;
  const size_t count = ReactorCount(config);
  for (size_t i = 0; i < count; ++i) {
    WEIR_ASSIGN_OR_RETURN(ChosenPoller chosen, MakePoller(config.poller));
    if (i == 0) logger.Info("poller: ", chosen.reason);
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
  std::promise<void> ready;
  WEIR_ASSIGN_OR_RETURN(
      broker->core_, BrokerCore::Open({std::move(config), HostName(), &logger, std::move(on_failed),
                                       std::move(workers)},
                                      environments, [&ready] { ready.set_value(); }));
  for (const std::unique_ptr<Reactor>& reactor : broker->reactors_) {
    reactor->thread = std::thread([&loop = reactor->loop] { loop.Run(); });
  }
  ready.get_future().wait();
  return broker;
}

absl::Status Broker::Stop() {
  for (const std::unique_ptr<Reactor>& reactor : reactors_) reactor->loop.Stop();
  for (const std::unique_ptr<Reactor>& reactor : reactors_) {
    if (reactor->thread.joinable()) reactor->thread.join();
  }
  for (const std::unique_ptr<ThreadWorker>& worker : workers_) worker->Stop();
  if (core_ == nullptr) return absl::OkStatus();
  const absl::Status closed = core_->Close();
  core_.reset();
  return closed;
}

Broker::~Broker() { Stop().IgnoreError(); }

}  // namespace weir::server
