// The configuration of brokers and of topics.
#include "server/broker_config.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/ids.h"
#include "base/sort.h"
#include "base/status_macros.h"
#include "coordination/metadata/throttle_rates.h"
#include "protocol/record_codec.h"
#include "server/broker_config_reader.h"
#include "server/config_def.h"
#include "server/config_table_effective.h"
#include "server/config_table_no_effect.h"
#include "server/config_table_not_yet.h"
#include "server/listener.h"
#include "server/node_tls.h"
#include "server/properties.h"
#include "server/throttled_replicas.h"
#include "server/topic_config.h"
#include "server/topic_config_table.h"

namespace weir::server {

// --- broker_config.h -----------------------------------------------------------------------------

const std::vector<ConfigDef>& BrokerConfigTable() {
  static const std::vector<ConfigDef>* const table = [] {
    auto* rows = new std::vector<ConfigDef>;
    rows->insert(rows->end(), std::begin(kEffectiveBrokerConfigs),
                 std::end(kEffectiveBrokerConfigs));
    rows->insert(rows->end(), std::begin(kNotYetBrokerConfigs), std::end(kNotYetBrokerConfigs));
    rows->insert(rows->end(), std::begin(kNoEffectBrokerConfigs), std::end(kNoEffectBrokerConfigs));
    Sort(*rows, [](const ConfigDef& a, const ConfigDef& b) {
      return absl::string_view(a.name) < absl::string_view(b.name);
    });
    return rows;
  }();
  return *table;
}

// --- broker_config_reader.h ----------------------------------------------------------------------

namespace {

// Collects one message for each thing that is wrong.
class Problems {
 public:
  void Add(absl::string_view message) { messages_.emplace_back(message); }
  void Add(const Properties& settings, absl::string_view key, absl::string_view message) {
    const Property* set = settings.Find(key);
    messages_.push_back(absl::StrCat(set != nullptr ? set->origin : std::string("default"), ": ",
                                     key, ": ", message));
  }
  absl::Status status() const {
    if (messages_.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrJoin(messages_, "\n"));
  }

