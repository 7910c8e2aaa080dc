"""Topics made, changed and deleted by several clients at once through all brokers; notes what was acknowledged.

Every topic belongs to one client, which asks for one thing after the other. What was acknowledged has to be there.
After something of which nobody said what became of it, the topic may be as before or as after it, and is left alone.
"""

import collections
import json
import os
import random
import socket
import subprocess
import threading
import time

import support

# After these the request may have had its effect, or may have it yet: REQUEST_TIMED_OUT, BROKER_NOT_AVAILABLE,
# NETWORK_EXCEPTION, NOT_CONTROLLER (a broker says so when it does not know what became of what it had forwarded).
UNKNOWN = (7, 8, 13, 41)
INVALID_REPLICATION_FACTOR = 38  # what is said while fewer brokers are unfenced than replicas are asked for
ANSWER_SECONDS_MAX = 35  # a broker gives up what it forwards after 30 s

Topic = collections.namedtuple("Topic", "partitions retention")


class Refused(Exception):
    """It certainly had no effect, for a reason that is a fault's."""


class Unknown(Exception):
    """Nobody knows."""


class WireClient:
    """Kafka's protocol without a library: nothing is tried twice."""

    def __init__(self, brokers, chance):
        self.brokers, self.chance = brokers, chance
        self.peers = {broker.number: broker.peer(ANSWER_SECONDS_MAX) for broker in brokers}

    def ask(self, api, version, field, **request):
        peer = self.peers[self.chance.choice(self.brokers).number]
        try:
            answer = peer.ask(api, version, **request)
        except OSError as error:
            peer.close()
            raise Unknown(f"{api}: {error}") from error
        if answer is None:
            raise Unknown(f"{api}: the connection was closed")
        (result,) = answer[field]
        code = result["errorCode"]
        if code in UNKNOWN:
            raise Unknown(f"{api}: {code}")
        if code == INVALID_REPLICATION_FACTOR:
            raise Refused(f"{api}: {code}")
        if code != 0:
            raise AssertionError(f"{api} through node {peer.port}: error {code}, {result['errorMessage']}: {request}")

    def create(self, name, topic, replicas):
        self.ask("CreateTopics", 7, "topics", timeoutMs=30_000, topics=[
            {"name": name, "numPartitions": topic.partitions, "replicationFactor": replicas,
             "configs": [{"name": "retention.ms", "value": str(topic.retention)}]}])

    def alter(self, name, retention):
        self.ask("IncrementalAlterConfigs", 1, "responses", resources=[
            {"resourceType": 2, "resourceName": name,
             "configs": [{"name": "retention.ms", "configOperation": 0, "value": str(retention)}]}])

    def expand(self, name, count):
        self.ask("CreatePartitions", 3, "results", timeoutMs=30_000,
                 topics=[{"name": name, "count": count, "assignments": None}])

    def delete(self, name):
        self.ask("DeleteTopics", 5, "responses", timeoutMs=30_000, topicNames=[name])

    def close(self):
        for peer in self.peers.values():
            peer.close()


