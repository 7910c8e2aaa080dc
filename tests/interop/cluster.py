"""Clusters of several Weir processes, on loopback or each in a network namespace of its own, and their logs."""

import base64
import glob
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import support
import weir_process
import wire

COMBINED = {1: "broker,controller", 2: "broker,controller", 3: "broker,controller"}
APART = {1: "controller", 2: "controller", 3: "controller", 4: "broker", 5: "broker", 6: "broker"}
ELECTION_MS = 1000  # controller.quorum.election.timeout.ms when nobody sets it
METADATA_LOG = "__cluster_metadata-0"


def until(true, seconds, what, pause=0.02):
    """Waits until `true()` gives something, which is returned. `what` is said, or called and said, when it does not."""
    deadline = time.monotonic() + seconds
    while True:
        found = true()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s: " + (what() if callable(what) else what))
        time.sleep(pause)


def seed(offset=0):
    """Of all that happens by chance in a test; printed, so that it can happen again."""
    return int(os.environ.get("WEIR_INTEROP_SEED", time.time_ns() % 1_000_000)) + offset


# ------------------------------------------------------------------------------------------------------- networks


def free_ports(count):
    """Ports below those that the system gives to clients: who is gone for a moment finds its own again."""
    ports, sockets = [], []
    while len(ports) < count:
        port = random.randrange(20_000, 32_000)
        listener = socket.socket()
        try:
            listener.bind(("127.0.0.1", port))
            ports.append(port)
            sockets.append(listener)
        except OSError:
            listener.close()
    for listener in sockets:
        listener.close()
    return ports


class Loopback:
    """All nodes on 127.0.0.1."""

    def __init__(self, numbers):
        ports = free_ports(2 * len(numbers))
        self.ports = {number: (ports[2 * at], ports[2 * at + 1]) for at, number in enumerate(numbers)}

    def place(self, number):
        """Host, port for clients, port for nodes, and what starts a program there."""
        return ("127.0.0.1", *self.ports[number], [])

    def close(self):
        pass


class Namespaces:
    """Each node in a network namespace of its own, with a cable to a bridge that can be pulled. Needs root."""

    def __init__(self, numbers):
        support.program("ip")
        self.name, self.numbers = f"weir{os.getpid() % 100_000}", list(numbers)
        # Of the addresses that are there for tests of networks (RFC 2544): no route of the machine is in the way.
        self.net = f"198.18.{os.getpid() % 250}"
        try:
            self.make()
        except (AssertionError, OSError) as error:
            self.close()
            support.loud_skip(f"network namespaces are not permitted here: {str(error)[-200:]}")

    def make(self):
        self.ip("link", "add", self.name, "type", "bridge")
        self.ip("addr", "add", f"{self.net}.254/24", "dev", self.name)
        self.ip("link", "set", self.name, "up")
        for number in self.numbers:
            space, cable = self.space(number), self.cable(number)
            self.ip("netns", "add", space)
            self.ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
            self.ip("link", "set", cable, "master", self.name)
            self.ip("link", "set", cable, "up")
            self.ip("-n", space, "addr", "add", f"{self.host(number)}/24", "dev", "eth0")
            self.ip("-n", space, "link", "set", "lo", "up")
            self.ip("-n", space, "link", "set", "eth0", "up")
        # A machine may filter what crosses bridges: nobody listens, and that has to be said from the other side.
        probe = f"import socket; socket.create_connection(('{self.host(self.numbers[1])}', 9), 3)"
        done = subprocess.run(["ip", "netns", "exec", self.space(self.numbers[0]), "/usr/bin/python3", "-c", probe],
                              capture_output=True, timeout=20)
        if b"ConnectionRefusedError" not in done.stderr:
            raise AssertionError("namespaces do not reach each other: " + done.stderr.decode()[-100:])

    @staticmethod
    def ip(*words):
        support.run(["ip", *words], timeout=20)

    def space(self, number):
        return f"{self.name}-{number}"

    def cable(self, number):
        return f"{self.name}-{number}"

    def host(self, number):
        return f"{self.net}.{number}"

    def place(self, number):
        # Not `ip netns exec`, which copies the mounts too: a disk of another node could not be taken away then.
        return (self.host(number), 9092, 9093, ["nsenter", f"--net=/run/netns/{self.space(number)}"])

    def cut_off(self, number):
        self.ip("link", "set", self.cable(number), "down")

    def join(self, number):
        self.ip("link", "set", self.cable(number), "up")

    def part(self, one, other):
        """These two hear nothing of each other: what they send goes to nobody's hardware address."""
        for space, host in ((one, other), (other, one)):
            self.ip("-n", self.space(space), "neigh", "replace", self.host(host), "lladdr", "02:00:00:00:00:01",
                    "nud", "permanent", "dev", "eth0")

    def reunite(self, one, other):
        for space, host in ((one, other), (other, one)):
            self.ip("-n", self.space(space), "neigh", "del", self.host(host), "dev", "eth0")

    def close(self):
        for number in self.numbers:
            subprocess.run(["ip", "netns", "del", self.space(number)], capture_output=True)
        subprocess.run(["ip", "link", "del", self.name], capture_output=True)


