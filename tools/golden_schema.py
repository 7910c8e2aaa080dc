#!/usr/bin/env python3
"""Prints the definitions of Kafka's messages in the form of protocol/schema.h, for tests/golden/schema.txt.

Usage: tools/golden_schema.py KAFKA_CLIENTS_JAR VERSION
"""

import json
import re
import sys
import zipfile

APIS = (
    "ApiVersions", "Metadata", "Produce", "Fetch", "ListOffsets", "CreateTopics", "DeleteTopics",
    "InitProducerId", "DescribeConfigs", "DescribeCluster", "FindCoordinator",
    "IncrementalAlterConfigs", "AlterConfigs", "CreatePartitions", "DeleteRecords", "OffsetForLeaderEpoch",
    "DescribeLogDirs", "DescribeTopicPartitions", "DescribeProducers", "ListConfigResources", "UpdateFeatures",
    "GetTelemetrySubscriptions",
    "JoinGroup", "SyncGroup", "Heartbeat", "LeaveGroup", "OffsetCommit", "OffsetFetch", "OffsetDelete",
    "DescribeGroups", "ListGroups", "DeleteGroups",
)  # fmt: skip
UNSTABLE = {"InitProducerId": 6}  # the first version that the release does not count as stable
FOREVER = 0x7FFF
SCALARS = ("bool", "int8", "int16", "uint16", "int32", "int64", "float64", "string", "uuid", "bytes", "records")


def load(jar, name):
    text = jar.read("common/message/%s.json" % name).decode()
    return json.loads(re.sub(r'(?m)^\s*//.*$|\s//[^"\n]*$', "", text))


def versions(text):
    """'3-5' -> (3, 5); '3+' -> (3, FOREVER); 'none' or nothing -> None."""
    if text in (None, "none"):
        return None
    if text.endswith("+"):
        return int(text[:-1]), FOREVER
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def default(field, kind):
    value = field.get("default")
    if value == "null":
        return " default null"
    if kind.startswith("[]"):
        return " default []"
    if kind == "string":
        return ' default "%s"' % (value or "")
    if kind == "bool":
        return " default " + (str(value).lower() if value is not None else "false")
    if kind.startswith(("int", "uint")):
        return " default %d" % (int(str(value), 0) if value not in (None, "") else 0)
    return ""


class Printer:
    def __init__(self, definition, first, last):
        self.common = {s["name"]: s["fields"] for s in definition.get("commonStructs", [])}
        self.first, self.last = first, last

    def fields(self, fields, depth):
        for field in fields:
            since, until = versions(field["versions"])
            since, until = max(since, self.first), min(until, self.last)
            if since > until:
                continue
            name = field["name"][0].lower() + field["name"][1:]
            array = "[]" if field["type"].startswith("[]") else ""
            element = field["type"][len(array) :]
            kind = array + (element if element in SCALARS else "struct")
            line = "%s%s %s %d-%d" % ("  " * depth, name, kind, since, until)
            nullable = versions(field.get("nullableVersions"))
            if nullable:
                line += " nullable %d" % max(nullable[0], since)
            if "tag" in field:
                line += " tag %d since %d" % (field["tag"], max(versions(field["taggedVersions"])[0], since))
            line += default(field, kind)
            if str(field.get("ignorable")).lower() == "true":
                line += " ignorable"
            print(line)
            if element not in SCALARS:
                self.fields(field.get("fields") or self.common[element], depth + 1)


def main():
    jar = zipfile.ZipFile(sys.argv[1])
    source = "# Definitions in the jar of kafka-clients %s, in the form of protocol/schema.h (tools/golden.sh)"
    print(source % sys.argv[2])
    for api in APIS:
        for direction in ("Request", "Response"):
            definition = load(jar, api + direction)
            first, last = versions(definition["validVersions"])
            last = min(last, UNSTABLE.get(api, FOREVER) - 1)
            flexible = versions(definition.get("flexibleVersions"))
            print("%s%s %d %d-%d%s" % (
                api, direction, definition["apiKey"], first, last, " flexible %d" % flexible[0] if flexible else "",
            ))  # fmt: skip
            Printer(definition, first, last).fields(definition["fields"], 1)


if __name__ == "__main__":
    main()
