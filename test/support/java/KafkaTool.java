import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The second client of the tests: reads, writes and joins groups with Kafka's own Java client.
 * Bytes travel as base64, a null as "-"; fields are parted by tabs.
 */
public final class KafkaTool {
    private static final PrintStream OUT =
        new PrintStream(new BufferedOutputStream(System.out, 1 << 16), false, StandardCharsets.UTF_8);

    public static void main(String[] args) throws Exception {
        Properties properties = new Properties();
        List<String> rest = new ArrayList<>();
        for (String arg : Arrays.asList(args).subList(1, args.length)) {
            int equals = arg.indexOf('=');
            if (equals > 0) properties.put(arg.substring(0, equals), arg.substring(equals + 1));
            else rest.add(arg);
        }
        switch (args[0]) {
            case "read" -> read(properties, rest);
            case "write" -> write(properties);
            case "member" -> member(properties, rest);
            case "transactions" -> transactions(properties, rest.get(0), Integer.parseInt(rest.get(1)));
            case "copy" -> copy(properties, rest.get(0), rest.get(1), numbers(rest.subList(2, 5)));
            case "copy-commits" -> copyCommits(rest.get(0), rest.get(1), rest.get(2));
            default -> throw new IllegalArgumentException("read, write, member, transactions, copy or copy-commits, not " + args[0]);
        }
        OUT.flush();
    }

