// Everything that opens logs: log/log.h alone takes four seconds to compile.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/controller_driver.cc"
#include "server/partition_table.cc"
#include "server/recovery.cc"
