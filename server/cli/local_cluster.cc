#include "server/cli/local_cluster.h"

#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "log/checkpoint_file.h"
#include "log/file.h"
#include "server/broker_config.h"
#include "server/broker_config_reader.h"
#include "server/cli/flags.h"
#include "server/cli/local_files.h"
#include "server/cli/local_plan.h"
#include "server/cli/local_process.h"
#include "server/listener.h"
#include "server/properties.h"
#include "server/tcp_listen.h"

namespace weir::cli {
namespace {

absl::string_view Environment(const char* name) {
  const char* value = ::getenv(name);
  return value == nullptr ? "" : value;
}

std::string Absolute(const std::string& path) {
  if (!path.empty() && path[0] == '/') return path;
  char* here = ::getcwd(nullptr, 0);
  const std::string whole = absl::StrCat(here == nullptr ? "" : here, "/", path);
  ::free(here);
  return whole;
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  return ReadLocalFile(path, server::kPropertiesBytesMax);
}

absl::StatusOr<LocalNode> ReadNode(int id, const std::string& folder) {
  LocalNode node;
  node.id = id;
  node.folder = folder;
  WEIR_ASSIGN_OR_RETURN(const std::string text, ReadFile(node.properties_path()));
  WEIR_ASSIGN_OR_RETURN(const server::Properties properties,
                        server::ParseProperties(text, node.properties_path()));
  const server::Property* roles = properties.Find("process.roles");
  const server::Property* listeners = properties.Find("listeners");
  if (roles == nullptr || listeners == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(node.properties_path(), ": expected process.roles and listeners"));
  }
  node.roles = roles->value;
  WEIR_ASSIGN_OR_RETURN(node.listeners, server::ParseListeners(listeners->value));
  std::stable_partition(node.listeners.begin(), node.listeners.end(),
                        [](const server::Listener& listener) {
                          return listener.name != "CONTROLLER" && listener.name != "INTERNAL";
                        });
  if (node.listeners.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(node.properties_path(), ": expected a listener for clients"));
  }
  // A file that is torn or of another hand counts as none: what it named is not ours to end.
  const absl::StatusOr<std::string> pid = ReadFile(folder + "/pid");
  if (pid.ok()) {
    if (const auto process = ParseLocalProcess(*pid); process.ok()) node.process = *process;
  }
  return node;
}

// Whether the text of a server.properties has the setting of `line` already.
absl::StatusOr<bool> Says(const std::string& text, const std::string& line) {
  WEIR_ASSIGN_OR_RETURN(const server::Properties before, server::ParseProperties(text, "before"));
  WEIR_ASSIGN_OR_RETURN(const server::Properties wanted,
                        server::ParseProperties(line, "--override"));
  for (const server::Property& property : wanted.entries()) {
    const server::Property* known = before.Find(property.key);
    if (known == nullptr || known->value != property.value) return false;
  }
  return true;
}

}  // namespace

std::string LocalNode::address() const {
  const server::HostPort& at = listeners[0].address;
  return absl::StrCat(at.host.empty() ? "localhost" : at.host, ":", at.port);
}

absl::StatusOr<LocalCluster> LocalCluster::Open() {
  LocalCluster cluster(Absolute(
      LocalFolder(Environment("WEIR_HOME"), Environment("XDG_DATA_HOME"), Environment("HOME"))));
  log::FileSystem& files = LocalFiles();
  if (files.Exists(cluster.folder_ + "/meta.properties")) {
    return absl::FailedPreconditionError(
        absl::StrCat(cluster.folder_,
                     " is the data of a broker; expected a folder for the nodes of "
                     "a local cluster in $WEIR_HOME"));
  }
  WEIR_RETURN_IF_ERROR(cluster.Load());
  return cluster;
}

absl::Status LocalCluster::Load() {
  nodes_.clear();
  log::FileSystem& files = LocalFiles();
  for (int id = 1; id <= kLocalBrokersMax; ++id) {
    const std::string folder = absl::StrCat(folder_, "/", NodeName(id));
    if (!files.Exists(folder + "/server.properties")) break;
    WEIR_ASSIGN_OR_RETURN(LocalNode node, ReadNode(id, folder));
    nodes_.push_back(std::move(node));
  }
  return absl::OkStatus();
}

bool LocalCluster::HasRun() const {
  log::FileSystem& files = LocalFiles();
  return std::any_of(nodes_.begin(), nodes_.end(), [&](const LocalNode& node) {
    return files.Exists(node.folder + "/data") || node.process.has_value();
  });
}

