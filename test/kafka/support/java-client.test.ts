import { afterAll, beforeAll, expect, it } from 'vitest'
import { dumpLog } from '../../support/dump-log.js'
import { readTopic, startJavaMember, writeRecords } from '../../support/java-client.js'
import { startCluster, type KafkaCluster } from '../../support/kafka-cluster.js'
import { until } from '../../support/waiting.js'

let cluster: KafkaCluster

beforeAll(async () => {
  cluster = await startCluster()
})

afterAll(() => cluster.stop())

it('the second client writes and reads keys, values, nulls, equal header names and times byte for byte', async () => {
  await cluster.createTopic('bytes', { partitions: 2 })
  const value = Buffer.from([0, 255, 9, 10, 13, 128])
  const headers = [
    { name: 'h', value: 'ü' },
    { name: 'h', value: null },
  ]
  const stored = await writeRecords(
    cluster,
    [
      { topic: 'bytes', partition: 1, key: 'k', value, headers, timestampMs: 1_700_000_000_000 },
      { topic: 'bytes', partition: 0, key: null, value: null },
      { topic: 'bytes', partition: 0, key: '', value: '' },
    ],
    { 'compression.type': 'gzip' },
  )
  expect(stored.map(({ partition, offset }) => [partition, offset])).toEqual([
    [1, 0],
    [0, 0],
    [0, 1],
  ])
  const records = await readTopic(cluster, 'bytes')
  expect(records).toMatchObject([
    { partition: 0, offset: 0, key: null, value: null, headers: [] },
    { partition: 0, offset: 1, key: Buffer.alloc(0), value: Buffer.alloc(0) },
    { partition: 1, offset: 0, key: Buffer.from('k'), value, timestampMs: 1_700_000_000_000 },
  ])
  expect(records[2]?.headers).toEqual([
    { name: 'h', value: Buffer.from('ü') },
    { name: 'h', value: null },
  ])
})

it('aborted records are read only when uncommitted ones are asked for', async () => {
  await cluster.createTopic('aborted')
  const record = (value: string) => ({ topic: 'aborted', value })
  await writeRecords(cluster, ['begin', record('a'), 'abort', 'begin', record('b'), 'commit'], {
    'transactional.id': 't',
  })
  const values = async (isolation: 'read_committed' | 'read_uncommitted') =>
    (await readTopic(cluster, 'aborted', { isolation })).map(({ value }) => value?.toString())
  expect(await values('read_committed')).toEqual(['b'])
  expect(await values('read_uncommitted')).toEqual(['a', 'b'])
})

it('DumpLogSegments shows what is in a log', async () => {
  await cluster.createTopic('dumped')
  await writeRecords(cluster, [{ topic: 'dumped', key: 'key', value: 'value' }], { 'compression.type': 'lz4' })
  const dump = await dumpLog(cluster.installation, cluster.dataFolder(1), 'dumped', 0)
  expect(dump).toContain('compresscodec: lz4')
  expect(dump).toContain('isvalid: true')
  expect(dump).toContain('key: key payload: value')
})

it('Java members share a group, and leave it', async () => {
  await cluster.createTopic('shared', { partitions: 2 })
  const join = () => startJavaMember(cluster, { group: 'java', topics: ['shared'], assignor: 'roundrobin' })
  const one = await join()
  expect(one.assigned).toEqual(['shared-0', 'shared-1'])
  const two = await join()
  await until('each has one', () => one.assigned.length === 1 && two.assigned.length === 1)
  await one.stop()
  await until('the other has both', () => two.assigned.length === 2)
  await two.kill()
})
