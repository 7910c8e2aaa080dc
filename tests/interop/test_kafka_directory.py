"""A folder that Apache Kafka wrote, served by Weir; what Weir wrote there, read by Kafka's dump tool and by Kafka."""

import glob
import os
import re
import shutil
import tempfile
import time

import support
from support import kafka_tool, run

KAFKA = {"offsets.topic.num.partitions": "7", "transaction.state.log.replication.factor": "1",
         "transaction.state.log.min.isr": "1", "transaction.state.log.num.partitions": "3",
         "group.initial.rebalance.delay.ms": "0", "log.cleaner.backoff.ms": "500",
         "metadata.log.max.snapshot.interval.ms": "3000"}
DUMPED = (".log", ".index", ".timeindex", ".txnindex", ".snapshot", ".checkpoint")
COMPLAINTS = ("isvalid: false", "mismatch", "Mismatch", "out of order", "Non-consecutive", "Exception", "Could not",
              "is corrupt", "not properly", "truncat")


def dump(folder):
    """What Apache Kafka's dump tool says of every file below `folder` that it can read: whether it complains."""
    decoders = {"__consumer_offsets": "--offsets-decoder", "__transaction_state": "--transaction-log-decoder",
                "__cluster_metadata": "--cluster-metadata-decoder"}
    said, files = {}, {}
    for path in sorted(glob.glob(os.path.join(folder, "*-*", "*"))):
        # Of an empty file it says that it cannot be mapped, or nothing.
        if path.endswith(DUMPED) and os.path.getsize(path) > 0:
            name = os.path.basename(os.path.dirname(path)).rsplit("-", 1)[0]
            files.setdefault(decoders.get(name, "--deep-iteration"), []).append(path)
    for decoder, paths in files.items():
        said[decoder] = kafka_tool("kafka.tools.DumpLogSegments", decoder, "--files", ",".join(paths), timeout=240)
    return {path for paths in files.values() for path in paths}, "".join(said.values())


class DumpTest(support.BrokerTest):
    """Every kind of file that Weir writes."""

    def setUp(self):
        super().setUp()
        support.need_weir("the files on disk")

    def test_every_file_is_clean(self):
        client = [support.python(), os.path.join(support.HERE, "directory_client.py")]
        run(client + ["fill-plain", self.broker.address, os.path.join(self.broker.folder, "state")], timeout=240)
        self.assertEqual(self.broker.stop(), 0, self.broker.output())
        files, said = dump(self.broker.data)
        self.broker.start()
        check_dump(self, files, said)


class RaftFolderTest(support.unittest.TestCase):
    """The folder of a Raft replica with snapshots and two voters, as no broker of one node has it."""

    def setUp(self):
        support.need_weir("the folder of a Raft replica")
        self.folder = tempfile.mkdtemp(prefix="weir-interop-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def test_every_file_is_clean(self):
        run([support.built("tests/interop/raft_folder"), self.folder])
        files, said = dump(self.folder)
        check_dump(self, files, said)
        self.assertEqual(sum(path.endswith(".checkpoint") for path in files), 1)
        for kind, count in (("LeaderChange", 2), ("KRaftVersion", 1), ("KRaftVoters", 2), ("SnapshotHeader", 1),
                            ("SnapshotFooter", 1), ('"type":"TOPIC_RECORD"', 204)):
            self.assertEqual(said.count(kind), count, kind)

    def test_kafka_loads_all_of_the_snapshot(self):
        run([support.built("tests/interop/raft_folder"), self.folder])
        path, = glob.glob(os.path.join(self.folder, "*", "*.checkpoint"))
        said = run(["java", "-cp", f"{support.kafka_jars()}/*", os.path.join(support.HERE, "SnapshotImage.java"), path])
        lines = said.decode().splitlines()
        # Brokers' listeners and the entities of a quota have no order in an image of Kafka's.
        records = {side: sorted(sorted(re.split(r"[][, ]+", line[2:])) for line in lines if line.startswith(side))
                   for side in "<>"}
        self.assertEqual(records["<"], records[">"])
        self.assertEqual(len(records["<"]), 31)
        # The first says how to read all else.
        self.assertIn("name='metadata.version', featureLevel=29", lines[0])
        self.assertEqual(lines[-1], "end OffsetAndEpoch[offset=201, epoch=1]")
        self.assertFalse([line for line in lines if line.startswith("lost")])


def check_dump(test, files, said):
    for ending in (".log", ".index", ".timeindex", ".snapshot"):
        test.assertTrue(any(path.endswith(ending) for path in files), f"no {ending} among {len(files)} files")
    bad = [line[:300] for line in said.splitlines() if any(word in line for word in COMPLAINTS)]
    test.assertEqual(bad, [], f"of {len(files)} files")
    for path in files:
        test.assertIn(f"Dumping {path}", said)


class DirectoryTest(support.unittest.TestCase):

    def setUp(self):
        support.need_weir("a folder of Apache Kafka")
        self.folder = tempfile.mkdtemp(prefix="weir-interop-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def broker(self, kind, quorum):
        program = support.PROGRAM if kind == "weir" else support.kafka_jars()
        broker = support.weir_process.Broker(program, kind, folder=self.folder, quorum=quorum,
                                             config=KAFKA if kind == "kafka" else {})
        self.addCleanup(broker.kill)
        return broker.start()

    def client(self, command, broker):
        print(f"  {broker.kind}: {command}", time.strftime("%T"), flush=True)
        run([support.python(), os.path.join(support.HERE, "directory_client.py"), command, broker.address,
             os.path.join(self.folder, "state.json")], timeout=240)

    def check(self, quorum, kill):
        kafka = self.broker("kafka", quorum)
        self.client("fill", kafka)
        kafka.kill() if kill else kafka.stop()

        weir = self.broker("weir", quorum)
        self.client("compare", weir)
        self.client("add", weir)
        weir.restart()  # killed
        self.client("compare", weir)
        self.assertEqual(weir.stop(), 0, weir.output())
        self.assertNotIn("ERROR", weir.output())

        files, said = dump(os.path.join(self.folder, "data"))
        check_dump(self, files, said)

        kafka = self.broker("kafka", quorum)
        self.client("compare", kafka)
        self.client("add-more", kafka)
        kafka.stop()

        weir = self.broker("weir", quorum)
        self.client("compare", weir)
        self.assertEqual(weir.stop(), 0, weir.output())

    def test_after_a_clean_shutdown(self):
        self.check("voters", kill=False)

    def test_after_a_kill(self):
        self.check("bootstrap", kill=True)
