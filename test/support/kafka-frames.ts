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

/** The partitions that a Produce answer (versions 3 to 8, body after the correlation id) reports as written. */
export function confirmedBatches(body: Buffer, version: number): ConfirmedBatch[] {
  const confirmed: ConfirmedBatch[] = []
  let at = 4
  for (let topics = body.readInt32BE(0); topics > 0; topics--) {
    const nameEnd = at + 2 + body.readInt16BE(at)
    const topic = body.toString('utf8', at + 2, nameEnd)
    at = nameEnd + 4
    for (let partitions = body.readInt32BE(nameEnd); partitions > 0; partitions--) {
      if (body.readInt16BE(at + 4) === 0) {
        confirmed.push({ topic, partition: body.readInt32BE(at), baseOffset: Number(body.readBigInt64BE(at + 6)) })
      }
      at += version >= 5 ? 30 : 22
      if (version >= 8) at = afterRecordErrors(body, at)
    }
  }
  return confirmed
}

function afterRecordErrors(body: Buffer, start: number): number {
  let at = start + 4
  for (let errors = body.readInt32BE(start); errors > 0; errors--) at = afterNullableString(body, at + 4)
  return afterNullableString(body, at)
}

const afterNullableString = (body: Buffer, at: number): number => at + 2 + Math.max(0, body.readInt16BE(at))
