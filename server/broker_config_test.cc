#include "server/broker_config.h"

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "server/broker_config_reader.h"

namespace weir::server {
namespace {

absl::StatusOr<BrokerConfig> Read(absl::string_view text,
                                  std::vector<std::string>* notices = nullptr) {
  absl::StatusOr<Properties> properties = ParseProperties(text, "f");
  if (!properties.ok()) return properties.status();
  return ReadBrokerConfig(*properties, notices);
}

std::string ErrorOf(absl::string_view text) {
  const absl::StatusOr<BrokerConfig> config = Read(text);
  return config.ok() ? "" : std::string(config.status().message());
}

// The settings of the server.properties that Apache Kafka 4.2 ships for a combined node.
constexpr char kKafkaCombined[] = R"(
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,\
    SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=2
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
)";

TEST(BrokerConfig, KafkasCombinedFileStartsWithNotices) {
  std::vector<std::string> notices;
  const absl::StatusOr<BrokerConfig> config = Read(kKafkaCombined, &notices);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->node_id, BrokerId(1));
  ASSERT_EQ(config->listeners.size(), 1u);
  EXPECT_EQ(config->listeners[0].ToString(), "PLAINTEXT://:9092");
  EXPECT_EQ(config->advertised_listeners[0].ToString(), "PLAINTEXT://localhost:9092");
  ASSERT_TRUE(config->internal_listener.has_value());
  EXPECT_EQ(config->internal_listener->address.port, 9093);
  EXPECT_EQ(config->data_directories, std::vector<std::string>{"/tmp/kraft-combined-logs"});
  EXPECT_TRUE(config->is_alone());
  EXPECT_EQ(notices.size(), 7u);  // one for each key without effect
  EXPECT_TRUE(absl::StartsWith(notices[1], "f:11: num.network.threads has no effect: "));
}

TEST(BrokerConfig, KafkasOlderCombinedFileNamesVoters) {
  const std::string text = absl::StrCat(kKafkaCombined, "controller.quorum.bootstrap.servers=\n",
                                        "controller.quorum.voters=1@localhost:9093\n");
  EXPECT_EQ(ErrorOf(text), "");
}

