"""Many logs are opened by several threads, after whatever end, and a limit of open files that is too low is told."""

import os
import resource
import subprocess
import tempfile
import unittest

import support
import wire
from test_bad_input import record_batch

PARTITIONS = 300


class RecoveryTest(unittest.TestCase):

    def setUp(self):
        support.need_weir("recovery")
        folder = tempfile.TemporaryDirectory(prefix="weir-interop-recovery-")
        self.addCleanup(folder.cleanup)
        self.broker = support.broker(folder=folder.name, config={"num.recovery.threads.per.data.dir": "3"})
        self.addCleanup(self.broker.kill)
        self.broker.start()
        peer = wire.Peer(self.broker.port)
        made = peer.ask("CreateTopics", 5, timeoutMs=60_000,
                        topics=[{"name": "t", "numPartitions": PARTITIONS, "replicationFactor": 1}])
        self.assertEqual(made["topics"][0]["errorCode"], 0)
        answer = peer.ask("Produce", 7, acks=-1, timeoutMs=60_000, topicData=[
            {"name": "t", "partitionData": [{"index": i, "records": record_batch(count=1 + i % 3)}
                                            for i in range(PARTITIONS)]}])
        errors = {each["errorCode"] for each in answer["responses"][0]["partitionResponses"]}
        self.assertEqual(errors, {0})
        peer.close()

    def start_and_look(self):
        """Every partition ends where it ended; what the broker said of opening them."""
        said = os.path.getsize(self.broker.output_path)
        self.broker.start()
        peer = wire.Peer(self.broker.port)
        answer = peer.ask("ListOffsets", 5, replicaId=-1, topics=[
            {"name": "t", "partitions": [{"partitionIndex": i, "timestamp": -1} for i in range(PARTITIONS)]}])
        peer.close()
        ends = {each["partitionIndex"]: each["offset"] for each in answer["topics"][0]["partitions"]}
        self.assertEqual(ends, {i: 1 + i % 3 for i in range(PARTITIONS)})
        with open(self.broker.output_path, encoding="utf-8", errors="replace") as output:
            output.seek(said)
            return [line for line in output if f"opened {PARTITIONS} partitions" in line]

    def test_whatever_the_end_was(self):
        self.broker.kill()
        lines = self.start_and_look()
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(f"checked {PARTITIONS} segments", lines[0])
        self.assertEqual(self.broker.stop(), 0)
        lines = self.start_and_look()
        self.assertEqual(len(lines), 1, lines)
        self.assertIn("after a clean shutdown", lines[0])

    def test_too_few_open_files(self):
        self.assertEqual(self.broker.stop(), 0)
        done = subprocess.run(self.broker.command(self.broker.write_properties()), capture_output=True, timeout=60,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)))
        said = done.stderr.decode()
        self.assertGreater(done.returncode, 0, said)
        self.assertIn(f"of {PARTITIONS} partitions", said)
        self.assertIn("ulimit -Hn", said)
        self.start_and_look()

    def test_the_limit_is_raised_as_far_as_it_may_be(self):
        self.assertEqual(self.broker.stop(), 0)
        soft_before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, soft_before[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, soft_before)
        self.start_and_look()
