/** A second implementation reads what we write and writes what we read. */
import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { heldRecords } from '../../../src/message/record.js'
import { anyBatch, decode, encode } from './batches.js'

const require = createRequire(import.meta.url)

interface KafkajsRecord {
  offset: string
  timestamp: string
  key: Buffer | null
  value: Buffer | null
  headers: Record<string, Buffer | Buffer[]>
}
const Decoder = require('kafkajs/src/protocol/decoder.js') as new (bytes: Buffer) => object
const decodeByKafkajs = require('kafkajs/src/protocol/recordBatch/v0/decoder.js') as (
  decoder: object,
) => Promise<{ records: KafkajsRecord[]; producerId: string; firstSequence: number; inTransaction: boolean }>
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js') as {
  RecordBatch: (fields: object) => Promise<{ buffer: Buffer }>
}
const RecordOf = require('kafkajs/src/protocol/recordBatch/record/v0/index.js') as (fields: object) => object

const timed = anyBatch.map((batch) => ({
  ...batch,
  // kafkajs cannot say a null header, keeps equal names together, and loses digits of distant times.
  records: heldRecords(
    batch.records.decode().map((record, index) => ({
      ...record,
      headers: record.headers.slice(0, 1).map(([name, value]) => [`h${name}`, value ?? Buffer.from('-')] as const),
      timestamp: 1_700_000_000_000 + index,
    })),
  ),
}))

describe('record batches and kafkajs', () => {
  it('what we write it reads', async () => {
    await fc.assert(
      fc.asyncProperty(timed, async (batch) => {
        const read = await decodeByKafkajs(new Decoder(await encode(batch)))
        expect(read.firstSequence).toBe(batch.baseSequence)
        expect(read.producerId).toBe(String(batch.producerId))
        expect(read.inTransaction).toBe(batch.isTransactional)
        expect(
          read.records.map(({ key, value, headers, timestamp }) => ({
            key,
            value,
            headers: Object.entries(headers),
            timestamp: Number(timestamp),
          })),
        ).toEqual(batch.records.decode())
      }),
    )
  })

  it('what it writes we read', async () => {
    await fc.assert(
      fc.asyncProperty(timed, async (batch) => {
        const records = batch.records.decode()
        const first = records[0]!.timestamp
        const { buffer } = await RecordBatch({
          partitionLeaderEpoch: -1,
          compression: batch.compression === 'gzip' ? 1 : 0,
          firstTimestamp: first,
          maxTimestamp: records.at(-1)!.timestamp,
          producerId: batch.producerId,
          producerEpoch: batch.producerEpoch,
          firstSequence: batch.baseSequence,
          transactional: batch.isTransactional,
          lastOffsetDelta: records.length - 1,
          records: records.map(({ key, value, headers, timestamp }, offsetDelta) =>
            RecordOf({
              key,
              value,
              headers: Object.fromEntries(headers),
              timestampDelta: timestamp - first,
              offsetDelta,
            }),
          ),
        })
        const { batches, corrupt } = await decode(buffer)
        expect(corrupt).toBe(null)
        expect(batches[0]!.records.map(({ offset: _offset, ...record }) => record)).toEqual(batch.records.decode())
        if (batch.compression === 'none') expect(buffer).toEqual(await encode(batch))
      }),
    )
  })
})