 private:
  std::vector<std::string> messages_;
};

std::string UnknownKeyMessage(absl::string_view key) {
  if (absl::StartsWith(key, "listener.name.")) {
    return absl::StrCat("key '", key,
                        "': such settings of one listener are not available in Weir yet");
  }
  const ConfigDef* nearest = NearestConfig(BrokerConfigTable(), key);
  if (nearest == nullptr) {
    return absl::StrCat("unknown key '", key, "': docs/CONFIGURATION.md lists the keys");
  }
  return absl::StrCat("unknown key '", key, "': did you mean '", nearest->name, "'?");
}

// Checks each setting by itself; those that are fine end up in `accepted`.
void CheckSettings(const Properties& properties, Properties* accepted, Problems* problems,
                   std::vector<std::string>* notices) {
  for (const Property& property : properties.entries()) {
    Property setting = property;
    setting.value = std::string(absl::StripAsciiWhitespace(property.value));
    const absl::string_view of_listener = KeyOfListener(property.key);
    const ConfigDef* def =
        FindConfig(BrokerConfigTable(), of_listener.empty() ? property.key : of_listener);
    if (def == nullptr) {
      problems->Add(absl::StrCat(property.origin, ": ", UnknownKeyMessage(property.key)));
      continue;
    }
    if (const absl::Status status = CheckConfigSetting(*def, setting.value); !status.ok()) {
      problems->Add(absl::StrCat(property.origin, ": ", status.message()));
      continue;
    }
    if (def->effect == ConfigEffect::kNoEffect && notices != nullptr) {
      notices->push_back(
          absl::StrCat(property.origin, ": ", property.key, " has no effect: ", def->doc));
    }
    accepted->Set(std::move(setting));
  }
}

int64_t Number(const BrokerConfig& config, absl::string_view key) {
  int64_t number = 0;
  const std::optional<std::string> text = config.Value(key);
  WEIR_CHECK(text.has_value() && absl::SimpleAtoi(*text, &number));
  return number;
}
int32_t Int(const BrokerConfig& config, absl::string_view key) {
  return static_cast<int32_t>(Number(config, key));
}
bool Bool(const BrokerConfig& config, absl::string_view key) {
  return absl::EqualsIgnoreCase(*config.Value(key), "true");
}
std::string Text(const BrokerConfig& config, absl::string_view key) {
  return config.Value(key).value_or("");
}

double Double(const BrokerConfig& config, absl::string_view key) {
  double number = 0;
  const std::optional<std::string> text = config.Value(key);
  WEIR_CHECK(text.has_value() && absl::SimpleAtod(*text, &number));
  return number;
}

void ReadCleaner(BrokerConfig* config, Problems* problems) {
  config->cleaner_threads =
      Bool(*config, "log.cleaner.enable") ? Int(*config, "log.cleaner.threads") : 0;
  config->cleaner_dedupe_buffer_bytes = Number(*config, "log.cleaner.dedupe.buffer.size");
  config->cleaner_dedupe_buffer_load_factor = Double(*config, "log.cleaner.io.buffer.load.factor");
  config->cleaner_io_buffer_bytes = Int(*config, "log.cleaner.io.buffer.size");
  config->cleaner_io_bytes_per_second_max = Double(*config, "log.cleaner.io.max.bytes.per.second");
  config->cleaner_backoff_ms = Number(*config, "log.cleaner.backoff.ms");
  constexpr int64_t kDedupeBytesMin = 1 << 20;
  if (config->cleaner_dedupe_buffer_bytes < kDedupeBytesMin * config->cleaner_threads) {
    problems->Add(config->settings, "log.cleaner.dedupe.buffer.size",
                  absl::StrCat("is ", config->cleaner_dedupe_buffer_bytes,
                               ": expected at least 1 MiB for each of ", config->cleaner_threads,
                               " threads"));
  }
  const double load = config->cleaner_dedupe_buffer_load_factor;
  if (!(load > 0 && load <= 1)) {
    problems->Add(config->settings, "log.cleaner.io.buffer.load.factor",
                  "expected above 0 and at most 1");
  }
  if (!(config->cleaner_io_bytes_per_second_max > 0)) {
    problems->Add(config->settings, "log.cleaner.io.max.bytes.per.second", "expected above 0");
  }
}

void ReadGroupScalars(BrokerConfig* config) {
  config->group_initial_rebalance_delay_ms = Int(*config, "group.initial.rebalance.delay.ms");
  config->group_session_timeout_min_ms = Int(*config, "group.min.session.timeout.ms");
  config->group_session_timeout_max_ms = Int(*config, "group.max.session.timeout.ms");
  config->group_members_max = Int(*config, "group.max.size");
  config->offset_metadata_bytes_max = Int(*config, "offset.metadata.max.bytes");
  config->offsets_commit_timeout_ms = Int(*config, "offsets.commit.timeout.ms");
  config->offsets_retention_minutes = Int(*config, "offsets.retention.minutes");
  config->offsets_retention_check_interval_ms =
      Number(*config, "offsets.retention.check.interval.ms");
  config->offsets_topic_partitions = Int(*config, "offsets.topic.num.partitions");
  config->offsets_topic_replication_factor =
      static_cast<int16_t>(Number(*config, "offsets.topic.replication.factor"));
  config->offsets_topic_segment_bytes = Int(*config, "offsets.topic.segment.bytes");
}

void ReadScalars(BrokerConfig* config) {
  config->rack = config->Value("broker.rack");
  config->num_partitions = Int(*config, "num.partitions");
  config->default_replication_factor = Int(*config, "default.replication.factor");
  config->quorum_election_timeout_ms = Int(*config, "controller.quorum.election.timeout.ms");
  config->broker_heartbeat_interval_ms = Int(*config, "broker.heartbeat.interval.ms");
  config->broker_session_timeout_ms = Int(*config, "broker.session.timeout.ms");
  config->broker_registration_timeout_ms = Int(*config, "initial.broker.registration.timeout.ms");
  config->metadata_snapshot_bytes =
      Number(*config, "metadata.log.max.record.bytes.between.snapshots");
  config->metadata_snapshot_interval_ms = Number(*config, "metadata.log.max.snapshot.interval.ms");
  config->controlled_shutdown = Bool(*config, "controlled.shutdown.enable");
  config->auto_leader_rebalance = Bool(*config, "auto.leader.rebalance.enable");
  config->leader_imbalance_check_interval_seconds =
      Number(*config, "leader.imbalance.check.interval.seconds");
  config->unclean_leader_election = Bool(*config, "unclean.leader.election.enable");
  config->min_insync_replicas = Int(*config, kMinInsyncReplicas);
  config->replica_lag_time_max_ms = Number(*config, "replica.lag.time.max.ms");
  config->prefers_replicas_by_rack = config->Value("replica.selector.class").has_value();
  config->auto_create_topics = Bool(*config, "auto.create.topics.enable");
  config->delete_topics_enabled = Bool(*config, "delete.topic.enable");
  config->request_bytes_max = Int(*config, "socket.request.max.bytes");
  config->socket_send_buffer_bytes = Int(*config, "socket.send.buffer.bytes");
  config->socket_receive_buffer_bytes = Int(*config, "socket.receive.buffer.bytes");
  config->listen_backlog = Int(*config, "socket.listen.backlog.size");
  config->connections_idle_ms_max = Number(*config, "connections.max.idle.ms");
  config->connections_max = Int(*config, "max.connections");
  config->fetch_bytes_max = Int(*config, "fetch.max.bytes");
  config->fetch_session_slots = Int(*config, "max.incremental.fetch.session.cache.slots");
  config->producer_id_expiration_ms = Int(*config, "producer.id.expiration.ms");
  config->producer_id_expiration_check_interval_ms =
      Int(*config, "producer.id.expiration.check.interval.ms");
  config->initial_task_delay_ms = Number(*config, "log.initial.task.delay.ms");
  config->retention_check_interval_ms = Number(*config, "log.retention.check.interval.ms");
  config->recovery_point_interval_ms = Int(*config, "log.flush.offset.checkpoint.interval.ms");
  config->recovery_threads = Int(*config, "num.recovery.threads.per.data.dir");
  ReadGroupScalars(config);
  config->flush_policy =
      Text(*config, "weir.flush.policy") == "os" ? FlushPolicy::kOs : FlushPolicy::kAck;
  config->full_batch_validation = Text(*config, "weir.batch.validation") == "full";
  config->reactors = Int(*config, "weir.reactors");
  config->scrub_bytes_per_second = Number(*config, "weir.scrub.bytes.per.second");
  config->scrub_interval_ms = Number(*config, "weir.scrub.interval.ms");
  const std::string poller = Text(*config, "weir.poller");
  config->poller = poller == "epoll"      ? PollerChoice::kEpoll
                   : poller == "io_uring" ? PollerChoice::kIoUring
                                          : PollerChoice::kAuto;
}

// One form for each directory that is written in one of many: "/a//b/." is "/a/b".
std::string NormalPath(absl::string_view path) {
  std::vector<absl::string_view> parts = absl::StrSplit(path, '/', absl::SkipEmpty());
  std::erase(parts, ".");
  if (parts.empty() && !path.empty()) return path.front() == '/' ? "/" : ".";
  return absl::StrCat(absl::StartsWith(path, "/") ? "/" : "", absl::StrJoin(parts, "/"));
}

void ReadNode(BrokerConfig* config, Problems* problems) {
  const Properties& settings = config->settings;
  const Property* broker_id = settings.Find("broker.id");
  const Property* node_id = settings.Find("node.id");
  config->node_id =
      BrokerId(Int(*config, node_id != nullptr || broker_id == nullptr ? "node.id" : "broker.id"));
  if (config->node_id.value() < 0) problems->Add(settings, "broker.id", "expected at least 0");
  if (broker_id != nullptr && node_id != nullptr &&
      Int(*config, "broker.id") != Int(*config, "node.id")) {
    problems->Add(settings, "broker.id",
                  absl::StrCat("is ", broker_id->value, ", but node.id is ", node_id->value,
                               ": expected them to agree; one is enough"));
  }
  std::vector<std::string> roles = SplitConfigList(Text(*config, "process.roles"));
  Sort(roles);
  config->is_broker = std::binary_search(roles.begin(), roles.end(), "broker");
  config->is_controller = std::binary_search(roles.begin(), roles.end(), "controller");
  if (roles.empty() || roles.size() != static_cast<size_t>(config->is_broker) +
                                           static_cast<size_t>(config->is_controller)) {
    problems->Add(settings, "process.roles",
                  absl::StrCat("is '", Text(*config, "process.roles"),
                               "': expected broker, controller or broker,controller"));
  }
  if (const Property* set = settings.Find("metadata.log.dir")) {
    config->metadata_directory = NormalPath(set->value);
  }
  const char* key = settings.Find("log.dirs") != nullptr ? "log.dirs" : "log.dir";
  if (settings.Find(key) == nullptr) return;
  std::vector<std::string> directories = SplitConfigList(Text(*config, key));
  for (std::string& directory : directories) directory = NormalPath(directory);
  const std::set<std::string> distinct(directories.begin(), directories.end());
  if (directories.empty() || distinct.count("") > 0 || distinct.size() < directories.size()) {
    problems->Add(settings, key,
                  absl::StrCat("is '", Text(*config, key),
                               "': expected one directory at least, and none twice"));
    return;
  }
  config->data_directories = directories;
}

// 0 would delete everything at once, which nobody means.
void CheckRetention(const BrokerConfig& config, Problems* problems) {
  for (const char* key : {"log.retention.ms", "log.retention.minutes", "log.retention.hours"}) {
    if (config.settings.Find(key) != nullptr && Number(config, key) == 0) {
      problems->Add(config.settings, key, "is 0: expected -1 (never) or at least 1");
    }
  }
}

std::vector<Listener> ReadListeners(const BrokerConfig& config, absl::string_view key,
                                    Problems* problems) {
  absl::StatusOr<std::vector<Listener>> parsed = ParseListeners(Text(config, key));
  if (parsed.ok()) return *std::move(parsed);
  problems->Add(config.settings, key, parsed.status().message());
  return {};
}

// The protocol that listener.security.protocol.map gives to a name; empty where it says nothing.
// A controller listener is PLAINTEXT where no map is set, as in Kafka.
std::string ProtocolOf(const BrokerConfig& config, absl::string_view name, bool of_controller) {
  constexpr absl::string_view kKey = "listener.security.protocol.map";
  for (const std::string& entry : SplitConfigList(Text(config, kKey))) {
    const size_t colon = entry.find(':');
    if (colon != std::string::npos &&
        absl::EqualsIgnoreCase(absl::string_view(entry).substr(0, colon), name)) {
      return absl::AsciiStrToUpper(absl::string_view(entry).substr(colon + 1));
    }
  }
  return of_controller && config.settings.Find(kKey) == nullptr ? "PLAINTEXT" : "";
}

// Whether the listener speaks TLS, which only that between nodes may do so far.
bool CheckProtocol(const BrokerConfig& config, absl::string_view name, bool is_internal,
                   Problems* problems) {
  const std::string protocol = ProtocolOf(config, name, is_internal);
  if (protocol == "PLAINTEXT") return false;
  if (protocol == "SSL" && is_internal) return true;
  const bool known = protocol == "SSL" || protocol == "SASL_PLAINTEXT" || protocol == "SASL_SSL";
  problems->Add(
      config.settings, "listener.security.protocol.map",
      absl::StrCat("gives listener ", name, " the protocol '", protocol, "': expected PLAINTEXT",
                   is_internal ? " or SSL" : "",
                   !known        ? ""
                   : is_internal ? "; SASL is not available in Weir yet"
                                 : "; encryption and authentication of clients are not available "
                                   "in Weir yet"));
  return false;
}

// Nodes connect to each other both ways, and show the same certificates in both.
void CheckControllersProtocol(const BrokerConfig& config, bool speaks_tls, Problems* problems) {
  if (config.is_controller || !config.internal_listener.has_value()) return;
  for (const std::string& name : SplitConfigList(Text(config, "controller.listener.names"))) {
    const std::string protocol = ProtocolOf(config, name, /*of_controller=*/true);
    if (protocol.empty() || protocol == (speaks_tls ? "SSL" : "PLAINTEXT")) continue;
    problems->Add(config.settings, "listener.security.protocol.map",
                  absl::StrCat("gives the controllers' listener ", name, " the protocol ", protocol,
                               ": expected that of this node's listener for other nodes, ",
                               config.internal_listener->name));
  }
}

void ReadTls(BrokerConfig* config, bool speaks_tls, Problems* problems) {
  std::vector<ConfigProblem> found;
  NodeTls tls =
      ReadNodeTls(config->settings,
                  config->internal_listener.has_value() ? config->internal_listener->name : "",
                  speaks_tls, &found);
  for (const auto& [key, what] : found) problems->Add(config->settings, key, what);
  if (speaks_tls) config->internal_tls = std::move(tls);
  CheckControllersProtocol(*config, speaks_tls, problems);
}

// Which listener is for the other nodes: a controller's is that of controller.listener.names.
std::string InternalListenerName(const BrokerConfig& config, Problems* problems) {
  if (!config.is_controller) {
    return absl::AsciiStrToUpper(Text(config, "weir.internal.listener.name"));
  }
  const std::vector<std::string> names = SplitConfigList(Text(config, "controller.listener.names"));
  if (names.size() > 1) {
    problems->Add(config.settings, "controller.listener.names", "expected one name");
  }
  return names.empty() ? "" : absl::AsciiStrToUpper(names[0]);
}

// Splits `listeners` into those for clients and that for the other nodes.
void ReadOpenListeners(BrokerConfig* config, Problems* problems) {
  std::vector<Listener> all = ReadListeners(*config, "listeners", problems);
  const std::string internal = InternalListenerName(*config, problems);
  const absl::string_view key =
      config->is_controller ? "controller.listener.names" : "weir.internal.listener.name";
  if (!internal.empty() && FindListener(all, internal) == nullptr) {
    problems->Add(config->settings, key,
                  absl::StrCat("names '", internal, "', which is not among the listeners"));
  }
  bool speaks_tls = false;
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (all[i].address.port != 0 && all[i].address.port == all[j].address.port) {
        problems->Add(config->settings, "listeners",
                      absl::StrCat(all[j].ToString(), " and ", all[i].ToString(),
                                   ": expected different ports"));
      }
    }
    const bool is_internal = internal == all[i].name;
    speaks_tls = CheckProtocol(*config, all[i].name, is_internal, problems) || speaks_tls;
    if (is_internal) {
      config->internal_listener = std::move(all[i]);
    } else {
      config->listeners.push_back(all[i]);
    }
  }
  if (config->listeners.empty() == config->is_broker) {
    problems->Add(config->settings, "listeners",
                  config->is_broker
                      ? "expected a listener that is not the controller's"
                      : "expected none but the controller's on a node that is no broker");
  }
  ReadTls(config, speaks_tls, problems);
}

