// -----------------------------------------------------------------------------
// File: server/cli/command.h
// -----------------------------------------------------------------------------
// The commands of the `weir` binary that talk to a cluster or look at its files.
// Threading: one thread; SIGINT and SIGTERM only set what Interrupted() tells.
// Errors: exit codes are 0, 1 when something was refused or failed, 2 for words that were typed
// wrongly. What was wrong goes to standard error, results alone to standard output.
#ifndef WEIR_SERVER_CLI_COMMAND_H_
#define WEIR_SERVER_CLI_COMMAND_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/cli/client_properties.h"
#include "server/cli/flags.h"
#include "server/cli/output.h"

namespace weir::cli {

class Remote;

// What a command works with.
class Context {
 public:
  Context(std::string command, Flags flags);
  ~Context();

  const Flags& flags() const { return flags_; }
  Output& out() { return out_; }

  // The cluster of --bootstrap-server and --command-config; connected to at the first call.
  absl::StatusOr<Remote*> Connect();
  // Settings of clients: to be set before Connect(), looked at by whoever makes clients.
  ClientProperties& properties() { return properties_; }

  // To standard error, with the command's name.
  void Note(absl::string_view text);
  // One thing among several failed: says so, and the exit code becomes 1.
  void Fail(const absl::Status& status);
  bool failed() const { return failed_; }

 private:
  const std::string command_;
  const Flags flags_;
  Output out_;
  ClientProperties properties_;
  std::unique_ptr<Remote> remote_;
  bool failed_ = false;
};

struct Command {
  const char* name;  // "topics", "perf produce"
  const char* summary;
  const char* examples;  // lines, each without "weir "
  absl::Span<const FlagSpec> flags;
  bool asks_brokers;                      // takes --bootstrap-server and --command-config
  absl::Status (*run)(Context& context);  // null: not run by Run(), and prints no JSON
};

// All of them, in the order of --help. Each stands in the file of its name.
const Command& TopicsCommand();
const Command& ProduceCommand();
const Command& ConsumeCommand();
const Command& GroupsCommand();
const Command& ConfigsCommand();
const Command& ReassignCommand();
const Command& LeaderElectionCommand();
const Command& LogDirsCommand();
const Command& DumpLogCommand();
const Command& PerfProduceCommand();
const Command& PerfConsumeCommand();
const Command& ApiVersionsCommand();
const Command& SniffCommand();
const Command& DescribeQuorumCommand();
const Command& AddControllerCommand();
const Command& RemoveControllerCommand();
const Command& StartCommand();
const Command& StopCommand();
const Command& StatusCommand();
const Command& ListCommand();
const Command& LogsCommand();
const Command& CurrentCommand();

// Not among them: server/main.cc reads its words and runs it.
const Command& ServerCommand();

// The command's flags and those that commands share.
std::vector<FlagSpec> AllFlags(const Command& command);
// The lines of `weir --help` about commands, and `weir COMMAND --help`.
std::string CommandList();
std::string CommandHelp(const Command& command);
// docs/COMMANDS.md.
std::string CommandDocs();

// Whether words[0] names one; then Run() runs it and returns the exit code of the process.
bool IsCommand(absl::Span<const std::string> words);
int Run(absl::Span<const std::string> words);
// The commands' names, for messages.
std::vector<std::string> CommandNames();

// From here on SIGINT and SIGTERM do not end the process, they make Interrupted() true.
void CatchInterrupts();
bool Interrupted();

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_COMMAND_H_
