"""Compacted topics: what kcat and kafka-python read of them, kills while they are compacted, and what Apache Kafka
makes of the segments that Weir wrote: its dump tool and a broker."""

import json
import os
import shutil
import tempfile
import time

import support
import test_kafka_directory
from support import CODECS, run

CONFIG = {"log.cleaner.backoff.ms": "100", "log.segment.delete.delay.ms": "1000", "num.partitions": "1",
          "group.initial.rebalance.delay.ms": "0"}
KEYS = 40
# Gaps are what compaction is about; the dump tool remarks on each.
GAPS = ("Non-consecutive", "is followed by")
READ_ALL = """
import json, sys
from kafka import KafkaConsumer, TopicPartition
consumer = KafkaConsumer(bootstrap_servers=sys.argv[1], enable_auto_commit=False)
part = TopicPartition(sys.argv[2], 0)
consumer.assign([part])
consumer.seek_to_beginning(part)
end, found = consumer.end_offsets([part])[part], []
while consumer.position(part) < end:
    for records in consumer.poll(timeout_ms=200).values():
        found += [[r.offset, r.key.decode(), r.value.decode() if r.value is not None else None] for r in records]
print(json.dumps(found))
"""


class Compacted:
    """One topic and everything that was written to it, by offset."""

    def __init__(self, test, broker, name, **config):
        self.test, self.broker, self.name, self.written = test, broker, name, []
        settings = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01", **config}
        command = [support.PROGRAM, "topics", "--bootstrap-server", broker.address, "--create", "--topic", name,
                   "--partitions", "1"]
        for key, value in settings.items():
            command += ["--config", f"{key}={value}"]
        run(command)

    def kcat(self, *arguments, **more):
        return run(["kcat", "-b", self.broker.address, "-t", self.name, *map(str, arguments)], **more)

    def produce(self, records, *arguments):
        """Records are (key, value), None for the value of a deletion."""
        lines = "".join(f"{key}:{value or ''}\n" for key, value in records)
        self.kcat("-P", "-K:", "-Z", *arguments, input=lines.encode())
        self.written += records

    def fill(self, codec, deletions=False):
        start = len(self.written)
        records = [(f"key {n % KEYS}", f"{codec} {n} " + "v" * (n % 50)) for n in range(start, start + 20 * KEYS)]
        if deletions:
            records += [(f"key {n}", None) for n in range(0, KEYS, 4)]
        self.produce(records, "-z", codec)

    def read(self):
        said = self.kcat("-C", "-e", "-q", "-o", "beginning", "-f", r'%o\t%S\t%k\t%s\n').decode()
        found = []
        for line in said.splitlines():
            offset, size, key, value = line.split("\t")
            found.append((int(offset), key, None if int(size) < 0 else value))
        return found

    def check(self, found):
        """Each record is the one that was written at its offset, and the last of each key is there."""
        last = {}
        for offset, key, value in found:
            self.test.assertEqual((key, value), self.written[offset], f"at offset {offset}")
            last[key] = value
        self.test.assertEqual([offset for offset, *_ in found], sorted(offset for offset, *_ in found))
        expected = {}
        for key, value in self.written:
            expected[key] = value
        for key, value in expected.items():
            self.test.assertEqual(last.get(key), value, f"the last of {key}")

    def compact(self, until):
        """Until what is read fits `until`. A record now and then lets the active segment end."""
        deadline = time.monotonic() + 60
        while True:
            self.produce([("tick", str(len(self.written)))])
            found = self.read()
            self.check(found)
            if until(found):
                return found
            self.test.assertLess(time.monotonic(), deadline, f"{len(found)} records are left: {self.broker.output()}")
            time.sleep(0.15)


def compact_enough(found):
    return len(found) < KEYS + 10


