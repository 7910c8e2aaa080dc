"""Damage in the middle of a log is told with its place and never dropped; what it does not touch is served on."""

import os
import struct
import tempfile
import unittest

import support
import wire
from test_bad_input import record_batch

CORRUPT_MESSAGE, STORAGE_ERROR = 2, 56
BATCHES = 8
BATCH = record_batch(records=b"\xd8\x9c\x01" + b"\0\0\0\x01" + b"\xc8\x9c\x01" + b"v" * 10_020 + b"\0")


class CorruptionTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="weir-interop-corrupt-")
        self.addCleanup(folder.cleanup)
        self.broker = support.broker(folder=folder.name, config={"num.partitions": "2"})
        self.addCleanup(self.broker.kill)
        self.broker.start()
        self.peer = wire.Peer(self.broker.port)
        self.addCleanup(lambda: self.peer.close())
        made = self.peer.ask("CreateTopics", 5, timeoutMs=10_000,
                             topics=[{"name": "t", "numPartitions": 2, "replicationFactor": 1}])
        self.assertEqual(made["topics"][0]["errorCode"], 0)
        for _ in range(BATCHES):
            self.assertEqual(self.produce(0), 0)
            self.assertEqual(self.produce(1), 0)

    def produce(self, partition):
        answer = self.peer.ask("Produce", 7, acks=-1, timeoutMs=10_000, topicData=[
            {"name": "t", "partitionData": [{"index": partition, "records": BATCH}]}])
        return answer["responses"][0]["partitionResponses"][0]["errorCode"]

    def fetch(self, partition, offset, bytes_max=1 << 20):
        """The error code, and the base offsets of the batches that came."""
        answer = self.peer.ask("Fetch", 5, minBytes=1, maxBytes=1 << 20, topics=[
            {"topic": "t", "partitions": [
                {"partition": partition, "fetchOffset": offset, "partitionMaxBytes": bytes_max}]}])
        data = answer["responses"][0]["partitions"][0]
        records, offsets = data["records"] or b"", []
        while len(records) >= 61:
            base, length = struct.unpack(">qi", records[:12])
            offsets.append(base)
            records = records[12 + length:]
        return data["errorCode"], offsets

    def log_path(self, partition):
        return os.path.join(self.broker.data, f"t-{partition}", "0" * 20 + ".log")

    def damage(self, position, data):
        with open(self.log_path(0), "r+b") as file:
            file.seek(position)
            file.write(data)

    def start_again(self):
        self.peer.close()
        self.broker.start()

    def assert_the_other_partition_is_served(self):
        self.assertEqual(self.fetch(1, 0), (0, list(range(BATCHES))))
        self.assertEqual(self.produce(1), 0)

    def assert_said(self, *words):
        if support.KIND == "weir":
            line = [line for line in self.broker.output().splitlines() if all(word in line for word in words)]
            self.assertTrue(line, f"no line with {words} in\n{self.broker.output()}")

    def test_a_header_in_the_middle(self):
        self.assertEqual(self.broker.stop(), 0)
        position = 3 * len(BATCH)
        self.damage(position + 8, struct.pack(">i", 3))  # the batch says that it has 3 bytes
        before = os.path.getsize(self.log_path(0))
        self.start_again()
        self.assertEqual(self.fetch(0, 0, bytes_max=1), (0, [0]))
        self.assertEqual(self.fetch(0, 0, bytes_max=2 * len(BATCH))[0], 0)
        self.assertEqual(self.fetch(0, 2, bytes_max=len(BATCH) + 100), (0, [2]))
        for _ in range(3):
            self.assertEqual(self.fetch(0, 3), (CORRUPT_MESSAGE, []))
        self.assert_said("t-0", self.log_path(0), f"position {position}")
        self.assertEqual(self.fetch(0, BATCHES - 1), (0, [BATCHES - 1]))  # behind it, by the index
        self.assert_the_other_partition_is_served()
        self.assertEqual(self.produce(0), 0)
        self.assertEqual(self.fetch(0, BATCHES), (0, [BATCHES]))
        self.assertEqual(os.path.getsize(self.log_path(0)), before + len(BATCH))

    def test_a_record_below_the_recovery_point_after_a_crash(self):
        support.need_weir("damage below the recovery point")  # Kafka drops all that is behind it
        self.assertEqual(self.broker.stop(), 0)  # which writes the recovery points
        os.remove(os.path.join(self.broker.data, ".kafka_cleanshutdown"))
        position = 3 * len(BATCH)
        self.damage(position + 5_000, b"w")
        with open(self.log_path(0), "rb") as file:
            before = file.read()
        self.start_again()
        self.assertEqual(self.fetch(0, 0), (STORAGE_ERROR, []))
        self.assertEqual(self.produce(0), STORAGE_ERROR)
        self.assert_said("t-0 is offline", self.log_path(0), f"position {position}", "CRC")
        self.assert_the_other_partition_is_served()
        with open(self.log_path(0), "rb") as file:
            self.assertEqual(file.read(), before, "the damaged log was changed")
        self.damage(position + 5_000, b"v")  # as from a backup
        self.broker.kill()
        self.start_again()
        self.assertEqual(self.fetch(0, 0), (0, list(range(BATCHES))))