TEST(BrokerConfig, NothingSetIsAOneNodeBroker) {
  std::vector<std::string> notices;
  const absl::StatusOr<BrokerConfig> config = Read("", &notices);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(notices.empty());
  EXPECT_EQ(config->node_id, BrokerId(1));
  EXPECT_TRUE(config->data_directories.empty());
  EXPECT_EQ(config->flush_policy, FlushPolicy::kAck);
  EXPECT_FALSE(config->full_batch_validation);
  EXPECT_EQ(config->reactors, 0);
  EXPECT_EQ(config->poller, PollerChoice::kAuto);
  EXPECT_EQ(config->request_bytes_max, 100 << 20);
  EXPECT_EQ(config->connections_idle_ms_max, 600'000);
  EXPECT_EQ(config->fetch_session_slots, 1000);
  EXPECT_FALSE(config->rack.has_value());
}

TEST(BrokerConfig, TablesAreSoundAndDisjoint) {
  std::set<std::string> names;
  for (const ConfigDef& def : BrokerConfigTable()) {
    EXPECT_TRUE(names.insert(def.name).second) << def.name;
    if (def.default_value != nullptr && *def.default_value != '\0') {
      EXPECT_TRUE(CheckConfigSetting(def, def.default_value).ok())
          << CheckConfigSetting(def, def.default_value);
    }
    EXPECT_STRNE(def.doc, "") << def.name;
  }
  // Kafka 4.2.0's ConfigDef has 341 broker keys; Weir adds seven.
  EXPECT_EQ(names.size(), 348u);
}

TEST(BrokerConfig, UnknownKeysAreRefusedWithTheNearestOne) {
  EXPECT_EQ(ErrorOf("lisetners=PLAINTEXT://:1"),
            "f:1: unknown key 'lisetners': did you mean 'listeners'?");
  EXPECT_EQ(ErrorOf("num.partition=3"),
            "f:1: unknown key 'num.partition': did you mean 'num.partitions'?");
  EXPECT_EQ(ErrorOf("zzzzzzzzzzzz=3"),
            "f:1: unknown key 'zzzzzzzzzzzz': docs/CONFIGURATION.md lists the keys");
  EXPECT_TRUE(absl::StrContains(ErrorOf("listener.name.plaintext.max.connections=5"),
                                "settings of one listener"));
}

TEST(BrokerConfig, BadValuesNameKeyValueAndExpectation) {
  EXPECT_EQ(ErrorOf("num.partitions=0"),
            "f:1: bad value '0' for num.partitions: expected an int of at least 1");
  EXPECT_EQ(ErrorOf("num.partitions=abc"),
            "f:1: bad value 'abc' for num.partitions: expected an int of at least 1");
  EXPECT_EQ(ErrorOf("num.partitions=3000000000"),
            "f:1: bad value '3000000000' for num.partitions: expected an int of at least 1");
  EXPECT_EQ(ErrorOf("auto.create.topics.enable=yes"),
            "f:1: bad value 'yes' for auto.create.topics.enable: expected true or false");
  EXPECT_EQ(ErrorOf("num.io.threads=0"),  // also where the key has no effect
            "f:1: bad value '0' for num.io.threads: expected an int of at least 1");
  EXPECT_EQ(ErrorOf("weir.flush.policy=never"),
            "f:1: bad value 'never' for weir.flush.policy: expected a string of ack, os");
  EXPECT_NE(ErrorOf("log.cleaner.io.buffer.load.factor=nan"), "");
  EXPECT_NE(ErrorOf("log.retention.ms=0"), "");
  EXPECT_NE(ErrorOf("log.segment.bytes=1000"), "");
  EXPECT_NE(ErrorOf("socket.request.max.bytes=104857601"), "");
  EXPECT_NE(ErrorOf("offsets.topic.replication.factor=40000"), "");
}

TEST(BrokerConfig, EveryMistakeIsNamedAtOnce) {
  const std::string error = ErrorOf("num.partitions=0\nnum.partition=1\nprocess.roles=");
  EXPECT_TRUE(absl::StrContains(error, "f:1: "));
  EXPECT_TRUE(absl::StrContains(error, "f:2: "));
  EXPECT_TRUE(absl::StrContains(error, "f:3: process.roles: is ''"));
}

TEST(BrokerConfig, SecuritySettingsAreNeverIgnored) {
  for (const char* line :
       {"ssl.keystore.location=/k", "sasl.enabled.mechanisms=PLAIN", "ssl.client.auth=required",
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "principal.builder.class=x.Y", "max.connections.per.ip=5", "connections.max.reauth.ms=1",
        "create.topic.policy.class.name=x.Y", "delegation.token.secret.key=s",
        "remote.log.storage.system.enable=true"}) {
    EXPECT_NE(ErrorOf(line), "") << line;
  }
  EXPECT_EQ(ErrorOf("ssl.client.auth=none\nsasl.enabled.mechanisms=GSSAPI"), "");
  EXPECT_EQ(ErrorOf("ssl.key.password=geheim").find("geheim"), std::string::npos);
}

constexpr char kTlsBase[] =
    "listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ncontroller.listener.names=CONTROLLER\n"
    "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:SSL\n";
constexpr char kTlsFiles[] =
    "ssl.keystore.type=PEM\nssl.keystore.location=/k.pem\n"
    "ssl.truststore.type=PEM\nssl.truststore.location=/t.pem\n";

TEST(BrokerConfig, NodesMaySpeakTlsWithEachOther) {
  const absl::StatusOr<BrokerConfig> config = Read(absl::StrCat(kTlsBase, kTlsFiles));
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_TRUE(config->internal_tls.has_value());
  EXPECT_EQ(config->internal_tls->certificates.value, "/k.pem");
  EXPECT_EQ(config->internal_tls->private_key.value, "/k.pem");
  EXPECT_TRUE(config->internal_tls->private_key.is_file);
  EXPECT_EQ(config->internal_tls->trusted.key, "f:7: ssl.truststore.location");
  EXPECT_FALSE(Read("")->internal_tls.has_value());

  // One listener's go before those of all; texts may stand in place of files.
  const absl::StatusOr<BrokerConfig> own =
      Read(absl::StrCat(kTlsBase, kTlsFiles,
                        "ssl.client.auth=none\n"
                        "listener.name.controller.ssl.client.auth=required\n"
                        "listener.name.controller.ssl.keystore.location=\n"
                        "listener.name.controller.ssl.keystore.certificate.chain=cc\n"
                        "listener.name.controller.ssl.keystore.key=kk\n"
                        "listener.name.controller.ssl.truststore.location=/own.pem\n"));
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_EQ(own->internal_tls->certificates.value, "cc");
  EXPECT_EQ(own->internal_tls->private_key.value, "kk");
  EXPECT_FALSE(own->internal_tls->private_key.is_file);
  EXPECT_EQ(own->internal_tls->trusted.value, "/own.pem");
}

TEST(BrokerConfig, TlsThatIsHalfSetIsRefused) {
  const auto with = [](absl::string_view lines) {
    return ErrorOf(absl::StrCat(kTlsBase, kTlsFiles, lines));
  };
  EXPECT_EQ(with(""), "");
  EXPECT_EQ(with("ssl.client.auth=required"), "");
  const struct {
    const char* lines;
    const char* error;
  } kCases[] = {
      {"ssl.client.auth=none", "ssl.client.auth: is none: expected required"},
      {"listener.name.controller.ssl.client.auth=requested", "is requested: expected required"},
      {"ssl.keystore.type=JKS", "ssl.keystore.type: is JKS: expected PEM; Weir reads neither JKS"},
      {"ssl.truststore.type=PKCS12", "ssl.truststore.type: is PKCS12: expected PEM"},
      {"ssl.keystore.type=", "ssl.keystore.type: is JKS, the default: expected PEM"},
      {"ssl.keystore.location=", "expected a file with this node's certificates and its key"},
      {"ssl.truststore.location=", "ssl.truststore.location: expected a file with the certif"},
      {"ssl.keystore.certificate.chain=x", "either this or ssl.keystore.location, not both"},
      {"ssl.keystore.key=x", "ssl.keystore.key: expected none beside ssl.keystore.location"},
      {"ssl.keystore.location=\nssl.keystore.certificate.chain=x", "ssl.keystore.key: expected it"},
      {"ssl.truststore.certificates=x", "either this or ssl.truststore.location, not both"},
      {"ssl.key.password=geheim", "ssl.key.password"},
      {"ssl.keystore.password=geheim", "ssl.keystore.password"},
      {"listener.name.plaintext.ssl.client.auth=required", "expected listener.name.controller.."},
      {"listener.name.other.ssl.keystore.type=PEM", "so far only the listener between nodes"},
      {"listener.name.controller.ssl.protocol=TLSv1.3", "such settings of one listener"},
      {"listener.name.controller.ssl.client.auth=maybe", "ssl.client.auth"},
      {"listeners=SSL://:9092,CONTROLLER://:9093\nlistener.security.protocol.map="
       "SSL:SSL,CONTROLLER:SSL",
       "gives listener SSL the protocol 'SSL': expected PLAINTEXT; encryption and authentication"},
      {"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:SASL_SSL",
       "expected PLAINTEXT or SSL; SASL is not"},
      {"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
       "ssl.truststore.location: expected none: listener.security.protocol.map gives no"},
  };
  for (const auto& each : kCases) {
    EXPECT_TRUE(absl::StrContains(with(each.lines), each.error)) << each.lines << "\n"
                                                                 << with(each.lines);
    EXPECT_FALSE(absl::StrContains(with(each.lines), "geheim"));
  }
}

TEST(BrokerConfig, ABrokersListenerForNodesSpeaksWhatTheControllersDo) {
  constexpr char kBase[] =
      "process.roles=broker\nlisteners=PLAINTEXT://:9092,INTERNAL://:9093\n"
      "controller.quorum.voters=2@b:9093\ncontroller.listener.names=CONTROLLER\n"
      "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:";
  EXPECT_EQ(ErrorOf(absl::StrCat(kBase, "SSL,INTERNAL:SSL\n", kTlsFiles)), "");
  EXPECT_EQ(ErrorOf(absl::StrCat(kBase,
                                 "SSL,INTERNAL:SSL\nssl.keystore.type=PEM\n"
                                 "listener.name.internal.ssl.keystore.location=/k\n"
                                 "ssl.truststore.type=PEM\nssl.truststore.location=/t")),
            "");
  EXPECT_EQ(ErrorOf(absl::StrCat(kBase, "PLAINTEXT,INTERNAL:PLAINTEXT")), "");
  EXPECT_TRUE(absl::StrContains(
      ErrorOf(absl::StrCat(kBase, "PLAINTEXT,INTERNAL:SSL\n", kTlsFiles)),
      "gives the controllers' listener CONTROLLER the protocol PLAINTEXT: expected that of this "
      "node's listener for other nodes, INTERNAL"));
  EXPECT_TRUE(absl::StrContains(ErrorOf(absl::StrCat(kBase, "SSL,INTERNAL:PLAINTEXT")),
                                "the protocol SSL: expected that of this node's listener"));
}

TEST(BrokerConfig, WhatIsNotThereYetIsRefusedByName) {
  EXPECT_EQ(ErrorOf("log.cleanup.policy=compact"), "");
  EXPECT_EQ(ErrorOf("log.cleanup.policy=delete, compact"), "");
  EXPECT_NE(ErrorOf("log.cleanup.policy=keep"), "");
  EXPECT_EQ(ErrorOf("compression.type=zstd\ncompression.zstd.level=9"), "");
  EXPECT_NE(ErrorOf("compression.zstd.level=23"), "");
  EXPECT_TRUE(absl::StrContains(ErrorOf("compression.type=brotli"), "expected a string of "));
  EXPECT_EQ(ErrorOf("process.roles=controller, broker"), "");
  EXPECT_TRUE(
      absl::StrContains(ErrorOf("listeners=SSL://:9092"), "expected PLAINTEXT; encryption"));
}

TEST(BrokerConfig, SeveralDirectories) {
  const auto config = Read("log.dir=/c\nlog.dirs=/a, /b\nmetadata.log.dir=/m\n", nullptr);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->data_directories, (std::vector<std::string>{"/a", "/b"}));
  EXPECT_EQ(config->metadata_directory, "/m");
  EXPECT_TRUE(absl::StrContains(ErrorOf("log.dirs=/a,/b,/a"), "none twice"));
  EXPECT_TRUE(absl::StrContains(ErrorOf("log.dirs=/a,/a/"), "none twice"));
  EXPECT_EQ(Read("log.dirs=/a//b/./c/,d\nmetadata.log.dir=d/\n", nullptr)->data_directories,
            (std::vector<std::string>{"/a/b/c", "d"}));
  EXPECT_TRUE(absl::StrContains(ErrorOf("log.dirs="), "one directory at least"));
}

