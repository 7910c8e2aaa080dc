// -----------------------------------------------------------------------------
// File: server/broker_config_reader.h
// -----------------------------------------------------------------------------
// Properties into a BrokerConfig.
// Errors: kInvalidArgument with one line for each thing that is wrong: where it was set, what was
// said and what was expected; an unknown key with the known one that is most like it.
#ifndef WEIR_SERVER_BROKER_CONFIG_READER_H_
#define WEIR_SERVER_BROKER_CONFIG_READER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/broker_config.h"
#include "server/properties.h"

namespace weir::server {

// Reads and checks everything that was set. Keys without an effect are named in *notices (which may
// be null), one line each.
absl::StatusOr<BrokerConfig> ReadBrokerConfig(const Properties& properties,
                                              std::vector<std::string>* notices);

}  // namespace weir::server

#endif  // WEIR_SERVER_BROKER_CONFIG_READER_H_
