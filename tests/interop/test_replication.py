"""Brokers replicate: what all replicas acknowledged is there once and in order, whatever becomes of one of them."""

import collections
import glob
import json
import os
import random
import re
import statistics
import subprocess
import time

import cluster
import support
from support import kafka_tool
from test_bad_input import record_batch
from test_cluster import ClusterTest

ROUNDS = int(os.environ.get("WEIR_INTEROP_KILLS", 30 if support.FULL else 3))
PARTITIONS = 4
NOT_LEADER_OR_FOLLOWER = 6
NOT_ENOUGH_REPLICAS = 19
TOOLS = "org.apache.kafka.tools."
CLIENT = os.path.join(support.HERE, "replication_client.py")


def read_log(node, topic, partition):
    """The bytes of all segments of a replica, in their order; None while it has none."""
    paths = sorted(glob.glob(os.path.join(node.data, f"{topic}-{partition}", "*.log")))
    try:
        return b"".join(read_file(path) for path in paths) if paths else None
    except FileNotFoundError:
        return None


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


def fetch(node, topic, offset, rack="", wait_ms=0):
    """What a replica answers a consumer, of partition 0."""
    peer = node.peer()
    answer = peer.ask("Fetch", 12, replicaId=-1, maxWaitMs=wait_ms, minBytes=1, maxBytes=1 << 20, isolationLevel=0,
                      sessionId=0, sessionEpoch=-1, rackId=rack, topics=[
                          {"topic": topic, "partitions": [
                              {"partition": 0, "fetchOffset": offset, "partitionMaxBytes": 1 << 20}]}])
    peer.close()
    return answer["responses"][0]["partitions"][0]


