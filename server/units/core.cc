// The core and the table of partitions: their logs, how they are recovered and cleaned.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/broker_core.cc"
#include "server/log_cleaner.cc"
#include "server/partition_cleaning.cc"
#include "server/partition_table.cc"
#include "server/recovery.cc"
