"""What operators ask, by Apache Kafka's own tools: elections, reassignments, brokers, quotas, credentials, entries."""

import base64
import hashlib
import hmac
import json
import os

import support
from support import kafka_tool

TOOLS = "org.apache.kafka.tools."
USERS = ("--entity-type", "users")
ALICE = (*USERS, "--entity-name", "alice")
CLIENT = ("--entity-type", "clients", "--entity-name", "c1")


class OperatorToolsTest(support.BrokerTest):

    def tool(self, main, *arguments, **more):
        return kafka_tool(main, "--bootstrap-server", self.broker.address, *arguments, **more)

    def create(self, partitions):
        self.tool(TOOLS + "TopicCommand", "--create", "--topic", self.topic, "--partitions", partitions)

    def write_json(self, value):
        path = os.path.join(self.broker.folder, f"{self.topic}.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(value, file)
        return path

    def configs(self, *arguments):
        return self.tool("kafka.admin.ConfigCommand", *arguments)

    def test_leaders_are_elected(self):
        self.create(2)
        for kind in "preferred", "unclean":
            elect = (TOOLS + "LeaderElectionCommand", "--election-type", kind)
            self.assertNotIn("Error", self.tool(*elect, "--all-topic-partitions"))
            self.assertIn(f"Valid replica already elected for partitions {self.topic}-1",
                          self.tool(*elect, "--topic", self.topic, "--partition", 1))
            with self.assertRaisesRegex(AssertionError, f"{self.topic}-9: .*UnknownTopicOrPartitionException"):
                self.tool(*elect, "--topic", self.topic, "--partition", 9)

    def test_partitions_are_reassigned(self):
        self.create(2)
        reassign = TOOLS + "reassign.ReassignPartitionsCommand"
        self.assertIn("No partition reassignments found", self.tool(reassign, "--list"))
        topics = self.write_json({"version": 1, "topics": [{"topic": self.topic}]})
        said = self.tool(reassign, "--generate", "--topics-to-move-json-file", topics, "--broker-list", 1)
        current, proposed = (json.loads(line) for line in said.splitlines() if line.startswith("{"))
        self.assertEqual([p["log_dirs"] for p in current["partitions"]], [[self.broker.data]] * 2)
        moves = ("--reassignment-json-file", self.write_json(proposed))
        self.assertIn(f"Successfully started partition reassignments for {self.topic}-0,{self.topic}-1",
                      self.tool(reassign, "--execute", *moves))
        said = self.tool(reassign, "--verify", *moves)
        for partition in range(2):
            self.assertIn(f"Reassignment of partition {self.topic}-{partition} is completed", said)
        self.assertIn("None of the specified partition reassignments are active",
                      self.tool(reassign, "--cancel", *moves))
        elsewhere = {"topic": self.topic, "partition": 0, "replicas": [1, 2]}
        moves = self.write_json({"version": 1, "partitions": [elsewhere]})
        with self.assertRaisesRegex(AssertionError, "Unknown broker id 2"):
            self.tool(reassign, "--execute", "--reassignment-json-file", moves)

    def test_unknown_brokers_are_not_unregistered(self):
        with self.assertRaisesRegex(AssertionError, "BrokerIdNotRegisteredException"):
            kafka_tool(TOOLS + "ClusterTool", "unregister", "--bootstrap-server", self.broker.address, "--id", 77)

    def test_quotas_outlive_the_broker(self):
        self.configs("--alter", *ALICE, "--add-config", "producer_byte_rate=1024,consumer_byte_rate=2048")
        self.configs("--alter", *USERS, "--entity-default", "--add-config", "request_percentage=200.5")
        self.configs("--alter", *CLIENT, "--add-config", "controller_mutation_rate=5")
        self.configs("--alter", *ALICE, *CLIENT, "--add-config", "producer_byte_rate=10")
        self.configs("--alter", "--entity-type", "ips", "--entity-name", "127.0.0.1", "--add-config",
                     "connection_creation_rate=7")
        self.configs("--alter", *ALICE, "--delete-config", "consumer_byte_rate")
        with self.assertRaisesRegex(AssertionError, "InvalidRequestException"):
            self.configs("--alter", *ALICE, "--add-config", "producer_byte_rate=0")
        self.broker.stop()
        self.broker.start()
        described = self.configs("--describe", *USERS)
        self.assertIn("Quota configs for user-principal 'alice' are producer_byte_rate=1024.0\n", described)
        self.assertIn("Quota configs for the default user-principal are request_percentage=200.5\n", described)
        self.assertIn("client-id 'c1' are controller_mutation_rate=5.0\n",
                      self.configs("--describe", "--entity-type", "clients"))
        self.assertEqual("Quota configs for user-principal 'alice', client-id 'c1' are producer_byte_rate=10.0\n",
                         self.configs("--describe", *USERS, "--entity-type", "clients"))
        self.assertIn("Quota configs for ip '127.0.0.1' are connection_creation_rate=7.0\n",
                      self.configs("--describe", "--entity-type", "ips"))

    def test_credentials_are_kept_without_the_password(self):
        bob = (*USERS, "--entity-name", "bob")
        self.configs("--alter", *bob, "--add-config", "SCRAM-SHA-256=[iterations=8192,password=bobs-secret]")
        self.configs("--alter", *bob, "--add-config", "SCRAM-SHA-512=[password=bobs-secret]")
        self.assertIn("SCRAM credential configs for user-principal 'bob' are SCRAM-SHA-256=iterations=8192, "
                      "SCRAM-SHA-512=iterations=4096\n", self.configs("--describe", *bob))
        self.configs("--alter", *bob, "--delete-config", "SCRAM-SHA-256")
        with self.assertRaisesRegex(AssertionError, "ResourceNotFoundException"):
            self.configs("--alter", *bob, "--delete-config", "SCRAM-SHA-256")
        self.assertIn("'bob' are SCRAM-SHA-512=iterations=4096\n", self.configs("--describe", *USERS))
        with open(os.path.join(self.broker.data, "__cluster_metadata-0", "0" * 20 + ".log"), "rb") as file:
            log = file.read()
        self.assertIn(b"bob", log)
        self.assertNotIn(b"secret", log)

    def test_without_an_authorizer_there_are_no_entries(self):
        acls = TOOLS + "AclCommand"
        for arguments in (("--list",), ("--add", "--allow-principal", "User:a", "--operation", "Read", "--topic", "t"),
                          ("--remove", "--force", "--topic", "t")):
            with self.assertRaisesRegex(AssertionError, r"SecurityDisabledException: No Authorizer is configured"):
                self.tool(acls, *arguments)


class CredentialFolderTest(support.BrokerTest):
    """Weir's keys of a password are those that Apache Kafka makes of it."""

    def test_kafkas_dump_tool_reads_the_keys(self):
        for mechanism in "SCRAM-SHA-256", "SCRAM-SHA-512":
            kafka_tool("kafka.admin.ConfigCommand", "--bootstrap-server", self.broker.address, "--alter", *USERS,
                       "--entity-name", "carol", "--add-config", f"{mechanism}=[password=carols-secret]")
        self.broker.stop()
        path = os.path.join(self.broker.data, "__cluster_metadata-0", "0" * 20 + ".log")
        said = kafka_tool("kafka.tools.DumpLogSegments", "--cluster-metadata-decoder", "--files", path)
        records = [json.loads(line[line.index("payload: ") + 9:])["data"] for line in said.splitlines()
                   if "USER_SCRAM_CREDENTIAL_RECORD" in line]
        self.assertEqual([r["mechanism"] for r in records], [1, 2])
        for record, name, size in zip(records, ("sha256", "sha512"), (32, 64)):
            self.check(record, name, size)
        self.broker.start()

    def check(self, record, name, size):
        salt, stored_key, server_key = (base64.b64decode(record[key]) for key in ("salt", "storedKey", "serverKey"))
        salted = hashlib.pbkdf2_hmac(name, b"carols-secret", salt, record["iterations"])
        self.assertEqual(len(salted), size)
        client_key = hmac.new(salted, b"Client Key", name).digest()
        self.assertEqual(stored_key, hashlib.new(name, client_key).digest())
        self.assertEqual(server_key, hmac.new(salted, b"Server Key", name).digest())
