#!/usr/bin/env python3
"""Three controllers and three brokers under producers and consumers, through faults of all kinds, one after the other.

Usage: tools/endure [--minutes M] [--once] [--seed S] [--program PATH] [--only KIND,...] [--rate R] [--stall SECONDS]
                    [--keep]
  --minutes M      how long there are faults (default 30)
  --once           a fault of each kind, and no more
  --seed S         of the schedule (default: a fresh one, printed)
  --program PATH   Weir's binary (default bazel-bin/server/weir)
  --only KIND,...  some kinds of faults alone: kill, again, controller, stop, cut, part, full, full-kill, eio, power,
                   blackout, rolling, wipe
  --rate R         records a second of each producer (default 400)
  --stall SECONDS  how long a partition's producers may wait after SIGKILL of its leader (default 2)
  --keep           keep the nodes' folders and the clients' notes when all is well, too
Each node is a process in a network namespace of its own, with a disk of its own: a file system on a loop device, which
can be full, can answer EIO, and can lose what was not synced. Needs root. Producers with acks=all, idempotent, are
librdkafka and kafka-python; so are consumers that read along. At the end every acknowledged record is read exactly once
and in order, consumers have read nothing that is not there, and the logs of all replicas are the same bytes. Prints the
table of what was done; ends with 1 at any violation, and keeps the folder; with 77 where it cannot run.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time

from endurance_client import places_of
from endurance_faults import KINDS, ONCE, WEIGHTS, WITH_CONTROLLER
from endurance_verdict import Acked, check_consumed, check_copies, check_records, table

HERE = os.path.dirname(os.path.realpath(__file__))
TOPICS = "wide:6,small:3"
PLACES = places_of(TOPICS)
TOPIC_CONFIGS = {"wide": [], "small": [("segment.bytes", 1 << 20)]}
PRODUCERS = ("librdkafka", "kafka-python")
CONFIG = {"min.insync.replicas": 2, "default.replication.factor": 3, "offsets.topic.replication.factor": 3,
          "offsets.topic.num.partitions": 3, "log.segment.bytes": 16 << 20,
          "leader.imbalance.check.interval.seconds": 10}
IN_SYNC_SECONDS_MAX = 60
BROKER_DISK, CONTROLLER_DISK = 3 << 30, 512 << 20
SKIPPED = 77


def settle(arguments):
    """Before the tests' own modules are read: they ask the environment."""
    if arguments.program:
        os.environ["WEIR_INTEROP_PROGRAM"] = os.path.abspath(arguments.program)


def to_own_mounts():
    """Begins again in a mount namespace of its own: what others start meanwhile must not hold the disks."""
    if os.environ.pop("WEIR_ENDURE_INSIDE", None) is None:
        if os.geteuid() != 0 or not shutil.which("unshare"):
            print("endure: SKIPPED: needs root, and unshare", file=sys.stderr)
            sys.exit(SKIPPED)
        os.environ["WEIR_ENDURE_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", sys.executable, "-B", os.path.abspath(__file__), *sys.argv[1:]])


# --------------------------------------------------------------------------------------------------------- the cluster


def make_cluster():
    import cluster
    import disks

    class Stage(cluster.Cluster):
        """A cluster whose nodes have disks."""

        def __init__(self):
            super().__init__(cluster.APART, cluster.Namespaces, config=CONFIG,
                             own={4: {"weir.reactors": 1}, 5: {"weir.reactors": 2}, 6: {"weir.reactors": 3}})
            self.disks, self.keep = {}, False
            for node in self.nodes.values():
                folder = os.path.join(node.folder, "disk")
                self.disks[node.number] = disks.Disk(folder, BROKER_DISK if node.is_broker else CONTROLLER_DISK)
                node.data = os.path.join(folder, "data")

        def start(self):
            for disk in self.disks.values():
                disk.make()
            return super().start()

        def __exit__(self, kind=None, *unused):
            for node in self.nodes.values():
                node.kill()
            self.network.close()
            for disk in self.disks.values():
                disk.close()
            if self.keep and kind not in (KeyboardInterrupt, SystemExit):
                print(f"  kept: {self.folder} (each node's disk is node-N/disk.image)", flush=True)
            else:
                shutil.rmtree(self.folder, ignore_errors=True)

    return Stage()


# ------------------------------------------------------------------------------------------------------------- clients


