"""Clusters of several nodes with the clients and tools that people use."""

import json
import os
import re
import socket
import subprocess
import threading
import time

import cluster
import support
from support import kafka_tool, run

WEIR = support.PROGRAM
TOOLS = "org.apache.kafka.tools."
DESCRIBE_QUORUM, ELECT_LEADERS, UPDATE_FEATURES, UNREGISTER_BROKER = 55, 43, 57, 64


class ClusterTest(support.unittest.TestCase):
    """Tests that share one cluster: `self.cluster`."""

    roles, network = cluster.COMBINED, cluster.Loopback
    config = {"broker.session.timeout.ms": 3000, "broker.heartbeat.interval.ms": 500}
    own = {}

    @classmethod
    def setUpClass(cls):
        support.need_weir("clusters of several nodes")
        cls.cluster = cluster.Cluster(cls.roles, cls.network, cls.config, cls.own)
        cls.addClassCleanup(cls.cluster.__exit__)
        cls.cluster.start()

    def setUp(self):
        self.topic = "t-" + self.id().rsplit(".", 1)[-1].replace("_", "-")

    def tearDown(self):
        self.cluster.check_alive()
        self.cluster.terms()

    def weir(self, node, command, *words):
        return run([WEIR, command, "--bootstrap-server", node.address, *map(str, words)]).decode()

    def leaders(self, node, topic):
        """The leaders of the topic's partitions as a broker says; None while it does not know the topic."""
        known = self.cluster.metadata(node, [topic])
        (found,) = known["topics"]
        return [p["leaderId"] for p in found["partitions"]] if found["errorCode"] == 0 else None

    def need_api(self, key, name):
        versions = json.loads(self.weir(self.cluster.brokers[0], "api-versions", "--json"))
        if key not in [api["key"] for api in versions[0]["apis"]]:
            support.loud_skip(f"Weir's broker does not serve {name} yet")


class Clients:
    """What clients see of a cluster, whichever broker they ask."""

    def test_kcat_lists_all_at_every_broker(self):
        support.program("kcat")
        all_lines = [f"broker {node.number} at {node.address}" for node in self.cluster.brokers]
        for node in self.cluster.brokers:
            listing = run(["kcat", "-L", "-b", node.address]).decode()
            for line in all_lines:
                self.assertIn(line, listing)

    def test_topics_made_at_any_broker_are_at_every_one(self):
        brokers = self.cluster.brokers
        for node in brokers:
            self.weir(node, "topics", "--create", "--topic", f"{self.topic}-{node.number}", "--partitions", 3,
                      "--replication-factor", 2)
        for node in brokers:
            for other in brokers:
                name = f"{self.topic}-{other.number}"
                leaders = cluster.until(lambda n=node, t=name: self.leaders(n, t), 5, f"{name} at node {node.number}")
                self.assertEqual(len(leaders), 3)
                self.assertLessEqual(set(leaders), {broker.number for broker in brokers})
            self.assertIn(self.topic, self.weir(node, "topics", "--list"))
        for node in brokers:  # through the next one
            self.weir(brokers[(brokers.index(node) + 1) % 3], "topics", "--delete", "--topic",
                      f"{self.topic}-{node.number}")
        for node in brokers:
            cluster.until(lambda n=node: not any(self.leaders(n, f"{self.topic}-{o.number}") for o in brokers), 5,
                          f"node {node.number} still has topics")

    def test_records_go_in_and_come_out_through_any_broker(self):
        support.program("kcat")
        brokers = self.cluster.brokers
        self.weir(brokers[0], "topics", "--create", "--topic", self.topic, "--partitions", 6)
        cluster.until(lambda: set(self.leaders(brokers[1], self.topic) or ()) == {b.number for b in brokers}, 10,
                      "not all brokers lead")
        lines = [f"k{number}:value {number}" for number in range(300)]
        for at, node in enumerate(brokers):
            run(["kcat", "-P", "-b", node.address, "-t", self.topic, "-K:"],
                input="".join(line + "\n" for line in lines[at::3]).encode())
        for node in brokers:
            read = ["kcat", "-C", "-b", node.address, "-t", self.topic, "-e", "-q", "-K:"]
            self.assertEqual(sorted(run(read).decode().splitlines()), sorted(lines))
        # A group, whose coordinator is one of them.
        for at, node in enumerate(brokers):
            said = run([WEIR, "consume", "--bootstrap-server", node.address, "--topic", self.topic, "--group",
                        f"g-{self.topic}-{at}", "--from-beginning", "--max-messages", "300", "--timeout-ms", "20000"])
            self.assertEqual(len(said.splitlines()), 300)


