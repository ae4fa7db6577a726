import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

/** Prints requests and answers of transactions as Kafka's own generated classes write them. How to run it: README.md beside this file. */
public class TransactionVectors {
  private static final List<String> ROWS = new ArrayList<>();

  public static void main(String[] arguments) {
    for (int v = 1; v <= 5; v++) {
      InitProducerIdRequestData init = new InitProducerIdRequestData().setTransactionalId("tü").setTransactionTimeoutMs(9_000);
      if (v >= 3) init.setProducerId(5_000_000_000L).setProducerEpoch((short) 7);
      row("initProducerId", "request", v, init);
      row("initProducerId", "answer", v, new InitProducerIdResponseData().setThrottleTimeMs(3).setErrorCode((short) 51)
        .setProducerId(5_000_000_000L).setProducerEpoch((short) 8));
      EndTxnResponseData ended = new EndTxnResponseData().setThrottleTimeMs(3).setErrorCode((short) 0);
      if (v >= 5) ended.setProducerId(5_000_000_000L).setProducerEpoch((short) 8);
      row("endTxn", "request", v, new EndTxnRequestData().setTransactionalId("tü").setProducerId(5_000_000_000L)
        .setProducerEpoch((short) 7).setCommitted(true));
      row("endTxn", "answer", v, ended);
    }
    for (int v = 1; v <= 3; v++) addPartitions(v);
    for (int v = 1; v <= 4; v++) {
      row("addOffsetsToTxn", "request", v, new AddOffsetsToTxnRequestData().setTransactionalId("tü")
        .setProducerId(5_000_000_000L).setProducerEpoch((short) 7).setGroupId("g"));
      row("addOffsetsToTxn", "answer", v, new AddOffsetsToTxnResponseData().setThrottleTimeMs(3).setErrorCode((short) 51));
    }
    for (int v = 3; v <= 5; v++) commitOffsets(v);
    for (int v = 1; v <= 4; v++) findCoordinator(v);
    for (int v = 5; v <= 9; v++) fetchOffsets(v);
    for (int v = 7; v <= 12; v++) produced(v);
    observe();
    System.out.println("[\n" + String.join(",\n", ROWS) + "\n]");
  }

  private static void addPartitions(int v) {
    AddPartitionsToTxnRequestData.AddPartitionsToTxnTopicCollection topics =
      new AddPartitionsToTxnRequestData.AddPartitionsToTxnTopicCollection();
    topics.add(new AddPartitionsToTxnRequestData.AddPartitionsToTxnTopic().setName("a").setPartitions(List.of(1, 2)));
    topics.add(new AddPartitionsToTxnRequestData.AddPartitionsToTxnTopic().setName("b").setPartitions(List.of(0)));
    row("addPartitionsToTxn", "request", v, new AddPartitionsToTxnRequestData().setV3AndBelowTransactionalId("tü")
      .setV3AndBelowProducerId(5_000_000_000L).setV3AndBelowProducerEpoch((short) 7).setV3AndBelowTopics(topics));
    AddPartitionsToTxnResponseData.AddPartitionsToTxnTopicResultCollection results =
      new AddPartitionsToTxnResponseData.AddPartitionsToTxnTopicResultCollection();
    for (String topic : List.of("a", "b")) {
      AddPartitionsToTxnResponseData.AddPartitionsToTxnPartitionResultCollection partitions =
        new AddPartitionsToTxnResponseData.AddPartitionsToTxnPartitionResultCollection();
      partitions.add(new AddPartitionsToTxnResponseData.AddPartitionsToTxnPartitionResult().setPartitionIndex(1)
        .setPartitionErrorCode((short) (topic.equals("a") ? 55 : 3)));
      results.add(new AddPartitionsToTxnResponseData.AddPartitionsToTxnTopicResult().setName(topic)
        .setResultsByPartition(partitions));
    }
    row("addPartitionsToTxn", "answer", v, new AddPartitionsToTxnResponseData().setThrottleTimeMs(3)
      .setResultsByTopicV3AndBelow(results));
  }