void ReadAdvertisedListeners(BrokerConfig* config, Problems* problems) {
  constexpr absl::string_view kKey = "advertised.listeners";
  const Properties& settings = config->settings;
  const bool explicitly = settings.Find(kKey) != nullptr;
  const std::vector<Listener> advertised =
      explicitly ? ReadListeners(*config, kKey, problems) : config->listeners;
  for (const Listener& listener : advertised) {
    const bool is_internal =
        config->internal_listener.has_value() && config->internal_listener->name == listener.name;
    if (!is_internal && FindListener(config->listeners, listener.name) == nullptr) {
      problems->Add(settings, kKey,
                    absl::StrCat(listener.ToString(),
                                 ": its name is not among the "
                                 "listeners"));
      continue;
    }
    if (listener.address.host == "0.0.0.0" || listener.address.host == "::") {
      problems->Add(
          settings, explicitly ? kKey : "listeners",
          absl::StrCat(listener.ToString(),
                       ": clients cannot connect to a wildcard "
                       "address: expected advertised.listeners with a host they can reach"));
    }
    if (explicitly && listener.address.port == 0) {
      problems->Add(settings, kKey, absl::StrCat(listener.ToString(), ": expected a port"));
    }
    if (is_internal) {
      config->internal_address = listener.address;
    } else {
      config->advertised_listeners.push_back(listener);
    }
  }
  if (!config->is_broker) return;

  constexpr absl::string_view kInterBroker = "inter.broker.listener.name";
  const bool named = settings.Find(kInterBroker) != nullptr;
  const absl::string_view key = named ? kInterBroker : "security.inter.broker.protocol";
  const std::string inter_broker = absl::AsciiStrToUpper(Text(*config, key));
  if (named && settings.Find("security.inter.broker.protocol") != nullptr) {
    problems->Add(settings, kInterBroker,
                  "expected either this or security.inter.broker.protocol, not both");
  }
  if (FindListener(config->advertised_listeners, inter_broker) == nullptr) {
    problems->Add(settings, key,
                  absl::StrCat("names '", inter_broker,
                               "', which is not among the advertised listeners; set "
                               "inter.broker.listener.name to one of them"));
  }
}

