import type { Message } from '../../message/message.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import type { TimeoutOption } from '../../producer/timeout-option.js'
import type { Topic } from '../../topic/topic.js'
import type { HandlerContext } from './handler.js'

/**
 * Messages of one partition in order of offset, as `consumer.batches()` gives them. They are settled by `done` or `commit`
 * and by nothing else: neither by asking for the next batch nor by leaving the loop. The next batch of the partition comes
 * when this one is settled (with `order: 'none'` before).
 *
 * `signal` aborts when the batch counts no more: `handlerTimeoutMs` has passed since it was given (it has failed then, as a
 * handler would have), its partition was taken away and the time to finish is over, or the loop was left.
 */
export interface Batch<Value = unknown, Name extends string = string> extends HandlerContext, TopicPartition {
  readonly topic: Name
  /** Never empty. */
  readonly messages: readonly Message<Value, Name>[]
  /**
   * All of it is handled; what was sent with `send` is awaited behind the scenes. Committed as the option `commit` says.
   * Without effect when the batch counts no more, or was settled already.
   */
  done(): void
  /**
   * `done`, and resolves when the broker has confirmed it: a process that dies from then on repeats nothing of it.
   *
   * @throws StateError when the batch counts no more, with what ended it: `partition-gone`, `handler-timeout`,
   *   `sought-away` or `loop-left`; nothing of it is committed then. Or `batch-failed` when it was failed or a send of it
   *   failed; `no-group` without a group, where `done` is all there is
   * @throws TimeoutError `commit-timeout` after `timeoutMs` (default 30,000); it is settled and goes on being committed
   */
  commit(options?: TimeoutOption): Promise<void>
  /**
   * It could not be handled: what a handler that throws `error` would cause, `DeadLetter` and `Discard` included. Where it
   * is tried again it comes as another batch, at last one message at a time; what fails alone goes to the dead-letter
   * topic, and without one the partition stops.
   */
  fail(error: unknown): void
}

/** Batches of a topic; over a union of topics a union that `topic` tells apart. */
export type BatchOf<T> = T extends Topic<infer Value, infer Name> ? Batch<Value, Name> : never