  private static void commitOffsets(int v) {
    row("txnOffsetCommit", "request", v, new TxnOffsetCommitRequestData().setTransactionalId("tü").setGroupId("g")
      .setProducerId(5_000_000_000L).setProducerEpoch((short) 7).setGenerationId(4).setMemberId("m").setGroupInstanceId(null)
      .setTopics(List.of(new TxnOffsetCommitRequestData.TxnOffsetCommitRequestTopic().setName("a").setPartitions(List.of(
        new TxnOffsetCommitRequestData.TxnOffsetCommitRequestPartition().setPartitionIndex(1)
          .setCommittedOffset(5_000_000_000L).setCommittedLeaderEpoch(6).setCommittedMetadata("x"),
        new TxnOffsetCommitRequestData.TxnOffsetCommitRequestPartition().setPartitionIndex(2)
          .setCommittedOffset(0).setCommittedMetadata(null))))));
    row("txnOffsetCommit", "answer", v, new TxnOffsetCommitResponseData().setThrottleTimeMs(3).setTopics(List.of(
      new TxnOffsetCommitResponseData.TxnOffsetCommitResponseTopic().setName("a").setPartitions(List.of(
        new TxnOffsetCommitResponseData.TxnOffsetCommitResponsePartition().setPartitionIndex(1).setErrorCode((short) 22))))));
  }

  private static void findCoordinator(int v) {
    FindCoordinatorRequestData request = new FindCoordinatorRequestData().setKeyType((byte) 1);
    FindCoordinatorResponseData answer = new FindCoordinatorResponseData().setThrottleTimeMs(3);
    if (v < 4) {
      request.setKey("tü");
      answer.setErrorCode((short) 15).setErrorMessage("no").setNodeId(2).setHost("h").setPort(9092);
    } else {
      request.setCoordinatorKeys(List.of("tü"));
      answer.setCoordinators(List.of(new FindCoordinatorResponseData.Coordinator().setKey("tü").setErrorCode((short) 15)
        .setErrorMessage("no").setNodeId(2).setHost("h").setPort(9092)));
    }
    row("findCoordinator", "request", v, request);
    row("findCoordinator", "answer", v, answer);
  }

  private static void fetchOffsets(int v) {
    OffsetFetchRequestData request = new OffsetFetchRequestData();
    OffsetFetchResponseData answer = new OffsetFetchResponseData().setThrottleTimeMs(3);
    if (v < 8) {
      request.setGroupId("g").setTopics(List.of(new OffsetFetchRequestData.OffsetFetchRequestTopic().setName("a")
        .setPartitionIndexes(List.of(1, 2))));
      if (v >= 7) request.setRequireStable(true);
      answer.setErrorCode((short) 0).setTopics(List.of(new OffsetFetchResponseData.OffsetFetchResponseTopic().setName("a")
        .setPartitions(List.of(new OffsetFetchResponseData.OffsetFetchResponsePartition().setPartitionIndex(1)
          .setCommittedOffset(9).setCommittedLeaderEpoch(6).setMetadata("x").setErrorCode((short) 88)))));
    } else {
      request.setRequireStable(true).setGroups(List.of(new OffsetFetchRequestData.OffsetFetchRequestGroup().setGroupId("g")
        .setTopics(List.of(new OffsetFetchRequestData.OffsetFetchRequestTopics().setName("a").setPartitionIndexes(List.of(1, 2))))));
      answer.setGroups(List.of(new OffsetFetchResponseData.OffsetFetchResponseGroup().setGroupId("g").setErrorCode((short) 0)
        .setTopics(List.of(new OffsetFetchResponseData.OffsetFetchResponseTopics().setName("a").setPartitions(List.of(
          new OffsetFetchResponseData.OffsetFetchResponsePartitions().setPartitionIndex(1).setCommittedOffset(9)
            .setCommittedLeaderEpoch(6).setMetadata("x").setErrorCode((short) 88)))))));
    }
    row("offsetFetch", "request", v, request);
    row("offsetFetch", "answer", v, answer);
  }

