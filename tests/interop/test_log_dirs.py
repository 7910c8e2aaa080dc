"""Brokers with two folders each, on disks of which one fails: the broker goes on with the other."""

import fcntl
import glob
import json
import os
import shutil
import struct
import subprocess
import time

import cluster
import support
from support import kafka_tool
from test_replication import PARTITIONS, Producing, ReplicatedTest, read_file

EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2


class Disk:
    """A file system in a file, which can be made to answer EIO to everything."""

    def __init__(self, folder):
        self.folder, self.made = folder, 0
        for program in ("mkfs.ext4", "mount"):
            support.program(program)

    def new(self):
        """Another disk, with nothing on it."""
        self.unmount()
        os.makedirs(self.folder, exist_ok=True)
        self.made += 1
        image = f"{self.folder}.{self.made}.img"  # another file: of one that is in use still, mount takes what there is
        with open(image, "wb") as file:
            file.truncate(128 << 20)
        support.run(["mkfs.ext4", "-q", "-F", "-O", "^has_journal", image])
        done = subprocess.run(["mount", "-o", "loop", image, self.folder], capture_output=True)
        if done.returncode != 0:
            support.loud_skip(f"no file system may be mounted here: {done.stderr.decode()[-200:]}")

    def fail(self):
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(folder)

    def unmount(self):
        subprocess.run(["umount", "-l", self.folder], capture_output=True)


