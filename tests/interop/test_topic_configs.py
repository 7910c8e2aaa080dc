"""Each configuration of a topic has its effect: on records, which are refused or changed, and on the files of the log.
`run.py --broker kafka` runs the same against Apache Kafka."""

import glob
import json
import os
import time

import support
from support import run

MIB = 1 << 20
HOUR_MS = 3600 * 1000
MESSAGE_TOO_LARGE, INVALID_TIMESTAMP = 10, 32
CONFIG = {"log.initial.task.delay.ms": "200", "log.retention.check.interval.ms": "200", "log.cleaner.backoff.ms": "100",
          "num.partitions": "1"}
# Creates a topic and sends records one by one, a batch each. For each: its offset and timestamp, or the error.
SEND = """
import json, sys
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError
address, topic, configs, records = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), json.load(sys.stdin)
try:
    KafkaAdminClient(bootstrap_servers=address).create_topics(
        [NewTopic(topic, num_partitions=1, replication_factor=1, topic_configs=configs)])
except TopicAlreadyExistsError:
    pass
producer = KafkaProducer(bootstrap_servers=address, acks="all", retries=0, max_request_size=8 << 20)
done = []
for key, value, timestamp in records:
    try:
        sent = producer.send(topic, value.encode(), key=key.encode(), timestamp_ms=timestamp).get(timeout=30)
        done.append({"offset": sent.offset, "timestamp": sent.timestamp})
    except KafkaError as error:
        done.append({"error": error.errno})
print(json.dumps(done))
"""


def now_ms():
    return int(time.time() * 1000)


def wait_until(condition, what, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"expected within {seconds} s: {what}")
        time.sleep(0.05)


