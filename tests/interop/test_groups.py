"""Consumer groups: members of one library or of several share partitions, die, come back and go on where they were."""

import support
from group_members import shares, start, wait
from support import kafka_tool, run
from wire import Peer

SESSION_MS = 2000


class GroupTest(support.BrokerTest):

    config = {"group.min.session.timeout.ms": "500", "group.initial.rebalance.delay.ms": "0"}

    def setUp(self):
        super().setUp()
        self.group = "g-" + self.topic
        self.members = []
        self.addCleanup(lambda: [member.kill() for member in self.members])
        self.peer = Peer(self.broker.port)
        self.addCleanup(self.peer.close)

    def create(self, partitions):
        answer = self.peer.ask("CreateTopics", 7, timeoutMs=10000, validateOnly=False, topics=[
            {"name": self.topic, "numPartitions": partitions, "replicationFactor": 1,
             "configs": [{"name": "retention.ms", "value": "-1"}]}])
        self.assertEqual(answer["topics"][0]["errorCode"], 0, answer)
        self.partitions = list(range(partitions))
        self.produced = 0

    def produce(self, count):
        """That many records more in each partition; the offsets of all."""
        text = "".join(f"value {n}\n" for n in range(count)).encode()
        for partition in self.partitions:
            run([support.program("kcat"), "-b", self.broker.address, "-P", "-t", self.topic, "-p", str(partition)],
                input=text)
        new = range(self.produced, self.produced + count)
        self.produced += count
        return {(partition, offset) for partition in self.partitions for offset in new}

    def start(self, library, **arguments):
        arguments.setdefault("session", SESSION_MS)
        member = start(library, self.broker.address, self.topic, self.group, **arguments)
        self.members.append(member)
        return member

    def wait_for_shares(self, due, members=None, seconds=40):
        members = self.members if members is None else members
        wait(lambda: f"expected {due} partitions: {members}", lambda: shares(members, self.partitions) == due, seconds)

    def wait_until_read(self, due, members=None, seconds=40):
        members = self.members if members is None else members

        def missing():
            return due - {record for member in members for record in member.read}
        wait(lambda: f"{len(missing())} of {len(due)} records are not read: {sorted(missing())[:5]} {members}",
             lambda: not missing(), seconds)

    def committed(self):
        peer = Peer(self.broker.port)
        answer = peer.ask("OffsetFetch", 8, requireStable=False, groups=[{"groupId": self.group, "topics": None}])
        peer.close()
        return {part["partitionIndex"]: part["committedOffset"] for topic in answer["groups"][0]["topics"]
                for part in topic["partitions"]}

    def stop_all(self, members=None):
        for member in members or self.members:
            member.stop()


class LibrariesTest(GroupTest):
    """The same life of a group for each library: 1, 2 and 3 members of 2 partitions, one killed, all started again."""

    def live(self, library):
        self.create(2)
        due = self.produce(20)
        first = self.start(library)
        self.wait_for_shares([2])
        self.wait_until_read(due)
        self.start(library)
        self.wait_for_shares([1, 1])
        self.start(library)
        self.wait_for_shares([0, 1, 1])  # more members than partitions
        due = self.produce(20)
        self.wait_until_read(due)

        victim = next(member for member in self.members if member.mine and member is not first)
        victim.kill()
        rest = [member for member in self.members if member is not victim]
        self.wait_for_shares([1, 1], rest, seconds=SESSION_MS / 1000 + 8)
        due = self.produce(20)
        self.wait_until_read(due, rest)
        due_offsets = {partition: self.produced for partition in self.partitions}
        wait(lambda: f"committed is {self.committed()}", lambda: self.committed() == due_offsets)
        self.stop_all(rest)

        self.broker.restart()  # killed
        self.assertEqual(self.committed(), due_offsets)
        due = self.produce(10)
        again = self.start(library)
        self.wait_until_read(due, [again])
        self.assertEqual(set(again.read), due, "it read again what it had committed")

        self.broker.restart()  # under its feet
        if library == "kcat":  # it ends when there is no broker
            again.kill()
            again = self.start(library)
        due = self.produce(10)
        self.wait_until_read(due, [again])
        again.stop()

    def test_confluent_kafka(self):
        self.live("confluent-kafka")

    def test_debian_confluent_kafka(self):
        self.live("debian-confluent-kafka")

    def test_kafka_python(self):
        self.live("kafka-python")

    def test_aiokafka(self):
        self.live("aiokafka")

    def test_kafkajs(self):
        self.live("kafkajs")

    def test_kcat(self):
        self.live("kcat")

    def test_franz_go(self):
        self.live("franz-go")

    def test_java(self):
        self.live("java")

    def test_weir(self):
        self.live("weir")


