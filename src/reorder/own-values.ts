import type { Work } from '../consumer/partition/work.js'
import type { Message } from '../message/message.js'
import type { ReceivedRecord } from '../message/record.js'

/** What these objects are before anybody else has seen them. */
type Unshared<Value> = { -readonly [Field in keyof Value]: Value[Field] }

/**
 * Gives single records that will be kept for a while values of their own, all in one piece of memory: a value as it was
 * fetched keeps everything in memory that came with it, which may be a thousand times as much.
 */
export function ownValues(works: readonly Work[]): void {
  let bytes = 0
  for (const { records } of works) bytes += (records as ReceivedRecord).value?.length ?? 0
  if (bytes === 0) return
  const memory = Buffer.allocUnsafeSlow(bytes)
  let at = 0
  for (const work of works) {
    const record = work.records as Unshared<ReceivedRecord>
    const { value } = record
    if (value === null || value.length === 0) continue
    const from = at
    at += value.copy(memory, at)
    record.value = memory.subarray(from, at)
    const message = work.messages as Unshared<Message>
    if (message.value === value) message.value = record.value
    else if (sharesMemory(message.value, value)) message.value = Buffer.from(message.value)
  }
}

/** A serde may have decoded to a part of the bytes. */
function sharesMemory(decoded: unknown, value: Buffer): decoded is Uint8Array {
  return decoded instanceof Uint8Array && decoded.buffer === value.buffer
}