    /** From the earliest offset to the end as it is now. */
    private static void read(Properties properties, List<String> topics) {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(properties)) {
            List<TopicPartition> partitions = new ArrayList<>();
            for (String topic : topics) {
                consumer.partitionsFor(topic).forEach(info -> partitions.add(new TopicPartition(topic, info.partition())));
            }
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            List<TopicPartition> unfinished = new ArrayList<>(partitions);
            unfinished.removeIf(partition -> consumer.position(partition) >= ends.get(partition));
            while (!unfinished.isEmpty()) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) print("record", record);
                unfinished.removeIf(partition -> consumer.position(partition) >= ends.get(partition));
            }
            for (TopicPartition partition : partitions) {
                OUT.println("end\t" + partition.topic() + "\t" + partition.partition() + "\t" + ends.get(partition));
            }
        }
    }

    /** Lines of standard input: "record topic partition timestamp key value [header value]...", "begin", "commit", "abort", "flush". */
    private static void write(Properties properties) throws Exception {
        properties.put("key.serializer", ByteArraySerializer.class.getName());
        properties.put("value.serializer", ByteArraySerializer.class.getName());
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(properties)) {
            if (properties.containsKey("transactional.id")) producer.initTransactions();
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] fields = line.split("\t", -1);
                switch (fields[0]) {
                    case "begin" -> producer.beginTransaction();
                    case "commit" -> producer.commitTransaction();
                    case "abort" -> {
                        producer.flush();
                        producer.abortTransaction();
                    }
                    case "flush" -> producer.flush();
                    case "record" -> sent.add(producer.send(parse(fields)));
                    default -> throw new IllegalArgumentException("unknown line: " + fields[0]);
                }
            }
            producer.flush();
        }
        for (Future<RecordMetadata> future : sent) {
            RecordMetadata metadata = future.get();
            OUT.println("stored\t" + metadata.topic() + "\t" + metadata.partition() + "\t" + metadata.offset());
        }
    }

    /** Transactions of one record, one after the other: "latency seconds p50-ms p99-ms". */
    private static void transactions(Properties properties, String topic, int count) throws Exception {
        properties.put("key.serializer", ByteArraySerializer.class.getName());
        properties.put("value.serializer", ByteArraySerializer.class.getName());
        byte[] value = new byte[200];
        long[] nanos = new long[count];
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(properties)) {
            producer.initTransactions();
            long startedAt = 0;
            for (int i = -200; i < count; i++) {
                if (i == 0) startedAt = System.nanoTime();
                long from = System.nanoTime();
                producer.beginTransaction();
                producer.send(new ProducerRecord<>(topic, value));
                producer.commitTransaction();
                if (i >= 0) nanos[i] = System.nanoTime() - from;
            }
            double seconds = (System.nanoTime() - startedAt) / 1e9;
            Arrays.sort(nanos);
            OUT.println("latency\t" + seconds + "\t" + nanos[count / 2] / 1e6 + "\t" + nanos[count * 99 / 100] / 1e6);
        }
    }

    private static int[] numbers(List<String> texts) {
        return texts.stream().mapToInt(Integer::parseInt).toArray();
    }

    /**
     * Copies a topic exactly once: limits are the records of one transaction, those to warm up with, and those that are
     * measured; "copied seconds".
     */
    private static void copy(Properties properties, String from, String to, int[] limits) {
        Properties own = new Properties();
        own.put("isolation.level", "read_committed");
        own.put("max.poll.records", String.valueOf(Math.min(limits[0], 500)));
        own.putAll(properties);
        own.put("key.serializer", ByteArraySerializer.class.getName());
        own.put("value.serializer", ByteArraySerializer.class.getName());
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        long startedAt = 0;
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(own); KafkaConsumer<byte[], byte[]> consumer = consumer(own)) {
            producer.initTransactions();
            consumer.subscribe(List.of(from));
            int copied = 0;
            while (copied < limits[1] + limits[2]) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    if (copied % limits[0] == 0) producer.beginTransaction();
                    producer.send(new ProducerRecord<>(to, record.partition(), record.key(), record.value()));
                    offsets.put(new TopicPartition(from, record.partition()), new OffsetAndMetadata(record.offset() + 1));
                    copied++;
                    if (copied % limits[0] != 0) continue;
                    producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
                    producer.commitTransaction();
                    offsets.clear();
                    if (copied == limits[1]) startedAt = System.nanoTime();
                }
            }
            OUT.println("copied\t" + (System.nanoTime() - startedAt) / 1e9);
        }
    }

    private static ProducerRecord<byte[], byte[]> parse(String[] fields) {
        List<Header> headers = new ArrayList<>();
        for (int i = 6; i + 1 < fields.length; i += 2) {
            headers.add(new RecordHeader(new String(bytes(fields[i]), StandardCharsets.UTF_8), bytes(fields[i + 1])));
        }
        Integer partition = fields[2].equals("-") ? null : Integer.valueOf(fields[2]);
        Long timestamp = fields[3].equals("-") ? null : Long.valueOf(fields[3]);
        return new ProducerRecord<>(fields[1], partition, timestamp, bytes(fields[4]), bytes(fields[5]), headers);
    }

    /** Joins a group, tells its partitions and what it polls, commits what it polled, and leaves when standard input ends. */
    private static void member(Properties properties, List<String> topics) throws Exception {
        Thread end = new Thread(() -> {
            try {
                while (System.in.read() >= 0) { }
            } catch (java.io.IOException ignored) {
                // An input that fails has ended as well.
            }
        });
        end.setDaemon(true);
        end.start();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(properties)) {
            consumer.subscribe(topics, new ConsumerRebalanceListener() {
                public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                    commit(consumer);
                    tell("revoked", partitions);
                }

                public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                    tell("assigned", partitions);
                }

                public void onPartitionsLost(Collection<TopicPartition> partitions) {
                    tell("lost", partitions);
                }
            });
            while (end.isAlive()) {
                boolean any = false;
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    print("record", record);
                    any = true;
                }
                if (any) commit(consumer);
                OUT.flush();
            }
            commit(consumer);
        }
    }

    private static void commit(KafkaConsumer<byte[], byte[]> consumer) {
        try {
            consumer.commitSync();
        } catch (RebalanceInProgressException | CommitFailedException e) {
            // The group rebalances, or its coordinator has moved the member on: positions are committed with the next records,
            // or when they are given up.
        }
    }

    /** As tools that mirror clusters do: offsets with all that stands beside them. */
    private static void copyCommits(String from, String to, String group) throws Exception {
        try (Admin source = admin(from); Admin target = admin(to)) {
            Map<TopicPartition, OffsetAndMetadata> commits =
                source.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
            target.alterConsumerGroupOffsets(group, commits).all().get();
            for (Map.Entry<TopicPartition, OffsetAndMetadata> commit : commits.entrySet()) {
                OUT.println("commit\t" + commit.getKey().topic() + "\t" + commit.getKey().partition()
                    + "\t" + commit.getValue().offset() + "\t" + commit.getValue().metadata());
            }
        }
    }

    private static Admin admin(String brokers) {
        return Admin.create(Map.of("bootstrap.servers", brokers));
    }

    private static void tell(String event, Collection<TopicPartition> partitions) {
        StringBuilder line = new StringBuilder(event);
        for (TopicPartition partition : partitions) line.append('\t').append(partition.topic()).append('\t').append(partition.partition());
        OUT.println(line);
        OUT.flush();
    }

    private static KafkaConsumer<byte[], byte[]> consumer(Properties given) {
        Map<String, Object> properties = new HashMap<>();
        properties.put("enable.auto.commit", "false");
        properties.put("auto.offset.reset", "earliest");
        given.forEach((name, value) -> properties.put((String) name, value));
        return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static void print(String event, ConsumerRecord<byte[], byte[]> record) {
        StringBuilder line = new StringBuilder(event)
            .append('\t').append(record.topic())
            .append('\t').append(record.partition())
            .append('\t').append(record.offset())
            .append('\t').append(record.timestamp())
            .append('\t').append(text(record.key()))
            .append('\t').append(text(record.value()));
        for (Header header : record.headers()) {
            line.append('\t').append(text(header.key().getBytes(StandardCharsets.UTF_8))).append('\t').append(text(header.value()));
        }
        OUT.println(line);
    }

    private static String text(byte[] bytes) {
        return bytes == null ? "-" : Base64.getEncoder().encodeToString(bytes);
    }

    private static byte[] bytes(String text) {
        return text.equals("-") ? null : Base64.getDecoder().decode(text);
    }
}
