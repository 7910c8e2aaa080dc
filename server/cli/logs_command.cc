// weir logs: what the nodes of a local cluster have written, and what they write.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "server/cli/command.h"
#include "server/cli/flags.h"
#include "server/cli/local_cluster.h"
#include "server/cli/local_plan.h"
#include "server/cli/output.h"

namespace weir::cli {
namespace {

constexpr FlagSpec kLogsFlags[] = {
    {"node", FlagKind::kOne, "NODE", "only this node, node-1 or 1; also without --node"},
    {"follow", FlagKind::kSwitch, "", "go on with what is written from now on", "f"},
    {"lines", FlagKind::kOne, "N", "how many lines of each node to begin with (100)", "n"},
};

// The log of one node, printed line by line.
class LogView {
 public:
  LogView(const LocalNode& node, bool with_name)
      : path_(node.log_path()), name_(NodeName(node.id)), with_name_(with_name) {}

  void PrintTail(Output& out, int lines) {
    at_ = SizeOf(path_);
    Take(TailOf(path_, 0, at_, lines), out);
  }

  // True when there was something.
  bool PrintMore(Output& out) {
    const int64_t size = SizeOf(path_);
    if (size < at_) at_ = 0;  // it was emptied
    if (size == at_) return false;
    FILE* file = std::fopen(path_.c_str(), "re");
    if (file == nullptr) return false;
    char buffer[64 << 10];
    size_t got = 0;
    if (std::fseek(file, static_cast<long>(at_), SEEK_SET) == 0) {
      got = std::fread(buffer, 1, sizeof(buffer), file);
    }
    std::fclose(file);
    at_ += static_cast<int64_t>(got);
    Take(absl::string_view(buffer, got), out);
    return got > 0;
  }

 private:
  void Take(absl::string_view text, Output& out) {
    partial_.append(text.data(), text.size());
    size_t begin = 0;
    for (size_t end = 0; (end = partial_.find('\n', begin)) != std::string::npos; begin = end + 1) {
      Print(partial_.substr(begin, end - begin), out);
    }
    partial_.erase(0, begin);
  }

  void Print(const std::string& line, Output& out) const {
    if (out.json()) {
      JsonWriter json;
      json.BeginObject().Key("node").String(name_);
      out.Print(json.Key("line").String(line).EndObject());
    } else {
      out.Line(!with_name_ ? line : absl::StrCat(name_, " | ", line));
    }
  }

  const std::string path_;
  const std::string name_;
  const bool with_name_;
  int64_t at_ = 0;
  std::string partial_;  // a line that is not whole yet
};

absl::Status RunLogs(Context& context) {
  const Flags& flags = context.flags();
  WEIR_ASSIGN_OR_RETURN(const LocalCluster cluster, LocalCluster::Open());
  std::optional<int> only;
  if (flags.Has("node")) {
    WEIR_ASSIGN_OR_RETURN(only, ParseNodeName(flags.Text("node")));
  }
  int32_t lines = 100;
  WEIR_RETURN_IF_ERROR(flags.Number("lines", 0, 1'000'000, &lines));
  std::vector<LogView> views;
  for (const LocalNode& node : cluster.nodes()) {
    if (only.has_value() && *only != node.id) continue;
    views.emplace_back(node, /*with_name=*/!only.has_value() && cluster.nodes().size() > 1);
  }
  if (views.empty()) {
    return absl::NotFoundError(
        absl::StrCat("there is no ", only.has_value() ? NodeName(*only) : std::string("cluster"),
                     " in ", cluster.folder()));
  }
  for (LogView& view : views) view.PrintTail(context.out(), lines);
  context.out().Flush();
  if (!flags.Has("follow")) return absl::OkStatus();
  CatchInterrupts();
  while (!Interrupted() && context.out().status().ok()) {
    bool any = false;
    for (LogView& view : views) any = view.PrintMore(context.out()) || any;
    context.out().Flush();
    if (!any) SleepMs(50);
  }
  return absl::OkStatus();
}

}  // namespace

const Command& LogsCommand() {
  static const Command command = {"logs",
                                  "print what the nodes of that cluster log (also weir log)",
                                  "logs\nlogs node-1 --follow",
                                  kLogsFlags,
                                  false,
                                  RunLogs};
  return command;
}

}  // namespace weir::cli