// id@host:port of controller.quorum.voters, host:port of controller.quorum.bootstrap.servers.
absl::StatusOr<QuorumMember> ParseQuorumMember(absl::string_view text, bool has_id) {
  QuorumMember member;
  if (has_id) {
    int32_t id = -1;
    const size_t at = text.find('@');
    if (at == absl::string_view::npos || !absl::SimpleAtoi(text.substr(0, at), &id) || id < 0) {
      return absl::InvalidArgumentError(absl::StrCat("'", text, "': expected id@host:port"));
    }
    member.id = BrokerId(id);
    text.remove_prefix(at + 1);
  }
  absl::StatusOr<HostPort> address = ParseHostPort(text);
  if (!address.ok()) return address.status();
  member.address = *std::move(address);
  return member;
}

// Voters that are named by id count, else the servers.
void ReadQuorum(BrokerConfig* config, Problems* problems) {
  constexpr size_t kMembersMax = 31;
  const bool has_ids = !SplitConfigList(Text(*config, "controller.quorum.voters")).empty();
  const absl::string_view key =
      has_ids ? "controller.quorum.voters" : "controller.quorum.bootstrap.servers";
  for (const std::string& entry : SplitConfigList(Text(*config, key))) {
    const absl::StatusOr<QuorumMember> member = ParseQuorumMember(entry, has_ids);
    if (!member.ok()) {
      problems->Add(config->settings, key, member.status().message());
      continue;
    }
    for (const QuorumMember& other : config->quorum) {
      if ((has_ids && other.id == member->id) || other.address == member->address) {
        problems->Add(config->settings, key, absl::StrCat("names ", entry, " twice"));
      }
    }
    config->quorum.push_back(*member);
  }
  if (config->quorum.size() > kMembersMax) {
    problems->Add(config->settings, key,
                  absl::StrCat("names ", config->quorum.size(), " controllers: expected at most ",
                               kMembersMax));
  }
}