bool LocalCluster::AnyRuns() const {
  return std::any_of(nodes_.begin(), nodes_.end(), [](const LocalNode& n) { return n.runs(); });
}

absl::Status LocalCluster::Lock() {
  log::FileSystem& files = LocalFiles();
  WEIR_RETURN_IF_ERROR(log::CreateDirectoriesDurably(files, folder_));
  absl::StatusOr<std::unique_ptr<log::FileLock>> lock = files.Lock(folder_ + "/lock");
  if (!lock.ok() && absl::IsUnavailable(lock.status())) {
    return absl::UnavailableError(
        absl::StrCat("another weir start or weir stop is at work in ", folder_));
  }
  WEIR_RETURN_IF_ERROR(lock.status());
  lock_ = *std::move(lock);
  return Load();  // what the one before has done
}

absl::StatusOr<LocalShape> LocalCluster::Shape() const {
  LocalShape shape;
  shape.brokers = static_cast<int>(nodes_.size());
  shape.controllers = static_cast<int>(
      std::count_if(nodes_.begin(), nodes_.end(), [](const LocalNode& n) { return n.votes(); }));
  shape.port = nodes_[0].listeners[0].address.port;
  return shape;
}

absl::Status LocalCluster::WriteFile(const std::string& folder, const std::string& name,
                                     const std::string& text) {
  return log::WriteFileAtomically(LocalFiles(), folder, name, text);
}

absl::Status LocalCluster::Grow(int brokers, std::optional<int> port,
                                absl::Span<const std::string> lines) {
  // What never ran is not there yet: its ports may turn out to be taken.
  const int there = HasRun() ? static_cast<int>(nodes_.size()) : 0;
  LocalShape shape{brokers, ControllersOf(brokers), port.value_or(kLocalPort)};
  if (there > 0) {
    WEIR_ASSIGN_OR_RETURN(const LocalShape known, Shape());
    if (brokers < there) {
      return UsageError(absl::StrCat("--brokers: expected at least the ", there,
                                     " that there are in ", folder_, ", came ", brokers,
                                     "; another cluster needs another folder in $WEIR_HOME"));
    }
    if (port.has_value() && *port != known.port) {
      return UsageError(absl::StrCat("--port: expected ", known.port, ", as the cluster in ",
                                     folder_, " has it, came ", *port,
                                     "; another cluster needs another folder in $WEIR_HOME"));
    }
    shape.controllers = known.controllers;
    shape.port = known.port;
  }
  // All of it is checked before any of it is written.
  std::vector<std::string> texts;
  for (int id = 1; id <= brokers; ++id) {
    const std::string folder = absl::StrCat(folder_, "/", NodeName(id));
    std::string text;
    if (id <= there) {
      WEIR_ASSIGN_OR_RETURN(text, ReadFile(folder + "/server.properties"));
    } else {
      WEIR_ASSIGN_OR_RETURN(text, NodeProperties(shape, id, folder));
    }
    for (const std::string& line : lines) {
      WEIR_ASSIGN_OR_RETURN(const bool says, Says(text, line));
      if (!says) absl::StrAppend(&text, line);
    }
    WEIR_ASSIGN_OR_RETURN(const server::Properties properties,
                          server::ParseProperties(text, folder + "/server.properties"));
    WEIR_RETURN_IF_ERROR(server::ReadBrokerConfig(properties, nullptr).status());
    texts.push_back(std::move(text));
  }
  log::FileSystem& files = LocalFiles();
  for (int id = 1; id <= brokers; ++id) {
    if (id <= there && lines.empty()) continue;
    const std::string folder = absl::StrCat(folder_, "/", NodeName(id));
    WEIR_RETURN_IF_ERROR(log::CreateDirectoriesDurably(files, folder));
    WEIR_RETURN_IF_ERROR(
        WriteFile(folder, "server.properties", texts[static_cast<size_t>(id) - 1]));
  }
  for (size_t id = static_cast<size_t>(brokers) + 1; there == 0 && id <= nodes_.size(); ++id) {
    WEIR_RETURN_IF_ERROR(files.Remove(nodes_[id - 1].properties_path()));
  }
  return Load();
}

