#!/usr/bin/env bash
# Prints a folder that holds Apache Kafka's own jars and what they need, fetching them with Maven on the first call.
# Usage: tools/fetch_kafka.sh [VERSION]   (default 4.2.0); the folder is below the user's cache folder.
set -euo pipefail
version=${1:-4.2.0}
folder=${XDG_CACHE_HOME:-$HOME/.cache}/weir-interop/kafka-$version
if [[ ! -e $folder/.complete ]]; then
  command -v mvn >/dev/null || { echo "fetch_kafka.sh: needs Maven (the distribution's package maven)" >&2; exit 1; }
  mkdir -p "$folder"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  dependency() {
    echo "<dependency><groupId>$1</groupId><artifactId>$2</artifactId><version>$3</version></dependency>"
  }
  {
    echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
    echo '<groupId>weir</groupId><artifactId>kafka-tools</artifactId><version>1</version><dependencies>'
    dependency org.apache.kafka kafka_2.13 "$version"
    dependency org.apache.kafka kafka-tools "$version"
    dependency org.apache.logging.log4j log4j-slf4j-impl 2.24.3
    echo '</dependencies></project>'
  } >"$work/pom.xml"
  (cd "$work" && mvn -B -q dependency:copy-dependencies "-DoutputDirectory=$folder") >&2
  touch "$folder/.complete"
fi
echo "$folder"
