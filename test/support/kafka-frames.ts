/** Names of the requests that faults are aimed at. */
export const apiKeys = {
  Produce: 0,
  Fetch: 1,
  ListOffsets: 2,
  Metadata: 3,
  OffsetCommit: 8,
  OffsetFetch: 9,
  FindCoordinator: 10,
  JoinGroup: 11,
  Heartbeat: 12,
  LeaveGroup: 13,
  SyncGroup: 14,
  SaslHandshake: 17,
  ApiVersions: 18,
  CreateTopics: 19,
  InitProducerId: 22,
  AddPartitionsToTxn: 24,
  AddOffsetsToTxn: 25,
  EndTxn: 26,
  TxnOffsetCommit: 28,
  DescribeTransactions: 65,
  SaslAuthenticate: 36,
} as const
export type ApiName = keyof typeof apiKeys

/** Length, then api key, version and correlation id in a request, or the correlation id alone in an answer. */
export const requestHeaderBytes = 12
export const answerHeaderBytes = 8

/** More than any broker accepts: what is longer is not Kafka in plain text, and is passed on unread. */
const longestFrameBytes = 512 * 1024 * 1024

/**
 * Finds the frames in a stream of chunks without copying them. `onFrame` is told where a frame's header begins and
 * whether it may pass; at the first one that may not, the scan stops there.
 */
export class FrameScanner {
  #bodyLeft = 0
  #carry: Buffer | undefined
  #opaque = false

  constructor(
    private readonly headerBytes: number,
    private readonly onFrame: (data: Buffer, at: number, frameBytes: number) => 'pass' | 'stop',
  ) {}

  /** What may be passed on now, and what begins with the frame that was stopped. */
  scan(chunk: Buffer): { readonly pass: Buffer; readonly stopped?: Buffer } {
    if (this.#opaque) return { pass: chunk }
    const data = this.#carry === undefined ? chunk : Buffer.concat([this.#carry, chunk])
    this.#carry = undefined
    let at = 0
    for (;;) {
      const skip = Math.min(this.#bodyLeft, data.length - at)
      at += skip
      this.#bodyLeft -= skip
      if (at === data.length) return { pass: data }
      if (data.length - at < this.headerBytes) {
        this.#carry = data.subarray(at)
        return { pass: data.subarray(0, at) }
      }
      const frameBytes = data.readInt32BE(at)
      if (frameBytes < this.headerBytes - 4 || frameBytes > longestFrameBytes) {
        this.#opaque = true
        return { pass: data }
      }
      if (this.onFrame(data, at, frameBytes) === 'stop')
        return { pass: data.subarray(0, at), stopped: data.subarray(at) }
      this.#bodyLeft = 4 + frameBytes
    }
  }
}

export interface ConfirmedBatch {
  readonly topic: string
  readonly partition: number
  readonly baseOffset: number
}

/** The newest version of a Produce answer that `confirmedBatches` reads. */
export const newestReadProduce = 12

/** The partitions that a Produce answer (versions 3 to 12, header and body after the correlation id) reports as written. */
export function confirmedBatches(answer: Buffer, version: number): ConfirmedBatch[] {
  const reader = new AnswerReader(answer, version >= 9)
  const confirmed: ConfirmedBatch[] = []
  reader.tags()
  for (let topics = reader.count(); topics > 0; topics--) {
    const topic = reader.string()
    for (let partitions = reader.count(); partitions > 0; partitions--) {
      const partition = reader.int(4)
      const errorCode = reader.int(2)
      const baseOffset = reader.int(8)
      if (errorCode === 0) confirmed.push({ topic, partition, baseOffset })
      reader.int(8) // log append time
      if (version >= 5) reader.int(8) // log start offset
      if (version >= 8) {
        for (let errors = reader.count(); errors > 0; errors--) {
          reader.int(4)
          reader.string()
          reader.tags()
        }
        reader.string()
      }
      reader.tags()
    }
    reader.tags()
  }
  return confirmed
}

class AnswerReader {
  #at = 0

  constructor(
    private readonly bytes: Buffer,
    private readonly flexible: boolean,
  ) {}

  int(size: 2 | 4 | 8): number {
    const at = this.#skip(size)
    return size === 8 ? Number(this.bytes.readBigInt64BE(at)) : this.bytes.readIntBE(at, size)
  }

  count(): number {
    return this.flexible ? this.#uvarint() - 1 : this.int(4)
  }

  /** A null one reads as empty. */
  string(): string {
    const length = Math.max(0, this.flexible ? this.#uvarint() - 1 : this.int(2))
    const at = this.#skip(length)
    return this.bytes.toString('utf8', at, at + length)
  }

  tags(): void {
    if (!this.flexible) return
    for (let left = this.#uvarint(); left > 0; left--) {
      this.#uvarint()
      this.#skip(this.#uvarint())
    }
  }

  #uvarint(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes.readUInt8(this.#skip(1))
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
  }

  #skip(bytes: number): number {
    const at = this.#at
    this.#at += bytes
    return at
  }
}
