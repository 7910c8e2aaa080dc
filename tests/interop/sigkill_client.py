"""An idempotent producer that outlives its broker. Runs in support.python(); told what to do on standard input.

Usage: sigkill_client.py produce ADDRESS TOPIC ACKED
           until a line comes on standard input: produces numbered values and writes `partition offset value` to ACKED
           for every delivery report
       sigkill_client.py check ADDRESS TOPIC ACKED
           reads everything back and compares
"""

import sys
import threading

from confluent_kafka import Consumer, Producer, TopicPartition

PARTITIONS = 4


def produce(address, topic, acked_path):
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
    producer = Producer({"bootstrap.servers": address, "enable.idempotence": True, "linger.ms": 1,
                         "batch.num.messages": 200, "reconnect.backoff.max.ms": 200, "delivery.timeout.ms": 120000,
                         "queue.buffering.max.messages": 20000, "message.send.max.retries": 1000000,
                         "compression.type": "lz4"})
    failed = []
    with open(acked_path, "w", encoding="ascii") as acked:

        def report(error, message):
            if error:
                failed.append(str(error))
            else:
                acked.write(f"{message.partition()} {message.offset()} {message.value().decode()}\n")

        number = 0
        while not stop.is_set():
            try:
                producer.produce(topic, key=f"k{number % 100}", value=f"{number}", partition=number % PARTITIONS,
                                 on_delivery=report)
                number += 1
            except BufferError:
                producer.poll(0.01)
            if number % 200 == 0:
                producer.poll(0)
                acked.flush()
        left = producer.flush(60)
    print(f"produced {number}, failed {len(failed)} {failed[:3]}, unanswered {left}")
    return 1 if failed or left else 0


def check(address, topic, acked_path):
    acked = {}
    with open(acked_path, encoding="ascii") as file:
        for line in file:
            partition, offset, value = line.split()
            place = (int(partition), int(offset))
            if place in acked:
                raise SystemExit(f"offset {place} was given out twice: {acked[place]} and {value}")
            acked[place] = value
    consumer = Consumer({"bootstrap.servers": address, "group.id": "unused", "enable.auto.commit": False})
    found, values = {}, {}
    for partition in range(PARTITIONS):
        start, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
        if start != 0:
            raise SystemExit(f"partition {partition} starts at {start}")
        consumer.assign([TopicPartition(topic, partition, 0)])
        wanted = 0
        while wanted < end:
            for message in consumer.consume(10000, timeout=10):
                if message.error():
                    raise SystemExit(str(message.error()))
                if message.offset() != wanted:
                    raise SystemExit(f"partition {partition}: offset {message.offset()} where {wanted} was due")
                wanted += 1
                value = message.value().decode()
                if value in values:
                    raise SystemExit(f"value {value} twice: {values[value]} and {(partition, message.offset())}")
                values[value] = (partition, message.offset())
                found[(partition, message.offset())] = value
    for place, value in acked.items():
        if found.get(place) != value:
            raise SystemExit(f"acknowledged {value} at {place}; there is {found.get(place)}")
    print(f"{len(acked)} acknowledged records are there, {len(found)} in all, none twice")
    return 0


if __name__ == "__main__":
    sys.exit({"produce": produce, "check": check}[sys.argv[1]](*sys.argv[2:]))
