// What is in the files of a log.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/cli/dump_decoders.cc"
#include "server/cli/dump_log_command.cc"
