#!/usr/bin/env python3
"""Weir beside Apache Kafka under the same load: 50 clients write small keyed batches, 50 read, retention deletes.

Usage: bench/peers/peers.py [--minutes 10] [--rows weir,kafka] [--weir PATH] [--write] [OPTION...]
  --rows     which brokers, in this order: weir (acknowledges after fsync), weir-os (leaves syncing to the kernel, as
             Kafka does), kafka, kafka-ack (flush.messages=1: fsync after each batch)
  --weir     the binary (default bazel-bin/server/weir); --kafka the folder of Kafka's jars (default: fetched)
  --rate, --batch, --bytes, --clients, --partitions   the load: records a second of each producer, records that it sends
             at once, bytes of a record, producers and as many consumers, partitions
  --write    renews docs/peers.md, from bench/peers/results.json with the rows of this run
Needs Go for the load maker; Java and Maven for Kafka. Ends with 1 if a broker answered an error, lost a record or let
its folder or its memory grow.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests/interop"))

import support  # noqa: E402
import weir_process  # noqa: E402
from wire import Peer  # noqa: E402

MIB = 1 << 20
TOPIC_NAME = "load"
RESULTS = os.path.join(HERE, "results.json")
TABLE = os.path.join(ROOT, "docs/peers.md")
# The same for every broker. Small segments and little retention: it deletes all the time.
CONFIG = {"group.initial.rebalance.delay.ms": "1000", "log.initial.task.delay.ms": "2000",
          "log.retention.check.interval.ms": "2000", "log.segment.delete.delay.ms": "1000", "num.network.threads": "3",
          "num.io.threads": "8", "auto.create.topics.enable": "false"}
TOPIC = {"segment.bytes": str(MIB), "retention.bytes": str(2 * MIB), "file.delete.delay.ms": "1000"}
ROWS = {
    "weir": ("weir", {"weir.flush.policy": "ack"}, {}, "Weir", "fsync before each acknowledgement"),
    "weir-os": ("weir", {"weir.flush.policy": "os"}, {}, "Weir", "left to the kernel"),
    "kafka": ("kafka", {}, {}, "Apache Kafka 4.2.0", "left to the kernel (its default)"),
    "kafka-ack": ("kafka", {}, {"flush.messages": "1"}, "Apache Kafka 4.2.0", "fsync of each batch (flush.messages=1)"),
}


def load_maker():
    support.program("go")
    binary = os.path.join(support.CACHE, "peers_load")
    os.makedirs(support.CACHE, exist_ok=True)
    support.install("the load maker", ["go", "build", "-o", binary, "."], cwd=os.path.join(HERE, "load"))
    return binary


def program_of(kind, options):
    return options.weir if kind == "weir" else options.kafka or support.kafka_jars()


def java_options(heap):
    """As Kafka's start script has them, with a heap of this size."""
    return [f"-Xms{heap}", f"-Xmx{heap}", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
            "-XX:InitiatingHeapOccupancyPercent=35"]


