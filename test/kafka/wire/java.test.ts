/** Java's own tools read what we write, and we read what they write. */
import { join } from 'node:path'
import kafkajs from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ProduceBatch } from '../../../src/connection/requests/produce.js'
import type { Header, OutgoingRecord } from '../../../src/message/record.js'
import { startCluster, type KafkaCluster } from '../../support/kafka-cluster.js'
import { batchOf } from '../../unit/wire/batches.js'
import { builtIn, typedClient, untilReady, type TypedClient } from '../connection/typed-client.js'
import { consoleConsumer, consoleProducer, dumpLogSegments, runJava } from './java-tools.js'

let cluster: KafkaCluster
let client: TypedClient
beforeAll(async () => {
  cluster = await startCluster()
  client = await typedClient(cluster)
})
afterAll(async () => {
  await client?.connection.close()
  await cluster?.stop()
})

const text = (bytes: Buffer | null | undefined) => bytes?.toString() ?? null
const properties = (flag: string, pairs: readonly string[]) => pairs.flatMap((pair) => [flag, pair])

/** Printable records of every shape, enough of them for varints of several lengths. */
const records: Partial<OutgoingRecord>[] = Array.from({ length: 300 }, (_, index) => ({
  key: index % 5 === 0 ? null : Buffer.from(index % 7 === 0 ? '' : `key-${index}`),
  value: index % 11 === 0 ? null : Buffer.from(`ü${'v'.repeat(index * 3)}`),
  headers: Array.from({ length: index % 3 }, (_, header): Header => [
    'h',
    header === 1 ? null : Buffer.from(`value-${index}`),
  ]),
  // Some lie before the first, some more than 2^31 ms after the one before.
  timestamp: 1_700_000_000_000 + (index % 4) * 3_000_000_000 - (index % 2) * 5_000_000_000,
}))

describe('what we write', () => {
  const batches = (topic: string): ProduceBatch[] =>
    builtIn.map((compression, index) =>
      batchOf(records, { topic, compression, producerId: 77, producerEpoch: 3, baseSequence: index * records.length }),
    )

  it('DumpLogSegments finds valid, field by field', async () => {
    await cluster.createTopic('dumped')
    for (const batch of batches('dumped')) {
      expect((await client.produce(batch)).partitions).toMatchObject([{ errorCode: 0 }])
    }
    const file = join(cluster.dataFolder(1), 'dumped-0', '00000000000000000000.log')
    const dump = await runJava(cluster.installation, dumpLogSegments, [
      '--files',
      file,
      '--deep-iteration',
      '--print-data-log',
    ])
    const lines = dump.split('\n')
    const newest = Math.max(...records.map(({ timestamp }) => timestamp!))
    expect(
      lines
        .filter((line) => line.startsWith('baseOffset'))
        .map((line) => line.replace(/ position.* magic/, ' magic').replace(/crc: \d+ /, '')),
    ).toEqual(
      builtIn.map((compression, index) => {
        const first = index * records.length
        const last = first + records.length - 1
        return (
          `baseOffset: ${first} lastOffset: ${last} count: 300 baseSequence: ${first} lastSequence: ${last} ` +
          `producerId: 77 producerEpoch: 3 partitionLeaderEpoch: 0 isTransactional: false isControl: false ` +
          `deleteHorizonMs: OptionalLong.empty magic: 2 compresscodec: ${compression} isvalid: true`
        )
      }),
    )
    expect(dump).toContain(`CreateTime: ${newest} `)
    const wanted = builtIn.flatMap((_, batch) =>
      records.map(({ key, value, headers, timestamp }, index) => {
        const offset = batch * records.length + index
        const names = headers!.map(([name]) => name).join(',')
        return (
          `| offset: ${offset} CreateTime: ${timestamp} keySize: ${key?.length ?? -1} valueSize: ${value?.length ?? -1} ` +
          `sequence: ${offset} headerKeys: [${names}]${key ? ` key: ${text(key)}` : ''}${value ? ` payload: ${text(value)}` : ''}`
        )
      }),
    )
    expect(lines.filter((line) => line.startsWith('|'))).toEqual(wanted)
  })

  it("Java's consumer reads, keys, values, headers and times", async () => {
    await cluster.createTopic('consumed')
    for (const batch of batches('consumed')) await client.produce(batch)
    const printed = await runJava(cluster.installation, consoleConsumer, [
      ...['--bootstrap-server', cluster.brokers[0]!, '--topic', 'consumed', '--from-beginning'],
      ...['--max-messages', String(records.length * builtIn.length), '--timeout-ms', '50000'],
      ...properties('--property', [
        'print.key=true',
        'print.headers=true',
        'print.timestamp=true',
        'print.offset=true',
        'null.literal=NULL',
      ]),
    ])
    const wanted = builtIn.flatMap((_, batch) =>
      records.map(({ key, value, headers, timestamp }, index) => {
        const headerText = headers!.map(([name, bytes]) => `${name}:${text(bytes) ?? 'NULL'}`).join(',') || 'NO_HEADERS'
        const offset = batch * records.length + index
        return `CreateTime:${timestamp}\tOffset:${offset}\t${headerText}\t${text(key) ?? 'NULL'}\t${text(value) ?? 'NULL'}`
      }),
    )
    expect(printed.split('\n').filter((line) => line.startsWith('CreateTime'))).toEqual(wanted)
  })
})

