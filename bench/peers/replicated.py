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

import collections
import json
import os
import shutil
import statistics
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(ROOT, "tests/interop"))

import peers  # noqa: E402
import weir_process  # noqa: E402

RESULTS = os.path.join(HERE, "replicated.json")
TABLE = os.path.join(ROOT, "docs/replicated.md")
NODES = (1, 2, 3)
CONFIG = {"auto.create.topics.enable": "false", "min.insync.replicas": "2", "num.network.threads": "3",
          "num.io.threads": "8"}
ROWS = {**peers.ROWS, "weir": (*peers.ROWS["weir"][:4], "fsync by each replica before it counts")}


class Cluster:
    """Three processes that are broker and controller each, on loopback."""

    def __init__(self, program, kind, config, folder):
        self.folder = tempfile.mkdtemp(prefix="weir-replicated-", dir=folder)
        self.nodes = []
        for number in NODES:
            node = weir_process.Broker(program, kind, folder=os.path.join(self.folder, f"node-{number}"))
            node.java_options = peers.java_options("512m")
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

    def cpu_seconds(self):
        return sum(peers.cpu_seconds(node.process.pid) for node in self.nodes)


def measure(row, options):
    """One cluster under the load."""
    kind, config, topic, _, _ = ROWS[row]
    with Cluster(peers.program_of(kind, options), kind, config, options.folder) as cluster:
        peers.create(cluster.nodes[0].port, options.partitions, len(NODES), topic)
        time.sleep(3)  # the replicas have found their leaders
        found, begin, end = peers.run_load(
            cluster.nodes[0].address,
            ["-partitions", options.partitions, "-producers", options.producers, "-consumers", 0, "-rate", 0, "-window",
             options.window, "-bytes", options.bytes, "-warmup", f"{options.warmup}s", "-time", f"{options.seconds}s"],
            lambda load: (cluster.cpu_seconds(), peers.cpu_seconds(load)))
        errors = dict(found["errors"])
        for node in cluster.nodes:
            if not node.alive():
                errors[f"a broker ended: {node.output()[-500:]}"] = 1
        if found["acked"] != found["sent"]:
            errors[f"sent {found['sent']}, acknowledged {found['acked']}"] = 1
        rss = sum(node.rss_kib() for node in cluster.nodes if node.alive()) / 1024
    gigabytes = found["measured_records"] * found["record_bytes"] / 1e9
    brokers, load = (after - before for before, after in zip(begin, end))
    return {"mb_per_second": gigabytes * 1000 / found["seconds"], "p50_ms": found["produce_us"].get("p50", 0) / 1000,
            "p99_ms": found["produce_us"].get("p99", 0) / 1000, "cpu_seconds_per_gb": brokers / gigabytes,
            "load_cpu_seconds_per_gb": load / gigabytes, "rss_mib": rss, "errors": errors}


def median(rounds):
    """Of each figure; errors of all."""
    result = {name: statistics.median(found[name] for found in rounds) for name in rounds[0] if name != "errors"}
    result["mb_per_second_of_rounds"] = sorted(round(found["mb_per_second"], 1) for found in rounds)
    result["errors"] = dict(sum((collections.Counter(found["errors"]) for found in rounds), collections.Counter()))
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
    known = peers.keep(RESULTS, results, options, ("producers", "window", "bytes", "partitions", "seconds", "rounds"))
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
    known = peers.parser(__doc__, "weir,weir-os,kafka,kafka-ack", 1000, 12)
    known.add_argument("--seconds", type=int, default=20)
    known.add_argument("--warmup", type=int, default=5)
    known.add_argument("--rounds", type=int, default=3)
    known.add_argument("--producers", type=int, default=4)
    known.add_argument("--window", type=int, default=2000)
    options = known.parse_args()
    rounds = {row: [] for row in options.rows.split(",")}
    for _ in range(options.rounds):
        for row, found in rounds.items():
            found.append(measure(row, options))
            print(f"  {row}: {json.dumps(found[-1])}", file=sys.stderr, flush=True)
    results = {row: median(found) for row, found in rounds.items()}
    print(table(results))
    if options.write:
        write_table(results, options)
    return peers.exit_code([f"{row}: {count} times: {error}" for row in results
                            for error, count in results[row]["errors"].items()])


if __name__ == "__main__":
    sys.exit(main())
