// weir: the broker, and the command line around it.

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "server/broker.h"
#include "server/broker_config_reader.h"
#include "server/cli/command.h"
#include "server/cli/flags.h"
#include "server/cli/local_files.h"
#include "server/grpc_peers.h"
#include "server/logger.h"
#include "server/node.h"
#include "server/peer_network.h"
#include "server/properties.h"

namespace weir::server {
namespace {

constexpr char kUsage[] = R"(weir: Apache Kafka's job in one native binary

  weir                                      a one-node broker on localhost:9092
  weir server [FILE.properties] [--override KEY=VALUE]...
                                            a broker with Kafka's configuration keys
  weir COMMAND --help                       what COMMAND takes; it asks localhost:9092 unless
                                            --bootstrap-server says otherwise
  weir --version | --help

)";

constexpr char kUsageOfData[] = R"(
Without log.dirs the data is in $WEIR_DATA, else $XDG_DATA_HOME/weir, else ~/.local/share/weir.
Keys: docs/CONFIGURATION.md.
)";

constexpr char kVersion[] = "weir 0.1.0 (protocol of Apache Kafka 4.2)\n";

std::string Usage() { return absl::StrCat(kUsage, cli::CommandList(), kUsageOfData); }

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string DefaultDataDirectory() {
  if (const std::string data = Environment("WEIR_DATA"); !data.empty()) return data;
  if (const std::string data = Environment("XDG_DATA_HOME"); !data.empty()) return data + "/weir";
  if (const std::string home = Environment("HOME"); !home.empty()) {
    return home + "/.local/share/weir";
  }
  return "weir-data";
}

struct ServerArguments {
  std::string file;
  std::vector<std::string> overrides;
  bool help = false;
};

absl::StatusOr<ServerArguments> ParseServerArguments(const std::vector<std::string>& arguments) {
  ServerArguments parsed;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--help" || argument == "-h") {
      parsed.help = true;
    } else if (argument == "--override") {
      if (++i == arguments.size()) {
        return absl::InvalidArgumentError("--override: expected KEY=VALUE behind it");
      }
      parsed.overrides.push_back(arguments[i]);
    } else if (absl::StartsWith(argument, "--override=")) {
      parsed.overrides.push_back(argument.substr(sizeof("--override=") - 1));
    } else if (absl::StartsWith(argument, "-")) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected FILE or --override KEY=VALUE, came '", argument, "'"));
    } else if (parsed.file.empty()) {
      parsed.file = argument;
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("expected one FILE, came '", parsed.file, "' and '", argument, "'"));
    }
  }
  return parsed;
}

absl::StatusOr<BrokerConfig> ReadConfig(const ServerArguments& arguments,
                                        std::vector<std::string>* notices) {
  Properties properties;
  if (!arguments.file.empty()) {
    WEIR_ASSIGN_OR_RETURN(const std::string text,
                          cli::ReadLocalFile(arguments.file, kPropertiesBytesMax));
    WEIR_ASSIGN_OR_RETURN(properties, ParseProperties(text, arguments.file));
  }
  // One node to develop against: a group need not wait for members of other machines.
  if (arguments.file.empty()) {
    WEIR_RETURN_IF_ERROR(ApplyOverride("group.initial.rebalance.delay.ms=0", &properties));
  }
  for (const std::string& text : arguments.overrides) {
    WEIR_RETURN_IF_ERROR(ApplyOverride(text, &properties));
  }
  if (properties.Find("listeners") == nullptr) {
    WEIR_RETURN_IF_ERROR(ApplyOverride("listeners=PLAINTEXT://localhost:9092", &properties));
  }
  WEIR_ASSIGN_OR_RETURN(BrokerConfig config, ReadBrokerConfig(properties, notices));
  if (config.data_directories.empty()) config.data_directories = {DefaultDataDirectory()};
  return config;
}

// Every partition holds files and every client a socket.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "weir: %s\n", std::string(status.message()).c_str());
  return 1;
}

