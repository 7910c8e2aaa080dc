#!/usr/bin/env python3
"""Three brokers of Weir beside three of Apache Kafka: each record on all three, acknowledged when the replicas have it.

Usage: bench/peers/replicated.py [--seconds 20] [--rounds 3] [--rows weir,kafka,...] [--weir PATH] [--write] [OPTION...]
  --rows     which clusters, in this order: weir (each replica acknowledges after fsync), weir-os (leaves syncing to the
             kernel, as Kafka does), kafka, kafka-ack (flush.messages=1: fsync after each batch)
  --rounds   how often all rows run, one after another; the table has the median of each figure
  --weir     the binary (default bazel-bin/server/weir); --kafka the folder of Kafka's jars (default: fetched)
  --producers, --window, --bytes, --partitions   the load: clients that send as fast as they are answered, how many of
             its records each has unanswered, bytes of a record, partitions
  --write    renews docs/replicated.md, from bench/peers/replicated.json with the rows of this run
Replication factor 3, min.insync.replicas 2, acks=all, idempotent producers (franz-go); brokers, controllers (the same
processes) and load share the machine. Needs Go for the load maker; Java and Maven for Kafka. Ends with 1 if a broker
answered an error or ended.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(ROOT, "tests/interop"))

import peers  # noqa: E402
import support  # noqa: E402
import weir_process  # noqa: E402
from wire import Peer  # noqa: E402

RESULTS = os.path.join(HERE, "replicated.json")
TABLE = os.path.join(ROOT, "docs/replicated.md")
NODES = (1, 2, 3)
CONFIG = {"auto.create.topics.enable": "false", "min.insync.replicas": "2", "num.network.threads": "3",
          "num.io.threads": "8"}
ROWS = {
    "weir": ("weir", {"weir.flush.policy": "ack"}, {}, "Weir", "fsync by each replica before it counts"),
    "weir-os": ("weir", {"weir.flush.policy": "os"}, {}, "Weir", "left to the kernel"),
    "kafka": ("kafka", {}, {}, "Apache Kafka 4.2.0", "left to the kernel (its default)"),
    "kafka-ack": ("kafka", {}, {"flush.messages": "1"}, "Apache Kafka 4.2.0", "fsync of each batch (flush.messages=1)"),
}


class Cluster:
    """Three processes that are broker and controller each, on loopback."""

    def __init__(self, program, kind, config, folder):
        self.folder = tempfile.mkdtemp(prefix="weir-replicated-", dir=folder)
        self.nodes = []
        for number in NODES:
            node = weir_process.Broker(program, kind, folder=os.path.join(self.folder, f"node-{number}"))
            node.java_options = ["-Xms512m", "-Xmx512m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
                                 "-XX:InitiatingHeapOccupancyPercent=35"]
            self.nodes.append(node)
        voters = ",".join(f"{number}@127.0.0.1:{node.controller_port}" for number, node in zip(NODES, self.nodes))
        for number, node in zip(NODES, self.nodes):
            node.config = {**CONFIG, **config, "node.id": str(number), "controller.quorum.voters": voters}

    def __enter__(self):
        try:
            for node in self.nodes:
                node.start(wait=False)
            for node in self.nodes:
                node.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        for node in self.nodes:
            node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def create(self, partitions, configs):
        """A topic on all three, once they are there."""
        peer = Peer(self.nodes[0].port)
        for _ in range(300):
            answer = peer.ask("CreateTopics", 7, timeoutMs=10000, validateOnly=False, topics=[
                {"name": "load", "numPartitions": partitions, "replicationFactor": len(NODES),
                 "configs": [{"name": name, "value": value} for name, value in configs.items()]}])
            if answer["topics"][0]["errorCode"] == 0:
                peer.close()
                return
            time.sleep(0.1)
        raise RuntimeError(f"the topic cannot be created: {answer}")

    def cpu_seconds(self):
        return sum(peers.cpu_seconds(node.process.pid) for node in self.nodes)


def measure(row, options):
    """One cluster under the load."""
    kind, config, topic, _, _ = ROWS[row]
    program = options.weir if kind == "weir" else options.kafka or support.kafka_jars()
    with Cluster(program, kind, config, options.folder) as cluster:
        cluster.create(options.partitions, topic)
        time.sleep(3)  # the replicas have found their leaders
        load = subprocess.Popen(
            [peers.load_maker(), "-address", cluster.nodes[0].address, "-topic", "load", "-partitions",
             str(options.partitions), "-producers", str(options.producers), "-consumers", "0", "-rate", "0", "-window",
             str(options.window), "-bytes", str(options.bytes), "-warmup", f"{options.warmup}s", "-time",
             f"{options.seconds}s"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            preexec_fn=weir_process.end_with_parent)
        try:
            cpu, found = {}, None
            for line in load.stdout:
                if line.startswith("meas"):
                    cpu[line.strip()] = (cluster.cpu_seconds(), peers.cpu_seconds(load.pid))
                else:
                    found = json.loads(line)
            load.wait()
        finally:
            if load.poll() is None:
                load.kill()
                load.wait()
        errors = dict(found["errors"])
        for node in cluster.nodes:
            if not node.alive():
                errors[f"a broker ended: {node.output()[-500:]}"] = 1
        if found["acked"] != found["sent"]:
            errors[f"sent {found['sent']}, acknowledged {found['acked']}"] = 1
        rss = sum(node.rss_kib() for node in cluster.nodes if node.alive()) / 1024
    (brokers_0, load_0), (brokers_1, load_1) = cpu["measuring"], cpu["measured"]
    gigabytes = found["measured_records"] * found["record_bytes"] / 1e9
    return {"mb_per_second": gigabytes * 1000 / found["seconds"], "p50_ms": found["produce_us"].get("p50", 0) / 1000,
            "p99_ms": found["produce_us"].get("p99", 0) / 1000,
            "cpu_seconds_per_gb": (brokers_1 - brokers_0) / gigabytes,
            "load_cpu_seconds_per_gb": (load_1 - load_0) / gigabytes, "rss_mib": rss, "errors": errors}


def median(rounds):
    """Of each figure; errors of all."""
    result = {name: statistics.median(found[name] for found in rounds) for name in rounds[0] if name != "errors"}
    result["mb_per_second_of_rounds"] = sorted(round(found["mb_per_second"], 1) for found in rounds)
    result["errors"] = {error: count for found in rounds for error, count in found["errors"].items()}
    return result


def table(results):
    lines = ["| cluster of three | flush | MB/s | produce ms, p50 / p99 | CPU-s/GB of the brokers | of the load | "
             "RSS MiB, all three | errors |", "|---|---|---|---|---|---|---|---|"]
    for row in (row for row in ROWS if row in results):
        result, (_, _, _, name, flush) = results[row], ROWS[row]
        lines.append(f"| {name} | {flush} | {result['mb_per_second']:.1f} | {result['p50_ms']:.1f} / "
                     f"{result['p99_ms']:.1f} | {result['cpu_seconds_per_gb']:.1f} | "
                     f"{result['load_cpu_seconds_per_gb']:.1f} | {result['rss_mib']:.0f} | "
                     f"{sum(result['errors'].values())} |")
    return "\n".join(lines)


def write_table(results, options):
    known = {}
    if os.path.exists(RESULTS):
        with open(RESULTS, encoding="utf-8") as file:
            known = json.load(file)
    load = {name: getattr(options, name)
            for name in ("producers", "window", "bytes", "partitions", "seconds", "rounds")}
    for row, result in results.items():
        known[row] = {**result, "date": time.strftime("%Y-%m-%d"), "load": load, "machine": peers.machine()}
    with open(RESULTS, "w", encoding="utf-8") as file:
        json.dump(known, file, indent=1, sort_keys=True)
        file.write("\n")
    notes = []
    for row in (row for row in ROWS if row in known):
        result, load = known[row], known[row]["load"]
        speeds = ", ".join(str(speed) for speed in result["mb_per_second_of_rounds"])
        notes.append(f"- {ROWS[row][3]}, {ROWS[row][4]}: {result['date']}, {load['rounds']} rounds of "
                     f"{load['seconds']} s (MB/s {speeds}), {load['producers']} producers with {load['window']} "
                     f"records of {load['bytes']} bytes unanswered each, {load['partitions']} partitions; "
                     f"{result['machine']}")
    with open(TABLE, "w", encoding="utf-8") as file:
        file.write(PAGE.format(table=table(known), notes="\n".join(notes), config=peers.settings(CONFIG)))


PAGE = """# Three brokers beside three of Apache Kafka