// Where this node stands in its quorum.
void CheckQuorum(BrokerConfig* config, Problems* problems) {
  const Properties& settings = config->settings;
  const auto self =
      std::find_if(config->quorum.begin(), config->quorum.end(),
                   [&](const QuorumMember& member) { return member.id == config->node_id; });
  const bool has_ids = !config->quorum.empty() && config->quorum[0].id != kNoBroker;
  const absl::string_view key =
      has_ids ? "controller.quorum.voters" : "controller.quorum.bootstrap.servers";
  if (!config->is_controller) {
    if (config->quorum.empty()) {
      problems->Add(settings, "controller.quorum.voters",
                    "expected the controllers, as id@host:port, on a node that is none");
    } else if (self != config->quorum.end()) {
      problems->Add(settings, key,
                    absl::StrCat("names this node, ", config->node_id.value(),
                                 ", which has not the role of a controller"));
    }
    return;
  }
  if (!config->quorum.empty() && !config->internal_listener.has_value()) {
    problems->Add(settings, key, "is set: expected controller.listener.names too");
    return;
  }
  if (has_ids && self == config->quorum.end()) {
    problems->Add(settings, key,
                  absl::StrCat("expected this node, ", config->node_id.value(), ", among them"));
    return;
  }
  if (config->quorum.size() != 1) return;
  const uint16_t port = config->internal_listener->address.port;
  if (has_ids && port != 0 && config->quorum[0].address.port != port) {
    problems->Add(settings, key,
                  absl::StrCat("names port ", config->quorum[0].address.port, ": expected ", port,
                               ", that of this node's controller listener"));
  }
}

}  // namespace

