// What is said to commands and what they say, and the local clusters that some of them start.
// Files of JSON that say what is to move, too.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/cli/client_properties.cc"
#include "server/cli/flags.cc"
#include "server/cli/json_reader.cc"
#include "server/cli/line_parser.cc"
#include "server/cli/local_cluster.cc"
#include "server/cli/local_files.cc"
#include "server/cli/local_plan.cc"
#include "server/cli/local_process.cc"
#include "server/cli/output.cc"
#include "server/cli/reassign_plan.cc"
#include "server/cli/record_printer.cc"
#include "server/cli/reset_plan.cc"