void PrintWhatNext(const Broker& broker) {
  const std::string folders = absl::StrJoin(broker.node().config.data_directories, ", ");
  if (broker.node().endpoints.empty()) {
    std::printf("\nController %d is ready, its data in %s.\n\n",
                broker.node().config.node_id.value(), folders.c_str());
    std::fflush(stdout);
    return;
  }
  const std::string address = absl::StrCat(broker.node().endpoints.front().address.host, ":",
                                           broker.node().endpoints.front().address.port);
  std::printf(
      "\nWeir is ready on %s, its data in %s. In another terminal:\n"
      "  weir topics --list --bootstrap-server %s\n"
      "  echo hello | kcat -b %s -P -t greetings\n"
      "  kcat -b %s -C -t greetings -e\n\n",
      address.c_str(), folders.c_str(), address.c_str(), address.c_str(), address.c_str());
  std::fflush(stdout);
}

int RunServer(const std::vector<std::string>& words) {
  absl::StatusOr<ServerArguments> arguments = ParseServerArguments(words);
  if (!arguments.ok()) {
    Fail(arguments.status());
    std::fputs("weir server --help says what there is\n", stderr);
    return 2;
  }
  if (arguments->help) {
    std::fputs(cli::CommandHelp(cli::ServerCommand()).c_str(), stdout);
    return 0;
  }
  std::vector<std::string> notices;
  absl::StatusOr<BrokerConfig> config = ReadConfig(*arguments, &notices);
  if (!config.ok()) return Fail(config.status());

  // The signals are taken by sigwait below; every thread inherits that they are blocked.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  RaiseDescriptorLimit();
  // gRPC writes a line of its own for each handshake that fails, as often as others like.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);

  SystemClock clock;
  StreamLogger logger(stderr, clock);
  for (const std::string& notice : notices) logger.Info("configuration: ", notice);
  const absl::StatusOr<std::unique_ptr<PeerNetwork>> peers =
      MakeGrpcPeers(*config, cli::LocalFiles(), logger);
  if (!peers.ok()) return Fail(peers.status());
  std::atomic<Broker*> running{nullptr};
  std::promise<void> known;
  Broker::Options options;
  options.config = *std::move(config);
  options.logger = &logger;
  options.peers = peers->get();
  options.on_ready = [&] {
    known.get_future().wait();
    PrintWhatNext(*running);
  };
  options.on_failed = [](const absl::Status&) {
    kill(getpid(), SIGTERM);  // ends sigwait below, and Stop says what failed
  };
  absl::StatusOr<std::unique_ptr<Broker>> broker = Broker::Begin(std::move(options));
  if (!broker.ok()) return Fail(broker.status());
  running = broker->get();
  known.set_value();

  int signal = 0;
  sigwait(&signals, &signal);
  logger.Info("stopping on signal ", signal);
  const absl::Status stopped = (*broker)->Stop();
  if (!stopped.ok()) return Fail(stopped);
  logger.Info("stopped cleanly");
  return 0;
}

int Run(const std::vector<std::string>& arguments) {
  if (arguments.empty()) return RunServer({});
  const std::string& command = arguments.front();
  if (command == "--help" || command == "-h" || command == "help") {
    std::fputs(Usage().c_str(), stdout);
    return 0;
  }
  if (command == "--version" || command == "version") {
    std::fputs(kVersion, stdout);
    return 0;
  }
  if (command == "server") {
    return RunServer(std::vector<std::string>(arguments.begin() + 1, arguments.end()));
  }
  if (cli::IsCommand(arguments)) return cli::Run(arguments);
  for (const char* planned : {"acls", "transactions", "top"}) {
    if (command != planned) continue;
    std::fprintf(stderr, "weir: weir %s is not available yet\n", planned);
    return 2;
  }
  std::vector<std::string> known = cli::CommandNames();
  known.insert(known.end(), {"server", "help", "version"});
  std::fprintf(stderr, "weir: there is no command %s%s\n\n%s", command.c_str(),
               cli::DidYouMean(command, known).c_str(), Usage().c_str());
  return 2;
}

}  // namespace
}  // namespace weir::server

int main(int argc, char** argv) {
  return weir::server::Run(std::vector<std::string>(argv + 1, argv + argc));
}
