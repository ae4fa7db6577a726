import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Kafka's own client as the benches measure it: warmed up before it is measured. Prints records, seconds and seconds of CPU.
 * Values come as base64 lines on standard input.
 */
public final class SpeedTool {
    public static void main(String[] args) throws Exception {
        Properties properties = new Properties();
        for (int i = 5; i < args.length; i++) {
            int equals = args[i].indexOf('=');
            properties.put(args[i].substring(0, equals), args[i].substring(equals + 1));
        }
        switch (args[0]) {
            case "send" -> send(properties, args[1], args[2].equals("keyed"), Long.parseLong(args[3]), Span.of(args[4]));
            case "fill" -> fill(properties, args[1], args[2].equals("keyed"), Long.parseLong(args[3]));
            case "read" -> read(properties, args[1], Long.parseLong(args[2]), Long.parseLong(args[3]), Span.of(args[4]));
            default -> throw new IllegalArgumentException("send, fill or read, not " + args[0]);
        }
    }

    /** How long is measured, as the benches have it: `ms,records,slowMs`. A slow one has fewer than 50,000 records a second. */
    private record Span(long ms, long records, long slowMs) {
        static Span of(String text) {
            String[] parts = text.split(",");
            return new Span(Long.parseLong(parts[0]), Long.parseLong(parts[1]), Long.parseLong(parts[2]));
        }

        boolean isEnough(long nanos, long count) {
            long elapsedMs = nanos / 1_000_000;
            return count < 50 * elapsedMs ? elapsedMs >= slowMs : elapsedMs >= ms && count >= records;
        }
    }

    private static List<byte[]> values() {
        return new java.io.BufferedReader(new java.io.InputStreamReader(System.in, StandardCharsets.UTF_8))
            .lines().map(line -> java.util.Base64.getDecoder().decode(line)).toList();
    }

    private static KafkaProducer<byte[], byte[]> producer(Properties properties) {
        return new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, boolean keyed, List<byte[]> values, long index) {
        byte[] key = keyed ? ("device-" + index % 4_096).getBytes(StandardCharsets.UTF_8) : null;
        return new ProducerRecord<>(topic, key, values.get((int) (index % values.size())));
    }

    /** As fast as its memory takes it, for a while that is not measured and one that is: what was acknowledged counts. */
    private static void send(Properties properties, String topic, boolean keyed, long warmMs, Span span) {
        List<byte[]> values = values();
        AtomicLong stored = new AtomicLong();
        try (KafkaProducer<byte[], byte[]> producer = producer(properties)) {
            long index = 0;
            long startedAt = System.nanoTime();
            long from = -1;
            long before = 0;
            long cpu = 0;
            while (true) {
                producer.send(record(topic, keyed, values, index++), (metadata, error) -> {
                    if (error == null) stored.incrementAndGet();
                });
                if ((index & 1_023) != 0) continue;
                long now = System.nanoTime();
                // What was sent at first may have waited for logs to be made.
                if (from < 0 && now - startedAt > warmMs * 1_000_000 && stored.get() > 0) {
                    from = now;
                    before = stored.get();
                    cpu = cpuNanos();
                } else if (from >= 0 && span.isEnough(now - from, stored.get() - before)) {
                    tell(stored.get() - before, now - from, cpuNanos() - cpu);
                    Runtime.getRuntime().halt(0); // what is still in flight is nobody's
                }
            }
        }
    }

    private static void fill(Properties properties, String topic, boolean keyed, long records) {
        List<byte[]> values = values();
        long from = System.nanoTime();
        try (KafkaProducer<byte[], byte[]> producer = producer(properties)) {
            for (long index = 0; index < records; index++) producer.send(record(topic, keyed, values, index));
            producer.flush();
        }
        tell(records, System.nanoTime() - from, 0);
    }

    private static void read(Properties properties, String topic, long records, long warm, Span span) {
        try (KafkaConsumer<byte[], byte[]> consumer =
            new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(topic));
            long count = 0;
            long from = -1;
            long before = 0;
            long cpu = 0;
            while (count < records && (from < 0 || !span.isEnough(System.nanoTime() - from, count - before))) {
                count += consumer.poll(Duration.ofMillis(200)).count();
                if (from < 0 && count >= warm) {
                    from = System.nanoTime();
                    before = count;
                    cpu = cpuNanos();
                }
            }
            tell(count - before, System.nanoTime() - from, cpuNanos() - cpu);
        }
    }

    private static long cpuNanos() {
        return ((com.sun.management.OperatingSystemMXBean) java.lang.management.ManagementFactory.getOperatingSystemMXBean())
            .getProcessCpuTime();
    }

    private static void tell(long records, long nanos, long cpuNanos) {
        System.out.println(records + "\t" + nanos / 1e9 + "\t" + cpuNanos / 1e9);
    }
}
