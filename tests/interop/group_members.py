"""Members of consumer groups as processes, whatever they are written in, and what is true of a group of them."""

import json
import os
import queue
import re
import signal
import subprocess
import threading
import time

import support
import weir_process

WAIT_SECONDS = 40


def wait(what, done, seconds=WAIT_SECONDS):
    """Waits until `done()` says something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        found = done()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.02)


class Member:
    """One process. `mine` are its partitions, `read` the (partition, offset) it printed, in order."""

    def __init__(self, name, command, parse, topic):
        self.name, self.parse, self.topic = name, parse, topic
        self.mine, self.read, self.lost, self.rebalances, self.failed = set(), [], [], 0, None
        self.errors = queue.deque(maxlen=30)
        # A group of processes of its own: node and java start helpers.
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, bufsize=1, start_new_session=True,
                                        preexec_fn=weir_process.end_with_parent)
        self.threads = [threading.Thread(target=self.listen, args=(stream, handle), daemon=True) for stream, handle in
                        ((self.process.stdout, self.on_line), (self.process.stderr, self.on_error))]
        for thread in self.threads:
            thread.start()

    def listen(self, stream, handle):
        for line in stream:
            handle(line.rstrip("\n"))

    def on_line(self, line):
        for word, values in self.parse(self, line):
            if word == "assigned":
                self.mine = set(values)
                self.rebalances += 1
            elif word == "added":
                self.mine = self.mine | set(values)
                self.rebalances += 1
            elif word == "lost":
                self.lost.append(set(values))
                self.mine = self.mine - set(values)
            elif word == "read":
                self.read.append(tuple(values))
            elif word == "failed":
                self.failed = values

    def on_error(self, line):
        if self.name == "kcat" and " rebalanced " in line:
            self.on_line(line)
        else:
            self.errors.append(line)

    def signal(self, number):
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.mine = set()

    def stop(self, seconds=20):
        """SIGTERM: it leaves the group."""
        self.signal(signal.SIGTERM)
        self.process.wait(seconds)
        for thread in self.threads:
            thread.join(5)
        self.mine = set()

    def __repr__(self):
        state = "runs" if self.process.poll() is None else f"ended with {self.process.returncode}"
        return (f"{self.name} {state}, has {sorted(self.mine)}, read {len(self.read)}, {self.rebalances} rebalances"
                f"{', failed ' + self.failed if self.failed else ''}; {' / '.join(self.errors)[-600:]}")


def parse_words(_, line):
    word, _, rest = line.partition(" ")
    if word == "failed":
        yield word, rest
    elif word in ("assigned", "lost", "read"):
        yield word, [int(value) for value in rest.split()]


def parse_kcat(_, line):
    if line.startswith("read "):
        yield "read", [int(value) for value in line.split()[1:]]
    elif " rebalanced " in line:
        # "% Group g rebalanced (memberid m): assigned: t [0], t [1]"
        partitions = [int(value) for value in re.findall(r" \[(\d+)\]", line)]
        yield ("assigned" if "): assigned" in line else "lost"), partitions


def parse_java(_, line):
    try:
        event = json.loads(line)
    except ValueError:
        return
    partitions = [part["partition"] for part in event.get("partitions", [])]
    if event["name"] == "partitions_assigned":
        yield "added", partitions
    elif event["name"] == "partitions_revoked":
        yield "lost", partitions
    elif event["name"] == "record_data":
        yield "read", [event["partition"], event["offset"]]


def start(library, address, topic, group, session=6000, strategy="range", instance=None):
    """A member; skips the test where the library is not to be had."""
    script = os.path.join(support.HERE, "group_member.py")
    parse = parse_words
    if library in ("confluent-kafka", "debian-confluent-kafka", "kafka-python", "aiokafka"):
        python = support.system_confluent() if library.startswith("debian") else support.python()
        command = [python, script, library.replace("debian-", ""), address, topic, group, f"session={session}",
                   f"strategy={strategy}"] + ([f"instance={instance}"] if instance else [])
    elif library == "kafkajs":
        command = ["env", f"NODE_PATH={support.node_modules()}", "node",
                   os.path.join(support.HERE, "kafkajs/member.js"), address, topic, group, str(session)]
    elif library == "franz-go":
        command = [support.franz_go(), "member", address, topic, group, str(session), strategy]
    elif library == "weir":
        command = [support.built("tests/interop/group_member"), address, topic, group, str(session), strategy]
        command += [instance] if instance else []
    elif library == "kcat":
        parse = parse_kcat
        command = [support.program("kcat"), "-b", address, "-G", group, "-u", "-f", "read %p %o\\n", "-X",
                   "auto.offset.reset=earliest", "-X", f"session.timeout.ms={session}", "-X",
                   f"heartbeat.interval.ms={session // 5}", "-X", "auto.commit.interval.ms=200", "-X",
                   f"partition.assignment.strategy={strategy}", topic]
    elif library == "java":
        parse = parse_java
        assignor = {"range": "Range", "cooperative-sticky": "CooperativeSticky"}[strategy]
        command = support.kafka_command(
            "org.apache.kafka.tools.VerifiableConsumer", "--bootstrap-server", address, "--topic", topic, "--group-id",
            group, "--verbose", "--session-timeout", session, "--assignment-strategy",
            f"org.apache.kafka.clients.consumer.{assignor}Assignor", "--command-config", java_config(session))
        command += ["--group-instance-id", instance] if instance else []
    else:
        raise ValueError(library)
    return Member(library, command, parse, topic)


def java_config(session):
    path = os.path.join(support.CACHE, f"member-{session}.properties")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"heartbeat.interval.ms={session // 5}\n")
    return path


def shares(members, partitions):
    """The sorted numbers of partitions that the members have, if each partition has one owner; else nothing."""
    owned = [partition for member in members for partition in member.mine]
    if sorted(owned) != sorted(partitions):
        return None
    return sorted(len(member.mine) for member in members)
