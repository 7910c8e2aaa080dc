"""A member of a consumer group: group_member.py LIBRARY ADDRESS TOPIC GROUP [KEY=VALUE...] until SIGTERM.

LIBRARY is confluent-kafka, kafka-python or aiokafka. KEY is session (milliseconds), strategy (as librdkafka names it)
or instance. It commits what it has read, and prints a line for each
  assigned P...   all partitions it has after a rebalance
  lost P...       partitions taken from it
  read P OFFSET   record
  failed TEXT     error that ends it
"""

import asyncio
import signal
import sys

stopping = False


def stop(*_):
    global stopping
    stopping = True


def say(word, *values):
    print(word, *values, flush=True)


def confluent(address, topic, group, settings):
    from confluent_kafka import Consumer, KafkaError, KafkaException
    session = int(settings.get("session", 6000))
    config = {"bootstrap.servers": address, "group.id": group, "auto.offset.reset": "earliest",
              "enable.auto.commit": False, "session.timeout.ms": session, "heartbeat.interval.ms": session // 5,
              "partition.assignment.strategy": settings.get("strategy", "range"), "log_level": 3}
    if "instance" in settings:
        config["group.instance.id"] = settings["instance"]
    consumer, mine = Consumer(config), set()

    def assigned(_, parts):
        mine.update(part.partition for part in parts)
        say("assigned", *sorted(mine))

    def lost(_, parts):
        mine.difference_update(part.partition for part in parts)
        say("lost", *sorted(part.partition for part in parts))

    consumer.subscribe([topic], on_assign=assigned, on_revoke=lost)
    while not stopping:
        read = False
        for message in consumer.consume(100, timeout=0.1):
            if message.error():
                if message.error().fatal() or message.error().code() == KafkaError._FATAL:
                    say("failed", message.error())
                    sys.exit(1)
                print(message.error(), file=sys.stderr, flush=True)
            else:
                read = True
                say("read", message.partition(), message.offset())
        if read:
            try:
                consumer.commit(asynchronous=False)
            except KafkaException as error:  # a rebalance came between: the next owner reads it again
                print(error, file=sys.stderr, flush=True)
    consumer.close()


def kafka_python(address, topic, group, settings):
    from kafka import ConsumerRebalanceListener, KafkaConsumer
    from kafka.errors import KafkaError
    session = int(settings.get("session", 6000))

    class Listener(ConsumerRebalanceListener):
        def on_partitions_assigned(self, assigned):
            say("assigned", *sorted(part.partition for part in assigned))

        def on_partitions_revoked(self, revoked):
            say("lost", *sorted(part.partition for part in revoked))

    consumer = KafkaConsumer(bootstrap_servers=address, group_id=group, auto_offset_reset="earliest",
                             enable_auto_commit=False, session_timeout_ms=session, heartbeat_interval_ms=session // 5)
    consumer.subscribe([topic], listener=Listener())
    while not stopping:
        read = consumer.poll(timeout_ms=100)
        for records in read.values():
            for record in records:
                say("read", record.partition, record.offset)
        if read:
            try:
                consumer.commit()
            except KafkaError as error:
                print(repr(error), file=sys.stderr, flush=True)
    consumer.close()


async def aiokafka(address, topic, group, settings):
    from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
    from aiokafka.coordinator.assignors.range import RangePartitionAssignor
    from aiokafka.errors import KafkaError
    session = int(settings.get("session", 6000))

    class Listener(ConsumerRebalanceListener):
        def on_partitions_assigned(self, assigned):
            say("assigned", *sorted(part.partition for part in assigned))

        def on_partitions_revoked(self, revoked):
            say("lost", *sorted(part.partition for part in revoked))

    consumer = AIOKafkaConsumer(bootstrap_servers=address, group_id=group, auto_offset_reset="earliest",
                                enable_auto_commit=False, session_timeout_ms=session,
                                heartbeat_interval_ms=session // 5,
                                partition_assignment_strategy=(RangePartitionAssignor,))
    consumer.subscribe([topic], listener=Listener())
    await consumer.start()
    while not stopping:
        read = await consumer.getmany(timeout_ms=100)
        for records in read.values():
            for record in records:
                say("read", record.partition, record.offset)
        if read:
            try:
                await consumer.commit()
            except KafkaError as error:
                print(repr(error), file=sys.stderr, flush=True)
    await consumer.stop()


def main():
    library, address, topic, group = sys.argv[1:5]
    settings = dict(pair.split("=", 1) for pair in sys.argv[5:])
    signal.signal(signal.SIGTERM, stop)
    if library == "aiokafka":
        asyncio.run(aiokafka(address, topic, group, settings))
    else:
        {"confluent-kafka": confluent, "kafka-python": kafka_python}[library](address, topic, group, settings)


if __name__ == "__main__":
    main()
