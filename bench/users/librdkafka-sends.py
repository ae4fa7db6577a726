"""librdkafka by Python's confluent-kafka, where its package for Node is not built: brokers, topic, keyed or -, bytes,
milliseconds to warm up and to measure, records in flight. Prints records, seconds and seconds of CPU time."""

import resource
import sys
import time

from confluent_kafka import Producer

brokers, topic, keyed, size, warm_ms, measured_ms, most = sys.argv[1:8]
in_flight = 0
done = 0
failed = 0


def delivered(error, _message):
    global in_flight, done, failed
    in_flight -= 1
    if error is None:
        done += 1
    else:
        failed += 1


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


producer = Producer(
    {
        "bootstrap.servers": brokers,
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 1,
        "queue.buffering.max.messages": 1_000_000,
    }
)
values = [line.rstrip("\n").encode() for line in sys.stdin]
keys = [f"device-{index}" if keyed == "keyed" else None for index in range(4_096)]
limit = int(most)


def run(milliseconds):
    global in_flight
    index = 0
    until = time.monotonic() + milliseconds / 1_000
    while time.monotonic() < until:
        for _ in range(64):
            while in_flight >= limit:
                producer.poll(0.001)
            in_flight += 1
            producer.produce(topic, values[index % len(values)], keys[index % len(keys)], on_delivery=delivered)
            index += 1
        producer.poll(0)


run(int(warm_ms))
first, started, before = done, time.monotonic(), cpu()
run(int(measured_ms))
records, seconds, used = done - first, time.monotonic() - started, cpu() - before
producer.flush(10)
if failed > 0:
    sys.exit(f"{failed} records were not stored")
print(records, seconds, used, sep="\t")
