/** One partition of a topic; partitions count from 0. */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** `topic-partition`, Kafka's own way to write one; unique because the partition has no dash. */
export function partitionKey(topic: string, partition: number): string {
  return `${topic}-${partition}`
}
