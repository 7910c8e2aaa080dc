#!/usr/bin/env python3
"""Prints the definitions of Kafka's messages in the form of protocol/schema.h, for tests/golden/schema.txt.

Usage: tools/golden_schema.py LIBS VERSION (NAME|--records)...   names of APIs, then of records; LIBS is a release's

A definition that says more than protocol/schema.h can is refused: nothing may be left out silently.
"""

import glob
import json
import os
import re
import sys
import zipfile

FOREVER = 0x7FFF
SCALARS = ("bool", "int8", "int16", "uint16", "int32", "int64", "float64", "string", "uuid", "bytes", "records")


# What protocol/schema.h says of a field, and what says nothing of its bytes.
KEYS = {"name", "type", "versions", "nullableVersions", "tag", "taggedVersions", "default", "ignorable", "fields"}
NO_BYTES = {"about", "mapKey", "entityType", "zeroCopy"}


def load_all(libs):
    """Every definition in the jars of Kafka, by name."""
    found = {}
    for path in sorted(glob.glob(os.path.join(libs, "kafka-*.jar"))):
        with zipfile.ZipFile(path) as jar:
            for entry in jar.namelist():
                if re.fullmatch(r"common/(message|metadata)/\w+\.json", entry):
                    text = re.sub(r'(?m)^\s*//.*$|\s//[^"\n]*$', "", jar.read(entry).decode())
                    definition = json.loads(text)
                    found.setdefault(definition["name"], definition)
    return found


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
    if kind == "float64":
        return " default %g" % float(value or 0)
    if value not in (None, ""):
        raise SystemExit("%s: default %s of a %s" % (field["name"], value, kind))
    return ""


class Printer:
    def __init__(self, definition):
        self.common = {s["name"]: s["fields"] for s in definition.get("commonStructs", [])}

    def fields(self, fields, depth, first, last):
        for field in fields:
            never_compact = field.get("flexibleVersions") == "none"  # of the request header alone
            if field.keys() - KEYS - NO_BYTES - ({"flexibleVersions"} if never_compact else set()):
                raise SystemExit("%s: unknown %s" % (field["name"], field.keys() - KEYS - NO_BYTES))
            since, until = versions(field.get("versions", field.get("taggedVersions")))
            since, until = max(since, first), min(until, last)
            if since > until:
                continue
            name = field["name"][0].lower() + field["name"][1:]
            array = "[]" if field["type"].startswith("[]") else ""
            element = field["type"][len(array) :]
            kind = array + (element if element in SCALARS else "struct")
            line = "%s%s %s %d-%d" % ("  " * depth, name, kind, since, until)
            nullable = versions(field.get("nullableVersions"))
            if nullable:
                if nullable[1] < until:
                    raise SystemExit("%s: may be null until %d only" % (field["name"], nullable[1]))
                line += " nullable %d" % max(nullable[0], since)
            if "tag" in field:
                if versions(field["taggedVersions"])[1] < until:
                    raise SystemExit("%s: tagged until %s only" % (field["name"], field["taggedVersions"]))
                line += " tag %d since %d" % (field["tag"], max(versions(field["taggedVersions"])[0], since))
            line += default(field, kind)
            if str(field.get("ignorable")).lower() == "true":
                line += " ignorable"
            if never_compact:
                line += " never compact"
            print(line)
            if element not in SCALARS:
                self.fields(field.get("fields") or self.common[element], depth + 1, since, until)


def message(definition):
    first, last = versions(definition["validVersions"])
    if definition.get("latestVersionUnstable"):
        last -= 1
    flexible = versions(definition.get("flexibleVersions"))
    if flexible and flexible[1] < last:
        raise SystemExit("%s: flexible until %d only" % (definition["name"], flexible[1]))
    suffix = " flexible %d" % flexible[0] if flexible else ""
    print("%s %s %d-%d%s" % (definition["name"], definition.get("apiKey", "-"), first, last, suffix))
    Printer(definition).fields(definition["fields"], 1, first, last)


def main():
    definitions = load_all(sys.argv[1])
    source = "# Definitions in the jars of Apache Kafka %s, in the form of protocol/schema.h (tools/golden.sh)"
    print(source % sys.argv[2])
    names = sys.argv[3:]
    split = names.index("--records")
    for api in names[:split]:
        # What is unstable is marked in the request alone.
        unstable = definitions[api + "Request"].get("latestVersionUnstable", False)
        for direction in ("Request", "Response"):
            message(dict(definitions[api + direction], latestVersionUnstable=unstable))
    for name in names[split + 1 :]:
        message(definitions[name])


if __name__ == "__main__":
    main()
