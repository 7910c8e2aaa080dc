"""One client library against a broker: python_clients.py LIBRARY ADDRESS TOPIC. Runs in support.python()."""

import asyncio
import sys
import time

CODECS = (None, "gzip", "snappy", "lz4", "zstd")
COUNT = 500


def value(codec, number):
    return f"{codec} {number} ".encode() * 10


def check(read):
    """`read` is (offset, key, value) of the one partition, in order."""
    due = [(f"k{n}".encode(), value(codec, n)) for codec in CODECS for n in range(COUNT)]
    assert [r[1:] for r in read] == due, f"{len(read)} records differ from the {len(due)} that were sent"
    assert [r[0] for r in read] == list(range(len(due))), "offsets have gaps"
    return len(read)


def kafka_python(address, topic):
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.admin import KafkaAdminClient, NewTopic
    admin = KafkaAdminClient(bootstrap_servers=address)
    admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    assert topic in admin.list_topics()
    for codec in CODECS:
        producer = KafkaProducer(bootstrap_servers=address, acks="all", compression_type=codec, linger_ms=5,
                                 enable_idempotence=True)
        futures = [producer.send(topic, key=f"k{n}".encode(), value=value(codec, n), headers=[("h", b"1")])
                   for n in range(COUNT)]
        producer.flush()
        for future in futures:
            future.get(timeout=10)
        producer.close()
    partition = TopicPartition(topic, 0)
    consumer = KafkaConsumer(bootstrap_servers=address, group_id=None, enable_auto_commit=False)
    consumer.assign([partition])
    consumer.seek_to_beginning()
    end = consumer.end_offsets([partition])[partition]
    assert consumer.beginning_offsets([partition])[partition] == 0
    found = consumer.offsets_for_times({partition: 1})[partition]
    assert found.offset == 0, found
    read = []
    while len(read) < end:
        for records in consumer.poll(timeout_ms=1000).values():
            read += [(r.offset, r.key, r.value) for r in records]
            assert all(r.headers == [("h", b"1")] for r in records)
    consumer.close()
    admin.delete_topics([topic])
    admin.close()
    return check(read)


async def aiokafka(address, topic):
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    for codec in CODECS:
        producer = AIOKafkaProducer(bootstrap_servers=address, acks="all", compression_type=codec, linger_ms=5,
                                    enable_idempotence=True)
        await producer.start()
        sent = [await producer.send(topic, key=f"k{n}".encode(), value=value(codec, n)) for n in range(COUNT)]
        await asyncio.gather(*sent)
        await producer.stop()
    partition = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=address, group_id=None, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([partition])
    await consumer.seek_to_beginning()
    end = (await consumer.end_offsets([partition]))[partition]
    read = []
    while len(read) < end:
        for records in (await consumer.getmany(timeout_ms=1000)).values():
            read += [(r.offset, r.key, r.value) for r in records]
    await consumer.stop()
    await admin.delete_topics([topic])
    await admin.close()
    return check(read)


def confluent(address, topic):
    from confluent_kafka import Consumer, Producer, TopicPartition
    from confluent_kafka.admin import AdminClient, NewTopic
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(10)
    for codec in CODECS:
        failed = []
        producer = Producer({"bootstrap.servers": address, "compression.type": codec or "none", "acks": "all",
                             "enable.idempotence": True})
        for n in range(COUNT):
            producer.produce(topic, key=f"k{n}", value=value(codec, n), partition=0,
                             on_delivery=lambda error, _: error and failed.append(error))
        assert producer.flush(20) == 0 and not failed, failed
    consumer = Consumer({"bootstrap.servers": address, "group.id": "unused", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
    assert low == 0, low
    read = []
    while len(read) < high:
        for message in consumer.consume(1000, timeout=5):
            assert not message.error(), message.error()
            read.append((message.offset(), message.key(), message.value()))
    consumer.close()
    admin.delete_topics([topic])[topic].result(10)
    return check(read)


def confluent_admin(address, topic):
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic
    admin = AdminClient({"bootstrap.servers": address})

    def create(name, partitions=1, replication=1, **arguments):
        return admin.create_topics([NewTopic(name, partitions, replication, **arguments)])[name].result(10)

    def refused(code, call):
        try:
            call()
        except KafkaException as error:
            assert error.args[0].code() == code, error
        else:
            raise AssertionError(f"expected error {code}")

    admin.create_topics([NewTopic(topic, 2, 1)], validate_only=True)[topic].result(10)
    assert topic not in admin.list_topics(timeout=10).topics
    create(topic, 5, config={"retention.ms": "98765", "max.message.bytes": "54321"})
    assert len(admin.list_topics(topic, timeout=10).topics[topic].partitions) == 5
    refused(KafkaError.TOPIC_ALREADY_EXISTS, lambda: create(topic))
    refused(KafkaError.TOPIC_EXCEPTION, lambda: create("bad/name"))
    refused(KafkaError.INVALID_REPLICATION_FACTOR, lambda: create(topic + "-rf", 1, 3))
    refused(KafkaError.INVALID_CONFIG, lambda: create(topic + "-bad", config={"retention.ms": "soon"}))
    refused(KafkaError.INVALID_CONFIG, lambda: create(topic + "-bad", config={"no.such.key": "1"}))
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    configs = admin.describe_configs([resource])[resource].result(10)
    assert configs["retention.ms"].value == "98765" and not configs["retention.ms"].is_default
    assert configs["max.message.bytes"].value == "54321"
    assert configs["cleanup.policy"].value == "delete" and configs["cleanup.policy"].is_default
    cluster = admin.describe_cluster().result(10)
    assert len(cluster.nodes) == 1 and cluster.cluster_id, cluster.cluster_id
    admin.delete_topics([topic])[topic].result(10)
    refused(KafkaError.UNKNOWN_TOPIC_OR_PART, lambda: admin.delete_topics([topic])[topic].result(10))
    deadline = time.monotonic() + 10  # Kafka answers before every broker knows
    while topic in admin.list_topics(timeout=10).topics:
        assert time.monotonic() < deadline, "the topic stays"
    return "created, described, deleted"


def main():
    library, address, topic = sys.argv[1:]
    if library == "admin":
        print("admin:", confluent_admin(address, topic))
    elif library == "aiokafka":
        print("aiokafka:", asyncio.run(aiokafka(address, topic)), "records")
    else:
        run = {"kafka-python": kafka_python, "confluent-kafka": confluent}[library]
        print(f"{library}:", run(address, topic), "records")


if __name__ == "__main__":
    main()