class LogDirsTest(ReplicatedTest):

    @classmethod
    def setUpClass(cls):
        support.need_weir("clusters of several nodes")
        nodes = cls.cluster = cluster.Cluster(cls.roles, cls.network, cls.config, cls.own)
        cls.addClassCleanup(nodes.__exit__)
        for node in nodes.nodes.values():
            os.makedirs(node.folder)
            node.second = os.path.join(node.folder, "second")
            nodes.own[node.number] = {**cls.own[node.number], "log.dirs": f"{node.data},{node.second}"}
        nodes.start()

    def folders(self, node, at=None):
        """What a broker says of its folders, by their paths."""
        (broker,) = json.loads(self.weir(at or node, "log-dirs", "--describe", "--broker-list", node.number,
                                         "--json"))["brokers"]
        return {folder["logDir"]: folder for folder in broker["logDirs"]}

    def partitions_in(self, node, folder):
        found = self.folders(node)[folder]
        self.assertIsNone(found["error"], found)
        return {p["partition"] for p in found["partitions"] if p["partition"].startswith(self.topic + "-")}

    def check_copies(self, topic=None, seconds=20):
        topic = topic or self.topic

        def copy(node, number):
            (folder,) = [f for f in (node.data, node.second) if os.path.exists(os.path.join(f, f"{topic}-{number}"))]
            return b"".join(map(read_file, sorted(glob.glob(os.path.join(folder, f"{topic}-{number}", "*.log")))))

        def same():
            try:
                return all(len({copy(self.cluster.nodes[n], number) for n in partition["replicaNodes"]}) == 1
                           for number, partition in self.partitions(topic).items())
            except (FileNotFoundError, ValueError):
                return False

        cluster.until(same, seconds, lambda: f"replicas differ\n{self.cluster.said()}", 0.2)

    def wait_until_offline(self, node, folder, count):
        """Its partitions are led by others, with the others in sync; those of its other folder stay with it."""
        cluster.until(lambda: self.folders(node)[folder]["error"] == "KAFKA_STORAGE_ERROR", 20,
                      lambda: f"it is not offline: {self.folders(node)}\n{self.cluster.said()}", 0.1)

        def settled():
            found = self.partitions().values()
            out = [p for p in found if node.number not in p["isrNodes"]]
            return len(out) == count and all(p["leaderId"] not in (-1, node.number) for p in out)

        cluster.until(settled, 20, lambda: f"not {count} without it: {self.partitions()}\n{self.cluster.said()}", 0.1)
        for partition in self.partitions().values():
            self.assertEqual(partition["offlineReplicas"],
                             [] if node.number in partition["isrNodes"] else [node.number])
        self.assertTrue(node.alive())

    def test_a_folder_that_is_taken_away_and_comes_back(self):
        """By its name alone: what is open can be written to still, and would be lost."""
        self.create()
        victim = self.leader()
        folder = victim.second
        inside = self.partitions_in(victim, folder)
        self.assertEqual(len(inside), PARTITIONS // 2)
        with Producing(self.cluster, self.topic) as producing:
            time.sleep(1)
            os.rename(folder, folder + ".away")
            self.wait_until_offline(victim, folder, len(inside))
            time.sleep(2)
            self.assertFalse(os.path.exists(folder))
            said = self.folders(victim, at=next(n for n in self.cluster.brokers if n is not victim))
            self.assertEqual([f["error"] for f in said.values()], [None, "KAFKA_STORAGE_ERROR"])
        self.check(producing)
        victim.stop()
        os.rename(folder + ".away", folder)
        victim.start(wait=False)
        self.cluster.wait_until_ready()
        self.wait_for_isr(3)
        self.assertEqual(self.partitions_in(victim, folder), inside)
        self.check_copies()

    def test_a_disk_that_fails_and_is_replaced(self):
        victim = self.cluster.nodes[2]
        disk = Disk(victim.second)
        victim.stop()
        kept = victim.second + ".kept"
        os.rename(victim.second, kept)
        disk.new()

        def without_disk():  # a node whose folder is taken away takes it offline, for the tests after this
            victim.stop()
            shutil.rmtree(kept)
            shutil.copytree(disk.folder, kept)
            disk.unmount()
            os.rmdir(victim.second)
            os.rename(kept, victim.second)
            victim.start(wait=False)
            self.cluster.wait_until_ready()

        self.addCleanup(without_disk)
        for name in os.listdir(kept):  # those of other tests have their partitions there
            path = os.path.join(kept, name)
            (shutil.copytree if os.path.isdir(path) else shutil.copy)(path, os.path.join(disk.folder, name))
        victim.start(wait=False)
        self.cluster.wait_until_ready()
        self.create()
        inside = self.partitions_in(victim, victim.second)
        self.assertEqual(len(inside), PARTITIONS // 2)
        with Producing(self.cluster, self.topic) as producing:
            time.sleep(1)
            struck = time.monotonic()
            disk.fail()
            self.wait_until_offline(victim, victim.second, len(inside))
            print(f"  others lead after {time.monotonic() - struck:.1f} s", flush=True)
            time.sleep(1)
            # It starts without, and makes nothing anew as long as the folder may come back.
            victim.stop()
            victim.start(wait=False)
            self.cluster.wait_until_ready()
            cluster.until(lambda: sum(victim.number in p["isrNodes"] for p in self.partitions().values()) == 2, 30,
                          lambda: f"{self.partitions()}\n{self.cluster.said()}", 0.1)
            self.assertEqual(self.folders(victim)[victim.second]["error"], "KAFKA_STORAGE_ERROR")
            self.assertFalse(self.partitions_in(victim, victim.data) & inside)
            victim.stop()
            disk.new()
            victim.start(wait=False)
            self.cluster.wait_until_ready()
            self.wait_for_isr(3)
        self.check(producing)
        self.assertEqual({f["error"] for f in self.folders(victim).values()}, {None})
        self.check_copies()

    def test_kafkas_tool_says_the_same(self):
        self.create()
        node = self.cluster.brokers[0]
        said = kafka_tool("org.apache.kafka.tools.LogDirsCommand", "--bootstrap-server", node.address, "--describe",
                          "--broker-list", node.number, "--topic-list", self.topic)
        (broker,) = json.loads(next(line for line in said.splitlines() if line.startswith("{")))["brokers"]
        found = {folder["logDir"]: {p["partition"] for p in folder["partitions"]} for folder in broker["logDirs"]}
        self.assertEqual(found, {f: self.partitions_in(node, f) for f in (node.data, node.second)})
        self.assertEqual([len(partitions) for partitions in found.values()], [PARTITIONS // 2] * 2)

    # --- moves between folders ----------------------------------------------------------------

    def file(self, directories, name="moves"):
        """All partitions of the topic, each with its replicas, in these folders by broker: {node: folder}."""
        path = os.path.join(self.cluster.folder, f"{self.topic}-{name}.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"version": 1, "partitions": [
                {"topic": self.topic, "partition": number, "replicas": partition["replicaNodes"],
                 "log_dirs": [directories.get(node, "any") for node in partition["replicaNodes"]]}
                for number, partition in self.partitions().items()]}, file)
        return "--reassignment-json-file", path

    def wait_until_in(self, node, folder, seconds=60):
        names = {f"{self.topic}-{number}" for number in range(PARTITIONS)}

        def there():
            found = self.folders(node)
            return [p["partition"] for f in found for p in found[f]["partitions"] if p["isFuture"]] == [] and {
                p["partition"] for p in found[folder]["partitions"]} >= names

        cluster.until(there, seconds, lambda: f"not in {folder}: {self.folders(node)}\n{self.cluster.said()}", 0.1)
        other = node.second if folder == node.data else node.data
        for name in names:
            self.assertTrue(os.path.exists(os.path.join(folder, name)))
            self.assertFalse(os.path.exists(os.path.join(other, name)))

    def test_replicas_move_between_folders_under_load(self):
        """Of a leader and of followers, there and back, once by Kafka's tool and once by ours."""
        self.create()
        nodes = self.cluster.brokers
        reassign = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"
        with Producing(self.cluster, self.topic) as producing:
            time.sleep(2)
            there = self.file({node.number: node.second for node in nodes})
            said = kafka_tool(reassign, "--bootstrap-server", nodes[0].address, "--execute", *there)
            self.assertEqual(said.count("Successfully started moving log directory to "), PARTITIONS * 3, said)
            for node in nodes:
                self.wait_until_in(node, node.second)
            time.sleep(1)
            theirs = kafka_tool(reassign, "--bootstrap-server", nodes[0].address, "--verify", *there)
            for line in self.weir(nodes[0], "reassign", "--verify", *there).splitlines():
                self.assertIn(line, theirs)
            self.assertEqual(theirs.count("completed successfully."), PARTITIONS * len(nodes), theirs)
            back = self.file({nodes[0].number: nodes[0].data, nodes[1].number: nodes[1].data}, "back")
            said = self.weir(nodes[0], "reassign", "--execute", *back)
            self.assertIn(f"Successfully started moving log directory to {nodes[0].data} for replica {self.topic}-0 "
                          f"with broker {nodes[0].number}\n", said)
            for node in nodes[:2]:
                self.wait_until_in(node, node.data)
            self.wait_until_in(nodes[2], nodes[2].second)
            states = json.loads(self.weir(nodes[0], "reassign", "--verify", *there, "--json"))
            self.assertEqual(sorted(state["state"] for state in states),
                             ["completed"] * 2 * PARTITIONS + ["different"] * 2 * PARTITIONS)
            time.sleep(1)
        print(f"  {producing.said()}", flush=True)
        self.check(producing)
        self.wait_for_isr(3)
        self.check_copies()

    def test_throttled_moves_wait_for_their_rate(self):
        self.create()
        node = self.cluster.brokers[0]
        with Producing(self.cluster, self.topic):
            time.sleep(1)
        moves = self.file({node.number: node.second})
        self.weir(node, "reassign", "--execute", *moves, "--replica-alter-log-dirs-throttle", 0)
        time.sleep(1)
        copies = [p for folder in self.folders(node).values() for p in folder["partitions"] if p["isFuture"]]
        self.assertTrue(copies, "nothing is on its way")
        self.weir(node, "configs", "--alter", "--entity-type", "brokers", "--entity-name", node.number,
                  "--add-config", "replica.alter.log.dirs.io.max.bytes.per.second=100000000")
        self.wait_until_in(node, node.second)
        said = self.weir(node, "reassign", "--verify", *moves)
        self.assertIn("Clearing broker-level throttles on brokers 1,2,3", said)

    def test_sigkill_in_the_middle_of_a_move(self):
        self.create()
        victim = self.leader()
        nodes = self.cluster.brokers
        with Producing(self.cluster, self.topic) as producing:
            time.sleep(2)
            for turn in range(6):
                to = victim.data if turn % 2 else victim.second
                self.weir(victim, "reassign", "--execute", *self.file({victim.number: to}))
                time.sleep(0.02 * turn ** 2)
                victim.kill()
                time.sleep(0.5)
                victim.start(wait=False)
                self.cluster.wait_until_ready()
                self.wait_for_isr(3)
                self.wait_until_in(victim, to)
        print(f"  {producing.said()}", flush=True)
        self.check(producing)
        self.wait_for_isr(3)
        self.check_copies()
        self.assertEqual({error for node in nodes for error in (f["error"] for f in self.folders(node).values())},
                         {None})

    def test_a_partition_comes_to_the_folder_that_it_is_to_be_in(self):
        """It is moved to another broker, and there to the folder where more are."""
        node = self.cluster.nodes[3]
        self.weir(self.cluster.brokers[0], "topics", "--create", "--topic", self.topic, "--replica-assignment",
                  ",".join(["1:2"] * PARTITIONS))
        path = os.path.join(self.cluster.folder, f"{self.topic}.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"partitions": [{"topic": self.topic, "partition": number, "replicas": [1, 3],
                                       "log_dirs": ["any", node.second]} for number in range(PARTITIONS)]}, file)
        self.weir(self.cluster.brokers[0], "reassign", "--execute", "--reassignment-json-file", path)
        self.wait_until_in(node, node.second)
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"partitions": [{"topic": self.topic, "partition": 0, "replicas": [1, 3],
                                       "log_dirs": ["any", "/nowhere"]}]}, file)
        cluster.until(lambda: json.loads(self.weir(self.cluster.brokers[0], "reassign", "--list", "--json")) == [], 30,
                      "the moves do not end")
        said = support.run([support.PROGRAM, "reassign", "--bootstrap-server", self.cluster.brokers[0].address,
                            "--verify", "--reassignment-json-file", path]).decode()
        self.assertIn(f"{self.topic}-0 on broker 3 is not being moved from log dir {node.second} to /nowhere.", said)

    def test_one_partition_in_two_folders(self):
        self.create()
        node = self.cluster.nodes[3]
        node.stop()
        name = f"{self.topic}-0"
        here, there = (node.data, node.second) if os.path.exists(os.path.join(node.data, name)) else (
            node.second, node.data)
        shutil.copytree(os.path.join(here, name), os.path.join(there, name))
        node.start(wait=False)
        self.cluster.wait_until_ready()
        self.wait_for_isr(3)
        self.assertFalse(os.path.exists(os.path.join(there, name)))
        (stray,) = (entry for entry in os.listdir(there) if entry.endswith("-stray"))
        self.assertIn(f"{os.path.join(there, name)} is kept in {here}: set aside", node.output())
        self.assertTrue(stray.startswith(name))
