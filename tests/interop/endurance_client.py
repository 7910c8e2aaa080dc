"""Clients of endurance.py, which write down all that they see. Each runs in support.python().

endurance_client.py produce LIBRARY ADDRESSES TOPICS NAME PER_SECOND FILE
    sends "NAME NUMBER ..." to all partitions in turn, acks=all and idempotent, until a line comes on its standard
    input; a line of FILE is `place number offset seconds` for what is acknowledged (offset -1: the broker did not
    say), `# ...` for what failed
endurance_client.py tail LIBRARY ADDRESSES TOPICS NAME FILE
    reads from the beginning on, until a line comes on its standard input: `place offset name number`
endurance_client.py read LIBRARY ADDRESSES TOPICS NAME FILE
    the same, until the ends that the partitions have when it begins
TOPICS is a:6,b:3: their names and partitions; a place is a partition's number in that list. Seconds are those of the
system's monotonic clock.
"""

import random
import sys
import threading
import time

WAITING_MAX = 1000  # of a partition: one that stalls keeps no other one waiting
PADDING = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=400))


def places_of(topics):
    return [(name, at) for name, count in (each.split(":") for each in topics.split(",")) for at in range(int(count))]


def until_told():
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
    return stop


class Account:
    """What became of what was sent; its callbacks come on the clients' own threads."""

    def __init__(self, path, places):
        self.lock, self.file, self.waiting = threading.Lock(), open(path, "w", encoding="utf-8"), [0] * places

    def sent(self, place):
        with self.lock:
            self.waiting[place] += 1

    def done(self, place, number, offset, error=None):
        with self.lock:
            self.waiting[place] -= 1
            if error is None:
                offset = -1 if offset is None else offset
                self.file.write(f"{place} {number} {offset} {time.monotonic():.4f}\n")
            else:
                self.file.write(f"# {place} {number} {time.monotonic():.4f} {error}\n")


def librdkafka(address):
    from confluent_kafka import Producer
    producer = Producer({"bootstrap.servers": address, "acks": "all", "enable.idempotence": True, "linger.ms": 2,
                         "message.timeout.ms": 180_000, "socket.timeout.ms": 10_000, "request.timeout.ms": 10_000,
                         "log_level": 0, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 100,
                         "retry.backoff.ms": 20, "retry.backoff.max.ms": 100, "compression.type": "lz4",
                         "topic.metadata.refresh.fast.interval.ms": 50, "topic.metadata.refresh.interval.ms": 5000})

    def send(account, place, number, topic, partition, value):
        producer.produce(topic, value=value, partition=partition, on_delivery=lambda error, message: account.done(
            place, number, message.offset(), error))

    return send, lambda: producer.poll(0), lambda: producer.flush(180)


def kafka_python(address):
    from kafka import KafkaProducer
    producer = KafkaProducer(bootstrap_servers=address, acks="all", enable_idempotence=True, linger_ms=2,
                             delivery_timeout_ms=180_000, request_timeout_ms=10_000, max_block_ms=180_000,
                             retry_backoff_ms=20, reconnect_backoff_ms=20, reconnect_backoff_max_ms=100,
                             metadata_max_age_ms=5000)

    def send(account, place, number, topic, partition, value):
        future = producer.send(topic, value=value, partition=partition)
        future.add_callback(lambda sent: account.done(place, number, sent.offset))
        future.add_errback(lambda error: account.done(place, number, -1, repr(error)))

    return send, lambda: None, lambda: producer.flush(180)


def produce(library, address, topics, name, per_second, path):
    send, poll, flush = {"librdkafka": librdkafka, "kafka-python": kafka_python}[library](address)
    places, chance, stop = places_of(topics), random.Random(name), until_told()
    account, number, turn, began = Account(path, len(places)), 0, 0, time.monotonic()
    while not stop.is_set():
        poll()
        if turn > (time.monotonic() - began) * int(per_second):
            time.sleep(0.002)
            continue
        place, turn = turn % len(places), turn + 1
        if account.waiting[place] >= WAITING_MAX:
            continue
        account.sent(place)
        send(account, place, number, *places[place],
             f"{name} {number} {PADDING[:chance.randrange(len(PADDING))]}".encode())
        number += 1
    flush()
    account.file.write(f"# end: {number} sent, {sum(account.waiting)} unanswered\n")
    account.file.close()


def line_of(place, offset, value):
    name, number, _ = value.split(b" ", 2)
    return f"{place} {offset} {name.decode()} {number.decode()}\n"


def consumer_of(address, name):
    from confluent_kafka import Consumer
    return Consumer({"bootstrap.servers": address, "group.id": name, "enable.auto.commit": name != "reader",
                     "auto.offset.reset": "earliest", "auto.commit.interval.ms": 1000, "log_level": 0,
                     "socket.timeout.ms": 10_000, "reconnect.backoff.max.ms": 500})


def tail_librdkafka(address, topics, name, file, stop):
    places = places_of(topics)
    numbers, consumer = {place: at for at, place in enumerate(places)}, consumer_of(address, name)
    consumer.subscribe(sorted({topic for topic, _ in places}))
    while not stop.is_set():
        for message in consumer.consume(10_000, 0.2):
            if not message.error():
                file.write(line_of(numbers[(message.topic(), message.partition())], message.offset(), message.value()))
    consumer.close()


def tail_kafka_python(address, topics, name, file, stop):
    from kafka import KafkaConsumer, TopicPartition
    from kafka.errors import KafkaError
    places = [TopicPartition(*place) for place in places_of(topics)]
    numbers = {place: at for at, place in enumerate(places)}
    consumer = KafkaConsumer(bootstrap_servers=address, group_id=None, enable_auto_commit=False, client_id=name,
                             request_timeout_ms=10_000, metadata_max_age_ms=5000, auto_offset_reset="none")
    consumer.assign(places)
    for place in places:
        consumer.seek(place, 0)
    while not stop.is_set():
        try:
            polled = consumer.poll(timeout_ms=200)
        except KafkaError as error:  # as of a broker that the last metadata do not name any more
            print(repr(error), flush=True)
            time.sleep(0.1)
            continue
        for place, records in polled.items():
            for record in records:
                file.write(line_of(numbers[place], record.offset, record.value))
    consumer.close()


def tail(library, address, topics, name, path):
    with open(path, "w", encoding="utf-8") as file:
        {"librdkafka": tail_librdkafka, "kafka-python": tail_kafka_python}[library](
            address, topics, name, file, until_told())


def read(library, address, topics, name, path):
    from confluent_kafka import TopicPartition
    assert library == "librdkafka"
    consumer, places = consumer_of(address, name), places_of(topics)
    numbers = {place: at for at, place in enumerate(places)}
    ends = [consumer.get_watermark_offsets(TopicPartition(*place), timeout=20)[1] for place in places]
    consumer.assign([TopicPartition(topic, at, 0) for topic, at in places])
    left, progress = {at for at, end in enumerate(ends) if end > 0}, time.monotonic()
    with open(path, "w", encoding="utf-8") as file:
        while left:
            for message in consumer.consume(10_000, 0.5):
                if message.error():
                    continue
                place, progress = numbers[(message.topic(), message.partition())], time.monotonic()
                if message.offset() < ends[place]:
                    file.write(line_of(place, message.offset(), message.value()))
                if message.offset() + 1 >= ends[place]:
                    left.discard(place)
            assert time.monotonic() < progress + 60, f"{[places[at] for at in left]} cannot be read to their ends"
    consumer.close()


if __name__ == "__main__":
    {"produce": produce, "tail": tail, "read": read}[sys.argv[1]](*sys.argv[2:])