// The one server of a list is this node where it is on this machine, at the port of its listener.
bool BrokerConfig::is_alone() const {
  if (!is_controller) return false;
  if (quorum.empty()) return true;
  if (quorum.size() > 1) return false;
  if (quorum[0].id != kNoBroker) return quorum[0].id == node_id;
  const HostPort& server = quorum[0].address;
  const HostPort& own = internal_listener->address;
  const bool is_here = server.host == "localhost" || server.host == "127.0.0.1" ||
                       server.host == "::1" || (!own.host.empty() && server.host == own.host);
  return is_here && server.port == own.port;
}

HostPort BrokerConfig::OwnInternalAddress() const {
  if (internal_address.has_value()) return *internal_address;
  for (const QuorumMember& member : quorum) {
    if (member.id == node_id) return member.address;
  }
  return internal_listener->address;
}

absl::StatusOr<BrokerConfig> ReadBrokerConfig(const Properties& properties,
                                              std::vector<std::string>* notices) {
  BrokerConfig config;
  Problems problems;
  CheckSettings(properties, &config.settings, &problems, notices);
  ReadScalars(&config);
  ReadCleaner(&config, &problems);
  ReadNode(&config, &problems);
  CheckRetention(config, &problems);
  ReadOpenListeners(&config, &problems);
  if (const absl::Status status = problems.status(); !status.ok()) return status;
  ReadAdvertisedListeners(&config, &problems);
  ReadQuorum(&config, &problems);
  CheckQuorum(&config, &problems);
  if (const absl::Status status = problems.status(); !status.ok()) return status;
  return config;
}

// --- topic_config.h ------------------------------------------------------------------------------

const TopicConfigDef* FindTopicConfig(absl::string_view name) {
  for (const TopicConfigDef& topic : kTopicConfigs) {
    if (name == topic.def.name) return &topic;
  }
  return nullptr;
}

absl::Status ValidateTopicConfig(absl::string_view name, absl::string_view value) {
  const TopicConfigDef* topic = FindTopicConfig(name);
  if (topic != nullptr) {
    WEIR_RETURN_IF_ERROR(CheckConfigSetting(topic->def, absl::StripAsciiWhitespace(value)));
    if (!absl::EndsWith(name, ".throttled.replicas")) return absl::OkStatus();
    const absl::Status listed = ThrottledReplicas::Parse(value).status();
    return listed.ok() ? listed
                       : absl::InvalidArgumentError(absl::StrCat(name, ": ", listed.message()));
  }
  std::vector<ConfigDef> known;
  for (const TopicConfigDef& row : kTopicConfigs) known.push_back(row.def);
  const ConfigDef* nearest = NearestConfig(known, name);
  if (nearest == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown topic config '", name.substr(0, 100), "'"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown topic config '", name, "': did you mean '", nearest->name, "'?"));
}

absl::Status ValidateTopicConfigs(const BrokerConfig& broker, const TopicOverrides& overrides) {
  const TopicSettings settings = EffectiveTopicConfig(broker, overrides);
  if (settings.min_compaction_lag_ms <= settings.max_compaction_lag_ms) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("expected min.compaction.lag.ms of at most max.compaction.lag.ms, ",
                   settings.max_compaction_lag_ms, ", came ", settings.min_compaction_lag_ms));
}

