"""Other client libraries and Apache Kafka's own tools: produce, read by partition, list offsets, topics, configs."""

import os

import support
from support import CODECS, kafka_tool, run


class PythonClientsTest(support.BrokerTest):
    """Each library's script runs in a Python that has it."""

    def library(self, name):
        return run([support.python(), os.path.join(support.HERE, "python_clients.py"), name, self.broker.address,
                    self.topic], timeout=120).decode()

    def test_kafka_python(self):
        self.assertIn("kafka-python: 2500 records", self.library("kafka-python"))

    def test_aiokafka(self):
        self.assertIn("aiokafka: 2500 records", self.library("aiokafka"))

    def test_confluent_kafka(self):
        self.assertIn("confluent-kafka: 2500 records", self.library("confluent-kafka"))

    def test_confluent_admin(self):
        self.assertIn("admin: created, described, deleted", self.library("admin"))


class OtherClientsTest(support.BrokerTest):

    def test_kafkajs(self):
        environment = dict(os.environ, NODE_PATH=support.node_modules())
        said = run(["node", os.path.join(support.HERE, "kafkajs/produce.js"), self.broker.address, self.topic],
                   env=environment).decode().strip()
        self.assertEqual(said, "0:0-500 1:0-500; 2 partitions; 1 brokers")

    def test_franz_go(self):
        said = run([support.franz_go(), "admin", self.broker.address, self.topic]).decode().strip()
        self.assertEqual(said, "1500 records of 3 partitions")


class KafkaToolsTest(support.BrokerTest):
    """The Java tools of Apache Kafka."""

    def tool(self, main, *arguments, **more):
        return kafka_tool(main, "--bootstrap-server", self.broker.address, *arguments, **more)

    def topics(self, *arguments):
        return self.tool("org.apache.kafka.tools.TopicCommand", *arguments)

    def test_topics_are_created_described_and_deleted(self):
        self.assertIn("Created topic", self.topics("--create", "--topic", self.topic, "--partitions", 3,
                                                   "--replication-factor", 1, "--config", "retention.ms=123456"))
        self.assertIn(self.topic, self.topics("--list").split())
        described = self.topics("--describe", "--topic", self.topic)
        self.assertIn("PartitionCount: 3", described)
        self.assertIn("ReplicationFactor: 1", described)
        self.assertIn("retention.ms=123456", described)
        self.assertEqual(described.count("Leader: 1\tReplicas: 1\tIsr: 1"), 3, described)
        self.topics("--delete", "--topic", self.topic)
        self.assertNotIn(self.topic, self.topics("--list").split())

    def test_configs_are_described(self):
        self.topics("--create", "--topic", self.topic, "--partitions", 1, "--config", "max.message.bytes=54321")
        configs = self.tool("kafka.admin.ConfigCommand", "--describe", "--all", "--topic", self.topic)
        self.assertIn("max.message.bytes=54321", configs)
        self.assertIn("retention.ms=604800000", configs)
        broker = self.tool("kafka.admin.ConfigCommand", "--describe", "--all", "--entity-type", "brokers",
                           "--entity-name", 1)
        self.assertIn("log.dirs=", broker)

    def test_console_producer_and_consumer_and_offsets(self):
        self.topics("--create", "--topic", self.topic, "--partitions", 1)
        for codec in CODECS:
            lines = "".join(f"{codec}:line {n}\n" for n in range(100))
            self.tool("org.apache.kafka.tools.ConsoleProducer", "--topic", self.topic, "--compression-codec", codec,
                      "--reader-property", "parse.key=true", "--reader-property", "key.separator=:",
                      input=lines.encode())
        offsets = self.tool("org.apache.kafka.tools.GetOffsetShell", "--topic", self.topic)
        self.assertEqual(offsets.strip(), f"{self.topic}:0:500")
        earliest = self.tool("org.apache.kafka.tools.GetOffsetShell", "--topic", self.topic, "--time", "earliest")
        self.assertEqual(earliest.strip(), f"{self.topic}:0:0")
        read = self.tool("org.apache.kafka.tools.consumer.ConsoleConsumer", "--topic", self.topic, "--partition", 0,
                         "--offset", "earliest", "--max-messages", 500, "--timeout-ms", 30000,
                         "--formatter-property", "print.key=true")
        self.assertEqual(read.splitlines(), [f"{codec}\tline {n}" for codec in CODECS for n in range(100)])

    def test_api_versions(self):
        said = self.tool("org.apache.kafka.tools.BrokerApiVersionsCommand")
        for api in ("Produce(0): 0 to 13", "Fetch(1): 4 to 18", "ListOffsets(2): 1 to 11", "Metadata(3): 0 to 13",
                    "CreateTopics(19): 2 to 7", "DeleteTopics(20): 1 to 6", "InitProducerId(22): 0 to ",
                    "DescribeConfigs(32): 1 to 4", "DescribeCluster(60): 0 to 2"):
            with self.subTest(api=api):
                self.assertIn(api, said)
