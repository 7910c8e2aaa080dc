// -----------------------------------------------------------------------------
// File: server/cli/local_cluster.h
// -----------------------------------------------------------------------------
// A local cluster as it is in its folder: node-1/{server.properties,server.log,data/,pid} and so
// on. Nodes are known by their server.properties, processes by pid.
// Threading: one thread; Lock() keeps other processes from starting and stopping meanwhile.
// Errors: say which file or address, and what was expected there.
#ifndef WEIR_SERVER_CLI_LOCAL_CLUSTER_H_
#define WEIR_SERVER_CLI_LOCAL_CLUSTER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "log/file.h"
#include "server/cli/local_plan.h"
#include "server/cli/local_process.h"
#include "server/listener.h"

namespace weir::cli {

struct LocalNode {
  int id = 0;
  std::string folder;
  std::string roles;                        // "broker,controller"
  std::vector<server::Listener> listeners;  // the one for clients first
  std::optional<LocalProcess> process;      // as pid says; it may have ended since

  bool votes() const { return roles.find("controller") != std::string::npos; }
  bool runs() const { return process.has_value() && IsAlive(*process); }
  std::string address() const;  // for clients, "localhost:9092"
  std::string properties_path() const { return folder + "/server.properties"; }
  std::string log_path() const { return folder + "/server.log"; }
};

class LocalCluster {
 public:
  // Of $WEIR_HOME and the rest of the environment. A folder that is a broker's own data is refused.
  static absl::StatusOr<LocalCluster> Open();

  const std::string& folder() const { return folder_; }
  const std::vector<LocalNode>& nodes() const { return nodes_; }
  bool AnyRuns() const;
  bool HasRun() const;  // any of them, at any time

  // kUnavailable while another process has it. The lock ends with the cluster.
  absl::Status Lock();
  // Makes the nodes that there are not yet, so that there are `brokers`; adds the lines of
  // overrides to all.
  absl::Status Grow(int brokers, std::optional<int> port, absl::Span<const std::string> lines);
  // Starts the nodes that do not run, once all their ports are free; their ids.
  absl::StatusOr<std::vector<int>> StartNodes();
  // Ends the process of a node and forgets it. False when it had to be killed.
  std::vector<int> StopNodes(absl::Span<const int> ids, int64_t timeout_ms);

 private:
  explicit LocalCluster(std::string folder) : folder_(std::move(folder)) {}

  absl::Status Load();
  absl::StatusOr<LocalShape> Shape() const;
  absl::Status CheckPorts(const LocalNode& node) const;
  absl::Status WriteFile(const std::string& folder, const std::string& name,
                         const std::string& text);

  std::string folder_;
  std::vector<LocalNode> nodes_;
  std::unique_ptr<log::FileLock> lock_;
};

// The last lines of these bytes of a file, at most `lines` of them; empty when there are none.
std::string TailOf(const std::string& path, int64_t begin, int64_t end, int lines);
int64_t SizeOf(const std::string& path);
// Whether somebody accepts connections there.
bool Accepts(const server::HostPort& address);
void SleepMs(int64_t ms);

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_LOCAL_CLUSTER_H_
