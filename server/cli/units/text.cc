// What commands read and write: tables, JSON, records as lines of text.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/cli/line_parser.cc"
#include "server/cli/output.cc"
#include "server/cli/record_printer.cc"
