#!/usr/bin/env bash
# Usage: tools/golden.sh FOLDER   FOLDER holds kafka-clients-VERSION.jar and slf4j-api-*.jar, as the libs folder of an
# Apache Kafka release does. Needs a JDK and Python. Rewrites tests/golden/protocol.txt (messages that Kafka's classes
# serialised), tests/golden/murmur2.txt (hashes of keys) and tests/golden/schema.txt (its definitions, which the jar
# carries, in the form of protocol/schema.h).
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
jar=$(ls "$1"/kafka-clients-*.jar | head -n 1)
version=$(basename "$jar" .jar)
version=${version#kafka-clients-}
classpath=$jar:$(ls "$1"/slf4j-api-*.jar | head -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
javac -cp "$classpath" -d "$work" "$here"/tests/golden/Generate{Golden,Murmur2}.java
java -cp "$work:$classpath" GenerateGolden "$version" >"$work/protocol.txt"
java -cp "$work:$classpath" GenerateMurmur2 >"$work/murmur2.txt"
python3 "$here/tools/golden_schema.py" "$jar" "$version" >"$work/schema.txt"
cp "$work/protocol.txt" "$work/murmur2.txt" "$work/schema.txt" "$here/tests/golden/"
