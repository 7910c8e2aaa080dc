// -----------------------------------------------------------------------------
// File: log/move_recovery.h
// -----------------------------------------------------------------------------
// What a broker makes at its start of moves between its folders that a crash has cut off
// (log/log_move.h): those that had begun to end are ended, copies are kept to go on with.
// Threading: before anything else uses the folders. Errors: as log/file.h. Whatever was done until
// then, it may be called again, with fewer folders as well.
#ifndef WEIR_LOG_MOVE_RECOVERY_H_
#define WEIR_LOG_MOVE_RECOVERY_H_

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "log/file.h"
#include "log/move_names.h"

namespace weir::log {

struct MovesFound {
  // A partition whose move may go on, and the folder with the copy.
  struct Copy {
    std::string partition;
    std::string folder;
  };
  std::vector<Copy> copies;
  // Partitions whose log is in a folder that is not among these, whatever is left of them here.
  std::vector<std::string> elsewhere;
};

namespace log_internal {

class MoveRecovery {
 public:
  MoveRecovery(FileSystem& fs, const std::vector<std::string>& folders, bool all_are_here)
      : fs_(fs), folders_(folders), all_are_here_(all_are_here) {}

  absl::StatusOr<MovesFound> Run() {
    WEIR_RETURN_IF_ERROR(List());
    for (const Found& stray : strays_) WEIR_RETURN_IF_ERROR(EndMove(stray));
    for (const Found& copy : copies_) WEIR_RETURN_IF_ERROR(Keep(copy));
    return std::move(result_);
  }
  // The folder that was last used: after an error, the one at fault.
  const std::string& used() const { return used_; }

 private:
  struct Found {
    MoveName name;
    std::string folder;
    bool gone = false;
  };

  static std::string Path(const std::string& folder, const std::string& name) {
    return absl::StrCat(folder, "/", name);
  }

  absl::Status List() {
    for (const std::string& folder : folders_) {
      used_ = folder;
      WEIR_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_.List(folder));
      for (const std::string& name : names) {
        if (const auto copy = ParseMoveName(name, kFutureSuffix)) {
          copies_.push_back({*copy, folder});
        } else if (const auto stray = ParseMoveName(name, kStraySuffix)) {
          // Others set directories aside by this name too.
          if (fs_.Exists(Path(Path(folder, name), kMovedToName))) {
            strays_.push_back({*stray, folder});
          }
        } else {
          current_.emplace(name, folder);
        }
      }
    }
    return absl::OkStatus();
  }

  // The log was set aside: the copy of that move had everything, durably.
  absl::Status EndMove(const Found& stray) {
    const MoveName& name = stray.name;
    const std::string aside = name.With(kStraySuffix);
    // A killed process may have left names that are not durable yet.
    WEIR_RETURN_IF_ERROR(SyncFolder(stray.folder));
    if (const auto log = current_.find(name.partition); log != current_.end()) {
      WEIR_RETURN_IF_ERROR(SyncFolder(log->second));
      return SetAside(stray.folder, aside, name);
    }
    for (Found& copy : copies_) {
      if (copy.name.partition != name.partition || copy.name.tag != name.tag) continue;
      WEIR_RETURN_IF_ERROR(TakeName(copy.folder, name, kFutureSuffix));
      copy.gone = true;
      return SetAside(stray.folder, aside, name);
    }
    if (!all_are_here_) {
      result_.elsewhere.push_back(name.partition);
      return absl::OkStatus();
    }
    // The folder that it went to was replaced: what is here is the most there is.
    return TakeName(stray.folder, name, kStraySuffix);
  }

  absl::Status SyncFolder(const std::string& folder) {
    used_ = folder;
    return fs_.SyncDirectory(folder);
  }
  absl::Status SetAside(const std::string& folder, const std::string& name, const MoveName& as) {
    used_ = folder;
    return SetAsideToDelete(fs_, folder, name, as);
  }

  // Gives a directory the partition's name.
  absl::Status TakeName(const std::string& folder, const MoveName& name, absl::string_view suffix) {
    used_ = folder;
    const std::string path = Path(folder, name.partition);
    WEIR_RETURN_IF_ERROR(fs_.Rename(Path(folder, name.With(suffix)), path));
    WEIR_RETURN_IF_ERROR(fs_.SyncDirectory(folder));
    current_.emplace(name.partition, folder);
    return ForgetMove(path);
  }

  // It was not set aside after all, or is not any more.
  absl::Status ForgetMove(const std::string& path) {
    const std::string marker = Path(path, kMovedToName);
    if (!fs_.Exists(marker)) return absl::OkStatus();
    WEIR_RETURN_IF_ERROR(fs_.Remove(marker));
    return fs_.SyncDirectory(path);
  }

  absl::Status Keep(const Found& copy) {
    if (copy.gone) return absl::OkStatus();
    const MoveName& name = copy.name;
    const auto log = current_.find(name.partition);
    if (log == current_.end() && !all_are_here_) {
      result_.elsewhere.push_back(name.partition);
      return absl::OkStatus();
    }
    if (log == current_.end() || log->second == copy.folder) {
      return SetAside(copy.folder, name.With(kFutureSuffix), name);
    }
    used_ = log->second;
    WEIR_RETURN_IF_ERROR(ForgetMove(Path(log->second, name.partition)));
    result_.copies.push_back({name.partition, copy.folder});
    return absl::OkStatus();
  }

  FileSystem& fs_;
  const std::vector<std::string>& folders_;
  const bool all_are_here_;
  std::map<std::string, std::string> current_;  // by name, the folder
  std::vector<Found> copies_;
  std::vector<Found> strays_;
  std::string used_;
  MovesFound result_;
};

}  // namespace log_internal

// `folders`: those that are online; `all_are_here`: whether those are all that the broker has.
// After an error *at_fault is the one that it comes from.
inline absl::StatusOr<MovesFound> RecoverMoves(FileSystem& fs,
                                               const std::vector<std::string>& folders,
                                               bool all_are_here, std::string* at_fault = nullptr) {
  log_internal::MoveRecovery recovery(fs, folders, all_are_here);
  absl::StatusOr<MovesFound> found = recovery.Run();
  if (!found.ok() && at_fault != nullptr) *at_fault = recovery.used();
  return found;
}

}  // namespace weir::log

#endif  // WEIR_LOG_MOVE_RECOVERY_H_
