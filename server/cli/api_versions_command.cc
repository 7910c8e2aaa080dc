// weir api-versions: which versions of which APIs each broker speaks.

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "protocol/api/api_versions.h"
#include "protocol/api_key.h"
#include "server/cli/command.h"
#include "server/cli/flags.h"
#include "server/cli/output.h"
#include "server/cli/remote.h"

namespace weir::cli {

namespace {

Table ApiTable(const protocol::ApiVersionsResponse& versions) {
  Table table({"KEY", "API", "MIN", "MAX"});
  for (const auto& api : versions.api_keys) {
    table.Add({int32_t{api.api_key}, protocol::ApiName(static_cast<protocol::ApiKey>(api.api_key)),
               int32_t{api.min_version}, int32_t{api.max_version}});
  }
  return table;
}

Table FeatureTable(const protocol::ApiVersionsResponse& versions) {
  Table table({"FEATURE", "MIN", "MAX", "FINALIZED"});
  for (const auto& feature : versions.supported_features) {
    Cell finalized;
    for (const auto& one : versions.finalized_features) {
      if (one.name == feature.name) finalized = Cell(int32_t{one.max_version_level});
    }
    table.Add(
        {feature.name, int32_t{feature.min_version}, int32_t{feature.max_version}, finalized});
  }
  return table;
}

absl::Status RunApiVersions(Context& context) {
  WEIR_ASSIGN_OR_RETURN(Remote * remote, context.Connect());
  WEIR_ASSIGN_OR_RETURN(const std::vector<Remote::Broker> brokers, remote->ListBrokers());
  JsonWriter json;
  json.BeginArray();
  for (const Remote::Broker& broker : brokers) {
    const auto versions = remote->ApiVersions(broker.id);
    if (!versions.ok()) {
      context.Fail(versions.status());
      continue;
    }
    if (!context.out().json()) {
      context.out().Line(absl::StrCat(broker.host, ":", broker.port, " (id: ", broker.id,
                                      " rack: ", broker.rack.empty() ? "null" : broker.rack, ")"));
      context.out().Print(ApiTable(*versions));
      context.out().Print(FeatureTable(*versions));
      continue;
    }
    json.BeginObject().Key("broker").Number(int64_t{broker.id}).Key("host").String(broker.host);
    json.Key("port").Number(int64_t{broker.port}).Key("apis").BeginArray();
    ApiTable(*versions).AddTo(&json);
    json.EndArray().Key("features").BeginArray();
    FeatureTable(*versions).AddTo(&json);
    json.EndArray().EndObject();
  }
  if (context.out().json()) context.out().Print(json.EndArray());
  return absl::OkStatus();
}

}  // namespace

const Command& ApiVersionsCommand() {
  static const Command command = {"api-versions",
                                  "print which versions of which APIs brokers speak",
                                  "api-versions --bootstrap-server localhost:9092",
                                  {},
                                  true,
                                  RunApiVersions};
  return command;
}

}  // namespace weir::cli
