// The configuration and its text.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/broker_config.cc"
#include "server/config_text.cc"
#include "server/node_tls.cc"