TEST(BrokerConfig, TheCleanersSettingsAgree) {
  EXPECT_NE(ErrorOf("log.cleaner.io.buffer.load.factor=0"), "");
  EXPECT_NE(ErrorOf("log.cleaner.io.buffer.load.factor=1.5"), "");
  EXPECT_NE(ErrorOf("log.cleaner.io.max.bytes.per.second=0"), "");
  EXPECT_EQ(ErrorOf("log.cleaner.threads=2\nlog.cleaner.dedupe.buffer.size=2097152"), "");
  EXPECT_TRUE(
      absl::StrContains(ErrorOf("log.cleaner.threads=3\nlog.cleaner.dedupe.buffer.size=2097152"),
                        "expected at least 1 MiB for each of 3 threads"));
  EXPECT_EQ(ErrorOf("log.cleaner.enable=false\nlog.cleaner.threads=300"), "");
}

TEST(BrokerConfig, BrokerIdIsAnotherNameOfNodeId) {
  EXPECT_EQ(Read("broker.id=7")->node_id, BrokerId(7));
  EXPECT_EQ(Read("broker.id=7\nnode.id=7")->node_id, BrokerId(7));
  EXPECT_NE(ErrorOf("broker.id=7\nnode.id=8"), "");
  EXPECT_NE(ErrorOf("node.id=-1"), "");
  EXPECT_NE(ErrorOf("broker.id=-1"), "");
}

