"""An ordinary consumer: reads topics with Confluent's Python client and the registry, and prints events
in the order in which the source committed them (each partition is in order; timestamps join them).

    consume.py --brokers HOST:PORT --registry URL --count N [--idle SECONDS] [--changes] TOPIC...

With --changes it prints no rows that were there before the gateway. Ends with 0 once N events were read, with 1 when none came for a while before that.
"""

import argparse
import json
import sys
import textwrap
import time
import uuid

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

WIDTH = 80


def plain(value):
    """A decoded value as one reads it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {plain(v)}" for k, v in value.items()) + "}"
    if hasattr(value, "isoformat"):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def headers_of(message):
    return {name: value.decode() for name, value in message.headers() or []}


def committed(message):
    """Where the event stands among all: commit time, then the transaction that it came with."""
    headers = headers_of(message)
    return message.timestamp()[1], int(headers.get("onramp_tx", 0)), message.topic(), int(headers.get("onramp_ordinal", 0))


def is_old(message):
    """Whether it tells of a row that was there before the gateway."""
    return headers_of(message).get("onramp_op") == "snapshot"


def type_of(message, registry):
    """The name of the event's record, where its topic's name does not say it already."""
    if message.value() is None:
        return ""
    schema = registry.get_schema(int.from_bytes(message.value()[1:5], "big"))
    name = json.loads(schema.schema_str)["name"]
    return "" if name.lower() == message.topic().split(".")[1].replace("-", "") else f"  {name}"


def show(message, decode, registry):
    headers = headers_of(message)
    title = f"{message.topic()}  key {message.key().decode()}{type_of(message, registry)}"
    transaction = headers.get("onramp_tx")
    if is_old(message):
        title += "  (was there already)"
    if transaction:
        title += f"  (tx {transaction}, event {headers.get('onramp_ordinal', '?')})"
    print(title[:WIDTH])
    if message.value() is None:
        print("    tombstone: there is no such thing any more")
        return
    event = decode(message.value(), SerializationContext(message.topic(), MessageField.VALUE))
    fields = "  ".join(f"{name}={plain(value)}".replace(" ", "\0") for name, value in event.items())
    for line in textwrap.wrap(fields, WIDTH - 4, break_on_hyphens=False):
        print("    " + line.replace("\0", " "))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--brokers", required=True)
    arguments.add_argument("--registry", required=True)
    arguments.add_argument("--count", type=int, required=True)
    arguments.add_argument("--idle", type=float, default=20.0)
    arguments.add_argument("--changes", action="store_true")
    arguments.add_argument("topics", nargs="+", metavar="TOPIC")
    asked = arguments.parse_args()

    consumer = Consumer({
        "bootstrap.servers": asked.brokers,
        "group.id": f"shop-demo-{uuid.uuid4()}",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
    })
    registry = SchemaRegistryClient({"url": asked.registry})
    decode = AvroDeserializer(registry)
    known = consumer.list_topics(timeout=10).topics
    consumer.assign([
        TopicPartition(topic, partition, OFFSET_BEGINNING)
        for topic in asked.topics
        for partition in known[topic].partitions
    ])
    messages, deadline = [], time.monotonic() + asked.idle
    while len(messages) < asked.count and time.monotonic() < deadline:
        message = consumer.poll(0.2)
        if message is None:
            continue
        if message.error():
            raise SystemExit(f"consume.py: {message.error()}")
        messages.append(message)
        deadline = time.monotonic() + asked.idle
    consumer.close()
    for message in sorted(messages, key=committed):
        if not (asked.changes and is_old(message)):
            show(message, decode, registry)
    if len(messages) < asked.count:
        print(f"consume.py: {len(messages)} of {asked.count} events came", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
