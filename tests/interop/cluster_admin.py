"""Administration by librdkafka, one order a line: cluster_admin.py ADDRESSES. Runs in support.python().

Reads JSON arrays such as ["create", NAME, PARTITIONS, RETENTION, REPLICAS] and answers each with `done` or an error.
"""

import json
import sys

from confluent_kafka import KafkaException
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions,
                                   NewTopic)


def carry_out(admin, what, name, *rest):
    if what == "create":
        partitions, retention, replicas = rest
        topic = NewTopic(name, partitions, replicas, config={"retention.ms": str(retention)})
        admin.create_topics([topic])[name].result()
    elif what == "alter":
        entry = ConfigEntry("retention.ms", str(rest[0]), incremental_operation=AlterConfigOpType.SET)
        change = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[entry])
        admin.incremental_alter_configs([change])[change].result()
    elif what == "expand":
        admin.create_partitions([NewPartitions(name, rest[0])])[name].result()
    else:
        admin.delete_topics([name])[name].result()


def main():
    admin = AdminClient({"bootstrap.servers": sys.argv[1], "socket.timeout.ms": 20000, "log_level": 0})
    for line in sys.stdin:
        try:
            carry_out(admin, *json.loads(line))
            print("done", flush=True)
        except KafkaException as error:
            print(str(error).replace("\n", " "), flush=True)


if __name__ == "__main__":
    main()
