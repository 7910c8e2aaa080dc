"""A producer that waits for all replicas, or a reader.

replication_client.py produce|read LIBRARY ADDRESSES TOPIC PARTITIONS NAME
Runs in support.python(). A producer sends "NAME PARTITION NUMBER" until a line comes on its standard input, then prints
as JSON what was acknowledged, {"acked": [[partition, number, offset], ...], "errors": [...], "longest": seconds}.
A reader prints all that there is, [[partition, offset, value], ...].
"""

import json
import sys
import threading
import time

WAITING_MAX = 300
PER_SECOND = 1500


class Account:
    def __init__(self):
        self.lock, self.acked, self.errors = threading.Lock(), [], []
        self.waiting, self.last, self.longest = 0, time.monotonic(), 0.0

    def sent(self):
        with self.lock:
            self.waiting += 1

    def done(self, partition, number, offset, error=None):
        now = time.monotonic()
        with self.lock:
            self.waiting -= 1
            self.longest, self.last = max(self.longest, now - self.last), now
            if error is None:
                self.acked.append((partition, number, offset))
            else:
                self.errors.append(f"{partition} {number}: {error}")

    def said(self):
        return {"acked": self.acked, "errors": self.errors[:100], "longest": self.longest}


def librdkafka(address, topic):
    from confluent_kafka import Producer
    producer = Producer({"bootstrap.servers": address, "acks": "all", "enable.idempotence": True, "linger.ms": 2,
                         "message.timeout.ms": 120_000, "log_level": 0, "reconnect.backoff.max.ms": 500,
                         "topic.metadata.refresh.interval.ms": 5000})

    def send(account, partition, number, value):
        producer.produce(topic, value=value, partition=partition, on_delivery=lambda error, message: account.done(
            partition, number, message.offset(), error))

    return send, lambda: producer.poll(0), lambda: producer.flush(120)


def kafka_python(address, topic):
    from kafka import KafkaProducer
    producer = KafkaProducer(bootstrap_servers=address, acks="all", enable_idempotence=True, linger_ms=2,
                             delivery_timeout_ms=120_000, request_timeout_ms=10_000, max_block_ms=120_000,
                             metadata_max_age_ms=5000)

    def send(account, partition, number, value):
        future = producer.send(topic, value=value, partition=partition)
        future.add_callback(lambda sent: account.done(partition, number, sent.offset))
        future.add_errback(lambda error: account.done(partition, number, -1, repr(error)))

    return send, lambda: None, lambda: producer.flush(120)


def produce(library, address, topic, partitions, name):
    send, poll, flush = {"librdkafka": librdkafka, "kafka-python": kafka_python}[library](address, topic)
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
    account, number, began = Account(), 0, time.monotonic()
    while not stop.is_set():
        poll()
        if account.waiting >= WAITING_MAX or number > (time.monotonic() - began) * PER_SECOND:
            time.sleep(0.001)
            continue
        partition = number % partitions
        account.sent()
        send(account, partition, number, f"{name} {partition} {number}".encode())
        number += 1
    flush()
    print(json.dumps(account.said()), flush=True)


def read(library, address, topic, partitions, name):
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
    assert library == "librdkafka"
    consumer = Consumer({"bootstrap.servers": address, "group.id": name, "enable.auto.commit": False,
                         "enable.partition.eof": False, "log_level": 0})
    ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=20)[1] for p in range(partitions)}
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(partitions)])
    left, records, deadline = {p for p in ends if ends[p] > 0}, [], time.monotonic() + 100
    while left and time.monotonic() < deadline:
        for message in consumer.consume(10_000, 0.5):
            if message.error():
                continue
            records.append((message.partition(), message.offset(), message.value().decode()))
            if message.offset() + 1 >= ends[message.partition()]:
                left.discard(message.partition())
    consumer.close()
    assert not left, f"partitions {left} were not read to their ends"
    print(json.dumps(records), flush=True)


if __name__ == "__main__":
    what, its_library, addresses, its_topic, count, its_name = sys.argv[1:]
    {"produce": produce, "read": read}[what](its_library, addresses, its_topic, int(count), its_name)
