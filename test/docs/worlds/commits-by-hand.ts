import type { Message, TopicPartition } from 'tidemark'

export declare function store(messages: readonly unknown[], options?: { readonly signal: AbortSignal }): Promise<void>
export declare const database: {
  offsetsOf(
    partitions: readonly TopicPartition[],
    options: { readonly signal: AbortSignal },
  ): Promise<readonly { readonly topic: string; readonly partition: number; readonly next: number }[]>
  storeWithOffset(messages: readonly Message[]): Promise<void>
}
export declare function flush(partitions: readonly TopicPartition[], why: object): Promise<void>