Written by [bench/peers/replicated.py](../bench/peers/replicated.py); do not edit. Replication factor 3,
min.insync.replicas 2, acks=all, idempotent producers (franz-go) that send as fast as they are answered. The three
processes are broker and controller each, on one machine with the load: throughput is what the machine's cores give, so
read it together with the CPU-seconds for a GB of values (all three brokers together). Each figure is the median of the
rounds, which alternate between the rows.

{table}

{notes}

All of them ran with {config}; everything else is the default of each.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--warmup", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", default="weir,weir-os,kafka,kafka-ack")
    parser.add_argument("--weir", default=os.path.join(ROOT, "bazel-bin/server/weir"))
    parser.add_argument("--kafka")
    parser.add_argument("--folder", help="where the brokers' data goes")
    parser.add_argument("--producers", type=int, default=4)
    parser.add_argument("--window", type=int, default=2000)
    parser.add_argument("--bytes", type=int, default=1000)
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    options.weir = os.path.abspath(options.weir)
    rounds = {row: [] for row in options.rows.split(",")}
    for _ in range(options.rounds):
        for row, found in rounds.items():
            found.append(measure(row, options))
            print(f"  {row}: {json.dumps(found[-1])}", file=sys.stderr, flush=True)
    results = {row: median(found) for row, found in rounds.items()}
    print(table(results))
    if options.write:
        write_table(results, options)
    faults = [f"{row}: {count} times: {error}" for row in results for error, count in results[row]["errors"].items()]
    for fault in faults:
        print(f"FAULT: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