class TopicConfigTest(support.BrokerTest):

    config = CONFIG

    def send(self, records, topic=None, **configs):
        """Records are values, or (value, timestamp), or (key, value, timestamp)."""
        whole = []
        for record in records:
            if isinstance(record, str):
                record = (record, None)
            if len(record) == 2:
                record = (f"key {len(whole)}", *record)
            whole.append(record)
        configs = {name.replace("_", "."): str(value) for name, value in configs.items()}
        return json.loads(run([support.python(), "-c", SEND, self.broker.address, topic or self.topic,
                               json.dumps(configs)], input=json.dumps(whole).encode()))

    def files(self, ending=".log", topic=None):
        return sorted(glob.glob(os.path.join(self.broker.data, f"{topic or self.topic}-0", "*" + ending)))

    def sizes(self, ending=".log", topic=None):
        return [os.path.getsize(path) for path in self.files(ending, topic)]

    def read(self):
        return run(["kcat", "-b", self.broker.address, "-C", "-e", "-q", "-o", "beginning", "-t", self.topic, "-f",
                    r"%o %k %T\n"]).decode().splitlines()

    # --- segments ---------------------------------------------------------------------------------

    def test_segment_bytes(self):
        self.send(["v" * 400_000] * 6, segment_bytes=MIB)
        self.assertEqual(len(self.files()), 3)
        self.assertLessEqual(max(self.sizes()), MIB)

    def test_segment_ms(self):
        start = now_ms()
        records = [("v", start + after) for after in (0, 900, 1500, 2000, 2600)]
        self.send(records, segment_ms=1000)
        # Counted from the first record of a segment.
        self.assertEqual([os.path.basename(path)[18:20] for path in self.files()], ["00", "02", "04"])

    def test_segment_index_bytes(self):
        records = ["v" * 100] * 12
        self.send(records, topic=self.topic + "-large", index_interval_bytes=0)
        self.assertEqual(len(self.files(topic=self.topic + "-large")), 1)
        self.send(records, index_interval_bytes=0, segment_index_bytes=48)
        self.assertGreater(len(self.files()), 2)

    def test_index_interval_bytes(self):
        start = now_ms()
        entries = {}
        for interval in (0, 1000, MIB):
            topic = f"{self.topic}-{interval}"
            records = [("v" * 200, start + i) for i in range(20)] + [("last", start + 2 * HOUR_MS)]
            self.send(records, topic=topic, index_interval_bytes=interval, segment_ms=HOUR_MS,
                      message_timestamp_after_max_ms=3 * HOUR_MS)
            self.assertEqual(len(self.files(topic=topic)), 2)
            entries[interval] = self.sizes(".index", topic)[0] / 8
        self.assertGreaterEqual(entries[0], 18)
        self.assertIn(entries[1000], range(3, 8))
        self.assertEqual(entries[MIB], 0)

    def test_preallocate(self):
        self.send(["v"], preallocate="true", segment_bytes=4 * MIB)
        state = os.stat(self.files()[0])
        self.assertGreaterEqual(max(state.st_size, state.st_blocks * 512), 4 * MIB)
        self.assertEqual([line.split()[0] for line in self.read()], ["0"])

    # --- retention --------------------------------------------------------------------------------

    def test_retention_ms_and_file_delete_delay_ms(self):
        old = now_ms() - HOUR_MS
        self.send([("old", old)] * 3, retention_ms=60_000, file_delete_delay_ms=2000)
        wait_until(lambda: self.files(".log.deleted"), "a segment that is set aside")
        self.assertEqual(self.read(), [])
        set_aside = time.monotonic()
        wait_until(lambda: not self.files(".deleted"), "its files removed")
        self.assertGreater(time.monotonic() - set_aside, 1)
        self.assertEqual(self.send([("new", now_ms())])[0]["offset"], 3)
        self.assertEqual([line.split()[0] for line in self.read()], ["3"])

    def test_retention_bytes(self):
        self.send(["v" * 400_000] * 12, segment_bytes=MIB, retention_bytes=2 * MIB)
        # A segment goes as long as what is left is not less than the limit.
        wait_until(lambda: sum(self.sizes()) < 3 * MIB, "less than 3 MiB")
        time.sleep(1)
        self.assertGreaterEqual(sum(self.sizes()), 2 * MIB)
        self.assertEqual(int(self.read()[-1].split()[0]), 11)

    # --- what is accepted -------------------------------------------------------------------------

    def test_message_timestamp_bounds(self):
        now = now_ms()
        records = [("v", now + after) for after in (0, -5 * HOUR_MS, 5 * HOUR_MS, -HOUR_MS, HOUR_MS)]
        done = self.send(records, message_timestamp_before_max_ms=2 * HOUR_MS,
                         message_timestamp_after_max_ms=2 * HOUR_MS)
        self.assertEqual([one.get("error", 0) for one in done], [0, INVALID_TIMESTAMP, INVALID_TIMESTAMP, 0, 0])
        # An hour ahead is the default; behind there is none.
        done = self.send(records, topic=self.topic + "-default")
        self.assertEqual([one.get("error", 0) for one in done[:4]], [0, 0, INVALID_TIMESTAMP, 0])

    def test_message_timestamp_type(self):
        support.program("kcat")
        before = now_ms()
        told = self.send([("v", 1000), ("v", before + 9 * HOUR_MS)], message_timestamp_type="LogAppendTime")
        for one in told + [{"timestamp": int(line.split()[-1])} for line in self.read()]:
            self.assertIn(one["timestamp"], range(before, now_ms() + 1))

    def test_max_message_bytes(self):
        done = self.send(["v", "v" * 2000, "v"], max_message_bytes=1000)
        self.assertEqual([one.get("error", 0) for one in done], [0, MESSAGE_TOO_LARGE, 0])

    def test_min_insync_replicas_of_one_replica(self):
        # No more than the topic has are asked for (KIP-966).
        self.assertEqual(self.send(["v"], min_insync_replicas=2)[0].get("offset"), 0)

    # --- compression ------------------------------------------------------------------------------

    def test_compression_type_and_levels(self):
        text = " ".join(str(n * n) for n in range(20_000))

        def stored(name, **configs):
            topic = f"{self.topic}-{name}"
            self.send([text], topic=topic, **configs)
            return self.sizes(topic=topic)[0]

        plain = stored("producer")
        self.assertGreater(plain, len(text))
        for codec in ("gzip", "snappy", "lz4", "zstd"):
            self.assertLess(stored(codec, compression_type=codec), 0.8 * plain, codec)
        for codec, low, high in (("gzip", 1, 9), ("lz4", 1, 12), ("zstd", 1, 19)):
            sizes = [stored(f"{codec}-{level}", **{"compression_type": codec, f"compression_{codec}_level": level})
                     for level in (low, high)]
            self.assertLess(sizes[1], sizes[0], codec)

    # --- compaction -------------------------------------------------------------------------------

    def keys(self, topic):
        return [line.split()[1] for line in run(
            ["kcat", "-b", self.broker.address, "-C", "-e", "-q", "-o", "beginning", "-t", topic, "-f",
             r"%o %k\n"]).decode().splitlines()]

    def test_when_compaction_is_due(self):
        support.program("kcat")
        policies = {
            "eager": {"min_cleanable_dirty_ratio": 0.01},
            "min-lag": {"min_cleanable_dirty_ratio": 0.01, "min_compaction_lag_ms": 2 * HOUR_MS},
            "lazy": {"min_cleanable_dirty_ratio": 1},
            "max-lag": {"min_cleanable_dirty_ratio": 1, "max_compaction_lag_ms": 500},
        }
        start = now_ms() - 10_000
        for name, configs in policies.items():
            # Every record but the last is in a segment that has ended.
            records = [("same", f"value {i}", start + 200 * i) for i in range(6)] + [("last", "v", start + 9000)]
            self.send(records, topic=f"{self.topic}-{name}", cleanup_policy="compact", segment_ms=100, **configs)
        for name in ("eager", "max-lag"):
            wait_until(lambda: self.keys(f"{self.topic}-{name}") == ["same", "last"], f"{name}: one record of a key")
        for name in ("min-lag", "lazy"):
            self.assertEqual(self.keys(f"{self.topic}-{name}"), ["same"] * 6 + ["last"], name)