absl::Status LocalCluster::CheckPorts(const LocalNode& node) const {
  for (const server::Listener& listener : node.listeners) {
    const absl::StatusOr<int> fd =
        server::TcpListen(listener.address.host, listener.address.port, 1);
    if (fd.ok()) {
      ::close(*fd);
    } else if (absl::IsAlreadyExists(fd.status())) {
      const std::string by = ListenerAt(listener.address.port);
      return absl::AlreadyExistsError(absl::StrCat(
          "port ", listener.address.port, ", which ", NodeName(node.id), " needs for its listener ",
          listener.name, ", is in use by ", by.empty() ? "another program" : by,
          "; --port moves a cluster that is new"));
    } else {
      return fd.status();
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int>> LocalCluster::StartNodes() {
  std::vector<int> started;
  for (const LocalNode& node : nodes_) {
    if (!node.runs()) WEIR_RETURN_IF_ERROR(CheckPorts(node));
  }
  for (LocalNode& node : nodes_) {
    if (node.runs()) continue;
    absl::StatusOr<LocalProcess> process =
        SpawnSelf({"server", node.properties_path()}, node.log_path());
    absl::Status status = process.status();
    if (process.ok()) {
      node.process = *process;
      started.push_back(node.id);
      status = WriteFile(node.folder, "pid", FormatLocalProcess(*process));
    }
    if (!status.ok()) {
      StopNodes(started, /*timeout_ms=*/10'000);
      return status;
    }
  }
  return started;
}

std::vector<int> LocalCluster::StopNodes(absl::Span<const int> ids, int64_t timeout_ms) {
  const auto each = [&](const auto& call) {
    for (const int id : ids) call(nodes_[static_cast<size_t>(id) - 1]);
  };
  const auto any_runs = [&] {
    bool any = false;
    each([&](const LocalNode& node) { any = any || node.runs(); });
    return any;
  };
  each([](const LocalNode& node) {
    if (node.runs()) Signal(*node.process, SIGTERM);
  });
  constexpr int64_t kPauseMs = 5;
  for (int64_t waited = 0; waited < timeout_ms && any_runs(); waited += kPauseMs) {
    SleepMs(kPauseMs);
  }
  std::vector<int> killed;
  each([&](const LocalNode& node) {
    if (!node.runs()) return;
    Signal(*node.process, SIGKILL);
    killed.push_back(node.id);
  });
  for (int64_t waited = 0; waited < timeout_ms && any_runs(); waited += kPauseMs) {
    SleepMs(kPauseMs);
  }
  log::FileSystem& files = LocalFiles();
  each([&](LocalNode& node) {
    if (node.runs()) return;  // the system does not let go of it
    files.Remove(node.folder + "/pid").IgnoreError();
    node.process.reset();
  });
  return killed;
}

std::string TailOf(const std::string& path, int64_t begin, int64_t end, int lines) {
  constexpr int64_t kBytesMax = int64_t{256} << 10;
  const int64_t from = std::max(begin, end - kBytesMax);
  FILE* file = lines > 0 && from < end ? ::fopen(path.c_str(), "re") : nullptr;
  if (file == nullptr) return "";
  std::string text(static_cast<size_t>(end - from), '\0');
  size_t size = 0;
  if (::fseek(file, static_cast<long>(from), SEEK_SET) == 0) {
    size = ::fread(text.data(), 1, text.size(), file);
  }
  ::fclose(file);
  text.resize(size);
  size_t start = text.size();
  // The last line end belongs to the last line.
  for (int found = 0; start > 0; --start) {
    if (text[start - 1] == '\n' && start != text.size() && ++found == lines) break;
  }
  return text.substr(start);
}

bool Accepts(const server::HostPort& address) {
  addrinfo hints{};
  hints.ai_family = AF_INET;  // the one that the server prefers too
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string host = address.host.empty() ? "localhost" : address.host;
  if (::getaddrinfo(host.c_str(), std::to_string(address.port).c_str(), &hints, &found) != 0) {
    return false;
  }
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool accepts = fd >= 0 && ::connect(fd, found->ai_addr, found->ai_addrlen) == 0;
  if (fd >= 0) ::close(fd);
  ::freeaddrinfo(found);
  return accepts;
}

int64_t SizeOf(const std::string& path) {
  struct stat info = {};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<int64_t>(info.st_size) : 0;
}

void SleepMs(int64_t ms) {
  timespec time{ms / 1000, (ms % 1000) * 1'000'000};
  ::nanosleep(&time, nullptr);
}

}  // namespace weir::cli