def run_load(address, arguments, sample):
    """What the load maker found, and sample(its pid) as it began to measure and as it had measured."""
    load = subprocess.Popen(
        [load_maker(), "-address", address, "-topic", TOPIC_NAME, *(str(argument) for argument in arguments)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, preexec_fn=weir_process.end_with_parent)
    samples, found = {}, None
    try:
        for line in load.stdout:
            if line.startswith("meas"):
                samples[line.strip()] = sample(load.pid)
            else:
                found = json.loads(line)
        load.wait()
    finally:
        if load.poll() is None:
            load.kill()
            load.wait()
    return found, samples["measuring"], samples["measured"]


class Watch(threading.Thread):
    """Samples a broker's memory and the size of its folder each second."""

    def __init__(self, broker):
        super().__init__(daemon=True)
        self.broker, self.ended = broker, threading.Event()
        self.rss, self.folder, self.fetched = [], [], []

    def run(self):
        while not self.ended.wait(1):
            self.rss.append(self.broker.rss_kib() * 1024)
            self.folder.append(folder_bytes(self.broker.data))

    def end(self):
        self.ended.set()
        self.join()


def folder_bytes(path):
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                status = os.stat(os.path.join(folder, name))
            except FileNotFoundError:  # deleted meanwhile
                continue
            total += min(status.st_blocks * 512, status.st_size)  # Kafka's indexes are sparse
    return total


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def create(port, partitions, replicas, configs):
    peer = Peer(port)
    topic = {"name": TOPIC_NAME, "numPartitions": partitions, "replicationFactor": replicas,
             "configs": [{"name": name, "value": value} for name, value in configs.items()]}
    for _ in range(300):  # Kafka answers before it can place replicas
        answer = peer.ask("CreateTopics", 7, timeoutMs=10000, validateOnly=False, topics=[topic])
        if answer["topics"][0]["errorCode"] == 0:
            peer.close()
            return
        time.sleep(0.1)
    raise RuntimeError(f"the topic cannot be created: {answer}")


def measure(row, options):
    """One broker under the load; a row for the table."""
    kind, config, topic, _, _ = ROWS[row]
    folder = tempfile.mkdtemp(prefix="weir-peers-", dir=options.folder)
    broker = weir_process.Broker(program_of(kind, options), kind, folder=folder, config={**CONFIG, **config})
    broker.own_folder = True
    broker.java_options = java_options("1g")
    seconds = options.minutes * 60
    with broker:
        create(broker.port, options.partitions, 1, {**TOPIC, **topic})
        watch = Watch(broker)
        watch.start()
        found, begin, end = run_load(
            broker.address,
            ["-partitions", options.partitions, "-producers", options.clients, "-consumers", options.clients, "-rate",
             options.rate, "-batch", options.batch, "-bytes", options.bytes, "-warmup", f"{min(10, seconds / 4)}s",
             "-time", f"{seconds}s"],
            lambda load: (cpu_seconds(broker.process.pid), cpu_seconds(load), len(watch.rss)))
        watch.end()
        ended = "" if broker.alive() else f"the broker ended: {broker.output()[-500:]}"
    return summary(row, found, begin, end, watch, ended)


def summary(row, found, begin, end, watch, ended):
    (broker_0, load_0, first), (broker_1, load_1, last) = begin, end
    gigabytes = found["measured_records"] * found["record_bytes"] / 1e9
    half = (first + last) // 2
    errors = dict(found["errors"])
    if ended:
        errors[ended] = 1
    if found["consumed"] != found["acked"] or found["acked"] != found["sent"]:
        errors[f"sent {found['sent']}, acknowledged {found['acked']}, read {found['consumed']}"] = 1
    return {
        "row": row, "seconds": found["seconds"], "errors": errors,
        "records": found["measured_records"], "records_per_second": found["measured_records"] / found["seconds"],
        "mb_per_second": gigabytes * 1000 / found["seconds"], "produce_us": found["produce_us"],
        "end_to_end_us": found["end_to_end_us"], "broker_cpu_seconds": broker_1 - broker_0,
        "broker_cpu_seconds_per_gb": (broker_1 - broker_0) / gigabytes, "load_cpu_seconds": load_1 - load_0,
        "rss_mib": [max(part, default=0) / MIB for part in (watch.rss[first:half], watch.rss[half:last])],
        "folder_mib": [max(part, default=0) / MIB for part in (watch.folder[first:half], watch.folder[half:last])],
        "written_mib": found["acked"] * found["record_bytes"] / MIB,
    }


def faults(result, options):
    """What is wrong with a run: errors, or what grows."""
    wrong = [f"{count} times: {error}" for error, count in result["errors"].items()]
    # A partition holds its retention, a segment more, one to be deleted and what comes between two checks.
    allowed = 8 * options.partitions + result["mb_per_second"] * 5 + 20
    if result["folder_mib"][1] > allowed:
        wrong.append(f"the folder has {result['folder_mib'][1]:.0f} MiB; retention allows about {allowed:.0f}")
    before, after = result["rss_mib"]
    # A Java heap grows to what it may have.
    if ROWS[result["row"]][0] == "weir" and after > before * 1.5 + 20:
        wrong.append(f"memory grows from {before:.0f} to {after:.0f} MiB")
    return wrong


def milliseconds(us):
    return " / ".join(f"{us.get(name, 0) / 1000:.1f}" for name in ("p50", "p95", "p99", "p99.9", "max"))


def table(results):
    lines = ["| broker | flush | produce ms | end to end ms | MB/s | CPU-s/GB | RSS MiB | folder of written MiB | "
             "errors |", "|---|---|---|---|---|---|---|---|---|"]
    for row in ROWS:
        if row not in results:
            continue
        result, (_, _, _, name, flush) = results[row], ROWS[row]
        lines.append(
            f"| {name} | {flush} | {milliseconds(result['produce_us'])} | {milliseconds(result['end_to_end_us'])} | "
            f"{result['mb_per_second']:.2f} | {result['broker_cpu_seconds_per_gb']:.1f} | "
            f"{max(result['rss_mib']):.0f} | {max(result['folder_mib']):.0f} of {result['written_mib']:.0f} | "
            f"{sum(result['errors'].values())} |")
    return "\n".join(lines)


def keep(path, results, options, load):
    """Renews the rows of these results in a file of JSON, with the options that `load` names. All of its rows."""
    known = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            known = json.load(file)
    for row, result in results.items():
        known[row] = {**result, "date": time.strftime("%Y-%m-%d"), "machine": machine(),
                      "load": {name: getattr(options, name) for name in load}}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(known, file, indent=1, sort_keys=True)
        file.write("\n")
    return known


def write_table(results, options):
    known = keep(RESULTS, results, options, ("clients", "rate", "batch", "bytes", "partitions"))
    notes = []
    for row in (row for row in ROWS if row in known):
        result, load = known[row], known[row]["load"]
        notes.append(f"- {ROWS[row][3]}, {ROWS[row][4]}: {result['date']}, {result['seconds']:.0f} s, "
                     f"{load['clients']} producers of {load['rate']} records of {load['bytes']} bytes a second in "
                     f"batches of {load['batch']}, {load['clients']} consumers, {load['partitions']} partitions; "
                     f"{result['records']} records; {result['machine']}")
    with open(TABLE, "w", encoding="utf-8") as file:
        file.write(PAGE.format(table=table(known), notes="\n".join(notes), topic=settings(TOPIC),
                               config=settings(CONFIG)))


def settings(values):
    return ", ".join(f"`{name}={value}`" for name, value in values.items())


def machine():
    return f"{os.cpu_count()} cores, Linux {platform.release().split('-')[0]}"


PAGE = """# Beside Apache Kafka

Written by [bench/peers/peers.py](../bench/peers/peers.py); do not edit. Fifty clients write small keyed batches and
fifty, in one group, read them, all on the broker's machine, while retention deletes. Latencies are p50 / p95 / p99 /
p99.9 / max, counted from when a batch was due, so that a pause is charged for all that waited. Produce ends with the
acknowledgement (acks=all), end to end with the consumer. CPU-seconds are the broker's, for a GB of values that is
written and read once. RSS and folder are the highest of the run.

{table}

{notes}

All of them ran with {config}, the topic with {topic}; everything else is the default of each.
"""


def parser(description, rows, size, partitions):
    """The options that all comparisons with Kafka have."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", default=rows)
    options.add_argument("--weir", type=os.path.abspath, default=os.path.join(ROOT, "bazel-bin/server/weir"))
    options.add_argument("--kafka")
    options.add_argument("--folder", help="where the brokers' data goes")
    options.add_argument("--bytes", type=int, default=size)
    options.add_argument("--partitions", type=int, default=partitions)
    options.add_argument("--write", action="store_true")
    return options


def exit_code(wrong):
    for fault in wrong:
        print(f"FAULT: {fault}")
    return 1 if wrong else 0


def main():
    known = parser(__doc__, "weir,kafka", 200, 50)
    known.add_argument("--minutes", type=float, default=10)
    known.add_argument("--clients", type=int, default=50)
    known.add_argument("--rate", type=int, default=400)
    known.add_argument("--batch", type=int, default=10)
    options = known.parse_args()
    results, wrong = {}, []
    for row in options.rows.split(","):
        results[row] = measure(row, options)
        wrong += [f"{row}: {fault}" for fault in faults(results[row], options)]
        print(json.dumps(results[row]), flush=True)
    print(table(results))
    if options.write:
        write_table(results, options)
    return exit_code(wrong)


if __name__ == "__main__":
    sys.exit(main())