class Clients:
    """Producers and consumers, each a process of its own, that write down what they see in `folder`."""

    def __init__(self, address, folder, rate):
        import support
        self.python, self.client = support.python(), os.path.join(HERE, "endurance_client.py")
        self.address, self.folder, self.rate, self.processes = address, folder, rate, {}

    def notes(self, kind, name):
        return os.path.join(self.folder, f"{kind}-{name}.txt")

    def command(self, kind, library, *words):
        return [self.python, self.client, kind, library, self.address, TOPICS, *words, self.notes(kind, library)]

    def begin(self, kind, library, *words):
        with open(os.path.join(self.folder, f"{kind}-{library}.err"), "wb") as complaints:
            self.processes[(kind, library)] = subprocess.Popen(
                self.command(kind, library, *words), stdin=subprocess.PIPE, stdout=complaints, stderr=complaints)

    def complaint(self, kind, library):
        with open(os.path.join(self.folder, f"{kind}-{library}.err"), encoding="utf-8", errors="replace") as file:
            return file.read()[-600:]

    def __enter__(self):
        for library in PRODUCERS:
            self.begin("produce", library, library, str(self.rate))
            self.begin("tail", library, f"endurance-{library}")
        return self

    def check(self):
        return [f"the client {kind} {library} has ended: {self.complaint(kind, library)}"
                for (kind, library), process in self.processes.items() if process.poll() is not None]

    def end(self, kind, seconds):
        """Tells all of a kind to end, and waits. Returns what is wrong."""
        wrong, mine = [], {key: process for key, process in self.processes.items() if key[0] == kind}
        for process in mine.values():
            try:
                process.stdin.write(b"stop\n")
                process.stdin.close()
            except OSError:
                pass
        for key, process in mine.items():
            try:
                if process.wait(seconds) != 0:
                    wrong.append(f"the client {' '.join(key)} ended with {process.returncode}: {self.complaint(*key)}")
            except subprocess.TimeoutExpired:
                wrong.append(f"the client {' '.join(key)} does not end")
            del self.processes[key]
        return wrong

    def __exit__(self, *unused):
        for process in self.processes.values():
            process.kill()
            process.wait()

    def wait_for_tails(self, seconds):
        """Until those who read along have as much as there is, and a bit."""
        def lines(kind, library):
            with open(self.notes(kind, library), "rb") as file:
                return sum(piece.count(b"\n") for piece in iter(lambda: file.read(1 << 20), b""))

        deadline, due = time.monotonic() + seconds, lines("read", "librdkafka")
        while time.monotonic() < deadline and any(lines("tail", library) < due - 100 for library in PRODUCERS):
            time.sleep(1)
        time.sleep(2)

    def read_all(self):
        done = subprocess.run(self.command("read", "librdkafka", "reader"), stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=900)
        return [] if done.returncode == 0 else ["reading all: " + done.stderr.decode()[-2000:]]


# -------------------------------------------------------------------------------------------------------------- faults


class Fault:
    """One thing that was done: when, to whom, and the places that its victim led then."""

    def __init__(self, kind, words, struck, led, alone):
        self.kind, self.words, self.struck, self.led, self.alone = kind, words, struck, led, alone
        self.healed = self.over = None


