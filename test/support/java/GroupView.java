import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.internals.AbstractPartitionAssignor;
import org.apache.kafka.common.TopicPartition;

/**
 * A classic group as the broker and Kafka's own code see it: who holds what, what has been committed, and how Java's
 * assignor would divide the partitions among the same members.
 *
 * Arguments: bootstrap servers, group, class of the assignor or "-", and for each client id "client=topic,topic".
 */
public final class GroupView {
    public static void main(String[] args) throws Exception {
        Map<String, List<String>> topicsByClient = new HashMap<>();
        for (String arg : Arrays.asList(args).subList(3, args.length)) {
            int equals = arg.indexOf('=');
            topicsByClient.put(arg.substring(0, equals), List.of(arg.substring(equals + 1).split(",")));
        }
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[0]))) {
            ConsumerGroupDescription group =
                admin.describeConsumerGroups(List.of(args[1])).all().get(30, TimeUnit.SECONDS).get(args[1]);
            @SuppressWarnings("removal") // groupState() is not in 3.9
            String state = group.state().toString();
            System.out.println("group\t" + state + "\t" + group.partitionAssignor());
            for (MemberDescription member : group.members()) {
                System.out.println("member\t" + member.clientId() + "\t" + member.consumerId());
                print("holds", member.clientId(), member.assignment().topicPartitions());
            }
            Map<TopicPartition, OffsetAndMetadata> committed =
                admin.listConsumerGroupOffsets(args[1]).partitionsToOffsetAndMetadata().get(30, TimeUnit.SECONDS);
            committed.forEach((partition, offset) -> System.out.println(
                "committed\t" + partition.topic() + "\t" + partition.partition() + "\t" + offset.offset()));
            if (!args[2].equals("-")) divide(admin, group, args[2], topicsByClient);
        }
    }

    private static void divide(
        Admin admin, ConsumerGroupDescription group, String assignor, Map<String, List<String>> topicsByClient
    ) throws Exception {
        Map<String, Integer> counts = new HashMap<>();
        List<String> topics = topicsByClient.values().stream().flatMap(List::stream).distinct().toList();
        admin.describeTopics(topics).allTopicNames().get(30, TimeUnit.SECONDS)
            .forEach((name, description) -> counts.put(name, description.partitions().size()));
        Map<String, Subscription> subscriptions = new HashMap<>();
        Map<String, String> clients = new HashMap<>();
        for (MemberDescription member : group.members()) {
            Subscription subscription = new Subscription(topicsByClient.get(member.clientId()));
            subscription.setGroupInstanceId(member.groupInstanceId());
            subscriptions.put(member.consumerId(), subscription);
            clients.put(member.consumerId(), member.clientId());
        }
        AbstractPartitionAssignor java =
            (AbstractPartitionAssignor) Class.forName(assignor).getDeclaredConstructor().newInstance();
        java.assign(counts, subscriptions).forEach((member, given) -> print("expected", clients.get(member), given));
    }

    private static void print(String what, String client, Iterable<TopicPartition> partitions) {
        List<String> names = new ArrayList<>();
        for (TopicPartition partition : partitions) names.add(partition.topic() + "-" + partition.partition());
        System.out.println(what + "\t" + client + "\t" + String.join("\t", names));
    }
}