describe('what Java writes', () => {
  it.each(builtIn)('with %s compression we read', async (compression) => {
    const topic = `by-java-${compression}`
    await cluster.createTopic(topic)
    const lines = Array.from({ length: 200 }, (_, i) => `h1:one,h2:${i}\tkey-${i}\t${'w'.repeat(i)}`)
    const input = [...lines, 'h1:NULL\tNULL\tNULL'].map((line) => `${line}\n`).join('')
    await runJava(
      cluster.installation,
      consoleProducer(cluster.installation),
      [
        ...['--bootstrap-server', cluster.brokers[0]!, '--topic', topic, '--compression-codec', compression],
        ...properties('--property', ['parse.key=true', 'parse.headers=true', 'null.marker=NULL']),
      ],
      input,
    )
    const read = []
    for (let offset = 0; offset < 201;) {
      const { batches, unreadable } = await client.fetch(topic, offset)
      expect(unreadable).toBe(null)
      for (const batch of batches) read.push(...batch.decode())
      offset = batches.at(-1)!.lastOffset + 1
    }
    expect(
      read.map(({ offset, key, value, headers }) => [
        offset,
        text(key),
        text(value),
        headers.map(([name, bytes]) => [name, text(bytes)]),
      ]),
    ).toEqual([
      ...lines.map((_, i) => [
        i,
        `key-${i}`,
        'w'.repeat(i),
        [
          ['h1', 'one'],
          ['h2', String(i)],
        ],
      ]),
      [200, null, null, [['h1', null]]],
    ])
    expect(Math.abs(read[0]!.timestamp - Date.now())).toBeLessThan(60_000)
  })
})

describe('what the broker adds', () => {
  it('control batches and aborted transactions are told apart from records', async () => {
    await cluster.createTopic('transacted')
    const kafka = new kafkajs.Kafka({
      brokers: [...cluster.brokers],
      logLevel: kafkajs.logLevel.NOTHING,
      retry: { retries: 20 },
    })
    const producer = kafka.producer({ transactionalId: 'tx', idempotent: true, maxInFlightRequests: 1 })
    await untilReady(() => client.ask({ api: 'findCoordinator', key: 'tx', keyType: 'transaction' }))
    await producer.connect()
    for (const outcome of ['abort', 'commit'] as const) {
      const transaction = await producer.transaction()
      await transaction.send({ topic: 'transacted', messages: [{ value: outcome }] })
      await transaction[outcome]()
    }
    await producer.disconnect()
    const deadline = Date.now() + 60_000
    let fetched = await client.fetch('transacted', 0)
    while (fetched.lastStableOffset < 4 && Date.now() < deadline) fetched = await client.fetch('transacted', 0)
    expect(fetched).toMatchObject({ errorCode: 0, unreadable: null, highWatermark: 4, lastStableOffset: 4 })
    const kinds = fetched.batches.map((batch) => {
      const { control, isTransactional, baseOffset } = batch
      return [baseOffset, control, isTransactional, batch.decode().map(({ value }) => text(value))]
    })
    expect(kinds).toEqual([
      [0, 'none', true, ['abort']],
      [1, 'abort', true, []],
      [2, 'none', true, ['commit']],
      [3, 'commit', true, []],
    ])
    const { producerId } = fetched.batches[0]!
    expect(fetched.abortedTransactions).toEqual([{ producerId, firstOffset: 0 }])
    expect((await client.fetch('transacted', 0, 'read-uncommitted')).abortedTransactions).toEqual([])
  })

  it("under LogAppendTime every record has the broker's time", async () => {
    await cluster.createTopic('stamped', { configs: { 'message.timestamp.type': 'LogAppendTime' } })
    for (const compression of builtIn) {
      const [answer] = (
        await client.produce(batchOf([{ timestamp: 5 }, { timestamp: 9 }], { topic: 'stamped', compression }))
      ).partitions
      const { batches } = await client.fetch('stamped', answer!.baseOffset)
      expect(answer!.logAppendTime).toBeGreaterThan(1_700_000_000_000)
      expect(batches[0]!.decode().map(({ timestamp }) => timestamp)).toEqual([
        answer!.logAppendTime,
        answer!.logAppendTime,
      ])
    }
  })
})
