#include "server/cli/command.h"

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "server/cli/flags.h"
#include "server/cli/remote.h"

namespace weir::cli {
namespace {

constexpr FlagSpec kBrokerFlags[] = {
    {"bootstrap-server", FlagKind::kOne, "HOST:PORT[,...]",
     "brokers to begin with (localhost:9092)", "broker-list"},
    {"command-config", FlagKind::kOne, "FILE", "settings of the client, in a .properties file"},
};
constexpr FlagSpec kCommonFlags[] = {
    {"json", FlagKind::kSwitch, "", "print JSON"},
    {"help", FlagKind::kSwitch, "", "say what there is"},
};

constexpr FlagSpec kServerFlags[] = {
    {"override", FlagKind::kMany, "KEY=VALUE", "a setting in place of the file's"},
};

volatile std::sig_atomic_t interrupted = 0;
void OnInterrupt(int) { interrupted = 1; }

std::vector<const Command*> AllCommands() {
  return {&TopicsCommand(),         &ProduceCommand(),
          &ConsumeCommand(),        &GroupsCommand(),
          &ConfigsCommand(),        &ReassignCommand(),
          &LeaderElectionCommand(), &LogDirsCommand(),
          &DumpLogCommand(),        &PerfProduceCommand(),
          &PerfConsumeCommand(),    &ApiVersionsCommand(),
          &SniffCommand(),          &DescribeQuorumCommand(),
          &AddControllerCommand(),  &RemoveControllerCommand(),
          &StartCommand(),          &StopCommand(),
          &StatusCommand(),         &ListCommand(),
          &LogsCommand(),           &CurrentCommand()};
}

// The second words of commands of two: {"produce", "consume"} of "perf".
std::vector<std::string> SecondWords(absl::string_view first) {
  std::vector<std::string> words;
  for (const Command* command : AllCommands()) {
    absl::string_view name = command->name;
    if (absl::ConsumePrefix(&name, absl::StrCat(first, " "))) words.emplace_back(name);
  }
  return words;
}

// How many words name a command: "perf produce" is two.
size_t NameWords(absl::Span<const std::string> words) {
  const bool two = words.size() > 1 && !absl::StartsWith(words[1], "-");
  return two && !SecondWords(words[0]).empty() ? 2 : 1;
}

// `logs node-1`: what is neither a flag nor the value of one.
std::vector<std::string> NamesNode(std::vector<std::string> words) {
  for (size_t i = 1; i < words.size(); ++i) {
    const std::string& before = words[i - 1];
    const bool is_value = before == "--node" || before == "--lines" || before == "-n";
    if (!is_value && !absl::StartsWith(words[i], "-")) words[i] = absl::StrCat("--node=", words[i]);
  }
  return words;
}

// With the second word of the command's name at its place: kafka-metadata-quorum.sh has it behind
// the flags about servers. Voters are what KIP-853 calls who `quorum` calls controllers.
std::vector<std::string> InOrder(absl::Span<const std::string> words) {
  std::vector<std::string> ordered(words.begin(), words.end());
  if (ordered.empty()) return ordered;
  if (ordered[0] == "log") ordered[0] = "logs";
  if (ordered[0] == "logs") return NamesNode(std::move(ordered));
  const std::vector<std::string> known = SecondWords(ordered[0]);
  for (size_t i = 1; i < ordered.size() && !known.empty(); ++i) {
    if (ordered[0] == "quorum" && ordered[i] == "add-voter") ordered[i] = "add-controller";
    if (ordered[0] == "quorum" && ordered[i] == "remove-voter") ordered[i] = "remove-controller";
    if (std::find(known.begin(), known.end(), ordered[i]) == known.end()) continue;
    std::rotate(ordered.begin() + 1, ordered.begin() + static_cast<ptrdiff_t>(i),
                ordered.begin() + static_cast<ptrdiff_t>(i) + 1);
    break;
  }
  return ordered;
}

const Command* FindCommand(absl::Span<const std::string> words) {
  const std::string name = absl::StrJoin(words.subspan(0, NameWords(words)), " ");
  for (const Command* command : AllCommands()) {
    if (name == command->name) return command;
  }
  return nullptr;
}

int Complain(absl::string_view command, const absl::Status& status) {
  std::fprintf(stderr, "weir %s: %s\n", std::string(command).c_str(),
               std::string(status.message()).c_str());
  if (!IsUsageError(status)) return 1;
  std::fprintf(stderr, "weir %s --help says what there is\n", std::string(command).c_str());
  return 2;
}

// "--topic TOPIC"
std::string Spelling(const FlagSpec& flag) {
  switch (flag.kind) {
    case FlagKind::kSwitch:
      return absl::StrCat("--", flag.name);
    case FlagKind::kOptional:
      return absl::StrCat("--", flag.name, " [", flag.value, "]");
    case FlagKind::kOne:
      return absl::StrCat("--", flag.name, " ", flag.value);
    case FlagKind::kMany:
    case FlagKind::kWords:
      return absl::StrCat("--", flag.name, " ", flag.value, " ...");
  }
  return "";
}

absl::Status RunCommand(const Command& command, absl::Span<const std::string> words, int* code) {
  const std::vector<FlagSpec> specs = AllFlags(command);
  // Whoever asks for help gets it, whatever else was typed.
  for (const std::string& word : words) {
    if (word == "--help" || word == "-h") {
      std::fputs(CommandHelp(command).c_str(), stdout);
      return absl::OkStatus();
    }
  }
  WEIR_ASSIGN_OR_RETURN(Flags flags, Flags::Parse(specs, words));
  Context context(command.name, std::move(flags));
  const absl::Status status = command.run(context);
  context.out().Flush();
  if (context.failed()) *code = 1;
  WEIR_RETURN_IF_ERROR(status);
  // A reader that has enough, as head does, is no fault.
  const absl::Status& printed = context.out().status();
  return printed.code() == absl::StatusCode::kUnavailable ? absl::OkStatus() : printed;
}

}  // namespace

Context::Context(std::string command, Flags flags)
    : command_(std::move(command)), flags_(std::move(flags)), out_(flags_.Has("json")) {}
Context::~Context() = default;

absl::StatusOr<Remote*> Context::Connect() {
  if (remote_ != nullptr) return remote_.get();
  if (flags_.Has("bootstrap-server")) {
    properties_.Set("bootstrap.servers", flags_.Text("bootstrap-server"));
  }
  if (flags_.Has("command-config")) {
    WEIR_RETURN_IF_ERROR(properties_.SetFromFile(flags_.Text("command-config")));
  }
  WEIR_ASSIGN_OR_RETURN(remote_, Remote::Connect(&properties_));
  return remote_.get();
}

void Context::Note(absl::string_view text) {
  out_.Flush();
  std::fprintf(stderr, "weir %s: %s\n", command_.c_str(), std::string(text).c_str());
}

void Context::Fail(const absl::Status& status) {
  Note(status.message());
  failed_ = true;
}

const Command& ServerCommand() {
  static const Command command = {
      "server",
      "run a node of a cluster with the settings of a .properties file of Kafka's",
      "server\n"
      "server server.properties --override log.dirs=/var/lib/weir --override num.partitions=6",
      kServerFlags,
      false,
      nullptr};
  return command;
}

std::vector<FlagSpec> AllFlags(const Command& command) {
  std::vector<FlagSpec> flags(command.flags.begin(), command.flags.end());
  if (command.asks_brokers) {
    flags.insert(flags.end(), std::begin(kBrokerFlags), std::end(kBrokerFlags));
  }
  for (const FlagSpec& flag : kCommonFlags) {
    if (command.run != nullptr || flag.name != absl::string_view("json")) flags.push_back(flag);
  }
  return flags;
}

std::string CommandList() {
  std::string text;
  for (const Command* command : AllCommands()) {
    std::string name = absl::StrCat("  weir ", command->name);
    name.resize(44, ' ');
    absl::StrAppend(&text, name, command->summary, "\n");
  }
  return text;
}

std::string CommandHelp(const Command& command) {
  std::string text = absl::StrCat("weir ", command.name, ": ", command.summary, "\n\n");
  for (absl::string_view line : absl::StrSplit(command.examples, '\n')) {
    absl::StrAppend(&text, "  weir ", line, "\n");
  }
  absl::StrAppend(&text, "\n");
  for (const FlagSpec& flag : AllFlags(command)) {
    std::string spelling = absl::StrCat("  ", Spelling(flag));
    if (spelling.size() < 40) spelling.resize(40, ' ');
    absl::StrAppend(&text, spelling, "  ", flag.help,
                    flag.also == nullptr ? "" : absl::StrCat("; also --", flag.also), "\n");
  }
  return text;
}

namespace {

// What scripts for Kafka's tools may use and find missing.
constexpr char kDocsHead[] =
    "# The command line\n\n"
    "Written by `//server/cli:command_docs` from the tables that `--help` prints. Flags are "
    "spelled "
    "as Apache Kafka's\nown tools spell them, `--flag VALUE` or `--flag=VALUE`. Results go to "
    "standard output, all else to standard\nerror; the exit code is 1 when something was refused "
    "or "
    "failed and 2 for words that were typed wrongly.\n\n"
    "Kafka's tools have more. Not available yet are:\n\n"
    "- the commands `weir acls`, `weir transactions` and `weir top`\n"
    "- `topics`: `--topic-id`, and `--replica-assignment` with `--alter`\n"
    "- `groups`: `--from-file`, `--export` and `--timeout`\n"
    "- `configs`: `--add-config-file`, and `--entity-type users`, `clients` and `ips` with "
    "`--user`, "
    "`--client` and `--ip`: quotas\n  and SCRAM credentials are set with Kafka's own tool, and "
    "kept\n";

void AddDocs(const Command& command, std::string* text) {
  absl::StrAppend(text, "\n## weir ", command.name, "\n\nTo ", command.summary, ".\n\n```\n");
  for (absl::string_view line : absl::StrSplit(command.examples, '\n')) {
    absl::StrAppend(text, "weir ", line, "\n");
  }
  absl::StrAppend(text, "```\n\n| flag | meaning |\n|---|---|\n");
  for (const FlagSpec& flag : AllFlags(command)) {
    absl::StrAppend(text, "| `", Spelling(flag), "` | ", flag.help,
                    flag.also == nullptr ? "" : absl::StrCat("; also `--", flag.also, "`"), " |\n");
  }
}

}  // namespace

std::string CommandDocs() {
  std::string text = kDocsHead;
  AddDocs(ServerCommand(), &text);
  absl::StrAppend(&text, "\nThe keys are in [CONFIGURATION.md](CONFIGURATION.md).\n");
  for (const Command* command : AllCommands()) AddDocs(*command, &text);
  return text;
}

bool IsCommand(absl::Span<const std::string> words) {
  return !words.empty() &&
         (!SecondWords(words[0]).empty() || FindCommand(InOrder(words)) != nullptr);
}

std::vector<std::string> CommandNames() {
  std::vector<std::string> names;
  for (const Command* command : AllCommands()) names.push_back(command->name);
  return names;
}

int Run(absl::Span<const std::string> words) {
  // A reader that is gone is noticed where it is written to.
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> ordered = InOrder(words);
  const Command* command = FindCommand(ordered);
  if (command == nullptr && std::find(words.begin(), words.end(), "--help") != words.end()) {
    for (const Command* one : AllCommands()) {
      if (!absl::StartsWith(one->name, absl::StrCat(words[0], " "))) continue;
      std::fputs(CommandHelp(*one).c_str(), stdout);
    }
    return 0;
  }
  if (command == nullptr) {
    return Complain(words[0], UsageError(absl::StrCat("expected one of ",
                                                      absl::StrJoin(SecondWords(words[0]), ", "),
                                                      " behind it")));
  }
  int code = 0;
  const absl::Span<const std::string> rest =
      absl::MakeConstSpan(ordered).subspan(NameWords(ordered));
  const absl::Status status = RunCommand(*command, rest, &code);
  return status.ok() ? code : Complain(command->name, status);
}

void CatchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = OnInterrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // a second one ends the process
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool Interrupted() { return interrupted != 0; }

}  // namespace weir::cli
