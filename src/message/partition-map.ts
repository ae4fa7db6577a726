/** Something for each of many partitions, found without making a key for each. */
export class PartitionMap<Value> {
  readonly #topics = new Map<string, Map<number, Value>>()

  get(topic: string, partition: number): Value | undefined {
    return this.#topics.get(topic)?.get(partition)
  }

  set(topic: string, partition: number, value: Value): void {
    const partitions = this.#topics.get(topic)
    if (partitions === undefined) this.#topics.set(topic, new Map([[partition, value]]))
    else partitions.set(partition, value)
  }

  /** In the order in which their topics came. */
  *places(): Generator<readonly [topic: string, partition: number, value: Value]> {
    for (const [topic, partitions] of this.#topics) {
      for (const [partition, value] of partitions) yield [topic, partition, value]
    }
  }
}
