#!/usr/bin/env python3
"""Measures the codecs of messages side by side: Weir's, franz-go's kmsg and kafka-clients, on the same bytes.

Usage: bench/peers/codecs.py [--bench PATH] [--kafka FOLDER] [--write]
  --bench  //bench:protocol_bench (default bazel-bin/bench/protocol_bench; build it with -c opt)
  --kafka  the folder of Kafka's jars (default: fetched)
  --write  renews docs/codecs.md and bench/peers/codecs.json, wholly: with every peer here

Each peer decodes the messages that Weir wrote, encodes them again and ends with an error if other bytes come out. Then
one message is decoded, or encoded, over and over; the best of a few rounds counts. Needs Go; Java 17 and Maven for
Kafka; what is missing is left out, loudly. librdkafka is not here: it has no codec that a program could call.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests/interop"))

import support  # noqa: E402

RESULTS = os.path.join(HERE, "codecs.json")
TABLE = os.path.join(ROOT, "docs/codecs.md")
REPETITIONS = 5
PEERS = {"franz-go": "kmsg 1.15.0 of franz-go", "kafka-clients": "kafka-clients 4.2.0"}


def weir(bench, messages):
    """The rows of Google Benchmark, and the messages written to a file."""
    text = support.run([bench, "--benchmark_format=json", "--benchmark_min_time=0.3",
                        f"--benchmark_repetitions={REPETITIONS}"], timeout=580,
                       env={**os.environ, "WEIR_CODEC_MESSAGES": messages})
    rows = {}
    for row in json.loads(text)["benchmarks"]:
        if row["run_type"] != "iteration":
            continue
        kind, name = row["name"].split("/")[:2]
        known = rows.setdefault(name, {"bytes": int(row["message_bytes"])})
        key = kind.lower()  # decode, encode, decodehot, encodehot
        if row["ns"] < known.get(key + "_ns", 1e18):  # with the floor that was measured beside it
            known[key + "_ns"], known[key + "_vs_floor"] = row["ns"], row["vs_floor"]
    return rows


def lines_of(command, **arguments):
    rows = [json.loads(line) for line in support.run(command, timeout=580, **arguments).splitlines()]
    return {row.pop("name"): row for row in rows}


def franz_go(messages):
    support.program("go")
    binary = os.path.join(support.CACHE, "peers_codecs")
    os.makedirs(support.CACHE, exist_ok=True)
    support.install("franz-go", ["go", "build", "-o", binary, "."], cwd=os.path.join(HERE, "codecs"))
    return lines_of([binary, messages])


def kafka_clients(messages):
    jars = support.kafka_jars()
    return lines_of(["java", "-XX:+UseSerialGC", "-cp", f"{jars}/*", os.path.join(HERE, "codecs/CodecBench.java"),
                     messages])


def cell(nanos):
    return "–" if nanos is None else f"{nanos:,.0f}" if nanos >= 100 else f"{nanos:.1f}"


def table(results):
    lines = ["| message | bytes | | memcpy ns | Weir ns | " + " | ".join(f"{peer} ns" for peer in PEERS) + " |",
             "|---|---:|---|---:|---:|" + "---:|" * len(PEERS)]
    for name, ours in results["weir"].items():
        for kind in ("decode", "encode"):
            nanos = ours[f"{kind}hot_ns"]
            floor = nanos * ours[f"{kind}hot_vs_floor"]
            peers = [results.get(peer, {}).get(name, {}).get(f"{kind}_ns") for peer in PEERS]
            best = min(n for n in [nanos, *peers] if n is not None)
            cells = [f"**{cell(n)}**" if n == best else cell(n) for n in [nanos, *peers]]
            lines.append(f"| {name} | {ours['bytes']:,} | {kind} | {cell(floor)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cold_table(results):
    lines = ["| message | decode ns | of memcpy's speed | encode ns | of memcpy's speed |", "|---|---:|---:|---:|---:|"]
    for name, ours in results["weir"].items():
        lines.append(f"| {name} | " + " | ".join(
            f"{cell(ours[f'{kind}_ns'])} | {ours[f'{kind}_vs_floor']:.3f}" for kind in ("decode", "encode")) + " |")
    return "\n".join(lines)


def page(results):
    return f"""# Codecs side by side

Written by [bench/peers/codecs.py](../bench/peers/codecs.py); do not edit. The messages of
[bench/codec_messages.h](../bench/codec_messages.h), the same bytes for all: each peer decodes what Weir wrote and
encodes it again, and other bytes would end the run. One message over and over, best of a few rounds; decoding makes
the whole message and, in C++, frees it again. In Go and Java freeing is the garbage collector's, which the best round
may have escaped. Encoding is into memory that is there. memcpy moves the same bytes, hot as they are.

{table(results)}

{"; ".join(PEERS.values())}. librdkafka has no codec that a program could call. What takes the time in Weir's large
decodes is the allocator: each string of more than 15 bytes and each array is one.

## From and to memory

Weir alone, frames in a rotation of 64 MiB, that is not in the cache, beside memcpy in the same rotation
(`//bench:protocol_bench`, counter `vs_floor`). Of five rounds the fastest counts, with memcpy's time in that round.

{cold_table(results)}

{results["about"]}.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=os.path.join(ROOT, "bazel-bin/bench/protocol_bench"))
    parser.add_argument("--kafka")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.kafka:
        os.environ["WEIR_KAFKA_JARS"] = options.kafka
    about = f"{time.strftime('%Y-%m-%d', time.gmtime())}, {os.cpu_count()} cores, Linux {platform.release()}"
    results = {"about": about}
    with tempfile.TemporaryDirectory() as folder:
        messages = os.path.join(folder, "messages.txt")
        results["weir"] = weir(os.path.abspath(options.bench), messages)
        for peer, measure in (("franz-go", franz_go), ("kafka-clients", kafka_clients)):
            try:
                results[peer] = measure(messages)
            except unittest.SkipTest:
                pass  # said already
    print(table(results))
    print(cold_table(results))
    if options.write:
        with open(RESULTS, "w", encoding="utf-8") as file:
            file.write(json.dumps(results, indent=1) + "\n")
        with open(TABLE, "w", encoding="utf-8") as file:
            file.write(page(results))


if __name__ == "__main__":
    sys.exit(main())
