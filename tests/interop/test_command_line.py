"""The command line of Weir's binary, against the broker under test: Weir's own, or Apache Kafka."""

import datetime
import glob
import json
import os
import signal
import shutil
import subprocess
import time

import support
from support import CODECS, run

WEIR = support.PROGRAM if support.KIND == "weir" else os.path.join(support.ROOT, "bazel-bin/server/weir")
PRINT_ALL = [word for name in ("timestamp", "partition", "offset", "headers", "key")
             for word in ("--property", f"print.{name}=true")]


class CommandLineTest(support.BrokerTest):

    def command(self, *words):
        return [WEIR, *map(str, words), "--bootstrap-server", self.broker.address]

    def weir(self, *words, **more):
        return run(self.command(*words), **more).decode()

    def json(self, *words, **more):
        return json.loads(self.weir(*words, "--json", **more))

    def refused(self, code, *words):
        """What is said on standard error by a command that ends with `code` and prints nothing."""
        done = subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (code, b""), done.stderr)
        return done.stderr.decode()

    def create(self, partitions=1, *words):
        self.weir("topics", "--create", "--topic", self.topic, "--partitions", partitions, *words)

    def produce(self, lines, *words):
        self.weir("produce", "--topic", self.topic, *words, input="".join(f"{line}\n" for line in lines).encode())

    def consume(self, *words):
        return self.weir("consume", "--topic", self.topic, *words).splitlines()

    def lag(self, group):
        return {row["partition"]: row["lag"] for row in self.json("groups", "--describe", "--group", group)}