TEST(BrokerConfig, Listeners) {
  const absl::StatusOr<BrokerConfig> config = Read(
      "listeners=PLAINTEXT://[::1]:9092, ext://10.0.0.1:0\n"
      "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,EXT:PLAINTEXT\n"
      "advertised.listeners=PLAINTEXT://localhost:9092,EXT://example.org:9192");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->listeners[0].address, (HostPort{"::1", 9092}));
  EXPECT_EQ(config->listeners[0].ToString(), "PLAINTEXT://[::1]:9092");
  EXPECT_EQ(config->listeners[1].name, "EXT");
  EXPECT_EQ(config->advertised_listeners[1].address, (HostPort{"example.org", 9192}));

  for (const char* text :
       {"listeners=",
        "listeners=PLAINTEXT",
        "listeners=PLAINTEXT://:70000",
        "listeners=PLAINTEXT://:",
        "listeners=PLAINTEXT://a:-1",
        "listeners=PLAINTEXT://::1:9092",
        "listeners=PLAINTEXT://a b:1",
        "listeners=://:1",
        "listeners=PLAINTEXT://[]:1",
        "listeners=PLAINTEXT://:1,PLAINTEXT://:2",
        "listeners=PLAINTEXT://:1,EXT://:2",
        "listeners=FOO://:9092\nlistener.security.protocol.map=FOO:PLAINTEXT",
        "listeners=PLAINTEXT://0.0.0.0:9092",
        "advertised.listeners=OTHER://a:1",
        "advertised.listeners=PLAINTEXT://0.0.0.0:1",
        "advertised.listeners=PLAINTEXT://a:0",
        "inter.broker.listener.name=OTHER",
        "controller.listener.names=CONTROLLER",
        "controller.listener.names=PLAINTEXT",
        "listeners=PLAINTEXT://:1,CONTROLLER://:1\ncontroller.listener.names=CONTROLLER",
        "inter.broker.listener.name=PLAINTEXT\nsecurity.inter.broker.protocol=PLAINTEXT"}) {
    EXPECT_NE(ErrorOf(text), "") << text;
  }
  EXPECT_EQ(ErrorOf("listeners=PLAINTEXT://0.0.0.0:9092\nadvertised.listeners=PLAINTEXT://h:9092"),
            "");
}