class Endurance:
    """The run: its cluster, its clients, its faults and what went wrong."""

    def __init__(self, cluster, clients, chance, kinds=None, log=print):
        self.cluster, self.clients, self.chance, self.log = cluster, clients, chance, log
        self.companion = None  # a controller that is down beside the present fault
        self.began, self.faults, self.wrong, self.deck, self.kinds = time.monotonic(), [], [], [], kinds or list(KINDS)


    # --- what the cluster says

    def partitions(self, node):
        """Of the topics and the consumers' offsets: what this broker says of each. None if it does not say."""
        names = sorted({topic for topic, _ in PLACES}) + ["__consumer_offsets"]
        known = self.cluster.metadata(node, names) if node.alive() else None
        if not known:
            return None
        return {(topic["name"], p["partitionIndex"]): p for topic in known["topics"] if topic["errorCode"] == 0
                for p in topic["partitions"]}

    def lag(self):
        """What is not yet as it should be; empty when all is in sync."""
        for node in self.cluster.nodes.values():
            if not node.alive():
                return f"node {node.number} does not run"
        for node in self.cluster.brokers:
            found = self.partitions(node)
            if not found or any(place not in found for place in PLACES):
                return f"node {node.number} does not say"
            for place, partition in found.items():
                if len(partition["isrNodes"]) < 3 or partition["leaderId"] < 0:
                    return (f"{place} on node {node.number}: in sync {partition['isrNodes']}, led by "
                            f"{partition['leaderId']}")
        return ""

    def wait_until_in_sync(self):
        """Returns after how many seconds all is well."""
        began = time.monotonic()
        while True:
            lag = self.lag()
            if not lag or self.ended():
                return time.monotonic() - began
            if time.monotonic() > began + IN_SYNC_SECONDS_MAX:
                self.violation(f"not in sync after {IN_SYNC_SECONDS_MAX} s: {lag}")
                return time.monotonic() - began
            time.sleep(0.1)

    def ended(self):
        """Whether a node ended that nobody ended; it is a violation, and it is started again."""
        found = False
        for node in self.cluster.nodes.values():
            if node.process is not None and not node.alive():
                self.violation(f"node {node.number} ended with {node.process.returncode}: {node.output()[-1500:]}")
                node.start(wait=False)
                found = True
        return found

    def violation(self, what):
        self.wrong.append(what)
        self.log(f"{self.clock()} VIOLATION: {what}")

    def clock(self):
        return f"  {time.monotonic() - self.began:7.1f} s "

    def led_by(self, node):
        for other in self.cluster.brokers:
            found = self.partitions(other)
            if found:
                return [at for at, place in enumerate(PLACES)
                        if place in found and found[place]["leaderId"] == node.number]
        return []

    def active(self):
        import cluster
        return cluster.until(self.cluster.active, 20, "no controller leads")[1]

    def a_leader(self):
        led = {node.number: self.led_by(node) for node in self.cluster.brokers}
        leaders = [node for node in self.cluster.brokers if led[node.number]]
        return self.chance.choice(leaders or self.cluster.brokers)

    def a_broker(self):
        return self.chance.choice(self.cluster.brokers)

    def a_controller(self):
        others = [node for node in self.cluster.controllers if node is not self.companion]
        active = self.active() if self.chance.random() < 0.6 else None
        return active if active in others else self.chance.choice(others)

    def a_node(self):
        return self.a_broker() if self.chance.random() < 0.6 else self.a_controller()

    def change_metadata(self):
        """A change of no consequence, with whatever answer."""
        peer = self.chance.choice(self.cluster.brokers).peer(timeout=2)
        try:
            peer.ask("IncrementalAlterConfigs", 1, resources=[
                {"resourceType": 2, "resourceName": PLACES[0][0], "configs": [
                    {"name": "retention.ms", "configOperation": 0, "value": str(self.chance.randint(10**9, 10**10))}]}])
        except OSError:
            pass
        finally:
            peer.close()

    # --- doing it

    def pause(self, low, high):
        time.sleep(self.chance.uniform(low, high))

    def strike(self, kind, node, words="", alone=True):
        led = self.led_by(node) if node.is_broker else []
        self.faults.append(Fault(kind, words or f"node {node.number}", time.monotonic(), led, alone))
        return self.faults[-1]

    def next_kind(self):
        """Of a deck in which every kind is as often as its weight; `once` kinds are in the first deck alone."""
        if not self.deck:
            self.deck = [kind for kind in self.kinds for _ in range(1 if not self.faults else WEIGHTS.get(kind, 1))
                         if not self.faults or kind not in ONCE]
            self.chance.shuffle(self.deck)
        return self.deck.pop()

    def one(self, kind):
        """One fault, from its beginning until all is in sync again."""
        companion = None
        if kind in WITH_CONTROLLER and self.chance.random() < 0.2:
            companion = self.companion = self.chance.choice(self.cluster.controllers)
            companion.kill()
        at = len(self.faults)
        try:
            KINDS[kind](self, companion is None)
        finally:
            if companion is not None:
                self.companion = None
                companion.start(wait=False)
        healed = time.monotonic()
        seconds = self.wait_until_in_sync()
        for fault in self.faults[at:]:
            if fault.over is None:
                fault.healed, fault.over = healed, time.monotonic()
        fault = self.faults[-1]
        words = fault.words if len(self.faults) == at + 1 else f"{len(self.faults) - at} nodes"
        self.log(f"{self.clock()}{kind}: {words}{f', controller {companion.number} killed' if companion else ''}, "
                 f"led {len(fault.led)}, {healed - fault.struck:.1f} s; in sync after {seconds:.1f} s more")

    def run(self, seconds):
        """Until so much time is over; None: once through the deck."""
        self.wait_until_in_sync()
        while not self.wrong and (time.monotonic() < self.began + seconds if seconds else self.deck or not self.faults):
            self.one(self.next_kind())
            for wrong in self.clients.check():
                self.violation(wrong)
            self.pause(*(0.5, 3) if seconds else (0.2, 1))