namespace {

// A broker key's value in the unit of the topic key: hours and minutes become milliseconds.
std::string InTopicUnit(absl::string_view broker_key, const std::string& value) {
  const int64_t factor = absl::EndsWith(broker_key, ".hours")     ? 3'600'000
                         : absl::EndsWith(broker_key, ".minutes") ? 60'000
                                                                  : 1;
  int64_t number = 0;
  if (factor == 1 || !absl::SimpleAtoi(value, &number)) return value;
  return absl::StrCat(number < 0 ? -1 : number * factor);
}

// compression.type, where it is not "producer".
std::optional<protocol::Codec> CodecOf(absl::string_view compression_type) {
  using protocol::Codec;
  if (compression_type == "uncompressed") return Codec::kNone;
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    if (compression_type == protocol::CodecName(codec)) return codec;
  }
  return std::nullopt;
}

std::vector<ConfigSynonym> TopicSynonyms(const TopicConfigDef& topic, const BrokerConfig& broker,
                                         const TopicOverrides& overrides,
                                         const ClusterOverrides& cluster) {
  std::vector<ConfigSynonym> synonyms;
  if (const auto set = overrides.find(topic.def.name); set != overrides.end()) {
    synonyms.push_back({topic.def.name, set->second, ConfigSource::kTopic});
  }
  for (const char* key : topic.broker_keys) {
    if (key == nullptr) break;
    if (const auto set = cluster.find(key); set != cluster.end()) {
      synonyms.push_back({key, set->second, ConfigSource::kCluster});
    }
  }
  for (const char* key : topic.broker_keys) {
    if (key == nullptr) break;
    if (const Property* set = broker.settings.Find(key); set != nullptr) {
      synonyms.push_back({key, set->value, ConfigSource::kStaticBroker});
    }
  }
  for (const char* key : topic.broker_keys) {
    if (key == nullptr) break;
    const ConfigDef* def = FindConfig(BrokerConfigTable(), key);
    WEIR_CHECK(def != nullptr);
    if (def->default_value != nullptr) {
      synonyms.push_back({key, def->default_value, ConfigSource::kDefault});
    }
  }
  return synonyms;
}

// The text of the effective value.
std::string TopicValue(const TopicConfigDef& topic, const std::vector<ConfigSynonym>& synonyms) {
  if (synonyms.empty()) return topic.def.default_value != nullptr ? topic.def.default_value : "";
  const ConfigSynonym& first = synonyms.front();
  return first.source == ConfigSource::kTopic ? *first.value
                                              : InTopicUnit(first.name, *first.value);
}

}  // namespace

TopicSettings EffectiveTopicConfig(const BrokerConfig& broker, const TopicOverrides& overrides,
                                   const ClusterOverrides& cluster) {
  const auto text = [&](absl::string_view name) {
    const TopicConfigDef* topic = FindTopicConfig(name);
    WEIR_CHECK(topic != nullptr);
    return TopicValue(*topic, TopicSynonyms(*topic, broker, overrides, cluster));
  };
  const auto number = [&](absl::string_view name) {
    int64_t value = 0;
    if (absl::SimpleAtoi(text(name), &value)) return value;
    WEIR_CHECK(absl::SimpleAtoi(FindTopicConfig(name)->def.default_value, &value));
    return value;
  };
  TopicSettings settings;
  settings.segment_bytes = number("segment.bytes");
  settings.segment_ms = number("segment.ms");
  settings.segment_jitter_ms = number("segment.jitter.ms");
  settings.segment_index_bytes = number("segment.index.bytes");
  settings.preallocate = absl::EqualsIgnoreCase(text("preallocate"), "true");
  settings.index_interval_bytes = number("index.interval.bytes");
  const std::vector<std::string> policies = SplitConfigList(text("cleanup.policy"));
  const bool deletes = std::find(policies.begin(), policies.end(), "delete") != policies.end();
  settings.deletes = deletes;
  settings.compacts = std::find(policies.begin(), policies.end(), "compact") != policies.end();
  double ratio = 0;
  if (!absl::SimpleAtod(text("min.cleanable.dirty.ratio"), &ratio)) {
    WEIR_CHECK(
        absl::SimpleAtod(FindTopicConfig("min.cleanable.dirty.ratio")->def.default_value, &ratio));
  }
  settings.min_cleanable_dirty_ratio = ratio;
  settings.delete_retention_ms = number("delete.retention.ms");
  settings.min_compaction_lag_ms = number("min.compaction.lag.ms");
  settings.max_compaction_lag_ms = number("max.compaction.lag.ms");
  settings.retention_ms = deletes ? number("retention.ms") : -1;
  settings.retention_bytes = deletes ? number("retention.bytes") : -1;
  settings.file_delete_delay_ms = number("file.delete.delay.ms");
  settings.flush_messages = number("flush.messages");
  settings.flush_ms = number("flush.ms");
  settings.max_message_bytes = number("max.message.bytes");
  settings.min_insync_replicas = static_cast<int32_t>(number("min.insync.replicas"));
  settings.log_append_time = text("message.timestamp.type") == "LogAppendTime";
  settings.timestamp_before_max_ms = number("message.timestamp.before.max.ms");
  settings.timestamp_after_max_ms = number("message.timestamp.after.max.ms");
  const auto throttled = [&](absl::string_view name) {
    return ThrottledReplicas::Parse(text(name)).value_or(ThrottledReplicas());
  };
  settings.leader_throttled = throttled("leader.replication.throttled.replicas");
  settings.follower_throttled = throttled("follower.replication.throttled.replicas");
  settings.codec = CodecOf(text("compression.type"));
  if (settings.codec == protocol::Codec::kGzip || settings.codec == protocol::Codec::kLz4 ||
      settings.codec == protocol::Codec::kZstd) {
    settings.codec_level = static_cast<int>(
        number(absl::StrCat("compression.", protocol::CodecName(*settings.codec), ".level")));
  }
  return settings;
}

