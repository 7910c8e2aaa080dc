#include "server/cli/local_process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"

namespace weir::cli {
namespace {

// A file of /proc, whose size nobody knows before; empty when there is none.
std::string ReadProc(const std::string& path) {
  constexpr size_t kBytesMax = size_t{16} << 20;
  std::string text;
  FILE* file = ::fopen(path.c_str(), "re");
  if (file == nullptr) return text;
  char buffer[4096];
  for (size_t got = 1; got > 0 && text.size() < kBytesMax;) {
    got = ::fread(buffer, 1, sizeof(buffer), file);
    text.append(buffer, got);
  }
  ::fclose(file);
  return text;
}

std::vector<std::string> NamesIn(const std::string& folder) {
  std::vector<std::string> names;
  DIR* open = ::opendir(folder.c_str());
  if (open == nullptr) return names;
  while (const dirent* entry = ::readdir(open)) names.emplace_back(entry->d_name);
  ::closedir(open);
  return names;
}

// What links in /proc/PID/fd to the sockets that listen at the port say.
std::vector<std::string> SocketsListeningAt(int port) {
  std::vector<std::string> links;
  const std::string wanted = absl::StrCat(":", absl::Hex(port, absl::kZeroPad4));
  for (const char* path : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    const std::string text = ReadProc(path);
    for (absl::string_view line : absl::StrSplit(text, '\n')) {
      const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
      constexpr size_t kLocal = 1, kState = 3, kInode = 9;
      if (fields.size() <= kInode || fields[kState] != "0A") continue;
      if (!absl::EndsWithIgnoreCase(fields[kLocal], wanted)) continue;
      links.push_back(absl::StrCat("socket:[", fields[kInode], "]"));
    }
  }
  return links;
}

std::string BootId() {
  return std::string(absl::StripAsciiWhitespace(ReadProc("/proc/sys/kernel/random/boot_id")));
}

absl::Status SystemError(absl::string_view what, int error) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::generic_category().message(error)));
}

// Also of one that has ended and whose parent has not asked how.
absl::StatusOr<LocalProcess> StatOf(int64_t pid, bool* has_ended) {
  const std::string stat = ReadProc(absl::StrCat("/proc/", pid, "/stat"));
  // "12 (any name) S 1 ...": the name may hold anything.
  const size_t name_end = stat.rfind(')');
  LocalProcess process;
  process.pid = pid;
  process.boot_id = BootId();
  if (name_end != std::string::npos) {
    const std::vector<std::string> fields =
        absl::StrSplit(absl::string_view(stat).substr(name_end + 1), ' ', absl::SkipEmpty());
    constexpr size_t kState = 0, kStart = 19;
    if (fields.size() > kStart && absl::SimpleAtoi(fields[kStart], &process.start_ticks)) {
      *has_ended = fields[kState] == "Z" || fields[kState] == "X";
      return process;
    }
  }
  return absl::NotFoundError(absl::StrCat("there is no process ", pid));
}

// In the child: only what is safe behind fork.
[[noreturn]] void BecomeSelf(char* const* words, int log, int failure) {
  ::setsid();
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execv("/proc/self/exe", words);
  const int error = errno;
  [[maybe_unused]] const ssize_t written = ::write(failure, &error, sizeof(error));
  ::_exit(127);
}

}  // namespace

std::string FormatLocalProcess(const LocalProcess& process) {
  return absl::StrCat("pid=", process.pid, "\nstart=", process.start_ticks,
                      "\nboot=", process.boot_id, "\n");
}

absl::StatusOr<LocalProcess> ParseLocalProcess(absl::string_view text) {
  LocalProcess process;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> setting =
        absl::StrSplit(line, absl::MaxSplits('=', 1));
    const auto& [key, value] = setting;
    bool good = true;
    if (key == "pid") good = absl::SimpleAtoi(value, &process.pid) && process.pid > 0;
    if (key == "start") good = absl::SimpleAtoi(value, &process.start_ticks);
    if (key == "boot") process.boot_id = std::string(value);
    if (!good) return absl::InvalidArgumentError(absl::StrCat("expected a number, came ", line));
  }
  if (process.pid > 0 && process.start_ticks > 0 && !process.boot_id.empty()) return process;
  return absl::InvalidArgumentError(
      absl::StrCat("expected pid, start and boot of a process, came '", text, "'"));
}

