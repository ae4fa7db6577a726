/** Headers of a received record: in order, names may repeat. */
export interface MessageHeaders extends Iterable<readonly [name: string, value: Buffer | null]> {
  /** Text of the last header of that name; `undefined` when there is none or it is null. */
  get(name: string): string | undefined
  /** Bytes of the last header of that name; `undefined` when there is none. */
  bytes(name: string): Buffer | null | undefined
  /** Whether there is one of that name whose value is not missing; `null` counts. */
  has(name: string): boolean
}

/** A record as a handler sees it. */
export interface Message<Value = unknown, Name extends string = string> {
  readonly topic: Name
  readonly partition: number
  readonly offset: number
  /** Milliseconds since the Unix epoch, as stored; of a dead letter, a retry or a redrive that of its origin. */
  readonly timestamp: number
  readonly key: Buffer | null
  /** Identity that its sender gave (`send(…, { id })`), by which repeats are told; `undefined` for none. */
  readonly id: string | undefined
  readonly value: Value
  readonly headers: MessageHeaders
}