# ---------------------------------------------------------------------------------------------------- metadata logs


class Batch:
    """A batch of a metadata log: where, in which term, its bytes, and who leads, if that is what it says."""

    def __init__(self, data, base, epoch, attributes, last_delta):
        self.data, self.base, self.epoch, self.end = data, base, epoch, base + last_delta + 1
        self.leader = leader_of(data) if attributes & 0x20 else None


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return (value >> 1) ^ -(value & 1), at


def leader_of(batch):
    """The leader that a control batch names, or None if that is not what its first record is about."""
    at = 61
    _, at = varint(batch, at)  # length
    at += 1  # attributes
    _, at = varint(batch, at)  # timestamp
    _, at = varint(batch, at)  # offset
    size, at = varint(batch, at)
    kind = struct.unpack_from(">hh", batch, at)[1] if size >= 4 else -1
    _, at = varint(batch, at + max(size, 0))
    return struct.unpack_from(">hi", batch, at)[1] if kind == 2 else None


def read_metadata_log(folder):
    """All whole batches in the segments that are there, in their order."""
    batches = []
    for path in sorted(glob.glob(os.path.join(folder, METADATA_LOG, "*.log"))):
        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            continue
        at = 0
        while at + 61 <= len(data):
            base, length, epoch = struct.unpack_from(">qii", data, at)
            if length < 49 or at + 12 + length > len(data):
                break
            attributes, last_delta = struct.unpack_from(">hi", data, at + 21)
            batches.append(Batch(data[at:at + 12 + length], base, epoch, attributes, last_delta))
            at += 12 + length
    return batches


# --------------------------------------------------------------------------------------------------------- clusters


class Node(weir_process.Broker):
    """One node of a cluster, by its number."""

    def __init__(self, cluster, number, roles):
        super().__init__(support.PROGRAM, folder=os.path.join(cluster.folder, f"node-{number}"), port=1)
        self.cluster, self.number, self.roles = cluster, number, roles
        self.host, self.port, self.controller_port, self.before = cluster.network.place(number)
        self.is_broker, self.is_controller = "broker" in roles, "controller" in roles

    def properties(self):
        internal = "CONTROLLER" if self.is_controller else "INTERNAL"
        listeners = [f"PLAINTEXT://{self.address}"] * self.is_broker
        return {
            "process.roles": self.roles,
            "node.id": self.number,
            "listeners": ",".join(listeners + [f"{internal}://{self.host}:{self.controller_port}"]),
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": self.cluster.voters(),
            "log.dirs": self.data,
            "offsets.topic.replication.factor": 1,
            "group.initial.rebalance.delay.ms": 0,
            **self.cluster.config,
            **self.cluster.own.get(self.number, {}),
        }

    def command(self, properties):
        return self.before + super().command(properties)

    def peer(self, timeout=30):
        return wire.Peer(self.port, self.host, timeout)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        super().kill()
        self.process = None  # who ends without this is missed

    def wipe(self):
        """Its disk is another one, with nothing on it."""
        self.kill()
        shutil.rmtree(self.data, ignore_errors=True)

    def identity(self, key):
        """What meta.properties says; None as long as there is no such line."""
        try:
            with open(os.path.join(self.data, "meta.properties"), encoding="utf-8") as file:
                lines = file.read().splitlines()
        except FileNotFoundError:
            return None
        return next((line.split("=", 1)[1] for line in lines if line.startswith(key + "=")), None)

    def log(self):
        return read_metadata_log(self.data)

    def all_output(self):
        with open(self.output_path, encoding="utf-8", errors="replace") as file:
            return file.read()