class RebalanceTest(GroupTest):

    def test_eight_members_of_six_partitions(self):
        self.create(6)
        due = self.produce(30)
        for _ in range(8 if support.FULL else 3):
            self.start("confluent-kafka")
        self.wait_for_shares([0, 0, 1, 1, 1, 1, 1, 1] if support.FULL else [2, 2, 2])
        self.wait_until_read(due)
        self.stop_all(self.members[:2])
        self.wait_for_shares([1] * 6 if support.FULL else [6], self.members[2:])
        self.stop_all()

    def test_languages_share_a_group(self):
        self.create(7)
        due = self.produce(30)
        for library in ("java", "weir", "confluent-kafka", "kafka-python", "kcat", "franz-go", "aiokafka"):
            self.start(library)
        self.wait_for_shares([1] * 7)
        self.wait_until_read(due)
        due = self.produce(30)
        self.wait_until_read(due)
        for member in self.members:  # each reads its own
            mine = member.mine
            self.assertTrue({record for record in due if record[0] in mine} <= set(member.read), member)
        self.members[0].kill()
        self.wait_for_shares([1, 1, 1, 1, 1, 2], self.members[1:])
        self.stop_all()

    def cooperate(self, library):
        """Only the partitions that move are taken away, and the others are read on meanwhile."""
        self.create(6)
        due = self.produce(20)
        first = self.start(library, strategy="cooperative-sticky", session=6000)
        self.wait_for_shares([6])
        self.wait_until_read(due)
        self.start(library, strategy="cooperative-sticky", session=6000)
        self.wait_for_shares([3, 3])
        moved = set().union(*first.lost)
        self.assertEqual(len(moved), 3, first)
        self.assertEqual(first.mine | moved, set(self.partitions))
        self.start(library, strategy="cooperative-sticky", session=6000)
        self.wait_for_shares([2, 2, 2])
        lost = [partition for member in self.members for parts in member.lost for partition in parts]
        self.assertEqual(len(lost), 5, self.members)  # three, then one of each
        due = self.produce(20)
        self.wait_until_read(due)
        self.stop_all()

    def test_cooperative_confluent_kafka(self):
        self.cooperate("confluent-kafka")

    def test_cooperative_java(self):
        self.cooperate("java")

    def test_cooperative_franz_go(self):
        self.cooperate("franz-go")

    def test_cooperative_weir(self):
        self.cooperate("weir")

    def member_ids(self):
        """Of the stable group, by instance id."""
        answer = self.peer.ask("DescribeGroups", 5, groups=[self.group])["groups"][0]
        self.assertEqual((answer["errorCode"], answer["groupState"]), (0, "Stable"), answer)
        return {member["groupInstanceId"]: member["memberId"] for member in answer["members"]}

    def statics(self, library):
        """A member with an instance id comes back within its session: no rebalance. A second one fences the first."""
        self.create(4)
        due = self.produce(10)
        one = self.start(library, instance="one", session=10000)
        two = self.start(library, instance="two", session=10000)
        self.wait_for_shares([2, 2])
        self.wait_until_read(due)
        ids, mine, undisturbed = self.member_ids(), set(one.mine), (two.rebalances, list(two.lost))
        self.assertEqual(set(ids), {"one", "two"})
        one.kill()
        again = self.start(library, instance="one", session=10000)
        wait(lambda: f"{self.members}", lambda: again.mine == mine)
        due = self.produce(10)
        self.wait_until_read(due, [again, two])
        self.assertEqual((two.rebalances, two.lost), undisturbed, "the other member was disturbed")
        now = self.member_ids()
        self.assertEqual(now["two"], ids["two"])
        self.assertNotEqual(now["one"], ids["one"])

        duplicate = self.start(library, instance="one", session=10000)
        wait(lambda: f"the first is not fenced: {self.members}",
             lambda: again.process.poll() is not None or again.failed)
        wait(lambda: f"{self.members}", lambda: duplicate.mine == mine)
        self.assertEqual((two.rebalances, two.lost), undisturbed, "the other member was disturbed")
        self.stop_all()

    def test_static_confluent_kafka(self):
        self.statics("confluent-kafka")

    def test_static_java(self):
        self.statics("java")

    def test_static_weir(self):
        self.statics("weir")


