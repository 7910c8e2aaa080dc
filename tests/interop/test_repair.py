"""Bytes that a disk has changed behind a broker's back are found, and the replica is filled again from the others."""

import glob
import os
import subprocess
import time

import cluster
import support

RECORDS, RECORD_BYTES = 400, 10_000
CONFIG = {
    "min.insync.replicas": 2,
    "weir.scrub.bytes.per.second": 200_000_000,
    "weir.scrub.interval.ms": 1000,
}


class RepairTest(support.unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        support.need_weir("clusters of several nodes")

    def test_a_follower_whose_closed_segment_is_damaged(self):
        with cluster.Cluster(cluster.COMBINED, config=CONFIG) as nodes:
            self.fill(nodes)
            victim = next(node for node in nodes.brokers if node.number != self.partition(nodes)["leaderId"])
            victim.stop()
            self.damage(victim)
            victim.start(wait=False)
            self.wait_until_repaired(nodes, victim)

    def test_a_leader_whose_closed_segment_is_damaged(self):
        with cluster.Cluster(cluster.COMBINED, config=CONFIG) as nodes:
            self.fill(nodes)
            leader = nodes.nodes[self.partition(nodes)["leaderId"]]
            self.damage(leader)
            self.wait_until_repaired(nodes, leader)

    def test_a_directory_that_is_gone(self):
        with cluster.Cluster(cluster.COMBINED, config=CONFIG) as nodes:
            self.fill(nodes)
            victim = nodes.nodes[self.partition(nodes)["leaderId"]]
            victim.stop()
            subprocess.run(["rm", "-r", os.path.join(victim.data, "t-0")], check=True)
            victim.start(wait=False)
            self.wait_until_repaired(nodes, victim, aside=0)

    def test_the_only_replica_stays_as_it_is(self):
        with cluster.Cluster(cluster.COMBINED, config={**CONFIG, "min.insync.replicas": 1}) as nodes:
            self.fill(nodes, replicas=[1])
            victim = nodes.nodes[1]
            self.damage(victim)
            cluster.until(lambda: "is damaged on disk" in victim.all_output(), 30, "nobody has noticed")
            time.sleep(1)
            self.assertEqual(glob.glob(os.path.join(victim.data, "*damaged*")), [])
            self.assertEqual(self.partition(nodes)["leaderId"], 1)

    def fill(self, nodes, replicas=(1, 2, 3)):
        """A topic with some closed segments."""
        peer = nodes.brokers[0].peer()
        try:
            answer = peer.ask("CreateTopics", 7, timeoutMs=10_000, topics=[
                {"name": "t", "numPartitions": -1, "replicationFactor": -1,
                 "assignments": [{"partitionIndex": 0, "brokerIds": list(replicas)}],
                 "configs": [{"name": "segment.bytes", "value": str(1 << 20)}]}])
            self.assertEqual(answer["topics"][0]["errorCode"], 0, answer)
        finally:
            peer.close()
        cluster.until(lambda: self.partition(nodes), 10, "there is no topic")
        support.run([support.PROGRAM, "perf", "produce", "--topic", "t", "--num-records", str(RECORDS), "--record-size",
                     str(RECORD_BYTES), "--throughput", "-1", "--producer-props",
                     f"bootstrap.servers={nodes.address}", "acks=all", "batch.size=20000"])
        cluster.until(lambda: len(self.partition(nodes)["isrNodes"]) == len(replicas), 30,
                      lambda: f"the ISR is not full: {self.partition(nodes)}\n{nodes.said()}")
        self.assertGreater(len(self.segments(nodes.nodes[replicas[0]])), 2)

    def partition(self, nodes):
        for node in nodes.brokers:
            said = nodes.metadata(node, ["t"]) if node.alive() else None
            if said is not None and said["topics"][0]["errorCode"] == 0:
                return said["topics"][0]["partitions"][0]
        return None

    @staticmethod
    def segments(node):
        """The bytes of each segment, by name."""
        found = {}
        for path in sorted(glob.glob(os.path.join(node.data, "t-0", "*.log"))):
            with open(path, "rb") as file:
                found[os.path.basename(path)] = file.read()
        return found

    def damage(self, node):
        """Some bytes in the middle of the second segment."""
        path = sorted(glob.glob(os.path.join(node.data, "t-0", "*.log")))[1]
        with open(path, "r+b") as file:
            file.seek(os.path.getsize(path) // 2)
            file.write(b"\xff\x00 damage \x00\xff")

    def wait_until_repaired(self, nodes, victim, aside=1):
        began = time.monotonic()
        cluster.until(lambda: "is copied anew from its leader" in victim.all_output(), 30,
                      lambda: f"node {victim.number} has not begun anew\n{nodes.said()}")
        cluster.until(lambda: len((self.partition(nodes) or {"isrNodes": []})["isrNodes"]) == 3, 30,
                      lambda: f"the ISR is not full again: {self.partition(nodes)}\n{nodes.said()}")
        print(f"  repaired and in sync after {time.monotonic() - began:.1f} s", flush=True)
        self.assertEqual(len(glob.glob(os.path.join(victim.data, "t-0.*-damaged*"))), aside)
        other = next(node for node in nodes.brokers if node is not victim)
        truth = b"".join(self.segments(other).values())
        self.assertGreaterEqual(len(truth), RECORDS * RECORD_BYTES)
        self.assertEqual(b"".join(self.segments(victim).values()), truth)
        read = support.run([support.PROGRAM, "consume", "--topic", "t", "--from-beginning", "--max-messages",
                            str(RECORDS), "--bootstrap-server", nodes.address])
        self.assertEqual(read.count(b"\n"), RECORDS)
        nodes.check_alive()
