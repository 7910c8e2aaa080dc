"""Administration by librdkafka: python_admin.py ADDRESS TOPIC. Runs in support.python()."""

import sys
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions,
                                   NewTopic)


def refused(code, call):
    try:
        call()
    except KafkaException as error:
        assert error.args[0].code() == code, error
    else:
        raise AssertionError(f"expected error {code}")


def main():
    address, topic = sys.argv[1:]
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(topic, 1, 1, config={"retention.ms": "1000"})])[topic].result(10)

    def edit(name, operation, value=None, resource=topic, **arguments):
        entry = ConfigEntry(name, value, incremental_operation=operation)
        change = ConfigResource(ConfigResource.Type.TOPIC, resource, incremental_configs=[entry])
        return admin.incremental_alter_configs([change], **arguments)[change].result(10)

    def expect(**due):
        """Configs with these values, dots written as _; Apache Kafka's brokers follow its controller a little later."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        deadline = time.monotonic() + 5
        while True:
            configs = admin.describe_configs([resource])[resource].result(10)
            found = {name: configs[name.replace("_", ".")].value for name in due}
            if found == due:
                return
            assert time.monotonic() < deadline, found

    edit("segment.bytes", AlterConfigOpType.SET, "2000000", validate_only=True)
    expect(segment_bytes="1073741824")
    edit("segment.bytes", AlterConfigOpType.SET, "2000000")
    expect(segment_bytes="2000000", retention_ms="1000")
    edit("cleanup.policy", AlterConfigOpType.APPEND, "delete")
    expect(cleanup_policy="delete")
    edit("segment.bytes", AlterConfigOpType.DELETE)
    expect(segment_bytes="1073741824")
    refused(KafkaError.INVALID_CONFIG, lambda: edit("segment.bytes", AlterConfigOpType.APPEND, "1"))
    refused(KafkaError.INVALID_CONFIG, lambda: edit("no.such.key", AlterConfigOpType.SET, "1"))
    refused(KafkaError.UNKNOWN_TOPIC_OR_PART,
            lambda: edit("segment.bytes", AlterConfigOpType.SET, "2000000", resource=topic + "-none"))

    # The older API: what is not named is cleared.
    change = ConfigResource(ConfigResource.Type.TOPIC, topic, set_config={"segment.ms": "77777"})
    admin.alter_configs([change])[change].result(10)
    expect(segment_ms="77777", retention_ms="604800000")

    def add(count, name=topic, **arguments):
        return admin.create_partitions([NewPartitions(name, count)], **arguments)[name].result(10)

    add(3, validate_only=True)
    assert len(admin.list_topics(topic, timeout=10).topics[topic].partitions) == 1
    add(3)
    deadline = time.monotonic() + 5
    while len(admin.list_topics(topic, timeout=10).topics[topic].partitions) != 3:
        assert time.monotonic() < deadline
    refused(KafkaError.INVALID_PARTITIONS, lambda: add(3))
    refused(KafkaError.UNKNOWN_TOPIC_OR_PART, lambda: add(3, topic + "-none"))
    producer = Producer({"bootstrap.servers": address})
    for number in range(10):
        producer.produce(topic, str(number), partition=0)
    assert producer.flush(10) == 0

    def delete(offset, partition=0):
        part = TopicPartition(topic, partition, offset)
        return admin.delete_records([part])[part].result(10).low_watermark

    assert delete(4) == 4 and delete(2) == 4
    refused(KafkaError.OFFSET_OUT_OF_RANGE, lambda: delete(11))
    consumer = Consumer({"bootstrap.servers": address, "group.id": "none", "auto.offset.reset": "error"})
    assert consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10) == (4, 10)
    consumer.assign([TopicPartition(topic, 0, 1)])
    message = consumer.poll(10)
    assert message.error() and message.error().code() == KafkaError._AUTO_OFFSET_RESET, message
    consumer.assign([TopicPartition(topic, 0, 4)])
    assert consumer.poll(10).value() == b"4"
    consumer.close()
    assert delete(-1) == 10
    admin.delete_topics([topic])[topic].result(10)
    print("admin: altered")


if __name__ == "__main__":
    main()