class TopicsTest(CommandLineTest):

    def test_topics_are_created_described_altered_and_deleted(self):
        words = ("topics", "--create", "--topic", self.topic, "--partitions", 3, "--replication-factor", 1, "--config",
                 "retention.ms=77777", "--config", "max.message.bytes=5000")
        self.assertEqual(self.weir(*words), f"Created topic {self.topic}.\n")
        self.assertIn("TOPIC_ALREADY_EXISTS", self.refused(1, *words))
        self.weir(*words, "--if-not-exists")
        (topic,) = self.json("topics", "--describe", "--topic", self.topic)
        self.assertLessEqual({"retention.ms": "77777", "max.message.bytes": "5000"}.items(), topic["configs"].items())
        self.assertEqual([p["partition"] for p in topic["partitions"]], [0, 1, 2])
        self.assertEqual([p["leader"] for p in topic["partitions"]], [1, 1, 1])
        text = self.weir("topics", "--describe", "--topic", self.topic)
        self.assertIn("PartitionCount: 3\tReplicationFactor: 1", text)
        self.assertEqual(text.count("Isr: 1"), 3)
        self.weir("topics", "--alter", "--topic", self.topic, "--partitions", 5)
        (topic,) = self.json("topics", "--describe", "--topic", self.topic)
        self.assertEqual(len(topic["partitions"]), 5)
        said = self.refused(1, "topics", "--alter", "--topic", self.topic, "--partitions", 2)
        self.assertIn("INVALID_PARTITIONS", said)
        self.assertIn(self.topic, self.weir("topics", "--list").split())
        self.weir("topics", "--delete", "--topic", self.topic)
        self.assertNotIn(self.topic, self.json("topics", "--list"))
        self.assertIn("there is no topic", self.refused(1, "topics", "--delete", "--topic", self.topic))
        self.weir("topics", "--delete", "--topic", self.topic, "--if-exists")

    def test_configs_are_set_and_removed(self):
        self.create()
        entity = ("--entity-type", "topics", "--entity-name", self.topic)
        self.weir("configs", "--alter", *entity, "--add-config", "retention.ms=4321,cleanup.policy=[delete]")
        described = self.weir("configs", "--describe", *entity)
        self.assertIn("retention.ms=4321 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=4321", described)
        self.assertIn("cleanup.policy=delete ", described)
        self.weir("configs", "--alter", "--topic", self.topic, "--delete-config", "retention.ms,cleanup.policy")
        (configs,) = self.json("configs", "--describe", *entity, "--all")
        retention = next(c for c in configs["configs"] if c["name"] == "retention.ms")
        self.assertEqual(retention["value"], "604800000")
        said = self.refused(1, "configs", "--alter", *entity, "--add-config", "retention.ms=soon")
        self.assertIn("INVALID_CONFIG", said)
        (broker,) = self.json("configs", "--describe", "--entity-type", "brokers", "--entity-name", 1, "--all")
        self.assertIn("log.dirs", [c["name"] for c in broker["configs"]])

    def test_versions(self):
        (broker,) = self.json("api-versions")
        produce = next(api for api in broker["apis"] if api["api"] == "Produce")
        self.assertEqual((produce["key"], produce["max"]), (0, 13))

    def test_what_is_typed_wrongly_is_refused(self):
        self.assertIn("there is no flag --partitons, did you mean --partitions?",
                      self.refused(2, "topics", "--create", "--topic", "x", "--partitons", 1))
        self.assertIn("expected a whole number from 1 to", self.refused(2, "topics", "--create", "--topic", "x",
                                                                       "--partitions", "many"))
        self.assertIn("expected one of --create", self.refused(2, "topics"))
        self.assertIn("did you mean topics?", self.refused(2, "topcs"))
        for planned in ("acls", "transactions", "top"):
            said = self.refused(2, planned)
            self.assertIn("is not available yet", said)
            self.assertNotIn("did you mean", said)
        self.assertIn("weir server --help", self.refused(2, "server", "--nosuch"))
        self.assertIn("did you mean linger.ms?", self.refused(2, "produce", "--topic", "x", "--producer-property",
                                                             "linger.s=5"))
        said = self.refused(2, "produce", "--topic", "x", "--producer-property", "acks=7")
        self.assertIn("acks: expected one of", said)
        self.assertIn("expected either --group or --all-groups", self.refused(2, "groups", "--describe"))
        done = subprocess.run([WEIR, "topics", "--list", "--bootstrap-server", "127.0.0.1:1"], capture_output=True,
                              timeout=30)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"no answer from 127.0.0.1:1", done.stderr)

    def test_every_command_helps(self):
        self.assertIn("--override KEY=VALUE", run([WEIR, "server", "--help"]).decode())
        said = run([WEIR, "--help"]).decode()
        commands = [line.split("  ")[1][5:] for line in said.splitlines() if line.startswith("  weir ")]
        for command in ("topics", "produce", "consume", "groups", "configs", "dump-log", "api-versions",
                        "perf produce", "perf consume", "quorum describe", "start", "logs"):
            self.assertIn(command, commands)
            self.assertIn("--json", run([WEIR, *command.split(), "--help"]).decode())


