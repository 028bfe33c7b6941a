#!/usr/bin/env bash
# Sends each file of /messages to the topic of its name, a line a message. What is there already is not sent again.
set -euo pipefail

kafka=/opt/kafka/bin
server=(--bootstrap-server kafka:9092)

# How many messages a topic of one partition has.
sent() { "$kafka/kafka-get-offsets.sh" "${server[@]}" --topic "$1" | cut -d: -f3; }

for file in /messages/*.jsonl; do
    topic="$(basename "$file" .jsonl)"
    total="$(wc -l < "$file")"
    tail -n "+$(($(sent "$topic") + 1))" "$file" | "$kafka/kafka-console-producer.sh" "${server[@]}" --topic "$topic"
    # The producer ends well whether or not the broker took everything.
    now="$(sent "$topic")"
    echo "$topic: $now messages, of the company $total"
    ((now >= total))
done
