"""A member of a group as a process of its own, with librdkafka, which tells of every record when it has it."""

import json
import signal
import sys
import time

from confluent_kafka import Consumer

task = json.loads(sys.argv[1])
settings = {
    "bootstrap.servers": ",".join(task["brokers"]),
    "client.id": task["name"],
    "group.id": task["group"],
    "auto.offset.reset": "earliest",
    "log_level": 0,
}
if task["groupProtocol"] is not None:
    settings["group.protocol"] = task["groupProtocol"]
if task["assignors"] is not None:
    settings["partition.assignment.strategy"] = ",".join(task["assignors"])
if task["instance"] is not None:
    settings["group.instance.id"] = task["instance"]

running = True


def stop(*_):
    global running
    running = False


signal.signal(signal.SIGTERM, stop)
consumer = Consumer(settings)
consumer.subscribe([task["topic"]])
while running:
    message = consumer.poll(0.1)
    if message is None or message.error():
        continue
    line = f"handled {message.partition()} {message.offset()} {time.monotonic_ns() // 1000}\n"
    sys.stdout.write(line)
    sys.stdout.flush()
consumer.close()