std::vector<ConfigEntry> DescribeTopicConfigs(const BrokerConfig& broker,
                                              const TopicOverrides& overrides,
                                              const ClusterOverrides& cluster) {
  std::vector<ConfigEntry> entries;
  for (const TopicConfigDef& topic : kTopicConfigs) {
    ConfigEntry entry;
    entry.name = topic.def.name;
    entry.synonyms = TopicSynonyms(topic, broker, overrides, cluster);
    entry.value = TopicValue(topic, entry.synonyms);
    if (!entry.synonyms.empty()) entry.source = entry.synonyms.front().source;
    entry.type = topic.def.type;
    entry.doc = topic.def.doc;
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<ConfigEntry> DescribeBrokerConfigs(const BrokerConfig& broker,
                                               const ClusterOverrides& cluster,
                                               const BrokerOverrides& own) {
  std::vector<ConfigEntry> entries;
  for (const ConfigDef& def : BrokerConfigTable()) {
    ConfigEntry entry;
    entry.name = def.name;
    entry.type = def.type;
    entry.doc = def.doc;
    entry.read_only = absl::string_view(def.name) != kMinInsyncReplicas;
    entry.sensitive = def.type == ConfigType::kPassword;
    if (const auto set = cluster.find(def.name); set != cluster.end()) {
      entry.synonyms.push_back({def.name, set->second, ConfigSource::kCluster});
    }
    if (const Property* set = broker.settings.Find(def.name); set != nullptr) {
      entry.synonyms.push_back({def.name, set->value, ConfigSource::kStaticBroker});
    }
    if (def.default_value != nullptr) {
      entry.synonyms.push_back({def.name, def.default_value, ConfigSource::kDefault});
    }
    for (ConfigSynonym& synonym : entry.synonyms) {
      if (entry.sensitive) synonym.value = std::nullopt;
    }
    if (!entry.synonyms.empty()) {
      entry.source = entry.synonyms.front().source;
      entry.value = entry.synonyms.front().value;
    }
    entries.push_back(std::move(entry));
  }
  for (const metadata::ThrottledRate& rate : metadata::kThrottledRates) {
    ConfigEntry entry;
    entry.name = std::string(rate.name);
    entry.type = ConfigType::kLong;
    entry.doc = rate.doc;
    if (const auto set = own.find(entry.name); set != own.end()) {
      entry.synonyms.push_back({entry.name, set->second, ConfigSource::kBroker});
    }
    if (const auto set = cluster.find(entry.name); set != cluster.end()) {
      entry.synonyms.push_back({entry.name, set->second, ConfigSource::kCluster});
    }
    if (entry.synonyms.empty()) continue;
    entry.source = entry.synonyms.front().source;
    entry.value = entry.synonyms.front().value;
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<ConfigEntry> DescribeClusterConfigs(const ClusterOverrides& cluster) {
  std::vector<ConfigEntry> entries;
  for (const auto& [name, value] : cluster) {
    ConfigEntry entry;
    entry.name = name;
    if (const ConfigDef* def = FindConfig(BrokerConfigTable(), name); def != nullptr) {
      entry.type = def->type;
      entry.doc = def->doc;
    } else if (const auto* rate = metadata::FindThrottledRate(name); rate != nullptr) {
      entry.type = ConfigType::kLong;
      entry.doc = rate->doc;
    }
    entry.sensitive = entry.type == ConfigType::kPassword;
    if (!entry.sensitive) entry.value = value;
    entry.source = ConfigSource::kCluster;
    entry.synonyms.push_back({name, entry.value, ConfigSource::kCluster});
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace weir::server
