// -----------------------------------------------------------------------------
// File: tests/sim/controller_directories.h
// -----------------------------------------------------------------------------
// What the brokers of the controller's simulator do with their one or two log directories: they
// fail while the broker runs, are missing when it starts, come back or are replaced by empty ones;
// replicas are put into them and moved between them (KIP-858, KIP-113).
#ifndef WEIR_TESTS_SIM_CONTROLLER_DIRECTORIES_H_
#define WEIR_TESTS_SIM_CONTROLLER_DIRECTORIES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "protocol/error_code.h"
#include "tests/sim/controller_world.h"

namespace weir::sim {

inline std::vector<Uuid> DirectoriesOf(const std::vector<SimDirectory>& all, bool offline) {
  std::vector<Uuid> ids;
  for (const SimDirectory& d : all) {
    if (d.offline == offline) ids.push_back(d.id);
  }
  return ids;
}

inline bool IsIn(const std::vector<Uuid>& ids, const Uuid& id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// Whether the broker can read and write the replica.
inline bool IsServed(const SimBroker& broker, const SimReplica& replica) {
  return IsIn(DirectoriesOf(broker.directories, /*offline=*/false), replica.home);
}

// Whether it may: with several directories, only when the metadata know which has it.
inline bool HasPlace(const SimBroker& broker, const Uuid& known) {
  return broker.directories.size() == 1 || known != metadata::kDirectoryUnassigned;
}

// What the next process finds. All are new if the broker is wiped; one at least is there.
inline std::vector<SimDirectory> DirectoriesAfterRestart(const SimBroker& broker, bool wiped,
                                                         Random& random, uint64_t* ids) {
  std::vector<SimDirectory> found;
  for (const SimDirectory& d : broker.directories) {
    SimDirectory& now = found.emplace_back(SimDirectory{d.id, d.id, false});
    if (wiped || random.OneIn(d.offline ? 4 : 60)) {
      now.id = {100, ++*ids};
    } else {
      now.offline = random.OneIn(d.offline ? 2 : 30);
    }
  }
  if (DirectoriesOf(found, /*offline=*/false).empty()) found[0].offline = false;
  return found;
}

// From here on the broker has what it found. The number of directories that were replaced.
inline int64_t TakeOverDirectories(SimBroker* broker) {
  broker->directories = broker->next;
  int64_t replaced = 0;
  for (const SimDirectory& d : broker->directories) {
    if (d.id == d.was) continue;
    ++replaced;
    for (auto& [tp, replica] : broker->replicas) {
      if (replica.home != d.was) continue;
      replica.records.clear();
      replica.home = Uuid();
      replica.wiped = true;
    }
  }
  return replaced;
}

// Where the broker puts a replica that it has nowhere: nowhere, if it may lie in a directory that
// is offline.
inline Uuid HomeFor(const SimBroker& broker, const Uuid& known, Random& random) {
  const std::vector<Uuid> online = DirectoriesOf(broker.directories, /*offline=*/false);
  if (IsIn(online, known)) return known;
  const bool may_be_there =
      online.size() < broker.directories.size() && known != metadata::kDirectoryUnassigned;
  if (online.empty() || may_be_there) return Uuid();
  return online[random.Below(online.size())];
}

// Where the metadata have the broker's replica.
inline Uuid KnownHome(const metadata::PartitionImage& p, BrokerId id) {
  for (size_t i = 0; i < p.replicas.size(); ++i) {
    if (p.replicas[i] == id) return p.directories[i];
  }
  return metadata::kDirectoryUnassigned;
}

// Says where its replicas are, where the metadata have them elsewhere; perhaps without an answer.
inline void TellHomes(BrokerId id, const SimBroker& broker, Random& random, ControllerHost* host) {
  if (broker.epoch < 0 || !broker.reachable) return;
  metadata::AssignReplicasToDirs event;
  event.broker = id;
  event.broker_epoch = broker.epoch;
  for (const auto& [tp, replica] : broker.replicas) {
    const metadata::PartitionImage* p = broker.image->FindPartition(tp);
    if (p == nullptr || replica.home.is_zero() || KnownHome(*p, id) == replica.home) continue;
    event.assignments.push_back({tp, replica.home});
  }
  if (event.assignments.empty()) return;
  if (random.OneIn(2)) return host->Send(std::move(event));
  host->Ask<metadata::ReplicasAssigned>(std::move(event));
}

// Moves a replica to another directory. Before the broker does it the metadata say that it may be
// in either: they would be wrong before or after that, and a directory that is replaced then would
// take along what they have elsewhere. TellHomes says the rest.
inline void MoveReplica(BrokerId id, const SimBroker& broker, const TopicPartition& tp,
                        Random& random, ControllerHost* host, SimReplica* replica) {
  const Uuid to = HomeFor(broker, metadata::kDirectoryUnassigned, random);
  if (!broker.reachable || to == replica->home) return;
  metadata::AssignReplicasToDirs event;
  event.broker = id;
  event.broker_epoch = broker.epoch;
  event.assignments.push_back({tp, metadata::kDirectoryMigrating});
  if (random.OneIn(3)) return host->Send(std::move(event));  // and never hears what came of it
  const auto response = host->Ask<metadata::ReplicasAssigned>(std::move(event));
  if (response.error != protocol::ErrorCode::kNone) return;
  if (response.errors.at(0) == protocol::ErrorCode::kNone) replica->home = to;
}

// A directory fails, the last one too.
inline void FailDirectory(SimBroker* broker, Random& random) {
  broker->directories[random.Below(broker->directories.size())].offline = true;
}

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_CONTROLLER_DIRECTORIES_H_