class Producing:
    """Producers with acks=all on one topic, each a process of its own. Use it in a `with`; then it has `acked`."""

    def __init__(self, nodes, topic, libraries=("librdkafka", "kafka-python")):
        self.nodes, self.topic, self.libraries = nodes, topic, libraries
        self.acked, self.errors, self.longest, self.processes = {}, [], {}, {}

    def __enter__(self):
        for library in self.libraries:
            self.processes[library] = subprocess.Popen(
                [support.python(), CLIENT, "produce", library, self.nodes.address, self.topic, str(PARTITIONS),
                 library],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return self

    def __exit__(self, kind, *unused):
        for library, process in self.processes.items():
            try:
                if kind is not None:
                    process.kill()
                said, complaint = process.communicate("stop\n", timeout=150)
            except subprocess.TimeoutExpired:
                process.kill()
                said, complaint = process.communicate()
            if kind is not None:
                continue
            if process.returncode != 0:
                raise AssertionError(f"{library}: {complaint[-2000:]}")
            found = json.loads(said)
            self.longest[library] = found["longest"]
            self.errors += found["errors"]
            for partition, number, offset in found["acked"]:
                self.acked[(library, partition, number)] = offset

    def said(self):
        longest = ", ".join(f"{library} waited {seconds:.1f} s at most" for library, seconds in self.longest.items())
        return f"{len(self.acked)} acknowledged, {len(self.errors)} failed; {longest}"


class ReplicatedTest(ClusterTest):
    """What these tests share."""

    config = {"broker.session.timeout.ms": 3000, "broker.heartbeat.interval.ms": 500, "min.insync.replicas": 2,
              "default.replication.factor": 3, "offsets.topic.replication.factor": 3,
              "offsets.topic.num.partitions": 3, "replica.lag.time.max.ms": 3000,
              "log.flush.offset.checkpoint.interval.ms": 1000, "log.segment.bytes": 1 << 20}
    # A partition is on another shard of each of them.
    own = {number: {"weir.reactors": 1 + number % 3} for number in (*cluster.COMBINED, *cluster.APART)}

    def create(self, *words, partitions=PARTITIONS, replicas=3):
        self.weir(self.cluster.brokers[0], "topics", "--create", "--topic", self.topic, "--partitions", partitions,
                  "--replication-factor", replicas, *words)
        self.wait_for_isr(replicas)

    def partitions(self, topic=None, node=None):
        for each in [node] if node else self.cluster.brokers:
            known = self.cluster.metadata(each, [topic or self.topic]) if each.alive() else None
            if known and known["topics"][0]["errorCode"] == 0:
                return {p["partitionIndex"]: p for p in known["topics"][0]["partitions"]}
        return {}

    def wait_for_isr(self, count, seconds=40, topic=None):
        def full():
            found = self.partitions(topic)
            return found and all(len(p["isrNodes"]) == count and p["leaderId"] >= 0 for p in found.values())

        cluster.until(full, seconds,
                      lambda: f"not {count} in sync: {self.partitions(topic)}\n{self.cluster.said()}", 0.1)

    def leader(self, partition=0):
        found = self.partitions().get(partition)
        return self.cluster.nodes.get(found["leaderId"]) if found else None

    def new_leader(self, other_than, partition=0, seconds=15):
        def another():
            leader = self.leader(partition)
            return leader if leader and leader is not other_than else None

        return cluster.until(another, seconds, lambda: f"nobody else leads: {self.partitions()}\n{self.cluster.said()}")

    def read(self, topic=None):
        address = ",".join(node.address for node in self.cluster.brokers if node.alive())
        said = support.run([support.python(), CLIENT, "read", "librdkafka", address, topic or self.topic,
                            str(PARTITIONS), "reader"])
        return json.loads(said)

    def check(self, producing):
        """Every acknowledged record is there once, where it was said to be, and each producer's in their order."""
        places, numbers = collections.defaultdict(list), collections.defaultdict(list)
        for partition, offset, value in self.read(producing.topic):
            name, at, number = value.split(" ")
            self.assertEqual(int(at), partition)
            places[(name, partition, int(number))].append(offset)
            numbers[(name, partition)].append(int(number))
        twice = {key: offsets for key, offsets in places.items() if len(offsets) > 1}
        self.assertEqual(twice, {}, "records that are there twice")
        missing = [key for key in producing.acked if key not in places]
        self.assertEqual(missing[:10], [], f"{len(missing)} of {len(producing.acked)} acknowledged records are lost")
        moved = {key: (offset, places[key]) for key, offset in producing.acked.items()
                 if offset >= 0 and places[key] != [offset]}
        self.assertEqual(moved, {}, "acknowledged with another offset")
        for (name, partition), found in numbers.items():
            self.assertEqual(found, sorted(found), f"{name} in partition {partition}: not in order")
        self.assertGreater(len(producing.acked), 0)

    def check_copies(self, topic=None, seconds=20):
        """The logs of all replicas are the same, byte for byte."""
        topic = topic or self.topic

        def same():
            for number, partition in self.partitions(topic).items():
                logs = {read_log(self.cluster.nodes[node], topic, number) for node in partition["replicaNodes"]}
                if len(logs) != 1 or None in logs:
                    return False
            return True

        def sizes():
            return {(number, node): len(read_log(self.cluster.nodes[node], topic, number) or b"")
                    for number, partition in self.partitions(topic).items() for node in partition["replicaNodes"]}

        cluster.until(same, seconds, lambda: f"replicas differ: {sizes()}\n{self.cluster.said()}", 0.2)

    def strike(self, strike, heal, rounds=ROUNDS):
        """Leaders are struck and healed under producers."""
        chance = random.Random(cluster.seed())
        self.create()
        elections = []
        with Producing(self.cluster, self.topic) as producing:
            for _ in range(rounds):
                time.sleep(chance.uniform(0.5, 1.5))
                partition = chance.randrange(PARTITIONS)
                victim = cluster.until(lambda p=partition: self.leader(p), 10, "nobody leads")
                struck = time.monotonic()
                strike(victim)
                try:
                    others = [node for node in self.cluster.brokers if node is not victim]
                    cluster.until(lambda: any(self.partitions(node=n)[partition]["leaderId"] not in (-1, victim.number)
                                              for n in others if self.partitions(node=n)), 20,
                                  lambda: f"nobody else leads\n{self.cluster.said()}")
                    elections.append(time.monotonic() - struck)
                    time.sleep(chance.uniform(0, 1.5))
                finally:
                    heal(victim)
                self.wait_for_isr(3)
        print(f"  {rounds} faults: another leader after {statistics.median(elections):.2f} s in the middle, "
              f"{max(elections):.2f} s at most; {producing.said()}", flush=True)
        self.check(producing)
        self.check_copies()


class ReplicationTest(ReplicatedTest):
    def test_every_replica_has_the_same_bytes(self):
        self.create()
        with Producing(self.cluster, self.topic) as producing:
            time.sleep(3)
        print(f"  {producing.said()}", flush=True)
        self.assertEqual(producing.errors, [])
        self.check(producing)
        self.check_copies()

    def test_leaders_are_killed(self):
        self.strike(lambda node: node.kill(), lambda node: node.start(wait=False))

    def test_leaders_are_paused(self):
        self.strike(lambda node: node.pause(), lambda node: node.resume(), rounds=max(2, ROUNDS // 3))

    def test_a_lost_disk_refills(self):
        self.create()
        with Producing(self.cluster, self.topic) as producing:
            time.sleep(2)
            victim = self.leader()
            victim.wipe()
            self.new_leader(victim)
            victim.start(wait=False)
            self.wait_for_isr(3, seconds=60)
            time.sleep(1)
        print(f"  {producing.said()}", flush=True)
        self.check(producing)
        self.check_copies()

    def test_deleted_records_are_gone_everywhere(self):
        self.create(partitions=1)
        support.run(["kcat", "-P", "-b", self.cluster.address, "-t", self.topic, "-X", "acks=all"],
                    input="".join(f"{n}\n" for n in range(100)).encode())
        peer = self.leader().peer()
        answer = peer.ask("DeleteRecords", 2, timeoutMs=5000, topics=[
            {"name": self.topic, "partitions": [{"partitionIndex": 0, "offset": 50}]}])
        peer.close()
        (part,) = answer["topics"][0]["partitions"]
        self.assertEqual((part["errorCode"], part["lowWatermark"]), (0, 50))
        for node in self.cluster.brokers:
            got = fetch(node, self.topic, 60)
            self.assertEqual((got["errorCode"], got["logStartOffset"]), (0, 50), f"node {node.number}")

    def test_a_damaged_log_is_copied_anew(self):
        self.create(partitions=1)
        support.run(["kcat", "-P", "-b", self.cluster.address, "-t", self.topic, "-X", "acks=all"],
                    input="".join(f"{n} {'x' * 1000}\n" for n in range(3000)).encode())
        leader = self.leader()
        victim = next(node for node in self.cluster.brokers if node is not leader)
        time.sleep(2.5)  # its recovery point is written
        victim.kill()
        path = max(glob.glob(os.path.join(victim.data, f"{self.topic}-0", "*.log")))  # which recovery reads
        with open(path, "r+b") as file:
            file.seek(os.path.getsize(path) // 3)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 1]))
        victim.start(wait=False)
        aside = os.path.join(victim.data, f"{self.topic}-0.*-damaged-stray")
        cluster.until(lambda: glob.glob(aside), 30, lambda: "the damage is not noticed\n" + self.cluster.said())
        self.wait_for_isr(3)
        self.check_copies()

    def test_too_few_in_sync_are_refused(self):
        self.create(partitions=1, replicas=2)
        partition = self.partitions()[0]
        leader = self.cluster.nodes[partition["leaderId"]]
        follower = next(self.cluster.nodes[n] for n in partition["replicaNodes"] if n != leader.number)
        self.assertEqual(self.produce(leader, -1), 0)
        follower.kill()
        try:
            cluster.until(lambda: self.partitions(node=leader)[0]["isrNodes"] == [leader.number], 20,
                          lambda: f"the ISR stays {self.partitions()}")
            self.assertEqual(self.produce(leader, -1), NOT_ENOUGH_REPLICAS)
            self.assertEqual(self.produce(leader, 1), 0)
        finally:
            follower.start(wait=False)
        self.wait_for_isr(2)
        self.assertEqual(self.produce(leader, -1), 0)
        self.check_copies()

    def produce(self, node, acks):
        peer = node.peer()
        answer = peer.ask("Produce", 9, acks=acks, timeoutMs=10_000, topicData=[
            {"name": self.topic, "partitionData": [{"index": 0, "records": record_batch()}]}])
        peer.close()
        return answer["responses"][0]["partitionResponses"][0]["errorCode"]

    def test_rolling_restarts_are_not_felt(self):
        self.create()
        with Producing(self.cluster, self.topic) as producing:
            for node in self.cluster.brokers:
                time.sleep(1)
                self.assertEqual(node.stop(), 0, node.output())
                node.start(wait=False)
                self.wait_for_isr(3)
        print(f"  {producing.said()}", flush=True)
        self.assertEqual(producing.errors, [])
        self.check(producing)
        self.check_copies()

    def test_groups_outlive_their_coordinator(self):
        self.create(partitions=1)
        support.program("kcat")
        address = self.cluster.address
        support.run(["kcat", "-P", "-b", address, "-t", self.topic, "-X", "acks=all"],
                    input="".join(f"{n}\n" for n in range(100)).encode())

        def consume(count):
            said = support.run(["kcat", "-b", address, "-X", "auto.offset.reset=earliest", "-q", "-c", str(count), "-G",
                                "replicated", self.topic]).decode().split()
            return [int(each) for each in said]

        self.assertEqual(consume(40), list(range(40)))
        self.wait_for_isr(3, topic="__consumer_offsets")
        offsets = self.partitions("__consumer_offsets")
        self.assertEqual({len(p["replicaNodes"]) for p in offsets.values()}, {3})
        peer = self.cluster.brokers[0].peer()
        found = peer.ask("FindCoordinator", 4, keyType=0, coordinatorKeys=["replicated"])["coordinators"][0]
        peer.close()
        coordinator = self.cluster.nodes[found["nodeId"]]
        coordinator.kill()
        try:
            address = ",".join(node.address for node in self.cluster.brokers if node is not coordinator)
            self.assertEqual(consume(60), list(range(40, 100)))
        finally:
            coordinator.start(wait=False)
        self.wait_for_isr(3, topic="__consumer_offsets")

    # --- Kafka's tools

    def tool(self, main, *words):
        return kafka_tool(TOOLS + main, "--bootstrap-server", self.cluster.address, *words)

    def test_kafka_tools_see_and_move_replicas(self):
        self.create("--config", "min.insync.replicas=1", partitions=2, replicas=2)
        leader = self.leader()
        support.run(["kcat", "-P", "-b", self.cluster.address, "-t", self.topic, "-p", "0", "-X", "acks=all"],
                    input="".join(f"{n}\n" for n in range(1000)).encode())
        said = self.tool("TopicCommand", "--describe", "--topic", self.topic)
        for line in re.findall(r"Partition: \d.*", said):
            replicas, isr = re.search(r"Replicas: ([\d,]+)\s+Isr: ([\d,]+)", line).groups()
            self.assertEqual(sorted(replicas), sorted(isr), line)
        kept = leader.number
        gone = next(n for n in self.partitions()[0]["replicaNodes"] if n != kept)
        new = next(node.number for node in self.cluster.brokers if node.number not in (kept, gone))
        plan = os.path.join(self.cluster.folder, "plan.json")
        with open(plan, "w", encoding="utf-8") as file:
            json.dump({"version": 1, "partitions": [
                {"topic": self.topic, "partition": 0, "replicas": [new, kept]}]}, file)
        self.tool("reassign.ReassignPartitionsCommand", "--reassignment-json-file", plan, "--execute")
        cluster.until(lambda: sorted(self.partitions()[0]["isrNodes"]) == sorted([new, kept]), 30,
                      lambda: f"the move does not end: {self.partitions()}\n{self.cluster.said()}", 0.2)
        said = self.tool("reassign.ReassignPartitionsCommand", "--reassignment-json-file", plan, "--verify")
        self.assertIn("is completed", said)
        self.check_copies()
        self.tool("LeaderElectionCommand", "--election-type", "preferred", "--topic", self.topic, "--partition", "0")
        cluster.until(lambda: self.partitions()[0]["leaderId"] == new, 10, lambda: f"{self.partitions()}")
        removed = os.path.join(self.cluster.nodes[gone].data, f"{self.topic}-0")
        cluster.until(lambda: not os.path.exists(removed), 10, f"{removed} is still there")


class ApartTest(ReplicationTest):
    roles = cluster.APART

    @classmethod
    def setUpClass(cls):
        if not support.FULL:
            raise support.unittest.SkipTest("three controllers and three brokers: in the full mode")
        super().setUpClass()


class PageCacheTest(ReplicatedTest):
    """Acknowledged when it is in the page caches of the replicas, as Kafka does it."""

    config = {**ReplicatedTest.config, "weir.flush.policy": "os"}

    def test_leaders_are_killed(self):
        self.strike(lambda node: node.kill(), lambda node: node.start(wait=False))


class CutOffTest(ReplicatedTest):
    network = cluster.Namespaces

    def test_leaders_are_cut_off(self):
        self.strike(lambda node: self.cluster.network.cut_off(node.number),
                    lambda node: self.cluster.network.join(node.number), rounds=max(2, ROUNDS // 3))


class RackTest(ClusterTest):
    """Consumers read from a replica in their own rack (KIP-392)."""

    config = {**ReplicatedTest.config,
              "replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector"}
    own = {number: {"broker.rack": f"rack-{number}"} for number in cluster.COMBINED}

    def fetch(self, node, rack, wait_ms=0):
        return fetch(node, self.topic, 0, rack, wait_ms)

    def test_consumers_are_sent_to_their_rack(self):
        self.weir(self.cluster.brokers[0], "topics", "--create", "--topic", self.topic, "--partitions", 1,
                  "--replication-factor", 3)
        (leader,) = cluster.until(lambda: self.leaders(self.cluster.brokers[0], self.topic), 5, "no leader")
        leader = self.cluster.nodes[leader]
        peer = leader.peer()
        answer = cluster.until(lambda: self.produced(peer), 20, "not produced")
        peer.close()
        self.assertEqual(answer["errorCode"], 0)
        others = [node for node in self.cluster.brokers if node is not leader]
        for node in others:
            sent = self.fetch(leader, f"rack-{node.number}")
            self.assertEqual((sent["errorCode"], sent["preferredReadReplica"], sent["records"] or b""),
                             (0, node.number, b""))
            got = cluster.until(lambda n=node: (lambda p: p if p["records"] else None)(self.fetch(n, "", 500)), 10,
                                f"node {node.number} has no records")
            self.assertEqual((got["errorCode"], got["highWatermark"]), (0, 1))
        for rack in ("", "elsewhere", f"rack-{leader.number}"):
            got = self.fetch(leader, rack)
            self.assertEqual((got["errorCode"], got["preferredReadReplica"]), (0, -1))
            self.assertTrue(got["records"])

    def test_librdkafka_reads_in_its_rack(self):
        support.program("kcat")
        self.weir(self.cluster.brokers[0], "topics", "--create", "--topic", self.topic, "--partitions", 1,
                  "--replication-factor", 3)
        (leader,) = cluster.until(lambda: self.leaders(self.cluster.brokers[0], self.topic), 5, "no leader")
        lines = "".join(f"{n}\n" for n in range(1000))
        to = ["-b", self.cluster.address, "-t", self.topic, "-p", "0"]
        support.run(["kcat", "-P", *to, "-X", "acks=all"], input=lines.encode())
        for number in self.cluster.nodes:
            done = subprocess.run(["kcat", "-C", *to, "-e", "-q", "-X", f"client.rack=rack-{number}", "-d", "topic"],
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True)
            self.assertEqual(done.stdout.decode(), lines)
            sent = f"migrating from broker {leader} to {number}" in done.stderr.decode()
            self.assertEqual(sent, number != leader, done.stderr.decode()[-2000:])

    def produced(self, peer):
        answer = peer.ask("Produce", 9, acks=-1, timeoutMs=10_000, topicData=[
            {"name": self.topic, "partitionData": [{"index": 0, "records": record_batch()}]}])
        (part,) = answer["responses"][0]["partitionResponses"]
        return part if part["errorCode"] == 0 else None


class LastResortTest(ReplicatedTest):
    """The only replica with all that was acknowledged is gone, and an operator gives it up."""

    roles, config = cluster.APART, {**ReplicatedTest.config, "min.insync.replicas": 1}

    def test_an_unclean_election(self):
        self.create(partitions=1, replicas=2)
        leader = self.leader()
        (heir,) = (self.cluster.nodes[n] for n in self.partitions()[0]["replicaNodes"] if n != leader.number)
        (third,) = (node for node in self.cluster.brokers if node not in (leader, heir))
        self.write("kept")
        heir.kill()
        self.wait_for_isr(1)
        self.write("lost")
        leader.kill()
        heir.start(wait=False)
        cluster.until(lambda: {heir.number, third.number} == self.cluster.known_brokers(third) and
                      self.leaders(third, self.topic) == [-1], 20, lambda: f"{self.partitions()} {self.cluster.said()}")
        (topic,) = json.loads(self.weir(third, "topics", "--describe", "--unavailable-partitions", "--json"))
        (partition,) = topic["partitions"]
        self.assertEqual((topic["topic"], partition["leader"], partition["isr"], partition["eligible"]),
                         (self.topic, -1, [], [leader.number]))
        self.weir(third, "leader-election", "--election-type", "unclean", "--topic", self.topic, "--partition", 0)
        self.assertIs(self.new_leader(leader), heir)
        self.write("written after that")
        leader.start(wait=False)
        self.wait_for_isr(2)
        self.check_copies()
        self.assertEqual(support.run(["kcat", "-C", "-b", heir.address, "-t", self.topic, "-e", "-q"]).decode(),
                         "kept\nwritten after that\n")
        self.assertRegex(leader.output(), f"{self.topic}-0: cut off at offset 1 of 2")

    def write(self, line):
        alive = ",".join(node.address for node in self.cluster.brokers if node.alive())
        support.run(["kcat", "-P", "-b", alive, "-t", self.topic, "-X", "acks=all"], input=f"{line}\n".encode())


class LeaderHintTest(ClusterTest):
    """Clients are told who leads, and where that is, by what knows both fields (KIP-951)."""

    config = ReplicatedTest.config

    def test_from_the_versions_on_that_have_endpoints(self):
        self.weir(self.cluster.brokers[0], "topics", "--create", "--topic", self.topic, "--partitions", 1,
                  "--replication-factor", 1)
        (leader,) = cluster.until(lambda: self.leaders(self.cluster.brokers[0], self.topic), 5, "no leader")
        other = next(node for node in self.cluster.brokers if node.number != leader)
        cluster.until(lambda: self.leaders(other, self.topic), 10, "the topic is missing")
        (topic,) = self.cluster.metadata(other, [self.topic])["topics"]
        epoch, peer = topic["partitions"][0]["leaderEpoch"], other.peer()
        for api, versions, since, ask in (("Fetch", (12, 15, 16, 17), 16, self.fetch),
                                          ("Produce", (9, 10, 12), 10, self.produce)):
            for version in versions:
                with self.subTest(api=api, version=version):
                    answer, part = ask(peer, version, topic["topicId"])
                    self.assertEqual(part["errorCode"], NOT_LEADER_OR_FOLLOWER)
                    told = version >= since
                    self.assertEqual(part.get("currentLeader"),
                                     {"leaderId": leader, "leaderEpoch": epoch} if told else None)
                    self.assertEqual([(node["nodeId"], node["port"]) for node in answer.get("nodeEndpoints", [])],
                                     [(leader, self.cluster.nodes[leader].port)] if told else [])
        peer.close()

    def fetch(self, peer, version, topic_id):
        named = {"topicId": topic_id} if version >= 13 else {"topic": self.topic}
        answer = peer.ask("Fetch", version, maxBytes=1 << 20, sessionEpoch=-1, topics=[
            {**named, "partitions": [{"partition": 0, "currentLeaderEpoch": 0, "partitionMaxBytes": 1 << 20}]}])
        return answer, answer["responses"][0]["partitions"][0]

    def produce(self, peer, version, _topic_id):
        answer = peer.ask("Produce", version, acks=-1, timeoutMs=10_000, topicData=[
            {"name": self.topic, "partitionData": [{"index": 0, "records": record_batch()}]}])
        return answer, answer["responses"][0]["partitionResponses"][0]


if __name__ == "__main__":
    support.unittest.main()