class CommandClient:
    """`weir topics` and `weir configs`. They ask again by themselves: nobody knows what a failure of theirs means."""

    def __init__(self, brokers, chance):
        self.brokers, self.chance = brokers, chance

    def run(self, command, *words):
        done = subprocess.run([support.PROGRAM, command, "--bootstrap-server", self.chance.choice(self.brokers).address,
                               *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
        if done.returncode != 0:
            raise Unknown(done.stderr.decode("utf-8", "replace"))

    def create(self, name, topic, replicas):
        self.run("topics", "--create", "--topic", name, "--partitions", topic.partitions, "--replication-factor",
                 replicas, "--config", f"retention.ms={topic.retention}")

    def alter(self, name, retention):
        self.run("configs", "--alter", "--topic", name, "--add-config", f"retention.ms={retention}")

    def expand(self, name, count):
        self.run("topics", "--alter", "--topic", name, "--partitions", count)

    def delete(self, name):
        self.run("topics", "--delete", "--topic", name)

    def close(self):
        pass


class LibraryClient:
    """librdkafka's administration, in a process of its own (cluster_admin.py). It asks again by itself as well."""

    def __init__(self, brokers, _):
        self.process = subprocess.Popen(
            [support.python(), os.path.join(support.HERE, "cluster_admin.py"), ",".join(b.address for b in brokers)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def run(self, *words):
        try:
            self.process.stdin.write(json.dumps(words) + "\n")
            self.process.stdin.flush()
            said = self.process.stdout.readline().strip()
        except BrokenPipeError:
            said = "ended"
        if said != "done":
            raise Unknown(said)

    def create(self, name, topic, replicas):
        self.run("create", name, topic.partitions, topic.retention, replicas)

    def alter(self, name, retention):
        self.run("alter", name, retention)

    def expand(self, name, count):
        self.run("expand", name, count)

    def delete(self, name):
        self.run("delete", name)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Worker(threading.Thread):
    """One client with the topics that are its own."""

    def __init__(self, name, client, chance):
        super().__init__(daemon=True)
        self.title, self.client, self.chance = name, client, chance
        self.live, self.ends = {}, {}  # topics that it goes on with; what those that it left may be
        self.done, self.refused, self.unknown, self.failed = collections.Counter(), 0, [], None
        self.longest, self.stopping = 0.0, threading.Event()

    def run(self):
        try:
            while not self.stopping.is_set():
                self.step()
        except Exception as error:  # told by the test's own thread
            self.failed = error
        finally:
            self.client.close()

    def step(self):
        name = self.chance.choice(sorted(self.live)) if self.live else None
        before = self.live.get(name)
        what = self.chance.choice(("create", "alter", "alter", "expand", "delete")) if name else "create"
        if what == "create" or (what == "delete" and len(self.live) < 3):
            what, name, before = "create", f"{self.title}-{len(self.live) + len(self.ends)}", None
            after = Topic(self.chance.randint(1, 4), self.chance.randint(10 ** 6, 10 ** 9))
            call = (name, after, self.chance.randint(1, 3))
        elif what == "alter":
            after = before._replace(retention=self.chance.randint(10 ** 6, 10 ** 9))
            call = (name, after.retention)
        elif what == "expand":
            after = before._replace(partitions=before.partitions + 1)
            call = (name, after.partitions)
        else:
            after, call = None, (name,)
        began = time.monotonic()
        try:
            getattr(self.client, what)(*call)
            self.done[what] += 1
            self.settle(name, (after,))
        except Refused:
            self.refused += 1
            self.stopping.wait(0.05)
            self.settle(name, (before,))
        except Unknown as error:
            self.unknown.append(str(error))
            self.settle(name, (before, after))
            self.stopping.wait(0.05)
        self.longest = max(self.longest, time.monotonic() - began)

    def settle(self, name, may_be):
        if len(may_be) == 1 and may_be[0] is not None:
            self.live[name] = may_be[0]
        else:
            self.live.pop(name, None)
            self.ends[name] = may_be

    def expected(self):
        return {**self.ends, **{name: (topic,) for name, topic in self.live.items()}}


class Load:
    """Clients of all kinds at work on a cluster. Use it in a `with`."""

    KINDS = (("wire", WireClient, 3), ("command", CommandClient, 1), ("library", LibraryClient, 1))

    def __init__(self, cluster, seed):
        self.cluster, self.workers = cluster, []
        for kind, client, count in self.KINDS:
            for number in range(count):
                chance = random.Random(f"{seed}-{kind}-{number}")
                self.workers.append(Worker(f"{kind}-{number}", client(cluster.brokers, chance), chance))

    def __enter__(self):
        for worker in self.workers:
            worker.start()
        return self

    def __exit__(self, *unused):
        for worker in self.workers:
            worker.stopping.set()
        for worker in self.workers:
            worker.join(ANSWER_SECONDS_MAX + 90)

    def check_clients(self):
        for worker in self.workers:
            if worker.failed:
                raise worker.failed

    def said(self):
        done = sum((worker.done for worker in self.workers), collections.Counter())
        return (f"acknowledged {dict(sorted(done.items()))}, refused {sum(w.refused for w in self.workers)}, unknown "
                f"{sum(len(w.unknown) for w in self.workers)}, longest {max(w.longest for w in self.workers):.1f} s")

    def check(self, seconds=20):
        """All that was acknowledged is there, on every broker, and all brokers say the same of the rest."""
        self.check_clients()
        expected = {}
        for worker in self.workers:
            expected.update(worker.expected())
        deadline = time.monotonic() + seconds
        while True:
            views = {node.number: topics_of(node, expected) for node in self.cluster.brokers}
            wrong = [f"{name}: node {number} says {view.get(name)}, expected one of {may_be}"
                     for name, may_be in expected.items() for number, view in views.items()
                     if view.get(name) not in may_be]
            wrong += [f"{name}: {[view.get(name) for view in views.values()]}" for name in expected
                      if len({view.get(name) for view in views.values()}) > 1]
            wrong += [f"node {number} has {sorted(set(view) - set(expected))[:3]}, which nobody made"
                      for number, view in views.items() if set(view) - set(expected)]
            if not wrong:
                return len(expected)
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(wrong)} wrong, such as:\n" + "\n".join(wrong[:10]))
            time.sleep(0.2)


def topics_of(node, names):
    """The topics that a broker knows, as Topic by name. What others than the clients made is left out."""
    peer = node.peer()
    try:
        known = peer.ask("Metadata", 12, topics=None, allowAutoTopicCreation=False)
        if known is None:
            return {}
        kinds = tuple({name.rsplit("-", 1)[0] + "-" for name in names})
        partitions = {topic["name"]: len(topic["partitions"]) for topic in known["topics"]
                      if topic["name"].startswith(kinds)}
        described = peer.ask("DescribeConfigs", 4, resources=[
            {"resourceType": 2, "resourceName": name, "configurationKeys": ["retention.ms"]} for name in partitions])
        found = {}
        for result in described["results"] if described else ():
            value = result["configs"][0]["value"] if result["configs"] else None
            found[result["resourceName"]] = Topic(partitions[result["resourceName"]], int(value or -1))
        return found
    except (OSError, socket.timeout):
        return {}
    finally:
        peer.close()