class GroupToolsTest(GroupTest):
    """Apache Kafka's own tools for groups."""

    def groups(self, *arguments, **more):
        return kafka_tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server",
                          self.broker.address, *arguments, **more)

    def of_group(self, *arguments):
        return self.groups("--group", self.group, *arguments)

    def reset(self, *arguments):
        """The offsets that a reset of the whole topic sets, by partition."""
        said = self.of_group("--reset-offsets", "--topic", self.topic, "--execute", *arguments)
        rows = [line.split() for line in said.splitlines() if self.topic in line and line.split()[0] == self.group]
        offsets = {int(row[2]): int(row[3]) for row in rows}
        self.assertEqual(offsets, {p: o for p, o in self.committed().items() if p in offsets}, said)
        return offsets

    def test_console_consumer(self):
        self.create(2)
        self.produce(5)
        read = kafka_tool("org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", self.broker.address,
                          "--topic", self.topic, "--group", self.group, "--from-beginning", "--max-messages", 10,
                          "--timeout-ms", 30000)
        self.assertEqual(sorted(read.split("\n")), [""] + sorted(f"value {n}" for n in range(5) for _ in (0, 1)))
        self.assertEqual(self.committed(), {0: 5, 1: 5})

    def test_a_live_group_is_described_and_listed(self):
        self.create(3)
        due = self.produce(10)
        member = self.start("confluent-kafka")
        self.wait_until_read(due)
        wait(lambda: self.committed(), lambda: self.committed() == {0: 10, 1: 10, 2: 10})
        self.produce(1)
        self.wait_until_read({(p, 10) for p in self.partitions})
        wait(lambda: self.committed(), lambda: self.committed() == {0: 11, 1: 11, 2: 11})
        described = self.of_group("--describe")
        rows = [line.split() for line in described.splitlines() if line.startswith(self.group)]
        self.assertEqual([row[1:6] for row in rows], [[self.topic, str(p), "11", "11", "0"] for p in range(3)])
        self.assertRegex(self.of_group("--describe", "--state"), r"range\s+Stable\s+1")
        members = self.of_group("--describe", "--members", "--verbose")
        self.assertRegex(members, rf"rdkafka\S*\s+/127.0.0.1\s+rdkafka\s+3\s+.*{self.topic}[:(]0,1,2")
        self.assertIn(self.group, self.groups("--list").split())
        self.assertRegex(self.groups("--list", "--state", "stable"), rf"{self.group}\s+Stable")
        self.assertNotIn(self.group, self.groups("--list", "--state", "empty,dead"))
        self.assertRegex(self.groups("--list", "--type", "classic"), rf"{self.group}\s+Classic")
        self.assertNotIn(self.group, self.groups("--list", "--type", "consumer"))
        refused = self.groups("--delete", "--group", self.group)
        self.assertIn("GroupNotEmptyException", refused)
        member.stop()
        self.assertRegex(self.groups("--list", "--state", "Empty"), rf"{self.group}\s+Empty")

    def test_offsets_are_reset_and_deleted(self):
        self.create(2)
        self.broker_times()
        self.assertEqual(self.reset("--to-earliest"), {0: 0, 1: 0})
        self.assertEqual(self.reset("--to-datetime", "2025-06-15T15:06:43.500"), {0: 4, 1: 4})
        self.assertEqual(self.reset("--shift-by", 3), {0: 7, 1: 7})
        self.assertEqual(self.reset("--shift-by", -20), {0: 0, 1: 0})
        self.assertEqual(self.reset("--to-offset", 9), {0: 9, 1: 9})
        self.assertEqual(self.reset("--by-duration", "PT1H"), {0: 10, 1: 10})
        self.assertEqual(self.reset("--to-latest"), {0: 11, 1: 11})
        self.assertEqual(self.reset("--by-duration", "P3650D"), {0: 0, 1: 0})
        due = {(p, n) for p in (0, 1) for n in range(11)}
        member = self.start("confluent-kafka")
        self.wait_until_read(due)
        with self.subTest("a live group is not reset"):
            said = self.of_group("--reset-offsets", "--topic", self.topic, "--to-earliest", "--execute")
            self.assertIn("Assignments can only be reset if the group", said)
        member.stop()
        said = self.of_group("--delete-offsets", "--topic", f"{self.topic}:1")
        self.assertRegex(said, rf"{self.topic}\s+1\s+Successful")
        self.assertEqual(self.committed(), {0: 11})
        self.assertIn("was successful", self.of_group("--delete"))
        self.assertNotIn(self.group, self.groups("--list").split())
        self.assertEqual(self.committed(), {})
        self.assertIn("GroupIdNotFoundException", self.of_group("--delete"))

    def broker_times(self):
        """Ten records a second apart from 2025-06-15T15:06:40Z on, then one of now, in both partitions."""
        from test_bad_input import record_batch
        peer = self.peer
        for partition in (0, 1):
            for n in range(10):
                batch = record_batch(timestamp=1_750_000_000_000 + 1000 * n)
                answer = peer.ask("Produce", 9, acks=-1, timeoutMs=5000, topicData=[
                    {"name": self.topic, "partitionData": [{"index": partition, "records": batch}]}])
                done = answer["responses"][0]["partitionResponses"][0]
                self.assertEqual((done["errorCode"], done["baseOffset"]), (0, n))
        self.produce(1)
