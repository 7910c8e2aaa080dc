"""`weir reassign`, `leader-election`, `log-dirs` and the choices of `topics --describe`, beside Kafka's own tools."""

import json
import os
import re
import subprocess
import time

import cluster
import support
from support import kafka_tool

TOOLS = "org.apache.kafka.tools."
REASSIGN = TOOLS + "reassign.ReassignPartitionsCommand"


def lines_about_topics(said):
    """Without the column that only Weir's tool has."""
    return [re.split("\tOffline: ", line)[0].strip() for line in said.splitlines() if "Topic: " in line]


class MovesTest(support.unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        support.need_weir("clusters of several nodes")
        cls.nodes = cluster.Cluster(cluster.COMBINED, config={"min.insync.replicas": 2})
        cls.addClassCleanup(cls.nodes.__exit__)
        cls.nodes.start()

    def setUp(self):
        self.topic = "t-" + self.id().rsplit(".", 1)[-1].replace("_", "-")

    def weir(self, *words, code=0):
        done = subprocess.run([support.PROGRAM, *map(str, words), "--bootstrap-server", self.nodes.brokers[0].address],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, code, (done.stdout, done.stderr))
        return done.stdout.decode() if code == 0 else done.stderr.decode()

    def json(self, *words):
        return json.loads(self.weir(*words, "--json"))

    def kafka(self, main, *words):
        return kafka_tool(main, "--bootstrap-server", self.nodes.brokers[0].address, *words)

    def create(self, replicas):
        """A partition for each list of replicas."""
        self.weir("topics", "--create", "--topic", self.topic, "--replica-assignment",
                  ",".join(":".join(map(str, ids)) for ids in replicas))

    def file(self, name, value):
        path = os.path.join(self.nodes.folder, f"{self.topic}-{name}.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(value, file)
        return path

    def moves(self, name, replicas):
        return ("--reassignment-json-file", self.file(name, {"version": 1, "partitions": [
            {"topic": self.topic, "partition": at, "replicas": ids} for at, ids in enumerate(replicas)]}))

    def replicas(self):
        (topic,) = self.json("topics", "--describe", "--topic", self.topic)
        return [partition["replicas"] for partition in topic["partitions"]]

    def test_a_proposal_is_carried_out(self):
        self.create([[1], [1], [1]])
        topics = self.file("topics", {"version": 1, "topics": [{"topic": self.topic}]})
        words = ("reassign", "--generate", "--topics-to-move-json-file", topics, "--broker-list", "1,2,3")
        made = self.json(*words)
        self.assertEqual([p["replicas"] for p in made["current"]["partitions"]], [[1], [1], [1]])
        proposed = [p["replicas"] for p in made["proposed"]["partitions"]]
        self.assertEqual(sorted(proposed), [[1], [2], [3]])
        text = self.weir(*words).splitlines()
        self.assertEqual(json.loads(text[1]), made["current"])
        self.assertEqual(json.loads(text[4]), made["proposed"])
        moves = ("--reassignment-json-file", self.file("proposal", made["proposed"]))
        said = self.weir("reassign", "--execute", *moves)
        self.assertIn("Successfully started partition reassignments for ", said)
        moving = {(move["topic"], move["partition"]) for move in self.json("reassign", "--list")}
        self.assertLessEqual(moving, {(self.topic, at) for at in range(3)})
        cluster.until(lambda: not self.json("reassign", "--list"), 30,
                      lambda: f"the moves do not end: {self.weir('reassign', '--list')}\n{self.nodes.said()}")
        self.assertEqual(self.replicas(), proposed)
        self.assertEqual({state["state"] for state in self.json("reassign", "--verify", *moves)}, {"completed"})
        theirs = self.kafka(REASSIGN, "--verify", *moves)
        for line in self.weir("reassign", "--verify", *moves).splitlines():
            self.assertIn(line, theirs)

    def test_moves_are_listed_and_cancelled(self):
        self.create([[1, 2]])
        victim = self.nodes.nodes[3]
        victim.kill()  # so that the move does not end
        try:
            cluster.until(lambda: 3 not in self.nodes.known_brokers(self.nodes.brokers[0]), 20, "it is not fenced")
            moves = self.moves("away", [[1, 3]])
            begun = self.json("reassign", "--execute", *moves)
            self.assertEqual([p["replicas"] for p in begun["previous"]["partitions"]], [[1, 2]])
            self.assertEqual(begun["started"], [f"{self.topic}-0"])
            said = self.weir("reassign", "--list")
            self.assertIn(f"{self.topic}-0: replicas: 1,3,2. adding: 3. removing: 2.", said)
            self.assertIn("is still in progress.", self.weir("reassign", "--verify", *moves))
            self.assertIn("other moves are under way", self.weir("reassign", "--execute", *moves, code=1))
            self.assertIn(f"cancelled partition reassignments for: {self.topic}-0",
                          self.weir("reassign", "--cancel", *moves))
        finally:
            victim.start(wait=False)
            self.nodes.wait_until_ready()
        self.assertEqual(self.replicas(), [[1, 2]])
        self.assertIn("No partition reassignments found.", self.weir("reassign", "--list"))
        self.assertIn("None of the specified partition reassignments are active.",
                      self.weir("reassign", "--cancel", *moves))
        self.assertIn(f"There is no active reassignment of partition {self.topic}-0, but replica set is 1,2 rather "
                      "than 1,3.", self.weir("reassign", "--verify", *moves))

    def throttles(self):
        """Of the topic, and of each broker."""
        said = self.json("configs", "--describe", "--topic", self.topic)
        said += self.json("configs", "--describe", "--entity-type", "brokers")
        return [{config["name"]: config["value"] for config in entity["configs"] if "throttled" in config["name"]}
                for entity in said]

    def test_throttles_are_set_and_removed_as_by_kafkas_tool(self):
        self.create([[1, 2]])

        def kafka(*words):
            return self.kafka(REASSIGN, *words)

        def weir(*words):
            return self.weir("reassign", *words)

        rates = {f"{side}.replication.throttled.rate": "1000000" for side in ("leader", "follower")}
        for sets, clears, replicas, leaders, followers in ((kafka, weir, [1, 3], "0:1,0:2", "0:3"),
                                                           (weir, kafka, [1, 2], "0:1,0:3", "0:2")):
            with self.subTest(sets=sets.__name__):
                moves = self.moves(sets.__name__, [replicas])
                said = sets("--execute", *moves, "--throttle", 1000000)
                self.assertIn("Warning: You must run --verify periodically", said)
                self.assertIn("The inter-broker throttle limit was set to 1000000 B/s", said)
                cluster.until(lambda: self.weir("reassign", "--list").startswith("No "), 30, "the move does not end")
                expected = [{"leader.replication.throttled.replicas": leaders,
                             "follower.replication.throttled.replicas": followers}] + [rates] * 3
                self.assertNotIn("Clearing", clears("--verify", *moves, "--preserve-throttles"))
                cluster.until(lambda: self.throttles() == expected, 10, lambda: str(self.throttles()))
                said = clears("--verify", *moves)
                self.assertIn("Clearing broker-level throttles on brokers 1,2,3", said)
                self.assertIn(f"Clearing topic-level throttles on topic {self.topic}", said)
                cluster.until(lambda: self.throttles() == [{}] * 4, 10, lambda: str(self.throttles()))

    def test_a_throttled_move_takes_its_time(self):
        """At least so much, however slow the machine is; another rate holds at once."""
        self.create([[1, 2]])
        self.weir("perf", "produce", "--topic", self.topic, "--num-records", 300, "--record-size", 10_000,
                  "--throughput", -1, "--producer-props", f"bootstrap.servers={self.nodes.brokers[0].address}")

        def is_moving():
            return bool(self.json("reassign", "--list"))

        begun = time.monotonic()
        self.weir("reassign", "--execute", *self.moves("slow", [[1, 3]]), "--throttle", 500_000)
        cluster.until(lambda: not is_moving(), 60, lambda: f"it does not end: {self.nodes.said()}")
        self.assertGreater(time.monotonic() - begun, 2.5, "3 MB, but for a second's worth and the last message")
        moves = self.moves("stopped", [[1, 2]])
        self.weir("reassign", "--execute", *moves, "--throttle", 0)
        time.sleep(2)
        self.assertTrue(is_moving())
        self.weir("reassign", "--execute", "--additional", *moves, "--throttle", 100_000_000)
        cluster.until(lambda: not is_moving(), 30, lambda: f"it does not end: {self.nodes.said()}")
        self.weir("reassign", "--verify", *moves)
        self.assertEqual(self.throttles(), [{}] * 4)
        self.assertEqual(self.replicas(), [[1, 2]])

    def test_what_cannot_be_is_refused(self):
        self.create([[1, 2]])
        self.assertIn("--throttle: expected", self.weir("reassign", "--execute", *self.moves("a", [[1, 3]]),
                                                        "--throttle", -1, code=2))
        self.assertIn("broker 99 is not there, so it cannot be throttled; nothing was moved", self.weir(
            "reassign", "--execute", *self.moves("a", [[1, 99]]), "--throttle", 1000, code=1))
        self.assertEqual(self.throttles(), [{}] * 4)
        self.assertIn("expected one of --generate", self.weir("reassign", code=2))
        self.assertIn("is named twice", self.weir("reassign", "--execute", *self.moves("b", [[1, 1]]), code=1))
        self.assertIn("there is no partition", self.weir("reassign", "--execute", *self.moves("c", [[1, 2], [1]]),
                                                         code=1))
        self.assertIn(f"{self.topic}-0: INVALID_REPLICA_ASSIGNMENT",
                      self.weir("reassign", "--execute", *self.moves("d", [[1, 99]]), code=1))
        self.assertIn("INVALID_REPLICATION_FACTOR", self.weir(
            "reassign", "--execute", *self.moves("e", [[1, 2, 3]]), "--disallow-replication-factor-change", code=1))
        self.assertEqual(self.replicas(), [[1, 2]])

    def test_directories_are_described_as_by_kafkas_tool(self):
        self.create([[1], [2], [2]])
        words = ("--describe", "--broker-list", "1,2", "--topic-list", self.topic)
        said = self.kafka(TOOLS + "LogDirsCommand", *words)
        theirs = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
        ours = self.json("log-dirs", *words)

        def plain(brokers):
            return sorted((broker["broker"], directory["logDir"], directory["error"], sorted(
                (p["partition"], p["size"], p["offsetLag"], p["isFuture"]) for p in directory["partitions"]))
                          for broker in brokers["brokers"] for directory in broker["logDirs"])

        self.assertEqual(plain(ours), plain(theirs))
        self.assertEqual(len(plain(ours)), 2)
        table = self.weir("log-dirs", *words)
        self.assertEqual(table.count(self.topic), 3)
        self.assertIn("no broker 77", self.weir("log-dirs", "--describe", "--broker-list", 77, code=1))

    def test_leaders_are_elected(self):
        self.create([[2, 1], [3, 1]])
        elect = ("leader-election", "--election-type", "preferred")
        self.assertIn(f"Valid replica already elected for partitions {self.topic}-1",
                      self.weir(*elect, "--topic", self.topic, "--partition", 1))
        file = self.file("elect", {"partitions": [{"topic": self.topic, "partition": 0}]})
        self.assertEqual(self.json(*elect, "--path-to-json-file", file)["not_needed"], [f"{self.topic}-0"])
        self.assertIn(f"{self.topic}-9: UNKNOWN_TOPIC_OR_PARTITION",
                      self.weir(*elect, "--topic", self.topic, "--partition", 9, code=1))
        self.assertIn("expected preferred or unclean", self.weir("leader-election", "--election-type", "any",
                                                                "--all-topic-partitions", code=2))

    def test_partitions_are_chosen_as_by_kafkas_tool(self):
        self.create([[1, 2], [1, 3], [2, 1]])
        self.weir("configs", "--alter", "--topic", self.topic, "--add-config", "retention.ms=99999")
        victim = self.nodes.nodes[3]
        victim.kill()
        try:
            cluster.until(lambda: [p["isr"] for p in self.described()[0]["partitions"]][1] == [1], 20,
                          "the ISR does not shrink")
            for choice, chosen in (("under-replicated-partitions", {1}), ("unavailable-partitions", set()),
                                   ("under-min-isr-partitions", {1}), ("at-min-isr-partitions", {0, 2})):
                with self.subTest(choice=choice):
                    ours = {p["partition"] for topic in self.described("--" + choice) for p in topic["partitions"]}
                    said = self.kafka(TOOLS + "TopicCommand", "--describe", "--topic", self.topic, "--" + choice)
                    self.assertEqual(ours, chosen)
                    text = self.weir("topics", "--describe", "--topic", self.topic, "--" + choice)
                    self.assertEqual(lines_about_topics(text), lines_about_topics(said))
                    self.assertEqual(len(lines_about_topics(text)), len(chosen))
        finally:
            victim.start(wait=False)
            self.nodes.wait_until_ready()
        said = self.weir("topics", "--describe", "--topics-with-overrides")
        self.assertIn(f"Topic: {self.topic}\t", said)
        self.assertNotIn("Partition: ", said)

    def described(self, *words):
        return self.json("topics", "--describe", "--topic", self.topic, *words)
