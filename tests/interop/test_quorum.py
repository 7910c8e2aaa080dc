"""`weir quorum` against a broker and beside Apache Kafka's own tool: the same words in, the same words out."""

import json
import os
import subprocess

import support
from support import run

WEIR = support.PROGRAM if support.KIND == "weir" else os.path.join(support.ROOT, "bazel-bin/server/weir")
TOOL = "org.apache.kafka.tools.MetadataQuorumCommand"
NOBODY = ("--controller-id", "9", "--controller-directory-id", "tuP9LUEqQCCqz1OQDPK6ew")


class QuorumCommands:
    """What holds for every broker; the subclasses start one."""

    def command(self, *words):
        return [WEIR, "quorum", "--bootstrap-server", self.broker.address, *words]

    def weir(self, *words):
        return run(self.command(*words)).decode()

    def refused(self, code, *words):
        done = subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (code, b""), done.stderr)
        return done.stderr.decode()

    def kafka(self, *words):
        return support.kafka_tool(TOOL, "--bootstrap-server", self.broker.address, *words)

    @staticmethod
    def without_offsets(text):
        """What does not move while the two tools are asked one behind the other."""
        return [line for line in text.splitlines() if line.strip() and not line.startswith("HighWatermark")]

    def test_status_is_that_of_kafkas_tool(self):
        ours = self.weir("describe", "--status")
        self.assertEqual(self.without_offsets(ours), self.without_offsets(self.kafka("describe", "--status")))
        status = json.loads(self.weir("describe", "--status", "--json"))
        self.assertEqual((status["leader_id"], status["max_follower_lag"]), (1, 0))
        self.assertGreater(status["high_watermark"], 0)
        (voter,) = status["current_voters"]
        self.assertEqual(voter["id"], 1)
        self.assertIn(f'"directoryId": "{voter["directory_id"]}"', ours)

    def test_replication_has_the_columns_of_kafkas_tool(self):
        ours = [line.split() for line in self.weir("describe", "--replication").splitlines()]
        theirs = [line.split() for line in self.kafka("describe", "--replication").splitlines() if line.strip()]
        self.assertEqual(ours[0], theirs[0])
        self.assertEqual([row[:2] + row[-1:] for row in ours], [row[:2] + row[-1:] for row in theirs])
        self.assertIn(" ms ago", self.weir("describe", "--replication", "--human-readable"))
        (row,) = json.loads(self.weir("describe", "--replication", "--json"))
        self.assertEqual((row["node_id"], row["lag"], row["status"]), (1, 0, "Leader"))

    def test_changes_of_voters_are_refused_by_name(self):
        self.assertIn("VOTER_NOT_FOUND", self.refused(1, "remove-controller", *NOBODY))
        self.assertIn("VOTER_NOT_FOUND", self.refused(1, "remove-voter", "-i", "9", "-d", NOBODY[3]))
        properties = os.path.join(self.broker.folder, "server.properties")
        said = self.refused(1, "add-controller", "--command-config", properties)
        self.assertIn("DUPLICATE_VOTER", said)

    def test_a_dry_run_asks_nobody(self):
        properties = os.path.join(self.broker.folder, "server.properties")
        words = ("add-controller", "--command-config", properties, "--dry-run")
        text = self.weir(*words)
        self.assertEqual(text.splitlines(), [
            f"DRY RUN of adding controller 1 with directory id {self.directory_id()} and endpoints: "
            f"CONTROLLER://127.0.0.1:{self.broker.controller_port}"])
        self.assertEqual(text, self.kafka("--command-config", properties, words[0], words[-1]))
        removed = self.weir("remove-controller", *NOBODY, "--dry-run")
        self.assertEqual(removed, f"DRY RUN of removing KRaft controller 9 with directory id {NOBODY[3]}\n")

    def directory_id(self):
        with open(os.path.join(self.broker.data, "meta.properties"), encoding="utf-8") as file:
            return next(line.split("=")[1].strip() for line in file if line.startswith("directory.id="))

    def test_words_that_are_typed_wrongly(self):
        self.assertIn("expected one of --status, --replication", self.refused(2, "describe"))
        self.assertIn("--human-readable", self.refused(2, "describe", "--status", "--human-readable"))
        self.assertIn("expected one of describe, add-controller", self.refused(2))
        self.assertIn("a UUID in base64", self.refused(2, "remove-controller", *NOBODY[:3], "short"))
        self.assertIn("--controller-id is needed", self.refused(2, "remove-controller"))
        self.assertIn("--command-config is needed", self.refused(2, "add-controller"))
        help_text = run([WEIR, "quorum", "--help"]).decode()
        for name in ("describe", "add-controller", "remove-controller"):
            self.assertIn(f"weir quorum {name}: ", help_text)


class KafkaQuorumTest(QuorumCommands, support.unittest.TestCase):
    """Apache Kafka, whose voters are a part of its log (KIP-853)."""

    @classmethod
    def setUpClass(cls):
        cls.broker = support.weir_process.Broker(support.kafka_jars(), "kafka", quorum="bootstrap")
        cls.addClassCleanup(cls.broker.__exit__)
        cls.broker.start()


class WeirQuorumTest(QuorumCommands, support.unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        support.need_weir("Weir's own quorum")
        cls.broker = support.broker()
        cls.addClassCleanup(cls.broker.__exit__)
        cls.broker.start()
        (versions,) = json.loads(run([WEIR, "api-versions", "--bootstrap-server", cls.broker.address, "--json"]))
        if 55 not in [api["key"] for api in versions["apis"]]:
            support.loud_skip("Weir's broker does not serve DescribeQuorum yet")
