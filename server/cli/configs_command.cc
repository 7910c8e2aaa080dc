// weir configs: describe and alter the configurations of topics, brokers and groups.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "client/admin_types.h"
#include "protocol/api/describe_configs.h"
#include "server/cli/command.h"
#include "server/cli/config_edits.h"
#include "server/cli/flags.h"
#include "server/cli/output.h"
#include "server/cli/remote.h"

namespace weir::cli {

namespace {

constexpr FlagSpec kConfigsFlags[] = {
    {"describe", FlagKind::kSwitch, "", "print what was set"},
    {"alter", FlagKind::kSwitch, "", "set or remove keys"},
    {"entity-type", FlagKind::kOne, "TYPE",
     "topics, brokers, broker-loggers, groups or client-metrics"},
    {"entity-name", FlagKind::kOne, "NAME", "a topic, the id of a broker, ..."},
    {"entity-default", FlagKind::kSwitch, "", "what all brokers have"},
    {"topic", FlagKind::kOne, "TOPIC", "the same as --entity-type topics --entity-name TOPIC"},
    {"broker", FlagKind::kOne, "ID", "the same as --entity-type brokers --entity-name ID"},
    {"group", FlagKind::kOne, "GROUP", "the same as --entity-type groups --entity-name GROUP"},
    {"all", FlagKind::kSwitch, "", "describe defaults too"},
    {"add-config", FlagKind::kMany, "KEY=VALUE[,...]",
     "set keys; a value with commas stands in brackets: KEY=[A,B]"},
    {"delete-config", FlagKind::kMany, "KEY[,...]", "remove what was set"},
};

struct EntityType {
  const char* plural;
  const char* singular;
  int8_t resource;
};
constexpr EntityType kTypes[] = {
    {"topics", "topic", protocol::kTopicResource},
    {"brokers", "broker", protocol::kBrokerResource},
    {"broker-loggers", "broker-logger", protocol::kBrokerLoggerResource},
    {"groups", "group", protocol::kGroupResource},
    {"client-metrics", "client-metric", protocol::kClientMetricsResource},
};

const char* SourceName(int8_t source) {
  switch (source) {
    case protocol::kTopicConfigSource:
      return "DYNAMIC_TOPIC_CONFIG";
    case protocol::kDynamicBrokerConfigSource:
      return "DYNAMIC_BROKER_CONFIG";
    case protocol::kDynamicDefaultBrokerConfigSource:
      return "DYNAMIC_DEFAULT_BROKER_CONFIG";
    case protocol::kStaticBrokerConfigSource:
      return "STATIC_BROKER_CONFIG";
    case protocol::kDefaultConfigSource:
      return "DEFAULT_CONFIG";
    case 6:
      return "DYNAMIC_BROKER_LOGGER_CONFIG";
    case 7:
      return "DYNAMIC_CLIENT_METRICS_CONFIG";
    case 8:
      return "DYNAMIC_GROUP_CONFIG";
    default:
      return "UNKNOWN";
  }
}

// What is typed as an entity.
struct Entity {
  EntityType type;
  std::string name;
  bool named = false;
};

absl::StatusOr<Entity> ReadEntity(const Flags& flags) {
  for (const EntityType& type : kTypes) {
    if (flags.Has(type.singular)) return Entity{type, flags.Text(type.singular), true};
  }
  WEIR_ASSIGN_OR_RETURN(const std::string text, flags.Required("entity-type"));
  std::vector<std::string> known;
  for (const EntityType& type : kTypes) {
    known.push_back(type.plural);
    if (text == type.plural) {
      return Entity{type, flags.Text("entity-name"),
                    flags.Has("entity-name") || flags.Has("entity-default")};
    }
  }
  return UsageError(absl::StrCat("--entity-type: expected one of ", absl::StrJoin(known, ", "),
                                 ", came '", text, "'", DidYouMean(text, known)));
}

std::string Shown(const Entity& entity) {
  return entity.name.empty() ? absl::StrCat("the default ", entity.type.singular)
                             : absl::StrCat(entity.type.singular, " ", entity.name);
}

using Config = protocol::DescribeConfigsResponse::DescribeConfigsResourceResult;

bool WasSet(const Config& config) {
  return config.config_source != protocol::kDefaultConfigSource &&
         config.config_source != protocol::kStaticBrokerConfigSource;
}

std::string ValueOf(const Config& config) {
  return config.is_sensitive ? "null" : config.value.value_or("null");
}

void PrintAsText(Context& context, const Entity& entity, const std::vector<Config>& configs) {
  const bool all = context.flags().Has("all");
  context.out().Line(
      absl::StrCat(all ? "All" : "Dynamic", " configs for ", Shown(entity), " are:"));
  for (const Config& config : configs) {
    if (!all && !WasSet(config)) continue;
    std::vector<std::string> synonyms;
    for (const auto& synonym : config.synonyms) {
      synonyms.push_back(absl::StrCat(SourceName(synonym.source), ":", synonym.name, "=",
                                      synonym.value.value_or("null")));
    }
    context.out().Line(absl::StrCat("  ", config.name, "=", ValueOf(config),
                                    " sensitive=", config.is_sensitive ? "true" : "false",
                                    " synonyms={", absl::StrJoin(synonyms, ", "), "}"));
  }
}

void AddAsJson(Context& context, const Entity& entity, const std::vector<Config>& configs,
               JsonWriter* json) {
  json->BeginObject().Key("entity_type").String(entity.type.plural);
  json->Key("entity_name").String(entity.name).Key("configs").BeginArray();
  for (const Config& config : configs) {
    if (!context.flags().Has("all") && !WasSet(config)) continue;
    json->BeginObject().Key("name").String(config.name).Key("value");
    if (config.is_sensitive || !config.value.has_value()) {
      json->Null();
    } else {
      json->String(*config.value);
    }
    json->Key("source").String(SourceName(config.config_source));
    json->Key("read_only").Bool(config.read_only).Key("sensitive").Bool(config.is_sensitive);
    json->EndObject();
  }
  json->EndArray().EndObject();
}

// The entities to describe when none is named.
absl::StatusOr<std::vector<std::string>> AllNames(Remote& remote, const Entity& entity) {
  std::vector<std::string> names;
  if (entity.type.resource == protocol::kTopicResource) {
    WEIR_ASSIGN_OR_RETURN(const std::vector<Remote::Topic> topics, remote.ListTopics());
    for (const Remote::Topic& topic : topics) names.push_back(*topic.name);
  } else if (entity.type.resource == protocol::kBrokerResource ||
             entity.type.resource == protocol::kBrokerLoggerResource) {
    WEIR_ASSIGN_OR_RETURN(const std::vector<Remote::Broker> brokers, remote.ListBrokers());
    for (const Remote::Broker& broker : brokers) names.push_back(absl::StrCat(broker.id));
  } else {
    return UsageError("--entity-name is needed");
  }
  return names;
}

absl::Status Describe(Context& context, Remote& remote, Entity entity) {
  std::vector<std::string> names{entity.name};
  if (!entity.named) {
    WEIR_ASSIGN_OR_RETURN(names, AllNames(remote, entity));
  }
  JsonWriter json;
  json.BeginArray();
  for (const std::string& name : names) {
    entity.name = name;
    WEIR_ASSIGN_OR_RETURN(const client::ConfigOutcome outcome,
                          remote.DescribeConfigs(entity.type.resource, name));
    if (!outcome.status.ok()) {
      context.Fail(outcome.status);
    } else if (context.out().json()) {
      AddAsJson(context, entity, outcome.configs, &json);
    } else {
      PrintAsText(context, entity, outcome.configs);
    }
  }
  if (context.out().json()) context.out().Print(json.EndArray());
  return absl::OkStatus();
}

absl::Status Alter(Context& context, Remote& remote, const Entity& entity,
                   const std::vector<client::ConfigEdit>& edits) {
  WEIR_RETURN_IF_ERROR(remote.IncrementalAlterConfigs(entity.type.resource, entity.name, edits));
  if (context.out().json()) {
    context.out().Print(JsonWriter().BeginObject().Key("altered").String(entity.name).EndObject());
  } else {
    context.out().Line(absl::StrCat("Completed updating config for ", Shown(entity), "."));
  }
  return absl::OkStatus();
}

absl::Status RunConfigs(Context& context) {
  const Flags& flags = context.flags();
  WEIR_ASSIGN_OR_RETURN(const std::string action, flags.ExactlyOne({"describe", "alter"}));
  WEIR_ASSIGN_OR_RETURN(const Entity entity, ReadEntity(flags));
  WEIR_ASSIGN_OR_RETURN(const std::vector<client::ConfigEdit> edits,
                        ParseConfigEdits(flags.All("add-config"), flags.All("delete-config")));
  if (action == "describe") {
    if (!edits.empty()) return UsageError("--describe changes nothing: expected --alter");
    WEIR_ASSIGN_OR_RETURN(Remote * remote, context.Connect());
    return Describe(context, *remote, entity);
  }
  if (!entity.named) return UsageError("--entity-name is needed");
  if (edits.empty()) return UsageError("--alter: expected --add-config or --delete-config");
  WEIR_ASSIGN_OR_RETURN(Remote * remote, context.Connect());
  return Alter(context, *remote, entity, edits);
}

}  // namespace

const Command& ConfigsCommand() {
  static const Command command = {
      "configs",
      "describe and alter configurations",
      "configs --describe --entity-type topics --entity-name orders --all\n"
      "configs --alter --entity-type topics --entity-name orders --add-config retention.ms=1000\n"
      "configs --alter --topic orders --delete-config retention.ms",
      kConfigsFlags,
      true,
      RunConfigs};
  return command;
}

}  // namespace weir::cli
