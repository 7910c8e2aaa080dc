#include "server/embedded_broker.h"

#include <errno.h>
#include <stdlib.h>

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "log/posix_file.h"
#include "server/broker.h"
#include "server/broker_config_reader.h"
#include "server/logger.h"
#include "server/node.h"
#include "server/properties.h"

namespace weir::server {
namespace {

using Settings = std::map<std::string, std::string>;

class SinkLogger final : public Logger {
 public:
  explicit SinkLogger(std::function<void(absl::string_view)> sink) : sink_(std::move(sink)) {}

  void Write(LogLevel level, absl::string_view message) override {
    if (sink_) sink_(absl::StrCat(LogLevelName(level), " ", message));
  }

 private:
  const std::function<void(absl::string_view)> sink_;
};

std::string TemporaryParent(bool in_memory) {
  if (in_memory) return "/dev/shm";
  for (const char* name : {"TEST_TMPDIR", "TMPDIR"}) {
    const char* const value = getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return "/tmp";
}

absl::StatusOr<std::string> MakeTemporaryDirectory(bool in_memory) {
  std::string path = absl::StrCat(TemporaryParent(in_memory), "/weir-XXXXXX");
  if (mkdtemp(path.data()) == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("cannot make a folder ", path, ": ", std::strerror(errno)));
  }
  return path;
}

// What the header promises, where the caller does not say otherwise.
absl::StatusOr<BrokerConfig> Configure(const EmbeddedBroker::Options& options) {
  const bool stays = !options.data_directory.empty() || options.config.contains("log.dirs");
  Settings settings = {{"listeners", absl::StrCat("PLAINTEXT://127.0.0.1:", options.port)},
                       {"weir.reactors", "1"},
                       {"weir.flush.policy", stays ? "ack" : "os"},
                       {"group.initial.rebalance.delay.ms", "0"},
                       {"offsets.topic.num.partitions", "1"}};
  if (!options.data_directory.empty()) settings["log.dirs"] = options.data_directory;
  for (const auto& [key, value] : options.config) settings[key] = value;
  Properties properties;
  for (const auto& [key, value] : settings) {
    properties.Set({key, value, "EmbeddedBroker::Options::config"});
  }
  return ReadBrokerConfig(properties, nullptr);
}

}  // namespace

struct EmbeddedBroker::Running {
  explicit Running(std::function<void(absl::string_view)> sink) : logger(std::move(sink)) {}

  SinkLogger logger;
  std::string directory;
  bool is_ours = false;  // the directory: remove it
  std::string bootstrap_servers;
  int port = 0;
  std::unique_ptr<Broker> broker;
};

EmbeddedBroker::EmbeddedBroker(std::unique_ptr<Running> running) : running_(std::move(running)) {}

absl::StatusOr<std::unique_ptr<EmbeddedBroker>> EmbeddedBroker::Start(Options options) {
  if (options.in_memory && !options.data_directory.empty()) {
    return absl::InvalidArgumentError(
        "expected either in_memory or a data_directory that stays, came both");
  }
  std::unique_ptr<EmbeddedBroker> embedded(
      new EmbeddedBroker(std::make_unique<Running>(std::move(options.log_sink))));
  Running& running = *embedded->running_;
  WEIR_ASSIGN_OR_RETURN(BrokerConfig config, Configure(options));
  if (config.data_directories.empty()) {
    WEIR_ASSIGN_OR_RETURN(const std::string ours, MakeTemporaryDirectory(options.in_memory));
    config.data_directories = {ours};
    running.is_ours = true;
  }
  running.directory = config.data_directories.front();
  Broker::Options broker_options;
  broker_options.config = std::move(config);
  broker_options.logger = &running.logger;
  WEIR_ASSIGN_OR_RETURN(running.broker, Broker::Start(std::move(broker_options)));
  running.port = running.broker->port();
  running.bootstrap_servers =
      absl::StrCat(running.broker->node().endpoints.front().address.host, ":", running.port);
  return embedded;
}

EmbeddedBroker::~EmbeddedBroker() { Stop().IgnoreError(); }

const std::string& EmbeddedBroker::bootstrap_servers() const { return running_->bootstrap_servers; }
int EmbeddedBroker::port() const { return running_->port; }
const std::string& EmbeddedBroker::data_directory() const { return running_->directory; }

absl::Status EmbeddedBroker::Stop() {
  absl::Status status;
  if (running_->broker != nullptr) {
    status = running_->broker->Stop();
    running_->broker.reset();
  }
  if (std::exchange(running_->is_ours, false)) {
    log::PosixFileSystem files;
    status.Update(files.RemoveRecursively(running_->directory));
  }
  return status;
}

}  // namespace weir::server
