"""Fills a cluster, writes down what a client sees of it, and compares that later. Runs in support.python().

Usage: directory_client.py COMMAND ADDRESS STATE, COMMAND one of
  fill     topics of each kind and groups, with what Kafka alone can do (transactions, users, quotas); then `note`
  note     writes to STATE what a client sees
  compare  that it sees the same as STATE says
  fill-plain  the same without what only Kafka can do
  add      records of each codec to every topic, a topic, a setting, offsets; deletes a topic; then `note`
  add-more the same again
"""

import hashlib
import json
import sys
import time

from confluent_kafka import (OFFSET_BEGINNING, Consumer, ConsumerGroupTopicPartitions, IsolationLevel, KafkaError,
                             KafkaException, Producer, TopicCollection, TopicPartition)
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, OffsetSpec)

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
FIRST_TIME_MS = 1_750_000_000_000
GROUPS = ("readers", "others")


class Client:
    def __init__(self, address):
        self.address = address
        self.admin = AdminClient({"bootstrap.servers": address})
        self.producers = {}

    def create(self, name, partitions=1, **config):
        wanted = {key.replace("_", "."): str(value) for key, value in config.items()}
        self.admin.create_topics([NewTopic(name, partitions, 1, config=wanted)])[name].result(20)

    def produce(self, topic, partition, count, codec="none", start=0, keys=None, size=60, **config):
        failed = []
        kind = (codec, *sorted(config.items()))
        if kind not in self.producers:
            self.producers[kind] = Producer({"bootstrap.servers": self.address, "compression.type": codec,
                                             "linger.ms": 5, **config})
            if "transactional.id" in config:
                self.producers[kind].init_transactions(20)
        producer = self.producers[kind]
        if "transactional.id" in config:
            producer.begin_transaction()
        for n in range(start, start + count):
            while True:
                try:
                    producer.produce(topic, key=f"key {n % (keys or 1 << 30)} é",
                                     value=f"{codec} {n} ".ljust(size, "v"), partition=partition,
                                     timestamp=FIRST_TIME_MS + 1000 * n, headers=[("n", str(n)), ("none", None)],
                                     on_delivery=lambda error, _: error and failed.append(error))
                    break
                except BufferError:
                    producer.poll(0.1)
        assert producer.flush(60) == 0 and not failed, failed[:3]
        return producer

    def commit(self, group, offsets):
        wanted = [TopicPartition(topic, partition, offset, metadata=note) for topic, partition, offset, note in offsets]
        request = [ConsumerGroupTopicPartitions(group, wanted)]
        self.admin.alter_consumer_group_offsets(request)[group].result(20)

    def configure(self, kind, name, **settings):
        entries = [ConfigEntry(key.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
                   for key, value in settings.items()]
        change = ConfigResource(kind, name, incremental_configs=entries)
        self.admin.incremental_alter_configs([change])[change].result(20)

    def topics(self):
        return sorted(name for name in self.admin.list_topics(timeout=20).topics if not name.startswith("__"))

    def read(self, parts, isolation):
        """Every record of these partitions, in order, by (topic, partition)."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "unused", "enable.auto.commit": False,
                             "isolation.level": isolation, "enable.partition.eof": True, "fetch.wait.max.ms": 10})
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for topic, partition in parts])
        read, open_parts, deadline = {part: [] for part in parts}, set(parts), time.monotonic() + 90
        while open_parts:
            assert time.monotonic() < deadline, f"these do not end: {open_parts}"
            message = consumer.poll(1)
            if message is None:
                continue
            part = (message.topic(), message.partition())
            if message.error():
                assert message.error().name() == "_PARTITION_EOF", message.error()
                open_parts.discard(part)
            else:
                read[part].append(message)
        consumer.close()
        return read

    def offsets(self, parts, spec, isolation=IsolationLevel.READ_UNCOMMITTED):
        wanted = {TopicPartition(topic, partition): spec for topic, partition in parts}
        deadline = time.monotonic() + 20
        while True:
            try:
                return {(part.topic, part.partition): found.result(20).offset
                        for part, found in self.admin.list_offsets(wanted, isolation_level=isolation).items()}
            except KafkaException as error:
                # Apache Kafka tells clients of leaders before they lead, while it starts.
                if error.args[0].code() != KafkaError.UNKNOWN_LEADER_EPOCH or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def note(self):
        """What a client sees, as JSON has it."""
        names = self.topics()
        seen = {"cluster": self.admin.describe_cluster().result(20).cluster_id, "topics": {}, "groups": {}}
        described = self.admin.describe_topics(TopicCollection(names))
        resources = {name: ConfigResource(ConfigResource.Type.TOPIC, name) for name in names}
        configs = self.admin.describe_configs(list(resources.values()))
        for name in names:
            topic = described[name].result(20)
            settings = configs[resources[name]].result(20)
            seen["topics"][name] = {
                "id": str(topic.topic_id), "partitions": {str(part.id): {} for part in topic.partitions},
                "configs": {key: entry.value for key, entry in settings.items() if entry.source == 1}}
        self.note_records(seen["topics"])
        for group in GROUPS:
            found = self.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(20)
            seen["groups"][group] = sorted([p.topic, p.partition, p.offset, p.metadata] for p in found.topic_partitions)
        return seen

    def note_records(self, topics):
        parts = [(name, int(index)) for name, topic in topics.items() for index in topic["partitions"]]
        compacted = {name for name, topic in topics.items() if topic["configs"].get("cleanup.policy") == "compact"}

        def note(what, values):
            for (name, index), value in values.items():
                # A cleaner may be at work: of a compacted topic stays what each key has last.
                if name not in compacted or what in ("latest", "latest committed", "last of keys"):
                    topics[name]["partitions"][str(index)][what] = value

        note("earliest", self.offsets(parts, OffsetSpec.earliest()))
        note("latest", self.offsets(parts, OffsetSpec.latest()))
        note("latest committed", self.offsets(parts, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED))
        for n in (0, 1, 77, 1000, 1999, 2500, 10**7):
            note(f"at {n}", self.offsets(parts, OffsetSpec.for_timestamp(FIRST_TIME_MS + 1000 * n - 500)))
        for isolation in ("read_uncommitted", "read_committed"):
            read = self.read(parts, isolation)
            note(isolation, {part: digest(messages) for part, messages in read.items()})
            note("last of keys", {part: {str(m.key()): m.offset() for m in messages} for part, messages in read.items()
                                  if part[0] in compacted})

    def fill(self, is_kafka):
        for codec in CODECS:
            self.create(f"codec-{codec}", 3, retention_ms=-1)
            for partition in range(3):
                self.produce(f"codec-{codec}", partition, 700 * partition, codec,
                             **{"enable.idempotence": partition == 1})
        self.create("many-segments", retention_ms=-1, segment_bytes=1 << 20)
        self.produce("many-segments", 0, 12000, "none", size=400)
        self.create("append-time", message_timestamp_type="LogAppendTime", retention_ms=-1)
        self.produce("append-time", 0, 100, "lz4")
        self.create("records-deleted", retention_ms=-1)
        self.produce("records-deleted", 0, 500)
        part = TopicPartition("records-deleted", 0, 123)
        assert self.admin.delete_records([part])[part].result(20).low_watermark == 123
        self.create("again", 4)
        self.produce("again", 3, 10)
        self.admin.delete_topics(["again"])["again"].result(20)
        while "again" in self.topics():
            time.sleep(0.05)
        self.create("again", 2, retention_ms=-1)
        self.produce("again", 1, 20)
        self.create("empty", 2, max_message_bytes=77777)
        self.create("grown", 1)
        self.configure(ConfigResource.Type.TOPIC, "grown", segment_ms="123456", retention_bytes="99999999")
        self.commit("readers", [[f"codec-{codec}", p, 100 * p + 7, f"note {codec}"]
                                for codec in CODECS for p in (1, 2)])
        self.commit("readers", [["codec-none", 1, 300, "later"]])
        self.commit("others", [["many-segments", 0, 5000, ""]])
        if is_kafka:
            self.use_kafka_alone()

    def use_kafka_alone(self):
        from confluent_kafka.admin import ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion
        self.create("compacted", cleanup_policy="compact", segment_bytes=1 << 20, min_cleanable_dirty_ratio="0.01")
        for codec in ("none", "zstd"):
            self.produce("compacted", 0, 6000, codec, keys=50, size=1000, **{"enable.idempotence": True})
        self.create("transactions", 2, retention_ms=-1)
        for turn in range(4):
            for partition in (0, 1):
                producer = self.produce("transactions", partition, 50, "gzip", 50 * turn,
                                        **{"transactional.id": f"t{partition}"})
                producer.commit_transaction(20) if turn % 2 == 0 else producer.abort_transaction(20)
        # A transaction that stays open: what is behind its beginning is not committed, in Weir either.
        self.create("open-transaction", retention_ms=-1)
        self.produce("open-transaction", 0, 20)
        self.produce("open-transaction", 0, 10, "lz4", 100,
                     **{"transactional.id": "open", "transaction.timeout.ms": 900000})
        self.produce("open-transaction", 0, 5, start=200)
        user = UserScramCredentialUpsertion("ada", ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 8192), b"secret")
        self.admin.alter_user_scram_credentials([user])["ada"].result(20)
        self.configure(ConfigResource.Type.BROKER, "1", log_cleaner_threads="1")
        for protocol in ("classic", "consumer"):
            consumer = Consumer({"bootstrap.servers": self.address, "group.id": f"live-{protocol}",
                                 "group.protocol": protocol, "auto.offset.reset": "earliest"})
            consumer.subscribe(["codec-gzip"])
            while consumer.poll(1) is None:
                pass
            consumer.commit(asynchronous=False)
            consumer.close()

    def add(self, times):
        for name in self.topics():
            for partition in range(len(self.admin.list_topics(name, timeout=20).topics[name].partitions)):
                for codec in CODECS:
                    self.produce(name, partition, 40, codec, 20000 * times, **{"enable.idempotence": codec != "gzip"})
        self.create(f"later-{times}", 2, retention_ms=987654321)
        self.produce(f"later-{times}", 1, 100, "snappy")
        self.configure(ConfigResource.Type.TOPIC, "grown", segment_ms=str(600000 + times))
        self.commit("readers", [["codec-lz4", 1, 444 + times, "after"]])
        gone = ["empty", "append-time"][times - 1]
        self.admin.delete_topics([gone])[gone].result(20)
        while gone in self.topics():
            time.sleep(0.05)


def digest(messages):
    lines = [repr((m.offset(), m.timestamp(), m.key(), m.value(), m.headers())) for m in messages]
    return [len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()]


def differences(due, found, path=""):
    if isinstance(due, dict) and isinstance(found, dict):
        for key in sorted(set(due) | set(found)):
            yield from differences(due.get(key), found.get(key), f"{path}.{key}")
    elif due != found:
        yield f"{path}: expected {due}, it is {found}"


def main():
    command, address, path = sys.argv[1:]
    client = Client(address)
    if command.startswith("fill"):
        client.fill(command == "fill")
    elif command.startswith("add"):
        client.add(2 if command == "add-more" else 1)
    seen = client.note()
    if command == "compare":
        with open(path, encoding="utf-8") as file:
            found = list(differences(json.load(file), seen))
        if found:
            sys.exit("\n".join(found[:40]))
    else:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(seen, file, indent=1)
    print(f"{command}: {len(seen['topics'])} topics")


if __name__ == "__main__":
    main()
