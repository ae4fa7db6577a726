import { Unavailable } from '../consumer/handling/fate.js'
import type { Messaging } from '../messaging.js'
import type { Message } from '../message/message.js'
import { pause } from '../runtime/pause.js'
import { rawTopic, readerProfile } from './raw-reading.js'
import type { RecordPlace } from './letter.js'
import type { RawRecord } from './redriven-record.js'

const readMs = 30_000
const lookEveryMs = 20
/** Each read has a reader of its own, with connections. */
const mostReaders = 4

/** Reads single records back from where letters point at. */
export class OriginRecords {
  readonly #messaging: Messaging
  readonly #signal: AbortSignal
  #readers: Promise<unknown>[] = []

  /** @param signal ends every read */
  constructor(messaging: Messaging, signal: AbortSignal) {
    this.#messaging = messaging
    this.#signal = signal
  }

  /**
   * The record, or `gone` when its topic does not have it any more.
   *
   * @throws Unavailable when it could not be read in time
   */
  async read(place: RecordPlace): Promise<RawRecord | 'gone'> {
    while (this.#readers.length >= mostReaders) await Promise.race(this.#readers)
    const reading = this.#read(place)
    const ended = reading.catch(() => undefined)
    this.#readers.push(ended)
    try {
      return await reading
    } finally {
      this.#readers = this.#readers.filter((one) => one !== ended)
    }
  }

  async #read(place: RecordPlace): Promise<RawRecord | 'gone'> {
    if (!(await this.#isInLog(place))) return 'gone'
    const { topic, partition, offset } = place
    let found: Message<Buffer | null> | null = null
    const reader = this.#messaging.consumer({
      group: null,
      profile: readerProfile,
      topics: [rawTopic(topic)],
      isolation: 'read-uncommitted',
      stallWarningMs: 0,
      onAssigned: (places) => places.map((one) => ({ ...one, offset: one.partition === partition ? offset : 0 })),
      handle: (message) => {
        found ??= withOwnBytes(message)
        reader.pause()
      },
    })
    reader.pause()
    reader.resume([{ topic, partition }])
    const { clock } = this.#messaging
    const deadline = clock.now() + readMs
    try {
      await reader.start({ timeoutMs: readMs })
      while (found === null) {
        if (this.#signal.aborted || clock.now() >= deadline) {
          throw new Unavailable(`offset ${offset} of ${topic}-${partition} could not be read back in time`)
        }
        // Past it without a record: compaction took it, or it is the end of a transaction.
        const facts = reader.facts().partitions.find((one) => one.partition === partition)
        if (facts !== undefined && facts.settled > offset) break
        await pause(clock, lookEveryMs, this.#signal)
      }
    } finally {
      await reader.stop({ timeoutMs: 0, force: true })
    }
    return recordAt(offset, found)
  }

  async #isInLog({ topic, partition, offset }: RecordPlace): Promise<boolean> {
    const { admin } = this.#messaging
    const [described] = await admin.describeTopics([topic])
    if (described?.partitions.some((one) => one.partition === partition) !== true) return false
    const [begin] = await admin.listOffsets([{ topic, partition }], 'earliest')
    const [end] = await admin.listOffsets([{ topic, partition }], 'latest')
    return offset >= (begin as number) && offset < (end as number)
  }
}

function recordAt(offset: number, found: Message<Buffer | null> | null): RawRecord | 'gone' {
  if (found === null || found.offset !== offset) return 'gone'
  const { key, value, headers } = found
  return { key, value, headers: [...headers] }
}

/** The value is a view into all that was fetched with it, and outlives its reader. */
function withOwnBytes(message: Message<Buffer | null>): Message<Buffer | null> {
  return { ...message, value: message.value === null ? null : Buffer.from(message.value) }
}