absl::StatusOr<LocalProcess> FindProcess(int64_t pid) {
  bool has_ended = false;
  WEIR_ASSIGN_OR_RETURN(LocalProcess process, StatOf(pid, &has_ended));
  if (!has_ended) return process;
  return absl::NotFoundError(absl::StrCat("process ", pid, " has ended"));
}

bool IsAlive(const LocalProcess& process) {
  const absl::StatusOr<LocalProcess> now = FindProcess(process.pid);
  return now.ok() && *now == process;
}

int64_t UptimeSeconds(const LocalProcess& process) {
  const std::string text = ReadProc("/proc/uptime");
  double up = 0;
  if (!IsAlive(process) || !absl::SimpleAtod(text.substr(0, text.find(' ')), &up)) return 0;
  const auto ticks_per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
  const double since = up - static_cast<double>(process.start_ticks) / ticks_per_second;
  return since > 0 ? static_cast<int64_t>(since) : 0;
}

absl::StatusOr<LocalProcess> SpawnSelf(const std::vector<std::string>& words,
                                       const std::string& log) {
  std::vector<std::string> kept = words;
  kept.insert(kept.begin(), "weir");
  std::vector<char*> arguments;
  for (std::string& word : kept) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const int log_fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log_fd < 0) return SystemError(log, errno);
  int failure[2];
  if (::pipe2(failure, O_CLOEXEC) != 0) {
    const int error = errno;
    ::close(log_fd);
    return SystemError("pipe", error);
  }
  const pid_t pid = ::fork();
  const int fork_error = errno;
  if (pid == 0) BecomeSelf(arguments.data(), log_fd, failure[1]);
  ::close(log_fd);
  ::close(failure[1]);
  int exec_error = 0;
  // Ends when exec closes the other side.
  const ssize_t came = pid < 0 ? 0 : ::read(failure[0], &exec_error, sizeof(exec_error));
  ::close(failure[0]);
  if (pid < 0) return SystemError("fork", fork_error);
  if (came > 0) return SystemError("/proc/self/exe", exec_error);
  bool has_ended = false;  // whoever asks IsAlive() learns of that
  return StatOf(pid, &has_ended);
}

std::string ListenerAt(int port) {
  const std::vector<std::string> sockets = SocketsListeningAt(port);
  if (sockets.empty()) return "";
  for (const std::string& pid : NamesIn("/proc")) {
    int64_t number = 0;
    if (!absl::SimpleAtoi(pid, &number)) continue;
    const std::string folder = absl::StrCat("/proc/", pid, "/fd/");
    for (const std::string& name : NamesIn(folder)) {
      char link[64];
      const ssize_t size = ::readlink((folder + name).c_str(), link, sizeof(link));
      if (size <= 0) continue;
      const std::string text(link, static_cast<size_t>(size));
      if (std::find(sockets.begin(), sockets.end(), text) == sockets.end()) continue;
      const std::string command = ReadProc(absl::StrCat("/proc/", pid, "/comm"));
      return absl::StrCat(absl::StripAsciiWhitespace(command), " (process ", pid, ")");
    }
  }
  return "";
}

void Signal(const LocalProcess& process, int signal) {
  // The descriptor stands for the process that has the number now: it is looked at after that.
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0));
  if (fd >= 0) {
    if (IsAlive(process)) ::syscall(SYS_pidfd_send_signal, fd, signal, nullptr, 0);
    ::close(fd);
  } else if (errno == ENOSYS && IsAlive(process)) {
    ::kill(static_cast<pid_t>(process.pid), signal);
  }
}

}  // namespace weir::cli