class CompactionTest(support.BrokerTest):

    config = CONFIG

    def setUp(self):
        super().setUp()
        support.need_weir("compaction at its pace")
        support.program("kcat")

    def test_readers_find_the_last_of_each_key(self):
        for codec in CODECS:
            with self.subTest(codec=codec):
                topic = Compacted(self, self.broker, f"compacted-{codec}")
                topic.fill(codec)
                topic.compact(compact_enough)
                said = run([support.python(), "-c", READ_ALL, self.broker.address, topic.name])
                found = [tuple(record) for record in json.loads(said)]
                topic.check(found)
                self.assertTrue(compact_enough(found), found)

    def test_deletions_are_told_and_then_forgotten(self):
        topic = Compacted(self, self.broker, self.topic, **{"delete.retention.ms": "1500"})
        topic.fill("none", deletions=True)
        deleted = {f"key {n}" for n in range(0, KEYS, 4)}
        began = time.monotonic()
        found = topic.compact(lambda found: len(found) < KEYS + 10)
        if time.monotonic() - began < 1.5:
            self.assertEqual({key for _, key, value in found if value is None}, deleted)
        found = topic.compact(lambda found: not deleted & {key for _, key, _ in found})
        self.assertEqual({key for _, key, _ in found},
                         {f"key {n}" for n in range(KEYS)} - deleted | {"tick"})

    def test_records_without_a_key_are_refused(self):
        topic = Compacted(self, self.broker, self.topic)
        with self.assertRaises(AssertionError) as caught:
            topic.kcat("-P", "-X", "message.timeout.ms=5000", input=b"no key\n")
        self.assertIn("failed to validate record", str(caught.exception))

    def test_compact_and_delete_together(self):
        topic = Compacted(self, self.broker, self.topic,
                          **{"cleanup.policy": "compact,delete", "retention.ms": "86400000"})
        topic.fill("lz4")
        topic.compact(compact_enough)

    def test_kills_lose_nothing(self):
        topic = Compacted(self, self.broker, self.topic)
        for codec in CODECS:
            topic.fill(codec)
            time.sleep(0.1)
            topic.produce([("tick", str(len(topic.written)))])
            time.sleep(0.12)  # a cleaning is under way, or not
            self.broker.restart()
            topic.check(topic.read())
        topic.compact(compact_enough)
        self.broker.restart()
        topic.check(topic.read())


class OnDiskTest(support.unittest.TestCase):

    def setUp(self):
        support.need_weir("what it writes")
        support.program("kcat")
        self.folder = tempfile.mkdtemp(prefix="weir-interop-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def broker(self, kind):
        program = support.PROGRAM if kind == "weir" else support.kafka_jars()
        broker = support.weir_process.Broker(program, kind, folder=self.folder, config=CONFIG)
        self.addCleanup(broker.kill)
        return broker.start()

    def test_kafka_reads_what_weir_compacted(self):
        weir = self.broker("weir")
        topics = []
        for codec in CODECS:
            topic = Compacted(self, weir, f"compacted-{codec}",
                              **{"delete.retention.ms": "600000", "index.interval.bytes": "1"})
            topic.fill(codec, deletions=True)
            topics.append(topic)
        for topic in topics:
            topic.compact(compact_enough)
        self.assertEqual(weir.stop(), 0, weir.output())
        with open(os.path.join(weir.data, "cleaner-offset-checkpoint"), encoding="ascii") as file:
            lines = file.read().splitlines()
        self.assertEqual(lines[:2], ["0", str(len(CODECS))])
        files, said = test_kafka_directory.dump(weir.data)
        said = "".join(line + "\n" for line in said.splitlines() if not any(word in line for word in GAPS))
        test_kafka_directory.check_dump(self, files, said)
        self.assertIn("deleteHorizonMs: OptionalLong[", said)

        kafka = self.broker("kafka")
        for topic in topics:
            topic.broker = kafka
            topic.check(topic.read())
        kafka.stop()
        weir = self.broker("weir")
        for topic in topics:
            topic.broker = weir
            topic.compact(compact_enough)
        self.assertEqual(weir.stop(), 0, weir.output())
        self.assertNotIn("ERROR", weir.output())