class Cluster:
    """Nodes by their numbers. Use it in a `with`: what it started is ended there."""

    def __init__(self, roles, network=Loopback, config=None, own=None):
        """`own`: what single nodes have beside `config`, by their numbers."""
        self.config, self.own = dict(config or {}), dict(own or {})
        self.network = network(list(roles))
        self.folder = tempfile.mkdtemp(prefix="weir-cluster-")
        self.nodes = {number: Node(self, number, role) for number, role in roles.items()}
        self.brokers = [node for node in self.nodes.values() if node.is_broker]
        self.controllers = [node for node in self.nodes.values() if node.is_controller]
        self.leaders = {}  # of each term, as any node's log ever said

    def voters(self):
        return ",".join(f"{node.number}@{node.host}:{node.controller_port}"
                        for node in self.nodes.values() if node.is_controller)

    @property
    def address(self):
        return ",".join(node.address for node in self.brokers)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *unused):
        for node in self.nodes.values():
            node.kill()
        self.network.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        for node in self.nodes.values():
            node.start(wait=False)
        self.wait_until_ready()
        return self

    def wait_until_ready(self, seconds=30):
        """Until every broker that runs knows all that run."""
        running = {node.number for node in self.brokers if node.alive()}
        for node in self.brokers:
            if node.alive():
                until(lambda n=node: self.known_brokers(n) >= running, seconds,
                      lambda n=node: f"node {n.number} knows {self.known_brokers(n)} of {running}\n" + self.said())

    def known_brokers(self, node):
        known = self.metadata(node)
        return set() if known is None else {broker["nodeId"] for broker in known["brokers"]}

    @staticmethod
    def metadata(node, topics=()):
        """What a broker says of the brokers and of these topics (None: all); None if it says nothing."""
        peer = node.peer(timeout=5)
        try:
            return peer.ask("Metadata", 12, topics=None if topics is None else [{"name": name} for name in topics],
                            allowAutoTopicCreation=False)
        except OSError:
            return None
        finally:
            peer.close()

    @staticmethod
    def voters_of(node):
        """The directory ids of the metadata quorum's voters as a broker says; None if it serves no DescribeQuorum."""
        peer = node.peer(timeout=5)
        try:
            if 55 not in [api["apiKey"] for api in peer.ask("ApiVersions", 0)["apiKeys"]]:
                return None
            said = peer.ask("DescribeQuorum", 2, topics=[{"topicName": "__cluster_metadata",
                                                          "partitions": [{"partitionIndex": 0}]}])
            (partition,) = said["topics"][0]["partitions"]
            return {voter["replicaId"]: base64.urlsafe_b64encode(voter["replicaDirectoryId"]).decode().rstrip("=")
                    for voter in partition["currentVoters"]}
        except (OSError, TypeError, IndexError):
            return {}
        finally:
            peer.close()

    def said(self):
        return "\n".join(f"--- node {node.number}\n{node.output()[-1000:]}" for node in self.nodes.values())

    def check_alive(self):
        for node in self.nodes.values():
            if node.process is not None and not node.alive():
                raise AssertionError(f"node {node.number} ended with {node.process.returncode}:\n{node.output()}")

    # --- the metadata quorum, read in the nodes' logs

    def terms(self):
        """Each node's terms with their leaders. Two leaders of one term, whenever they were seen, are an error."""
        found = {}
        for node in self.nodes.values():
            terms = {batch.epoch: batch.leader for batch in node.log() if batch.leader is not None}
            for epoch, leader in terms.items():
                if self.leaders.setdefault(epoch, leader) != leader:
                    raise AssertionError(f"term {epoch} had the leaders {self.leaders[epoch]} and {leader}")
            found[node.number] = terms
        return found

    def active(self, above=-1):
        """The last term above `above` whose leader a majority of the controllers has in its log, as (term, node)."""
        terms = self.terms()
        counts = {}
        for node in self.controllers:
            for epoch in terms[node.number]:
                counts[epoch] = counts.get(epoch, 0) + 1
        agreed = [epoch for epoch, count in counts.items() if epoch > above and 2 * count > len(self.controllers)]
        return (max(agreed), self.nodes[self.leaders[max(agreed)]]) if agreed else None

    def check_logs(self):
        """Every two logs agree in all that both have. Returns how many offsets all have."""
        logs = {node.number: {batch.base: batch.data for batch in node.log()} for node in self.nodes.values()}
        ends = {node.number: node.log()[-1].end for node in self.nodes.values()}
        shared = min(ends.values())
        truth = {}
        for number, log in logs.items():
            for base, data in log.items():
                if base < shared and truth.setdefault(base, data) != data:
                    raise AssertionError(f"node {number} has another batch at {base} of its metadata log than others")
            first = min(log)
            missing = [base for base in truth if first <= base < shared and base not in log]
            if missing:
                raise AssertionError(f"node {number} has no batches at {missing[:5]} of its metadata log")
        self.terms()
        return shared