  private static void produced(int v) {
    ProduceResponseData.PartitionProduceResponse partition = new ProduceResponseData.PartitionProduceResponse().setIndex(1)
      .setErrorCode((short) 6).setBaseOffset(-1).setLogAppendTimeMs(-1).setLogStartOffset(2);
    ProduceResponseData answer = new ProduceResponseData().setThrottleTimeMs(3);
    if (v >= 8) partition.setErrorMessage("moved").setRecordErrors(List.of(
      new ProduceResponseData.BatchIndexAndErrorMessage().setBatchIndex(4).setBatchIndexErrorMessage("bad")));
    if (v >= 10) {
      partition.setCurrentLeader(new ProduceResponseData.LeaderIdAndEpoch().setLeaderId(2).setLeaderEpoch(8));
      ProduceResponseData.NodeEndpointCollection nodes = new ProduceResponseData.NodeEndpointCollection();
      nodes.add(new ProduceResponseData.NodeEndpoint().setNodeId(2).setHost("h").setPort(9092).setRack("r"));
      answer.setNodeEndpoints(nodes);
    }
    ProduceResponseData.TopicProduceResponseCollection topics = new ProduceResponseData.TopicProduceResponseCollection();
    topics.add(new ProduceResponseData.TopicProduceResponse().setName("a").setPartitionResponses(List.of(partition)));
    row("produce", "answer", v, answer.setResponses(topics));
  }

  private static void observe() {
    for (int v = 0; v <= 1; v++) {
      row("listTransactions", "request", v, new ListTransactionsRequestData().setStateFilters(List.of("Ongoing"))
        .setProducerIdFilters(List.of(5_000_000_000L)));
      row("listTransactions", "answer", v, new ListTransactionsResponseData().setThrottleTimeMs(3).setErrorCode((short) 0)
        .setUnknownStateFilters(List.of("Odd")).setTransactionStates(List.of(new ListTransactionsResponseData.TransactionState()
          .setTransactionalId("tü").setProducerId(5_000_000_000L).setTransactionState("Ongoing"))));
    }
    row("describeTransactions", "request", 0, new DescribeTransactionsRequestData().setTransactionalIds(List.of("tü", "b")));
    DescribeTransactionsResponseData.TopicDataCollection topics = new DescribeTransactionsResponseData.TopicDataCollection();
    topics.add(new DescribeTransactionsResponseData.TopicData().setTopic("a").setPartitions(List.of(1, 2)));
    row("describeTransactions", "answer", 0, new DescribeTransactionsResponseData().setThrottleTimeMs(3).setTransactionStates(
      List.of(new DescribeTransactionsResponseData.TransactionState().setErrorCode((short) 0).setTransactionalId("tü")
        .setTransactionState("Ongoing").setTransactionTimeoutMs(9_000).setTransactionStartTimeMs(1_700_000_000_000L)
        .setProducerId(5_000_000_000L).setProducerEpoch((short) 7).setTopics(topics))));
    row("describeProducers", "request", 0, new DescribeProducersRequestData().setTopics(List.of(
      new DescribeProducersRequestData.TopicRequest().setName("a").setPartitionIndexes(List.of(1, 2)))));
    row("describeProducers", "answer", 0, new DescribeProducersResponseData().setThrottleTimeMs(3).setTopics(List.of(
      new DescribeProducersResponseData.TopicResponse().setName("a").setPartitions(List.of(
        new DescribeProducersResponseData.PartitionResponse().setPartitionIndex(1).setErrorCode((short) 0).setErrorMessage(null)
          .setActiveProducers(List.of(new DescribeProducersResponseData.ProducerState().setProducerId(5_000_000_000L)
            .setProducerEpoch(7).setLastSequence(11).setLastTimestamp(1_700_000_000_000L).setCoordinatorEpoch(-1)
            .setCurrentTxnStartOffset(42))))))));
  }

  private static void row(String api, String kind, int version, ApiMessage message) {
    ObjectSerializationCache cache = new ObjectSerializationCache();
    ByteBuffer bytes = ByteBuffer.allocate(message.size(cache, (short) version));
    message.write(new ByteBufferAccessor(bytes), cache, (short) version);
    StringBuilder hex = new StringBuilder();
    for (byte value : bytes.array()) hex.append(String.format("%02x", value));
    ROWS.add("  { \"api\": \"" + api + "\", \"kind\": \"" + kind + "\", \"version\": " + version + ", \"hex\": \"" + hex + "\" }");
  }
}
