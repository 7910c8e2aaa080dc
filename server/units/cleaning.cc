// Compaction, from the table of partitions to the thread that cleans.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/log_cleaner.cc"
#include "server/partition_cleaning.cc"
