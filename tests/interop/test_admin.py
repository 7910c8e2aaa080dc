"""Administration by Apache Kafka's own tools and by librdkafka: configs, partitions, features."""

import json
import os
import time

import support
from support import kafka_tool, run


class AdminToolsTest(support.BrokerTest):
    """The Java tools of Apache Kafka."""

    config = {"log.initial.task.delay.ms": "500", "log.retention.check.interval.ms": "500"}

    def tool(self, main, *arguments, **more):
        return kafka_tool(main, "--bootstrap-server", self.broker.address, *arguments, **more)

    def configs(self, *arguments):
        return self.tool("kafka.admin.ConfigCommand", *arguments)

    def topics(self, *arguments):
        return self.tool("org.apache.kafka.tools.TopicCommand", *arguments)

    def produce(self, lines, *arguments):
        return self.tool("org.apache.kafka.tools.ConsoleProducer", "--topic", self.topic, *arguments,
                         input="".join(f"{line}\n" for line in lines).encode())

    def test_configs_change_while_the_topic_is_used(self):
        self.topics("--create", "--topic", self.topic, "--partitions", 1)
        self.assertIn("Completed updating config", self.configs(
            "--alter", "--topic", self.topic, "--add-config", "retention.ms=4321,max.message.bytes=200"))
        described = self.configs("--describe", "--topic", self.topic)
        self.assertIn("retention.ms=4321 ", described)
        self.assertIn("max.message.bytes=200 ", described)
        self.produce(["x" * 1000])  # larger than the new limit: refused
        self.configs("--alter", "--topic", self.topic, "--delete-config", "max.message.bytes")
        self.assertNotIn("max.message.bytes", self.configs("--describe", "--topic", self.topic))
        self.produce(["y" * 1000])
        offsets = self.tool("org.apache.kafka.tools.GetOffsetShell", "--topic", self.topic)
        self.assertEqual(offsets.strip(), f"{self.topic}:0:1")
        with self.assertRaisesRegex(AssertionError, "InvalidConfigurationException"):
            self.configs("--alter", "--topic", self.topic, "--add-config", "retention.ms=soon")

    def test_retention_changes_while_the_topic_is_used(self):
        self.topics("--create", "--topic", self.topic, "--partitions", 1, "--config", "segment.ms=100")
        self.produce(range(10))
        self.configs("--alter", "--topic", self.topic, "--add-config", "retention.ms=200")
        deadline = time.monotonic() + 20
        while True:
            earliest = self.tool("org.apache.kafka.tools.GetOffsetShell", "--topic", self.topic, "--time", "earliest")
            if earliest.strip() == f"{self.topic}:0:10":
                break
            self.assertLess(time.monotonic(), deadline, f"still {earliest}")
            time.sleep(0.2)

    def test_performance_tools(self):
        self.topics("--create", "--topic", self.topic, "--partitions", 3)
        said = self.tool_of_properties("org.apache.kafka.tools.ProducerPerformance", "--topic", self.topic,
                                       "--num-records", 100000, "--record-size", 100, "--throughput", -1)
        self.assertIn("100000 records sent", said)
        self.assertRegex(said, r"99\.9th")
        said = self.tool("org.apache.kafka.tools.ConsumerPerformance", "--topic", self.topic, "--num-records", 100000,
                         "--hide-header", "--group", f"g-{self.topic}", "--timeout", 30000)
        self.assertEqual(int(float(said.splitlines()[-1].split(",")[4])), 100000, said)
        ends = self.tool("org.apache.kafka.tools.GetOffsetShell", "--topic", self.topic).split()
        self.assertEqual(sum(int(line.split(":")[2]) for line in ends), 100000)

    def tool_of_properties(self, main, *arguments):
        return kafka_tool(main, *arguments, "--producer-props", f"bootstrap.servers={self.broker.address}",
                          "compression.type=lz4")

    def test_partitions_are_added(self):
        self.topics("--create", "--topic", self.topic, "--partitions", 1)
        self.topics("--alter", "--topic", self.topic, "--partitions", 3)
        self.topics("--alter", "--topic", self.topic, "--partitions", 4, "--replica-assignment", "1,1,1,1")
        self.assertIn("PartitionCount: 4", self.topics("--describe", "--topic", self.topic))
        with self.assertRaisesRegex(AssertionError, "InvalidPartitionsException"):
            self.topics("--alter", "--topic", self.topic, "--partitions", 2)
        self.produce(range(200), "--producer-property", "partitioner.class="
                     "org.apache.kafka.clients.producer.RoundRobinPartitioner")
        ends = self.tool("org.apache.kafka.tools.GetOffsetShell", "--topic", self.topic).split()
        self.assertEqual(sum(int(line.split(":")[2]) for line in ends), 200)
        self.assertEqual(len(ends), 4)

    def test_records_are_deleted(self):
        self.topics("--create", "--topic", self.topic, "--partitions", 1)
        self.produce(range(50))
        path = os.path.join(self.broker.folder, "delete.json")
        for offset, low in ((20, 20), (10, 20), (-1, 50)):
            with open(path, "w", encoding="utf-8") as file:
                json.dump({"version": 1, "partitions": [{"topic": self.topic, "partition": 0, "offset": offset}]}, file)
            said = self.tool("org.apache.kafka.tools.DeleteRecordsCommand", "--offset-json-file", path)
            self.assertRegex(said, f"low_watermark: {low}\\b")
        if support.KIND == "weir":
            self.broker.restart()  # killed: what was answered is on the disk
        else:
            self.broker.stop()  # Apache Kafka writes it down some time later
            self.broker.start()
        earliest = self.tool("org.apache.kafka.tools.GetOffsetShell", "--topic", self.topic, "--time", "earliest")
        self.assertEqual(earliest.strip(), f"{self.topic}:0:50")

    def test_log_directories_and_producers_are_described(self):
        self.topics("--create", "--topic", self.topic, "--partitions", 2)
        self.produce(range(50))
        said = self.tool("org.apache.kafka.tools.LogDirsCommand", "--describe", "--topic-list", self.topic)
        described = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
        (folder,) = described["brokers"][0]["logDirs"]
        self.assertEqual((folder["logDir"], folder["error"]), (self.broker.data, None))
        partitions = {p["partition"]: p["size"] for p in folder["partitions"]}
        self.assertEqual(set(partitions), {f"{self.topic}-0", f"{self.topic}-1"})
        self.assertGreater(sum(partitions.values()), 0)
        producers = self.tool("org.apache.kafka.tools.TransactionsCommand", "describe-producers", "--topic", self.topic,
                              "--partition", "0")
        self.assertIn("LastSequence", producers)

    def test_features(self):
        features = "org.apache.kafka.tools.FeatureCommand"
        self.tool(features, "downgrade", "--feature", "metadata.version=25")
        self.assertRegex(self.tool(features, "describe"), r"metadata.version\s.*FinalizedVersionLevel: 4.0-IV3")
        with self.assertRaisesRegex(AssertionError, "22"):
            self.tool(features, "downgrade", "--feature", "metadata.version=22")
        self.tool(features, "upgrade", "--feature", "metadata.version=29")
        self.assertRegex(self.tool(features, "describe"), r"metadata.version\s.*FinalizedVersionLevel: 4.2-IV1")

    def test_eligible_leader_replicas_and_the_minimum_of_the_cluster(self):
        features, minimum = "org.apache.kafka.tools.FeatureCommand", "min.insync.replicas"
        self.assertRegex(self.tool(features, "describe"),
                         r"eligible.leader.replicas.version\s.*FinalizedVersionLevel: 1")
        everybody = ["--entity-type", "brokers", "--entity-default"]
        self.configs("--alter", *everybody, "--add-config", f"{minimum}=2")
        self.assertIn(f"{minimum}=2 ", self.configs("--describe", *everybody))
        self.topics("--create", "--topic", self.topic)
        described = self.configs("--describe", "--topic", self.topic, "--all")
        self.assertRegex(described, rf"{minimum}=2 .*DYNAMIC_DEFAULT_BROKER_CONFIG:{minimum}=2")
        with self.assertRaisesRegex(AssertionError, "cannot be deleted"):
            self.configs("--alter", *everybody, "--delete-config", minimum)
        with self.assertRaisesRegex(AssertionError, "InvalidConfigurationException"):
            self.configs("--alter", *everybody, "--add-config", f"{minimum}=0")
        self.tool(features, "downgrade", "--feature", "eligible.leader.replicas.version=0")
        self.configs("--alter", *everybody, "--delete-config", minimum)
        self.assertNotIn(minimum, self.configs("--describe", *everybody))
        self.tool(features, "upgrade", "--feature", "eligible.leader.replicas.version=1")


class AdminClientTest(support.BrokerTest):
    def test_confluent_admin(self):
        said = run([support.python(), os.path.join(support.HERE, "python_admin.py"), self.broker.address, self.topic],
                   timeout=120).decode()
        self.assertIn("admin: altered", said)