TEST(BrokerConfig, QuorumsAreNamedByVotersOrServers) {
  constexpr char kBase[] =
      "listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ncontroller.listener.names=CONTROLLER\n";
  const auto with = [&](absl::string_view line) { return ErrorOf(absl::StrCat(kBase, line)); };
  EXPECT_EQ(with("controller.quorum.voters=1@anything:9093"), "");
  EXPECT_EQ(with("controller.quorum.voters=1@a:9093,2@b:9093,3@b:9094"), "");
  EXPECT_EQ(with("controller.quorum.bootstrap.servers=a:9093,b:9093"), "");
  EXPECT_NE(with("controller.quorum.voters=2@localhost:9093"), "");
  EXPECT_NE(with("controller.quorum.voters=1@localhost:9094"), "");
  EXPECT_NE(with("controller.quorum.voters=localhost:9093"), "");
  EXPECT_NE(with("controller.quorum.voters=1@a:9093,1@b:9093"), "");
  EXPECT_NE(with("controller.quorum.voters=1@a:9093,2@a:9093"), "");
  EXPECT_NE(with("controller.quorum.bootstrap.servers=a"), "");
  EXPECT_NE(ErrorOf("controller.quorum.voters=1@localhost:9093"), "");

  const auto config = Read(absl::StrCat(kBase, "controller.quorum.voters=1@a:9093,2@b:9093"));
  ASSERT_TRUE(config.ok());
  EXPECT_FALSE(config->is_alone());
  ASSERT_EQ(config->quorum.size(), 2u);
  EXPECT_EQ(config->quorum[1].id, BrokerId(2));
  EXPECT_EQ(config->quorum[1].address, (HostPort{"b", 9093}));
}

TEST(BrokerConfig, ANodeMayHaveOneRoleOnly) {
  EXPECT_EQ(ErrorOf("process.roles=broker\nlisteners=PLAINTEXT://:9092,INTERNAL://:9093\n"
                    "controller.quorum.voters=2@b:9093\nlistener.security.protocol.map="
                    "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT"),
            "");
  EXPECT_EQ(ErrorOf("process.roles=broker\nlisteners=PLAINTEXT://:9092,INTERNAL://:9093\n"
                    "controller.quorum.voters=2@b:9093\n"),
            "");
  EXPECT_TRUE(absl::StrContains(ErrorOf("process.roles=broker\nlisteners=PLAINTEXT://:9092\n"
                                        "controller.quorum.voters=2@b:9093\n"),
                                "weir.internal.listener.name: names 'INTERNAL'"));
  EXPECT_TRUE(absl::StrContains(
      ErrorOf("process.roles=broker\nlisteners=PLAINTEXT://:9092,INTERNAL://:9093\n"),
      "expected the controllers"));
  EXPECT_TRUE(absl::StrContains(
      ErrorOf("process.roles=broker\nlisteners=PLAINTEXT://:9092,INTERNAL://:9093\n"
              "controller.quorum.voters=1@b:9093\n"),
      "names this node, 1"));
  EXPECT_EQ(ErrorOf("process.roles=controller\nlisteners=CONTROLLER://:9093\n"
                    "controller.listener.names=CONTROLLER\n"
                    "controller.quorum.voters=1@localhost:9093"),
            "");
  EXPECT_NE(ErrorOf("process.roles=controller\n"
                    "listeners=CONTROLLER://:9093,PLAINTEXT://:9092\n"
                    "controller.listener.names=CONTROLLER"),
            "");
  EXPECT_NE(ErrorOf("process.roles=broker,broker"), "");
}

}  // namespace
}  // namespace weir::server