class RecordsTest(CommandLineTest):

    def test_every_codec_round_trips(self):
        support.program("kcat")
        lines = [f"k{n % 7}:value {n} grün " + "padding " * (n % 20) + "." for n in range(500)]
        for codec in CODECS:
            with self.subTest(codec=codec):
                self.topic = f"cli-{codec}"
                self.create(3)
                self.produce(lines, "--property", "parse.key=true", "--property", "key.separator=:",
                             "--compression-codec", codec, "--producer-property", "acks=all")
                format_all = "CreateTime:%T\\tPartition:%p\\tOffset:%o\\tNO_HEADERS\\t%k\\t%s\\n"
                theirs = run(["kcat", "-b", self.broker.address, "-C", "-t", self.topic, "-e", "-q", "-f", format_all])
                ours = self.weir("consume", "--topic", self.topic, "--from-beginning", "--max-messages", 500,
                                 *PRINT_ALL)
                self.assertEqual(sorted(ours.splitlines()), sorted(theirs.decode().splitlines()))
                self.assertEqual(sorted(line.split("\t", 4)[4].replace("\t", ":") for line in ours.splitlines()),
                                 sorted(lines))

    def test_keys_go_where_kcat_puts_them(self):
        support.program("kcat")
        self.create(7)
        keys = [f"key-{n}" for n in range(200)]
        self.produce([f"{key}:ours" for key in keys], "--property", "parse.key=true", "--property", "key.separator=:")
        run(["kcat", "-b", self.broker.address, "-P", "-t", self.topic, "-K:", "-X", "partitioner=murmur2_random"],
            input="".join(f"{key}:theirs\n" for key in keys).encode())
        found = {}
        for line in self.consume("--from-beginning", "--max-messages", 400, "--property", "print.key=true",
                                 "--property", "print.partition=true"):
            partition, key, _ = line.split("\t")
            found.setdefault(key, set()).add(partition)
        self.assertEqual((len(found), {len(where) for where in found.values()}), (200, {1}))

    def test_headers_and_nulls(self):
        self.create()
        self.produce(["h:1,i:NIL\tk\tv", "NIL\tNIL\tNIL"], "--property", "parse.headers=true", "--property",
                     "parse.key=true", "--property", "null.marker=NIL")
        lines = self.consume("--from-beginning", "--max-messages", 2, "--property", "print.headers=true", "--property",
                             "print.key=true")
        self.assertEqual(lines, ["h:1,i:null\tk\tv", "NO_HEADERS\tnull\tnull"])
        first, second = (json.loads(line) for line in self.consume("--from-beginning", "--max-messages", 2, "--json"))
        self.assertEqual(first["headers"], [{"key": "h", "value": "1"}, {"key": "i", "value": None}])
        self.assertEqual((second["key"], second["value"], second["offset"]), (None, None, 1))

    def test_records_are_read_from_anywhere(self):
        self.create(2)
        self.produce([f"{n}" for n in range(100)], "--property", "parse.key=false", "--sync")
        ends = {p: len(self.consume("--partition", p, "--offset", "earliest", "--timeout-ms", 2000)) for p in (0, 1)}
        self.assertEqual(sum(ends.values()), 100)
        partition = max(ends, key=ends.get)
        lines = self.consume("--partition", partition, "--offset", ends[partition] - 3, "--max-messages", 2,
                             "--property", "print.offset=true")
        self.assertEqual([line.split("\t")[0] for line in lines],
                         [f"Offset:{ends[partition] - 3}", f"Offset:{ends[partition] - 2}"])
        self.assertEqual(self.consume("--timeout-ms", 500), [])  # nothing new comes
        both = self.weir("consume", "--include", self.topic[:-1] + ".", "--from-beginning", "--max-messages", 100)
        self.assertEqual(sorted(map(int, both.split())), list(range(100)))

    def test_a_reader_that_has_enough_is_no_fault(self):
        self.create()
        self.produce(["x" * 1000] * 2000)
        with subprocess.Popen(self.command("consume", "--topic", self.topic, "--from-beginning"),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            process.stdout.readline()
            process.stdout.close()
            said = process.stderr.read()
            self.assertEqual(process.wait(30), 0, said)
            self.assertNotIn(b"nobody", said)

    def test_refused_records_are_told(self):
        self.create(1, "--config", "max.message.bytes=300")
        done = subprocess.run(self.command("produce", "--topic", self.topic), input=b"small\n", capture_output=True,
                              timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = subprocess.run(self.command("produce", "--topic", self.topic), input=b"x" * 5000 + b"\n",
                              capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"MESSAGE_TOO_LARGE", done.stderr)
        self.assertIn("line 1", self.refused_line("no key here"))

    def refused_line(self, line):
        done = subprocess.run(self.command("produce", "--topic", self.topic, "--property", "parse.key=true"),
                              input=line.encode(), capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        return done.stderr.decode()


class GroupsTest(CommandLineTest):

    config = {"group.initial.rebalance.delay.ms": "0"}

    def read_with_python(self, group, count):
        """Reads and commits `count` records of the topic as a member of `group`."""
        code = ("import sys\nfrom confluent_kafka import Consumer\naddress, topic, group, count = sys.argv[1:]\n"
                "consumer = Consumer({'bootstrap.servers': address, 'group.id': group, 'auto.offset.reset': 'earliest',"
                " 'enable.auto.commit': False})\nconsumer.subscribe([topic])\nleft = int(count)\n"
                "while left > 0:\n    message = consumer.poll(1)\n    if message is not None and not message.error():\n"
                "        consumer.commit(message, asynchronous=False)\n        left -= 1\nconsumer.close()\n")
        run([support.python(), "-c", code, self.broker.address, self.topic, group, str(count)], timeout=60)

    def reset(self, group, *words):
        self.weir("groups", "--reset-offsets", "--group", group, "--topic", self.topic, *words, "--execute")

    def test_lag_of_a_python_group(self):
        self.create()
        self.produce(range(10))
        group = f"{self.topic}-g"
        self.read_with_python(group, 4)
        self.assertIn(group, self.weir("groups", "--list").split())
        (listed,) = [g for g in self.json("groups", "--list", "--state") if g["group"] == group]
        self.assertEqual(listed["state"], "Empty")
        self.assertIn(group, [g["group"] for g in self.json("groups", "--list", "--state", "empty")])
        self.assertNotIn(group, [g["group"] for g in self.json("groups", "--list", "--state", "stable")])
        (row,) = self.json("groups", "--describe", "--group", group)
        self.assertEqual((row["current_offset"], row["log_end_offset"], row["lag"]), (4, 10, 6))
        header, line = self.weir("groups", "--describe", "--group", group).splitlines()
        self.assertEqual(header.split(), ["GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG",
                                          "CONSUMER-ID", "HOST", "CLIENT-ID"])
        self.assertEqual(line.split(), [group, self.topic, "0", "4", "10", "6", "-", "-", "-"])
        self.assertIn("GROUP_ID_NOT_FOUND", self.refused(1, "groups", "--describe", "--group", "no-such-group"))

    def test_offsets_are_reset(self):
        self.create()
        self.produce(range(5))
        time.sleep(0.05)
        middle = datetime.datetime.now(datetime.timezone.utc)
        time.sleep(0.05)
        self.produce(range(5, 10))
        group = f"{self.topic}-g"
        self.read_with_python(group, 4)
        self.weir("groups", "--reset-offsets", "--group", group, "--topic", self.topic, "--to-earliest")
        self.assertEqual(self.lag(group), {0: 6}, "a dry run changes nothing")
        for words, lag in ((["--to-earliest"], 10), (["--to-latest"], 0), (["--to-offset", "7"], 3),
                           (["--to-offset", "700"], 0), (["--shift-by", "-4"], 4), (["--to-current"], 4),
                           (["--to-datetime", middle.isoformat(timespec="milliseconds")[:23]], 5),
                           (["--by-duration", "PT1H"], 10)):
            with self.subTest(words=words):
                self.reset(group, *words)
                self.assertEqual(self.lag(group), {0: lag})
        self.weir("groups", "--reset-offsets", "--group", group, "--all-topics", "--shift-by", 1, "--execute")
        self.assertEqual(self.lag(group), {0: 9})
        self.reset(f"{group}-new", "--to-offset", 2)
        self.assertEqual(self.lag(f"{group}-new"), {0: 8})
        self.weir("groups", "--delete-offsets", "--group", group, "--topic", f"{self.topic}:0")
        self.assertEqual(self.json("groups", "--describe", "--group", f"{group}-new")[0]["current_offset"], 2)
        self.assertEqual(self.json("groups", "--delete", "--group", f"{group}-new")["deleted"], [f"{group}-new"])
        self.assertNotIn(f"{group}-new", self.weir("groups", "--list").split())

    def test_consuming_as_a_group(self):
        self.create(2)
        self.produce(range(20))
        group = f"{self.topic}-g"
        words = ("--group", group, "--from-beginning", "--timeout-ms", 10000)
        first = self.consume(*words, "--max-messages", 7)
        self.assertEqual(sum(self.lag(group).values()), 13, "what was not printed is not committed")
        second = self.consume(*words, "--max-messages", 13)
        self.assertEqual(sorted(map(int, first + second)), list(range(20)))
        self.assertEqual(self.lag(group), {0: 0, 1: 0})

    def test_interrupted_consumers_commit_and_leave(self):
        self.create(2)
        self.produce(range(20))
        group = f"{self.topic}-g"
        with subprocess.Popen(self.command("consume", "--topic", self.topic, "--group", group, "--from-beginning"),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            lines = [process.stdout.readline() for _ in range(20)]
            self.assertEqual(sorted(map(int, lines)), list(range(20)))
            (state,) = self.json("groups", "--describe", "--group", group, "--state")
            self.assertEqual((state["state"], state["members"]), ("Stable", 1))
            (member,) = self.json("groups", "--describe", "--group", group, "--members", "--verbose")
            self.assertEqual((member["partitions"], member["assignment"]), (2, f"{self.topic}(0,1)"))
            self.assertIn("only while the group is inactive", self.refused_reset(group))
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(20), 0)
            self.assertIn(b"20 records", process.stderr.read())
        self.assertEqual(self.lag(group), {0: 0, 1: 0})
        (state,) = self.json("groups", "--describe", "--group", group, "--state")
        self.assertEqual((state["state"], state["members"]), ("Empty", 0))

    def refused_reset(self, group):
        done = subprocess.run(self.command("groups", "--reset-offsets", "--group", group, "--topic", self.topic,
                                           "--to-earliest", "--execute"), capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        return done.stderr.decode()


class PerfTest(CommandLineTest):

    def test_perf(self):
        self.create(2)
        wrote = self.json("perf", "produce", "--topic", self.topic, "--num-records", 20000, "--record-size", 100,
                          "--throughput", "-1", "--producer-props", "acks=all", "compression.type=lz4")
        self.assertEqual((wrote["records"], wrote["bytes"], wrote["failed"]), (20000, 2000000, 0))
        latency = wrote["latency_ms"]
        self.assertLessEqual(latency["p50"], latency["p95"])
        self.assertLessEqual(latency["p99"], latency["p99.9"])
        self.assertLessEqual(latency["p99.9"], latency["max"])
        self.assertGreater(latency["avg"], 0)
        read = self.json("perf", "consume", "--topic", self.topic, "--messages", 20000)
        self.assertEqual((read["records"], read["bytes"]), (20000, 2000000))
        text = self.weir("perf", "produce", "--topic", self.topic, "--num-records", 500, "--record-size", 10,
                         "--throughput", 1000)
        self.assertRegex(text, r"500 records sent, \d+\.\d records/sec .*99\.9th\.")
        rate = float(text.split("sent, ")[1].split(" ")[0])
        self.assertLess(rate, 1100, "no faster than it was told")


class DumpLogTest(CommandLineTest):

    def files(self, topic, *suffixes):
        found = []
        for suffix in suffixes:
            found += sorted(glob.glob(os.path.join(self.broker.data, topic, f"*{suffix}")))
        return found

    def dump(self, files, *words):
        return run([WEIR, "dump-log", "--files", ",".join(files), *words]).decode()

    def test_a_segment(self):
        self.create(1, "--config", "index.interval.bytes=200")
        for codec in CODECS:
            self.produce([f"k{n}:{codec} {n}" for n in range(20)], "--property", "parse.key=true", "--property",
                         "key.separator=:", "--compression-codec", codec)
        self.broker.stop()
        files = self.files(f"{self.topic}-0", ".log", ".index", ".timeindex", ".snapshot")
        self.assertGreaterEqual(len(files), 4)
        text = self.dump(files, "--print-data-log")
        self.assertNotIn("isvalid: false", text)
        self.assertEqual([line.rsplit("payload: ", 1)[1] for line in text.splitlines() if "| offset" in line],
                         [f"{codec} {n}" for codec in CODECS for n in range(20)])
        for codec in CODECS:
            self.assertIn(f"compresscodec: {codec} crc: ", text)
        rows = [json.loads(line) for line in self.dump(files, "--json", "--deep-iteration").splitlines()]
        self.assertEqual({row["kind"] for row in rows} - {"time_index_entry"},
                         {"batch", "record", "index_entry", "producer"})
        theirs = support.kafka_tool("kafka.tools.DumpLogSegments", "--files", files[0], "--print-data-log")
        ours = self.dump(files[:1], "--print-data-log")
        self.assertEqual([line.strip() for line in ours.splitlines()], [line.strip() for line in theirs.splitlines()])
        self.broker.start()

    def test_transactions_as_kafkas_tool_says_them(self):
        """Of a partition that Kafka wrote, against what Kafka's tool said of it: log/testdata/README.md."""
        folder = os.path.join(support.ROOT, "log/testdata/kafka-transactions")
        names = sorted(name for name in os.listdir(folder) if name.endswith((".log", ".txnindex", ".snapshot")))
        done = subprocess.run([WEIR, "dump-log", "--deep-iteration", "--print-data-log", "--files", ",".join(names)],
                              cwd=folder, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(os.path.join(folder, "dump.txt"), encoding="utf-8") as file:
            self.assertEqual(done.stdout.decode().splitlines(), file.read().splitlines())
        epochs = self.dump([os.path.join(folder, "leader-epoch-checkpoint")])
        self.assertIn("epoch: 0 startOffset: 0", epochs)
        copies = [shutil.copy(os.path.join(folder, f"{0:020}{suffix}"), self.broker.folder)
                  for suffix in (".log", ".txnindex")]
        with open(copies[1], "r+b") as file:
            file.seek(9)
            file.write(b"\2")  # another producer's
        done = subprocess.run([WEIR, "dump-log", "--files", copies[1]], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("producer 2 has no ABORT marker at offset 12", done.stderr.decode())

    def test_the_brokers_own_topics(self):
        self.create()
        self.produce(["x"])
        self.weir("groups", "--reset-offsets", "--group", "g", "--topic", self.topic, "--to-latest", "--execute")
        self.broker.stop()
        logs = [name for name in glob.glob(os.path.join(self.broker.data, "__consumer_offsets-*/*.log"))
                if os.path.getsize(name)]
        text = self.dump(logs, "--offsets-decoder")
        self.assertIn(f'"topic":"{self.topic}"', text.replace(" ", ""))
        self.assertIn('"offset":1', text.replace(" ", ""))
        metadata = self.files("__cluster_metadata-0", ".log")
        text = self.dump(metadata, "--cluster-metadata-decoder")
        self.assertIn('"type":"TOPIC_RECORD"', text)
        self.assertIn(self.topic, text)
        self.broker.start()

    def test_damage_is_found(self):
        self.create()
        self.produce(["x" * 100])
        self.broker.stop()
        (log,) = self.files(f"{self.topic}-0", ".log")
        with open(log, "rb") as file:
            whole = file.read()
        copy = os.path.join(self.broker.folder, "00000000000000000000.log")
        for damaged, words in ((whole[:-20] + b"?" + whole[-19:], "wrong CRC"), (whole + b"garbage", "are no batch")):
            with open(copy, "wb") as file:
                file.write(damaged)
            done = subprocess.run([WEIR, "dump-log", "--files", copy], capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 1)
            self.assertIn(words, done.stderr.decode())
            self.assertIn(b"baseOffset: 0", done.stdout)
        self.broker.start()