class CombinedTest(Clients, ClusterTest):

    def test_a_kafka_client_on_the_port_between_nodes(self):
        support.program("kcat")
        node = self.cluster.controllers[0]
        began = time.monotonic()
        done = subprocess.run(["kcat", "-L", "-m", "2", "-b", f"{node.host}:{node.controller_port}"],
                              capture_output=True, timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"Disconnected", done.stderr)
        self.assertLess(time.monotonic() - began, 15)
        self.assertRegex(node.all_output(), rf"closed a connection .*127.0.0.1:{node.controller_port} is for the nodes "
                         rf".* Kafka clients are served at PLAINTEXT://{re.escape(node.address)}")
        closed = []
        threads = [threading.Thread(target=lambda n=number: closed.append(self.garbage(node, n)))
                   for number in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(len(closed), 50)
        self.assertLess(max(closed), 5)
        self.assertLess(node.all_output().count("closed a connection"), 40)  # the rest is counted
        self.weir(node, "topics", "--create", "--topic", self.topic, "--partitions", 1, "--replication-factor", 3)

    @staticmethod
    def garbage(node, number):
        """How long it takes until a connection on which garbage comes is closed."""
        began = time.monotonic()
        with socket.create_connection((node.host, node.controller_port), timeout=20) as connection:
            try:
                connection.sendall(bytes([number, 0xff, 0, 7]) * 100)
                while connection.recv(1000):
                    pass
            except ConnectionError:
                pass
        return time.monotonic() - began


class ApartTest(Clients, ClusterTest):
    """Three controllers that serve no client, and three brokers that have no vote."""

    roles = cluster.APART

    def test_the_controllers_serve_no_client(self):
        for node in self.cluster.controllers:
            self.assertNotIn("PLAINTEXT", node.properties()["listeners"])
            self.assertEqual(node.identity("cluster.id"), self.cluster.brokers[0].identity("cluster.id"))
        self.assertEqual(self.cluster.known_brokers(self.cluster.brokers[0]), {4, 5, 6})

    def test_a_stopped_broker_is_missed_and_comes_back(self):
        node, asked = self.cluster.brokers[2], self.cluster.brokers[0]
        self.assertEqual(node.stop(), 0, node.output())
        cluster.until(lambda: node.number not in self.cluster.known_brokers(asked), 15,
                      lambda: f"node {node.number} is still there\n{self.cluster.said()}")
        node.start(wait=False)
        self.cluster.wait_until_ready()


class KafkaToolsTest(ClusterTest):
    """Apache Kafka's administration, each time through another broker."""

    def tool(self, at, main, *arguments, **more):
        where = ("--bootstrap-server", self.cluster.brokers[at].address)
        words = (*arguments, *where) if main == "ClusterTool" else (*where, *arguments)
        return kafka_tool(main if "." in main else TOOLS + main, *words, **more)

    def test_topics_and_configs(self):
        self.tool(0, "TopicCommand", "--create", "--topic", self.topic, "--partitions", 4, "--replication-factor", 3)
        self.assertIn(self.topic, self.tool(1, "TopicCommand", "--list").split())
        self.tool(2, "TopicCommand", "--alter", "--topic", self.topic, "--partitions", 5)
        self.tool(1, "kafka.admin.ConfigCommand", "--alter", "--topic", self.topic, "--add-config", "retention.ms=4321")
        described = self.tool(0, "TopicCommand", "--describe", "--topic", self.topic)
        self.assertRegex(described, "PartitionCount: 5\tReplicationFactor: 3\tConfigs: .*retention.ms=4321")
        rows = [line for line in described.splitlines() if "\tPartition: " in line]
        self.assertEqual(len(rows), 5)
        self.assertEqual({re.search(r"Leader: (\d)", row)[1] for row in rows}, {"1", "2", "3"})
        self.assertIn("retention.ms=4321 ",
                      self.tool(2, "kafka.admin.ConfigCommand", "--describe", "--topic", self.topic))
        self.tool(1, "TopicCommand", "--delete", "--topic", self.topic)
        cluster.until(lambda: self.leaders(self.cluster.brokers[0], self.topic) is None, 5, "the topic is still there")

    def test_the_cluster(self):
        self.assertIn(f"Cluster ID: {self.cluster.nodes[1].identity('cluster.id')}\n",
                      self.tool(1, "ClusterTool", "cluster-id"))
        endpoints = self.tool(2, "ClusterTool", "list-endpoints")
        for node in self.cluster.brokers:
            self.assertRegex(endpoints, rf"{node.number} +127.0.0.1 +{node.port} +null +unfenced +broker")

    def test_features(self):
        self.need_api(UPDATE_FEATURES, "UpdateFeatures")
        said = self.tool(0, "FeatureCommand", "describe")
        level = re.search(r"Feature: metadata.version\t.*\tFinalizedVersionLevel: (\S+)\t", said)[1]
        newest = re.search(r"Feature: metadata.version\t.*SupportedMaxVersion: (\S+)\t", said)[1]
        self.assertEqual(level, newest)
        self.assertIn("metadata.version was", self.tool(1, "FeatureCommand", "upgrade", "--metadata", newest))
        with self.assertRaisesRegex(AssertionError, "Could not"):
            self.tool(2, "FeatureCommand", "upgrade", "--feature", "metadata.version=99")

    def test_preferred_leaders(self):
        self.need_api(ELECT_LEADERS, "ElectLeaders")
        said = self.tool(1, "LeaderElectionCommand", "--election-type", "preferred", "--all-topic-partitions")
        self.assertNotIn("Error", said)

    def test_the_metadata_quorum(self):
        self.need_api(DESCRIBE_QUORUM, "DescribeQuorum")
        said = [self.tool(at, "MetadataQuorumCommand", "describe", "--status") for at in range(3)]
        epoch, leader = self.cluster.active()
        for text in said:
            self.assertRegex(text, rf"LeaderId: +{leader.number}\n")
            self.assertRegex(text, rf"LeaderEpoch: +{epoch}\n")
            for node in self.cluster.controllers:
                self.assertRegex(text, rf'CurrentVoters:.*"id": {node.number}, "directoryId": '
                                 rf'"{re.escape(node.identity("directory.id"))}"')
        rows = [line.split() for line in self.tool(2, "MetadataQuorumCommand", "describe", "--replication").splitlines()
                if line[:1].isdigit()]
        self.assertEqual(sorted((int(row[0]), row[-1]) for row in rows),
                         [(n.number, "Leader" if n is leader else "Follower") for n in self.cluster.controllers])
        ours = run([WEIR, "quorum", "--bootstrap-server", self.cluster.brokers[0].address, "describe", "--status"])
        self.assertRegex(ours.decode(), rf"LeaderId: +{leader.number}\n")

    def test_unregister(self):
        self.need_api(UNREGISTER_BROKER, "UnregisterBroker")
        node = next(n for n in self.cluster.brokers if n is not self.cluster.active()[1])
        asked = next(at for at, n in enumerate(self.cluster.brokers) if n is not node)
        node.kill()
        self.addCleanup(self.cluster.wait_until_ready)
        self.addCleanup(node.start, wait=False)
        cluster.until(lambda: node.number not in self.cluster.known_brokers(self.cluster.brokers[asked]), 30,
                      f"node {node.number} is not fenced")
        said = self.tool(asked, "ClusterTool", "unregister", "--id", node.number)
        self.assertIn(f"Broker {node.number} is no longer registered", said)
        self.assertNotIn(f"\n{node.number} ", self.tool(asked, "ClusterTool", "list-endpoints",
                                                        "--include-fenced-brokers"))


class FullDiskTest(ClusterTest):
    """A node whose disk has no room for a while."""

    @classmethod
    def setUpClass(cls):
        support.need_weir("clusters of several nodes")
        cls.cluster = cluster.Cluster(cls.roles, config=cls.config)
        cls.addClassCleanup(cls.cluster.__exit__)
        cls.small = cls.cluster.nodes[3]
        os.makedirs(cls.small.folder)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "weir", cls.small.folder], capture_output=True)
        if done.returncode != 0:
            support.loud_skip(f"no file system may be mounted here: {done.stderr.decode()[-200:]}")
        cls.addClassCleanup(subprocess.run, ["umount", "-l", cls.small.folder])
        cls.small.output_path = os.path.join(cls.cluster.folder, "node-3.txt")
        cls.cluster.start()

    def fill(self, leave):
        path = os.path.join(self.small.folder, "filler")
        with open(path, "wb") as file:
            status = os.statvfs(self.small.folder)
            file.write(b"\0" * (status.f_bavail * status.f_frsize - leave))
        return path

    def make(self, name):
        """A topic of another node, whose disk has room."""
        node = next(node for node in self.cluster.brokers if node is not self.small)
        peer = node.peer()
        said = peer.ask("CreateTopics", 7, timeoutMs=5000, topics=[
            {"name": name, "numPartitions": -1, "replicationFactor": -1,
             "assignments": [{"partitionIndex": 0, "brokerIds": [node.number]}]}])
        peer.close()
        self.assertEqual(said["topics"][0]["errorCode"], 0, said)

    def test_it_waits_for_room_and_goes_on(self):
        term, leader = self.cluster.active()
        if leader is self.small:  # who leads has to have room
            self.small.kill()
            cluster.until(lambda: self.cluster.active(above=term), 20, "nobody else is active")
            self.small.start(wait=False)
            self.cluster.wait_until_ready()
        for leave in (8 << 10, 0):
            filler = self.fill(leave)
            for number in range(5):
                self.make(f"{self.topic}-{leave}-{number}")
            time.sleep(3)
            self.assertTrue(self.small.alive(), self.small.output())
            os.remove(filler)
            last = f"{self.topic}-{leave}-4"
            cluster.until(lambda t=last: self.leaders(self.small, t), 20,
                          lambda: f"it does not catch up\n{self.small.output()}")
        said = self.small.all_output()
        self.assertLessEqual(said.count("follows no more until there is room"), 4, said)
        self.assertIn("the metadata log has room again", said)