# ----------------------------------------------------------------------------------------------------------------- run


def create_topics(cluster):
    peer = cluster.brokers[0].peer()
    try:
        answer = peer.ask("CreateTopics", 7, timeoutMs=20_000, topics=[
            {"name": name, "numPartitions": sum(topic == name for topic, _ in PLACES), "replicationFactor": 3,
             "configs": [{"name": key, "value": str(value)} for key, value in configs]}
            for name, configs in TOPIC_CONFIGS.items()])
    finally:
        peer.close()
    if any(topic["errorCode"] for topic in answer["topics"]):
        raise AssertionError(f"no topics: {answer}")


def endure(seed, seconds=None, kinds=None, rate=400, stall_max=2.0, keep=False, log=print):
    """One run. Returns what was wrong; what is there to be said goes to `log`."""
    with make_cluster() as cluster:
        cluster.keep = True  # until all is well
        notes = os.path.join(cluster.folder, "clients")
        os.makedirs(notes)
        log(f"  seed {seed}, folder {cluster.folder}")
        create_topics(cluster)
        with Clients(cluster.address, notes, rate) as clients:
            run = Endurance(cluster, clients, random.Random(seed), kinds, log)
            time.sleep(2)
            run.run(seconds)
            wrong = run.wrong
            run.pause(2, 2)
            log(f"{run.clock()}{len(run.faults)} faults; reading everything back")
            wrong += clients.end("produce", 240)
            run.wait_until_in_sync()
            wrong += clients.read_all()
            clients.wait_for_tails(60)
            wrong += clients.end("tail", 60)
        wrong += judge(cluster, clients, run.faults, stall_max, log)
        for each in wrong:
            log(f"  WRONG: {each}")
        cluster.keep = keep or bool(wrong)
    return wrong


def judge(cluster, clients, faults, stall_max, log):
    total, wrong = check_copies(cluster, PLACES)
    acked = {name: Acked(clients.notes("produce", name), len(PLACES)) for name in PRODUCERS}
    for name, told in acked.items():
        log(f"  {name}: {told.count} acknowledged, {len(told.failed)} failed {told.failed[:3]}, {told.unanswered}")
        if told.count == 0 or told.failed or not told.unanswered.endswith(" 0 unanswered"):
            wrong.append(f"{name}: {told.count} acknowledged, {len(told.failed)} failed, {told.unanswered}")
    logs, names, more = check_records(clients.notes("read", "librdkafka"), acked, len(PLACES))
    counts, yet_more = check_consumed({name: clients.notes("tail", name) for name in PRODUCERS}, logs, names)
    log(f"  {sum(map(len, logs))} records in {len(logs)} partitions, {total} bytes in each replica; read along: "
        f"{counts}")
    lines, too_long = table(faults, acked, stall_max)
    log("\n".join(lines))
    return wrong + more[:20] + yet_more[:20] + too_long


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int,
                        default=int(os.environ.get("WEIR_INTEROP_SEED", time.time_ns() % 1_000_000)))
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--program")
    parser.add_argument("--only", type=lambda words: words.split(","))
    parser.add_argument("--rate", type=int, default=400)
    parser.add_argument("--stall", type=float, default=2)
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    to_own_mounts()
    settle(arguments)
    import support
    if not os.path.exists(support.PROGRAM):
        sys.exit(f"endure: there is no {support.PROGRAM}; build it first: ./bazelw build -c opt //server:weir")
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit("endure: ended by SIGTERM"))
    length = "--once" if arguments.once else f"--minutes {arguments.minutes:g}"
    print(f"endure: {length} --seed {arguments.seed}", flush=True)
    try:
        wrong = endure(arguments.seed, seconds=None if arguments.once else 60 * arguments.minutes,
                       kinds=arguments.only, rate=arguments.rate, stall_max=arguments.stall, keep=arguments.keep,
                       log=lambda line: print(line, flush=True))
    except support.unittest.SkipTest:
        return SKIPPED
    print(f"endure: {f'FAILED, {len(wrong)} violations' if wrong else 'passed'}. Again: tools/endure {length} "
          f"--seed {arguments.seed}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
