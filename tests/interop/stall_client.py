"""How long a producer waits: stall_client.py ADDRESSES TOPIC. Runs in support.python().

Until its standard input ends, it gives a numbered record every 10 ms to an idempotent producer with acks=all. Then it
prints the longest time without a delivery report, how many were delivered, and how many failed.
"""

import sys
import threading
import time

from confluent_kafka import Producer


def main(address, topic):
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    producer = Producer({"bootstrap.servers": address, "enable.idempotence": True, "linger.ms": 0, "log_level": 0,
                         "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 100, "retry.backoff.ms": 20,
                         "retry.backoff.max.ms": 100, "topic.metadata.refresh.fast.interval.ms": 50,
                         "delivery.timeout.ms": 60000})
    delivered, failed = [], []

    def report(error, _message):
        (failed if error else delivered).append(error or time.monotonic())

    number = 0
    while not stop.is_set():
        producer.produce(topic, value=str(number), on_delivery=report)
        number += 1
        producer.poll(0.01)
        if number == 1:
            producer.flush(30)
            print("begun", flush=True)
    left = producer.flush(60)
    stall = max((b - a for a, b in zip(delivered, delivered[1:])), default=0)
    print(f"{stall:.3f} {len(delivered)} {len(failed) + left}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
