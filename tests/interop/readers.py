"""Reads a whole topic with one client library and prints `partition count sha256` of each partition, in order.

Usage: readers.py LIBRARY ADDRESS TOPIC, LIBRARY one of kafka-python, aiokafka, confluent-kafka. Runs in
support.python().
Each record goes into the hash as key length, key, value length, value (32 bits, big endian), as in Digest.
"""

import asyncio
import hashlib
import struct
import sys


class Digest:
    def __init__(self):
        self.count, self.next_offset, self.hash = 0, 0, hashlib.sha256()

    def add(self, offset, key, value):
        if offset is not None:
            if offset < self.next_offset:
                raise SystemExit(f"offset {offset} after {self.next_offset - 1}")
            self.next_offset = offset + 1
        self.count += 1
        for part in (key, value):
            self.hash.update(struct.pack(">i", len(part)) + part)

    def line(self, partition):
        return f"{partition} {self.count} {self.hash.hexdigest()}"


def kafka_python(address, topic):
    from kafka import KafkaConsumer, TopicPartition
    consumer = KafkaConsumer(bootstrap_servers=address, group_id=None, enable_auto_commit=False,
                             fetch_max_bytes=16 << 20, max_partition_fetch_bytes=4 << 20)
    partitions = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic))]
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    ends = consumer.end_offsets(partitions)
    digests = {p: Digest() for p in partitions}
    while any(consumer.position(p) < ends[p] for p in partitions):
        for partition, records in consumer.poll(timeout_ms=1000, max_records=20000).items():
            for record in records:
                digests[partition].add(record.offset, record.key, record.value)
    return {p.partition: d for p, d in digests.items()}


async def aiokafka(address, topic):
    from aiokafka import AIOKafkaConsumer
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=address, group_id=None, enable_auto_commit=False,
                                auto_offset_reset="earliest")
    await consumer.start()  # without a group it takes every partition
    try:
        partitions = sorted(consumer.assignment())
        ends = await consumer.end_offsets(partitions)
        digests = {p: Digest() for p in partitions}
        while True:
            behind = [p for p in partitions if await consumer.position(p) < ends[p]]
            if not behind:
                return {p.partition: d for p, d in digests.items()}
            for partition, records in (await consumer.getmany(timeout_ms=1000)).items():
                for record in records:
                    digests[partition].add(record.offset, record.key, record.value)
    finally:
        await consumer.stop()


def confluent(address, topic):
    from confluent_kafka import Consumer, TopicPartition
    consumer = Consumer({"bootstrap.servers": address, "group.id": "unused", "enable.auto.commit": False,
                         "enable.partition.eof": False})
    ids = sorted(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
    ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1] for p in ids}
    consumer.assign([TopicPartition(topic, p, 0) for p in ids])
    digests = {p: Digest() for p in ids}
    while any(digests[p].next_offset < ends[p] for p in ids):
        for message in consumer.consume(10000, timeout=1):
            if message.error():
                raise SystemExit(str(message.error()))
            digests[message.partition()].add(message.offset(), message.key(), message.value())
    consumer.close()
    return digests


def main():
    library, address, topic = sys.argv[1:]
    if library == "aiokafka":
        digests = asyncio.run(aiokafka(address, topic))
    else:
        digests = {"kafka-python": kafka_python, "confluent-kafka": confluent}[library](address, topic)
    for partition in sorted(digests):
        print(digests[partition].line(partition))


if __name__ == "__main__":
    main()
