// -----------------------------------------------------------------------------
// File: log/internal/memory_node.h
// -----------------------------------------------------------------------------
// A file or a directory of log/memory_file.h: what is in it, and what of that is durable.
#ifndef WEIR_LOG_INTERNAL_MEMORY_NODE_H_
#define WEIR_LOG_INTERNAL_MEMORY_NODE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/random.h"

namespace weir::log::log_internal {

inline constexpr size_t kSectorBytes = 512;

struct SyncStart {
  uint64_t sequence = 0;
  size_t stable_bytes = 0;  // the sync makes that much durable; less after a truncation meanwhile
};

struct MemoryNode {
  using Ptr = std::shared_ptr<MemoryNode>;
  using NameChange = std::vector<std::pair<std::string, Ptr>>;  // null removes the name

  bool is_directory = false;

  // A file. The first `clean_bytes` are the same on the disk; behind them the disk has
  // `durable_tail`. Files only grow and shrink at the end, so what differs is always a tail.
  std::string data;
  size_t clean_bytes = 0;
  std::string durable_tail;
  absl::Status poisoned;
  uint64_t syncs_started = 0;
  uint64_t last_sync_finished = 0;

  // A directory.
  std::map<std::string, Ptr> names;
  std::map<std::string, Ptr> durable_names;
  std::vector<NameChange> unsynced;  // in order; each survives or not as a whole

  Ptr* Child(const std::string& name) {
    const auto found = names.find(name);
    return found == names.end() ? nullptr : &found->second;
  }

  void SetName(const std::string& name, Ptr node) { SetNames({{name, std::move(node)}}); }
  void SetNames(NameChange change) {
    Apply(change, &names);
    unsynced.push_back(std::move(change));
  }
  void SyncNames() {
    durable_names = names;
    unsynced.clear();
  }

  void Truncate(size_t size) {
    if (size < clean_bytes) {
      durable_tail.insert(0, data, size, clean_bytes - size);
      clean_bytes = size;
    }
    data.resize(size);
  }

  SyncStart StartSync() { return {++syncs_started, data.size()}; }
  void FinishSync(const SyncStart& start) {
    if (start.sequence < last_sync_finished) return;  // a later sync covered this one
    last_sync_finished = start.sequence;
    clean_bytes = start.stable_bytes;
    durable_tail.clear();
  }

  static void Apply(const NameChange& change, std::map<std::string, Ptr>* names) {
    for (const auto& [name, node] : change) {
      if (node == nullptr) {
        names->erase(name);
      } else {
        (*names)[name] = node;
      }
    }
  }
};

// Leaves of a file what the disk may have kept: per sector the durable or the written content, and
// the durable, the written or another length.
inline void LoseUnsyncedData(MemoryNode& file, Random& random) {
  const std::string durable = file.data.substr(0, file.clean_bytes) + file.durable_tail;
  if (durable == file.data) return;
  size_t size = file.data.size();
  switch (random.Below(3)) {
    case 0:
      size = durable.size();
      break;
    case 1:
      size = file.clean_bytes + random.Below(std::max(size, durable.size()) - file.clean_bytes + 1);
      break;
    default:
      break;
  }
  std::string left(size, '\0');
  for (size_t at = 0; at < size; at += kSectorBytes) {
    const bool written = at + kSectorBytes <= file.clean_bytes || random.OneIn(2);
    const std::string& from = written ? file.data : durable;
    if (at < from.size()) from.copy(&left[at], std::min(kSectorBytes, size - at), at);
  }
  file.data = std::move(left);
}

inline void LosePower(MemoryNode& node, Random& random) {
  if (!node.is_directory) {
    LoseUnsyncedData(node, random);
    node.clean_bytes = node.data.size();
    node.durable_tail.clear();
    return;
  }
  node.names = node.durable_names;
  for (const MemoryNode::NameChange& change : node.unsynced) {
    if (random.OneIn(2)) MemoryNode::Apply(change, &node.names);
  }
  node.SyncNames();
  for (const auto& [name, child] : node.names) LosePower(*child, random);
}

inline int64_t BytesUsed(const MemoryNode& node) {
  int64_t total = static_cast<int64_t>(node.data.size());
  for (const auto& [name, child] : node.names) total += BytesUsed(*child);
  return total;
}

inline void ClearPoison(MemoryNode& node) {
  node.poisoned = absl::OkStatus();
  node.last_sync_finished = node.syncs_started;
  for (const auto& [name, child] : node.names) ClearPoison(*child);
}

}  // namespace weir::log::log_internal

#endif  // WEIR_LOG_INTERNAL_MEMORY_NODE_H_
