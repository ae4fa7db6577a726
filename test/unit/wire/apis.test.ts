import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ApiName, Apis, Request } from '../../../src/connection/requests/apis.js'
import type { ConsumerGroupHeartbeatRequest } from '../../../src/connection/requests/consumer-groups.js'
import { decodeApiVersions, encodeApiVersions } from '../../../src/wire/api-versions.js'
import { apis, negotiate } from '../../../src/wire/apis.js'
import { builtInCodecs } from '../../../src/wire/compression.js'
import { correlationIdOf, decodeAnswer, encodeBatches, encodeRequest, versionFor } from '../../../src/wire/message.js'
import { WireError } from '../../../src/wire/wire-error.js'
import { Writer } from '../../../src/wire/writer.js'
import { encodeAnswer, idOf } from './answers.js'
import { batchOf, encode } from './batches.js'
import { tries } from '../../support/long-profile.js'

const require = createRequire(import.meta.url)
const names = Object.keys(apis) as ApiName[]

const text = fc.string({ unit: 'binary-ascii', maxLength: 12 }).map((ascii) => `ü${ascii}`)
const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
const int16 = fc.integer({ min: -32_768, max: 32_767 })
const int32 = fc.integer({ min: -2_147_483_648, max: 2_147_483_647 })
const int64 = fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER })
const throttled = { throttleTimeMs: int32 }
const error = { errorCode: int16 }
/** Flat lists come back grouped by topic, so they are made that way. */
const partitions = <T extends object>(fields: { [Key in keyof T]: fc.Arbitrary<T[Key]> }) =>
  fc
    .uniqueArray(
      fc.tuple(text, fc.array(fc.record({ partition: int32, ...fields } as never), { minLength: 1, maxLength: 3 })),
      {
        maxLength: 3,
        selector: ([topic]) => topic,
      },
    )
    .map((topics) =>
      topics.flatMap(([topic, items]) => items.map((item) => ({ topic, ...(item as object) }))),
    ) as fc.Arbitrary<(T & { topic: string; partition: number })[]>
const bytes = fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array))
const subscription = fc.oneof(
  fc.record({
    version: fc.constant(0),
    topics: fc.array(text),
    userData: orNull(bytes),
    ownedPartitions: fc.constant([]),
  }),
  fc.record({
    version: fc.integer({ min: 1, max: 3 }),
    topics: fc.array(text),
    userData: orNull(bytes),
    ownedPartitions: partitions<object>({}),
  }),
)
/** @param ofMembers what some versions tell, and others do not */
const describedGroups = (
  ofGroup: Readonly<Record<string, fc.Arbitrary<unknown>>>,
  ofMembers: Readonly<Record<string, fc.Arbitrary<unknown>>>,
) => {
  const member = fc.record({
    ...{ memberId: text, groupInstanceId: orNull(text), clientId: text, clientHost: text },
    ...{ topics: fc.array(text, { maxLength: 3 }), partitions: partitions<object>({}) },
    ...ofMembers,
  })
  const group = fc.record({
    ...error,
    ...{ groupId: text, state: text, assignor: text, members: fc.array(member, { maxLength: 2 }) },
    ...ofGroup,
  })
  return fc.record({ ...throttled, groups: fc.array(group, { maxLength: 2 }) }) as unknown as fc.Arbitrary<
    Apis['describeGroups']['answer']
  >
}
const namedErrors = fc.array(fc.record({ name: text, errorCode: int16, errorMessage: orNull(text) }), { maxLength: 3 })

/** Every id but that of all zeros, which stands for none. */
const topicId = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((array) => {
  array[0]! |= 1
  return Buffer.from(array).toString('base64url')
})

const orNone = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const nodes = fc.array(int32, { maxLength: 3 })
const hint = fc.record({ leader: fc.nat(), leaderEpoch: fc.nat() })
const endpoints = fc.array(fc.record({ nodeId: int32, host: text, port: int32, rack: orNull(text) }), {
  minLength: 1,
  maxLength: 3,
})

const answers: { [Name in ApiName]: fc.Arbitrary<Apis[Name]['answer']> } = {
  apiVersions: fc.record({
    ...throttled,
    ...error,
    offered: fc.array(fc.record({ apiKey: int16, min: int16, max: int16 }), { maxLength: 3 }),
    finalizedFeatures: fc.array(fc.record({ name: text, minLevel: int16, maxLevel: int16 }), { maxLength: 3 }),
    finalizedFeaturesEpoch: int64,
  }),
  describeTopicPartitions: fc.record({
    ...throttled,
    topics: fc.array(
      fc.record({
        ...error,
        name: text,
        partitions: fc.array(
          fc.record({
            ...{ ...error, partition: int32, leader: int32, leaderEpoch: int32, replicas: nodes, isr: nodes },
            ...{ eligible: nodes, lastKnown: nodes },
          }),
          { maxLength: 3 },
        ),
      }),
      { maxLength: 3 },
    ),
    nextCursor: orNull(fc.record({ topic: text, partition: int32 })),
  }),
  metadata: fc.record({
    ...throttled,
    brokers: fc.array(fc.record({ nodeId: int32, host: text, port: int32, rack: orNull(text) }), { maxLength: 3 }),
    clusterId: orNull(text),
    controllerId: int32,
    topics: fc.array(
      fc.record({
        ...error,
        name: text,
        topicId: orNull(topicId),
        isInternal: fc.boolean(),
        partitions: fc.array(
          fc.record({
            ...error,
            partition: int32,
            leader: int32,
            leaderEpoch: int32,
            replicas: fc.array(int32, { maxLength: 3 }),
            isr: fc.array(int32, { maxLength: 3 }),
          }),
          { maxLength: 3 },
        ),
      }),
      { maxLength: 3 },
    ),
  }),
  produce: fc.record({
    ...throttled,
    partitions: partitions({
      ...error,
      baseOffset: int64,
      logAppendTime: int64,
      logStartOffset: int64,
      recordErrors: fc.array(fc.record({ index: int32, message: orNull(text) }), { maxLength: 3 }),
      errorMessage: orNull(text),
      currentLeader: orNone(hint),
    }),
    nodeEndpoints: orNone(endpoints),
  }),
  initProducerId: fc.record({ ...throttled, ...error, producerId: int64, producerEpoch: int16 }),
  fetch: fc.record({
    ...throttled,
    ...error,
    sessionId: int32,
    partitions: partitions({
      ...error,
      highWatermark: int64,
      lastStableOffset: int64,
      logStartOffset: int64,
      abortedTransactions: fc.array(fc.record({ producerId: int64, firstOffset: int64 }), { maxLength: 3 }),
      batches: fc.constant([]),
      unreadable: fc.constant(null),
      sizeBytes: fc.constant(0),
      preferredReadReplica: int32,
      currentLeader: orNone(hint),
    }),
    nodeEndpoints: orNone(endpoints),
  }),
  listOffsets: fc.record({
    ...throttled,
    partitions: partitions({ ...error, timestamp: int64, offset: int64, leaderEpoch: int32 }),
  }),
  offsetForLeaderEpoch: fc.record({
    ...throttled,
    partitions: partitions({ ...error, leaderEpoch: int32, endOffset: int64 }),
  }),
  findCoordinator: fc.record({ ...throttled, ...error, nodeId: int32, host: text, port: int32 }),
  joinGroup: fc.record({
    ...throttled,
    ...error,
    generationId: int32,
    protocolName: text,
    leader: text,
    memberId: text,
    members: fc.array(fc.record({ memberId: text, groupInstanceId: orNull(text), subscription }), { maxLength: 3 }),
  }),
  syncGroup: fc.record({
    ...throttled,
    ...error,
    assignment: fc.record({ partitions: partitions<object>({}), userData: orNull(bytes) }),
  }),
  heartbeat: fc.record({ ...throttled, ...error }),
  leaveGroup: fc.record({ ...throttled, ...error }),
  offsetCommit: fc.record({ ...throttled, partitions: partitions({ ...error }) }),
  offsetFetch: fc.record({
    ...throttled,
    ...error,
    partitions: partitions({ ...error, offset: int64, leaderEpoch: int32, metadata: orNull(text) }),
  }),
  listGroups: fc.record({
    ...throttled,
    ...error,
    groups: fc.array(
      fc.record({
        groupId: text,
        protocolType: text,
        state: text,
        type: fc.constantFrom('classic', 'consumer', 'share'),
      }),
      { maxLength: 3 },
    ),
  }),
  describeGroups: describedGroups(
    { protocolType: fc.constant('consumer'), epoch: fc.constant(null) },
    {
      ...{
        rackId: fc.constant(null),
        epoch: fc.constant(null),
        topicRegex: fc.constant(null),
        target: fc.constant(null),
      },
    },
  ),
  consumerGroupDescribe: describedGroups(
    { protocolType: fc.constant('consumer'), epoch: int32 },
    {
      ...{ rackId: orNull(text), epoch: int32, topicRegex: orNull(text), target: partitions<object>({}) },
    },
  ),
  shareGroupDescribe: describedGroups(
    { protocolType: fc.constant('share'), epoch: int32 },
    {
      ...{ groupInstanceId: fc.constant(null), rackId: orNull(text), epoch: int32 },
      ...{ topicRegex: fc.constant(null), target: fc.constant(null) },
    },
  ),
  deleteGroups: fc.record({ ...throttled, groups: fc.array(fc.record({ groupId: text, ...error }), { maxLength: 3 }) }),
  offsetDelete: fc.record({ ...throttled, ...error, partitions: partitions(error) }),
  incrementalAlterConfigs: fc.record({ ...throttled, resources: namedErrors }),
  deleteRecords: fc.record({ ...throttled, partitions: partitions({ ...error, logStartOffset: int64 }) }),
  electLeaders: fc.record({ ...throttled, ...error, partitions: partitions(error) }),
  createTopics: fc.record({ ...throttled, topics: namedErrors }),
  deleteTopics: fc.record({
    ...throttled,
    topics: fc.array(fc.record({ name: text, errorCode: int16, errorMessage: fc.constant(null) }), { maxLength: 3 }),
  }),
  createPartitions: fc.record({ ...throttled, topics: namedErrors }),
  describeConfigs: fc.record({
    ...throttled,
    resources: fc.array(
      fc.record({
        name: text,
        errorCode: int16,
        errorMessage: orNull(text),
        type: fc.constantFrom('topic' as const, 'broker' as const),
        entries: fc.array(fc.record({ name: text, value: orNull(text), isDefault: fc.boolean() }), { maxLength: 3 }),
      }),
      { maxLength: 3 },
    ),
  }),
  consumerGroupHeartbeat: fc.record({
    ...throttled,
    ...error,
    errorMessage: orNull(text),
    memberId: orNull(text),
    memberEpoch: int32,
    heartbeatIntervalMs: int32,
    assignment: orNull(
      fc
        .uniqueArray(fc.tuple(topicId, fc.array(int32, { minLength: 1, maxLength: 3 })), {
          maxLength: 3,
          selector: ([id]) => id,
        })
        .map((topics) => topics.flatMap(([id, all]) => all.map((partition) => ({ topicId: id, partition })))),
    ),
  }),
  addPartitionsToTxn: fc.record({ ...throttled, partitions: partitions({ ...error }) }),
  addOffsetsToTxn: fc.record({ ...throttled, ...error }),
  txnOffsetCommit: fc.record({ ...throttled, partitions: partitions({ ...error }) }),
  endTxn: fc.record({ ...throttled, ...error, producerId: int64, producerEpoch: int16 }),
  listTransactions: fc.record({
    ...throttled,
    ...error,
    unknownStateFilters: fc.array(text, { maxLength: 3 }),
    transactions: fc.array(fc.record({ transactionalId: text, producerId: int64, state: text }), { maxLength: 3 }),
  }),
  describeTransactions: fc.record({
    ...throttled,
    transactions: fc.array(
      fc.record({
        ...error,
        transactionalId: text,
        state: text,
        timeoutMs: int32,
        startTimeMs: int64,
        producerId: int64,
        producerEpoch: int16,
        partitions: partitions<object>({}),
      }),
      { maxLength: 3 },
    ),
  }),
  describeProducers: fc.record({
    ...throttled,
    partitions: partitions({
      ...error,
      producers: fc.array(
        fc.record({
          producerId: int64,
          producerEpoch: int32,
          lastSequence: int32,
          lastTimestamp: int64,
          coordinatorEpoch: int32,
          currentTxnStartOffset: int64,
        }),
        { maxLength: 2 },
      ),
    }),
  }),
}

const versionsOf = (api: ApiName) =>
  Array.from({ length: apis[api].max - apis[api].min + 1 }, (_, i) => apis[api].min + i)
/** What a version does not carry yet, and reads as instead. */
const notTold: { readonly [Name in ApiName]?: readonly { before: number; field: string; readsAs: unknown }[] } = {
  apiVersions: [
    { before: 1, field: 'throttleTimeMs', readsAs: 0 },
    { before: 3, field: 'finalizedFeatures', readsAs: [] },
    { before: 3, field: 'finalizedFeaturesEpoch', readsAs: -1 },
  ],
  metadata: [
    { before: 7, field: 'leaderEpoch', readsAs: -1 },
    { before: 10, field: 'topicId', readsAs: null },
  ],
  listOffsets: [{ before: 4, field: 'leaderEpoch', readsAs: -1 }],
  listGroups: [
    { before: 4, field: 'state', readsAs: '' },
    { before: 5, field: 'type', readsAs: 'classic' },
  ],
  endTxn: [
    { before: 5, field: 'producerId', readsAs: -1 },
    { before: 5, field: 'producerEpoch', readsAs: -1 },
  ],
  produce: [
    { before: 8, field: 'recordErrors', readsAs: [] },
    { before: 8, field: 'errorMessage', readsAs: null },
    { before: 10, field: 'currentLeader', readsAs: undefined },
    { before: 10, field: 'nodeEndpoints', readsAs: undefined },
  ],
  fetch: [
    { before: 12, field: 'currentLeader', readsAs: undefined },
    { before: 16, field: 'nodeEndpoints', readsAs: undefined },
  ],
}
function toldBy(api: ApiName, version: number, answer: object): unknown {
  const missing = new Map(
    (notTold[api] ?? []).filter(({ before }) => version < before).map(({ field, readsAs }) => [field, readsAs]),
  )
  if (missing.size === 0) return answer
  return JSON.parse(JSON.stringify(answer), (key, value: unknown) => (missing.has(key) ? missing.get(key) : value))
}
/** Decoding looks at nothing of the request but its api, its group, and the ids of its topics. */
const requestOf = (api: ApiName, answer?: object) => {
  const partitions = (answer as Partial<Apis['fetch']['answer']> | undefined)?.partitions ?? []
  const asked = partitions.map(({ topic }) => ({ topic, topicId: idOf(topic) }))
  return { api, groupId: 'group', partitions: asked } as unknown as Request
}

describe('answers', () => {
  describe.each(names)('%s', (api) => {
    it('come back as they were written, in every version', async () => {
      for (const version of versionsOf(api)) {
        await fc.assert(
          fc.asyncProperty(answers[api], async (answer) => {
            const frame = encodeAnswer(api, answer, version, 42)
            expect(correlationIdOf(frame)).toBe(42)
            const wanted = toldBy(api, version, answer)
            expect(await decodeAnswer(requestOf(api, answer), version, frame, builtInCodecs)).toEqual(wanted)
          }),
          { numRuns: tries(10, 40) },
        )
      }
    })

    it('that are cut off or too long are an error, wherever the cut is', () => {
      for (const version of versionsOf(api)) {
        fc.assert(
          fc.property(answers[api], fc.nat(), (answer, position) => {
            const frame = encodeAnswer(api, answer, version)
            const decode = (bad: Buffer) => () => decodeAnswer(requestOf(api, answer), version, bad, builtInCodecs)
            expect(decode(frame.subarray(0, 4 + (position % (frame.length - 4))))).toThrow(WireError)
            expect(decode(Buffer.concat([frame, Buffer.alloc(1)]))).toThrow(/1 bytes are left/)
          }),
          { numRuns: tries(10, 40) },
        )
      }
    })

    it('of any bytes are an answer or an error, never a hang', async () => {
      await fc.assert(
        fc.asyncProperty(answers[api], fc.nat(), fc.integer({ min: 1, max: 255 }), async (answer, position, mask) => {
          const version = apis[api].max
          const frame = encodeAnswer(api, answer, version)
          frame[4 + (position % (frame.length - 4))]! ^= mask
          try {
            await decodeAnswer(requestOf(api, answer), version, frame, builtInCodecs)
          } catch (caught) {
            expect(caught).toBeInstanceOf(WireError)
          }
        }),
        { numRuns: tries(25, 100) },
      )
    })
  })

  it('of fetch whose records wait keep no more than ten times their own bytes in memory', async () => {
    const stored = (bytes: number) => encode(batchOf([{ value: Buffer.alloc(bytes, 7) }]))
    const part = (number: number) =>
      ({
        ...{ topic: 'a', partition: number, errorCode: 0, highWatermark: 1, lastStableOffset: 1, logStartOffset: 0 },
        ...{ abortedTransactions: [], batches: [], unreadable: null, sizeBytes: 0 },
      }) as const
    const answer = { throttleTimeMs: 0, errorCode: 0, partitions: [part(0), part(1), part(2)] }
    const contents = new Map([
      ['a-0', await stored(100_000)],
      ['a-1', await stored(30_000)],
      ['a-2', await stored(500)],
    ])
    const frame = encodeAnswer('fetch', answer, 11, 1, contents)
    const decoded = (await decodeAnswer(requestOf('fetch'), 11, frame, builtInCodecs)) as Apis['fetch']['answer']
    const keeps = decoded.partitions.map(({ batches }) => batches[0]!.decode()[0]!.value!.buffer.byteLength)
    expect(keeps.slice(0, 2)).toEqual([frame.buffer.byteLength, frame.buffer.byteLength])
    expect(keeps[2]).toBe(contents.get('a-2')!.length)
  })

  it('of fetch may be of topics that their session knows and the request does not name', () => {
    const at = { partition: 1, errorCode: 0, highWatermark: 5, lastStableOffset: 5, logStartOffset: 0 }
    const partition = { ...at, topic: 't', abortedTransactions: [], batches: [], unreadable: null, sizeBytes: 0 }
    const answer = { throttleTimeMs: 0, errorCode: 0, sessionId: 9, partitions: [partition] }
    const frame = encodeAnswer('fetch', answer, 13)
    const topicOf = (id: string) => (id === idOf('t') ? 't' : undefined)
    const session = { id: 9, epoch: 4, forgotten: [], isById: true, all: new Map(), topicOf }
    const request = { ...requestOf('fetch'), session } as unknown as Request
    expect(decodeAnswer(request, 13, frame, builtInCodecs)).toMatchObject({
      sessionId: 9,
      partitions: [{ topic: 't' }],
    })
    expect(() => decodeAnswer(requestOf('fetch'), 13, frame, builtInCodecs)).toThrow(/not asked for/)
  })

  it('of fetch carry the records of each partition, and one corrupt partition spoils no other', async () => {
    const good = await encode(batchOf([{ value: Buffer.from('good') }], { compression: 'gzip' }))
    const bad = Buffer.from(good)
    bad[70]! ^= 1
    const empty = { errorCode: 0, highWatermark: 1, lastStableOffset: 1, logStartOffset: 0, abortedTransactions: [] }
    const partition = (topic: string, number: number) =>
      ({ topic, partition: number, ...empty, batches: [], unreadable: null, sizeBytes: 0 }) as const
    const frame = encodeAnswer(
      'fetch',
      { throttleTimeMs: 0, errorCode: 0, partitions: [partition('a', 0), partition('a', 1), partition('b', 0)] },
      11,
      1,
      new Map([
        ['a-0', bad],
        ['a-1', good],
        ['b-0', good],
      ]),
    )
    const answer = (await decodeAnswer(requestOf('fetch'), 11, frame, builtInCodecs)) as Apis['fetch']['answer']
    expect(
      answer.partitions.map(({ topic, partition: number, batches, unreadable, sizeBytes }) => [
        `${topic}-${number}`,
        batches[0]?.decode()[0]?.value?.toString(),
        unreadable !== null,
        sizeBytes,
      ]),
    ).toEqual([
      ['a-0', undefined, true, bad.length],
      ['a-1', 'good', false, good.length],
      ['b-0', 'good', false, good.length],
    ])
  })
})

const vectors = JSON.parse(
  readFileSync(new URL('../../vectors/transactions.json', import.meta.url), 'utf8'),
) as readonly { api: ApiName; kind: 'request' | 'answer'; version: number; hex: string }[]

const producer = { transactionalId: 'tü', producerId: 5_000_000_000, producerEpoch: 7 }
const at = (topic: string, partition: number, errorCode: number) => ({ topic, partition, errorCode })
const committed = { topic: 'a', partition: 1, offset: 5_000_000_000, leaderEpoch: 6, metadata: 'x' }
const transaction = { transactionalId: 'tü', producerId: 5_000_000_000, state: 'Ongoing' }

/** What the vectors say, as values. */
const inVectors: { readonly [Name in ApiName]?: { request?: (version: number) => Request; answer: object } } = {
  initProducerId: {
    request: (version) => ({
      ...{ api: 'initProducerId', ...producer, transactionTimeoutMs: 9_000 },
      ...(version < 3 ? { producerId: -1, producerEpoch: -1 } : {}),
    }),
    answer: { throttleTimeMs: 3, errorCode: 51, producerId: 5_000_000_000, producerEpoch: 8 },
  },
  endTxn: {
    request: (version) => ({
      ...{ api: 'endTxn', ...producer, committed: true },
      transactionVersion: version < 5 ? 1 : 2,
    }),
    answer: { throttleTimeMs: 3, errorCode: 0, producerId: 5_000_000_000, producerEpoch: 8 },
  },
  addPartitionsToTxn: {
    request: () => ({
      ...{ api: 'addPartitionsToTxn', ...producer },
      partitions: [at('a', 1, 0), at('a', 2, 0), at('b', 0, 0)],
    }),
    answer: { throttleTimeMs: 3, partitions: [at('a', 1, 55), at('b', 1, 3)] },
  },
  addOffsetsToTxn: {
    request: () => ({ api: 'addOffsetsToTxn', ...producer, groupId: 'g' }),
    answer: { throttleTimeMs: 3, errorCode: 51 },
  },
  txnOffsetCommit: {
    request: (version) => ({
      ...{ api: 'txnOffsetCommit', ...producer, transactionVersion: version < 5 ? 1 : 2 },
      ...{ groupId: 'g', generationId: 4, memberId: 'm', groupInstanceId: null },
      partitions: [committed, { ...committed, partition: 2, offset: 0, leaderEpoch: -1, metadata: null }],
    }),
    answer: { throttleTimeMs: 3, partitions: [at('a', 1, 22)] },
  },
  findCoordinator: {
    request: () => ({ api: 'findCoordinator', key: 'tü', keyType: 'transaction' }),
    answer: { throttleTimeMs: 3, errorCode: 15, nodeId: 2, host: 'h', port: 9092 },
  },
  offsetFetch: {
    request: (version) => ({
      ...{ api: 'offsetFetch', groupId: 'g', requireStable: version >= 7 },
      partitions: [at('a', 1, 0), at('a', 2, 0)],
    }),
    answer: { throttleTimeMs: 3, errorCode: 0, partitions: [{ ...committed, offset: 9, errorCode: 88 }] },
  },
  produce: {
    answer: {
      throttleTimeMs: 3,
      partitions: [
        {
          ...at('a', 1, 6),
          ...{ baseOffset: -1, logAppendTime: -1, logStartOffset: 2 },
          ...{ recordErrors: [{ index: 4, message: 'bad' }], errorMessage: 'moved' },
          currentLeader: { leader: 2, leaderEpoch: 8 },
        },
      ],
      nodeEndpoints: [{ nodeId: 2, host: 'h', port: 9092, rack: 'r' }],
    },
  },
  listTransactions: {
    request: () => ({ api: 'listTransactions', stateFilters: ['Ongoing'], producerIdFilters: [5_000_000_000] }),
    answer: { throttleTimeMs: 3, errorCode: 0, unknownStateFilters: ['Odd'], transactions: [transaction] },
  },
  describeTransactions: {
    request: () => ({ api: 'describeTransactions', transactionalIds: ['tü', 'b'] }),
    answer: {
      throttleTimeMs: 3,
      transactions: [
        {
          ...{ errorCode: 0, ...transaction, timeoutMs: 9_000, startTimeMs: 1_700_000_000_000, producerEpoch: 7 },
          partitions: [
            { topic: 'a', partition: 1 },
            { topic: 'a', partition: 2 },
          ],
        },
      ],
    },
  },
  describeProducers: {
    request: () => ({ api: 'describeProducers', partitions: [at('a', 1, 0), at('a', 2, 0)] }),
    answer: {
      throttleTimeMs: 3,
      partitions: [
        {
          ...at('a', 1, 0),
          producers: [
            {
              ...{ producerId: 5_000_000_000, producerEpoch: 7, lastSequence: 11, lastTimestamp: 1_700_000_000_000 },
              ...{ coordinatorEpoch: -1, currentTxnStartOffset: 42 },
            },
          ],
        },
      ],
    },
  },
}

describe("bytes of Kafka's own classes", () => {
  it('are the requests that we send, in every version that we know', () => {
    for (const { api, kind, version, hex } of vectors) {
      if (kind !== 'request') continue
      const request = inVectors[api]!.request!(version)
      const flexible = version >= apis[api].flexibleFrom
      const frame = Buffer.concat(encodeRequest(request, version, 99, '', []))
      expect([api, version, frame.subarray(14).toString('hex')]).toEqual([
        api,
        version,
        `${flexible ? '00' : ''}${hex}`,
      ])
    }
  })

  it('are read as the answers they are, in every version that we know', async () => {
    const read = new Map<ApiName, number[]>()
    for (const { api, kind, version, hex } of vectors) {
      if (kind !== 'answer') continue
      const header = version >= apis[api].flexibleFrom ? '0000000700' : '00000007'
      const frame = Buffer.from(header + hex, 'hex')
      const request = { api, groupId: 'g' } as unknown as Request
      const wanted = toldBy(api, version, inVectors[api]!.answer)
      expect(await decodeAnswer(request, version, frame, builtInCodecs)).toEqual(wanted)
      read.set(api, [...(read.get(api) ?? []), version])
    }
    for (const [api, versions] of read) expect([api, versions]).toEqual([api, versionsOf(api)])
  })
})

type KafkajsRequest = (fields: object) => { encode: () => Promise<{ buffer: Buffer }> }
const identity = { groupId: 'group', generationId: 5, memberId: 'member', groupInstanceId: 'static' }

describe('requests', () => {
  const kafkajsRequest = (path: string) => require(`kafkajs/src/protocol/requests/${path}/request.js`) as KafkajsRequest
  const body = async (request: Request, version: number) => {
    const batches = await encodeBatches(request, builtInCodecs)
    const frame = Buffer.concat(encodeRequest(request, version, 99, 'client', batches))
    expect(frame.readInt32BE(0)).toBe(frame.length - 4)
    expect(frame.subarray(4, 20)).toEqual(
      Buffer.concat([Buffer.from([0, apis[request.api].key, 0, version, 0, 0, 0, 99, 0, 6]), Buffer.from('client')]),
    )
    return frame.subarray(20)
  }
  const subscription = { version: 0, topics: ['t'], userData: Buffer.alloc(0), ownedPartitions: [] }
  const { MemberAssignment, MemberMetadata } = require('kafkajs/src/consumer/assignerProtocol.js') as {
    MemberMetadata: { encode(fields: object): Buffer }
    MemberAssignment: { encode(fields: object): Buffer }
  }

  it.each<[Request, number, string, object]>([
    [{ api: 'metadata', topics: ['t', 'ü'] }, 6, 'metadata/v6', { topics: ['t', 'ü'], allowAutoTopicCreation: false }],
    [
      { api: 'initProducerId', transactionalId: 'x', transactionTimeoutMs: 9, producerId: -1, producerEpoch: -1 },
      1,
      'initProducerId/v1',
      { transactionalId: 'x', transactionTimeout: 9 },
    ],
    [
      {
        api: 'fetch',
        maxWaitMs: 1,
        minBytes: 2,
        maxBytes: 3,
        isolation: 'read-committed',
        partitions: [
          {
            topic: 't',
            topicId: null,
            partition: 4,
            currentLeaderEpoch: -1,
            fetchOffset: 5_000_000_000,
            partitionMaxBytes: 6,
          },
        ],
      },
      11,
      'fetch/v11',
      {
        replicaId: -1,
        maxWaitTime: 1,
        minBytes: 2,
        maxBytes: 3,
        isolationLevel: 1,
        topics: [{ topic: 't', partitions: [{ partition: 4, fetchOffset: 5_000_000_000, maxBytes: 6 }] }],
      },
    ],
    [
      { api: 'listOffsets', isolation: 'read-uncommitted', partitions: [{ topic: 't', partition: 4, timestamp: -2 }] },
      3,
      'listOffsets/v3',
      { replicaId: -1, isolationLevel: 0, topics: [{ topic: 't', partitions: [{ partition: 4, timestamp: -2 }] }] },
    ],
    [
      { api: 'findCoordinator', key: 'g', keyType: 'transaction' },
      2,
      'findCoordinator/v2',
      { coordinatorKey: 'g', coordinatorType: 1 },
    ],
    [
      {
        api: 'joinGroup',
        groupId: 'g',
        sessionTimeoutMs: 1,
        rebalanceTimeoutMs: 2,
        memberId: '',
        groupInstanceId: 'i',
        protocols: [{ name: 'range', subscription }],
      },
      5,
      'joinGroup/v5',
      {
        groupId: 'g',
        sessionTimeout: 1,
        rebalanceTimeout: 2,
        memberId: '',
        groupInstanceId: 'i',
        protocolType: 'consumer',
        groupProtocols: [{ name: 'range', metadata: MemberMetadata.encode({ version: 0, topics: ['t'] }) }],
      },
    ],
    [
      {
        api: 'syncGroup',
        ...identity,
        assignments: [
          {
            memberId: 'm',
            assignment: {
              partitions: [
                { topic: 't', partition: 1 },
                { topic: 't', partition: 2 },
              ],
              userData: Buffer.alloc(0),
            },
          },
        ],
      },
      3,
      'syncGroup/v3',
      {
        ...identity,
        groupAssignment: [
          { memberId: 'm', memberAssignment: MemberAssignment.encode({ version: 0, assignment: { t: [1, 2] } }) },
        ],
      },
    ],
    [{ api: 'heartbeat', ...identity }, 3, 'heartbeat/v3', { ...identity, groupGenerationId: 5 }],
    [
      { api: 'leaveGroup', groupId: 'g', memberId: 'm', groupInstanceId: null },
      3,
      'leaveGroup/v3',
      { groupId: 'g', members: [{ memberId: 'm', groupInstanceId: null }] },
    ],
    [
      { api: 'deleteTopics', topics: ['a', 'b'], timeoutMs: 5 },
      1,
      'deleteTopics/v1',
      { topics: ['a', 'b'], timeout: 5 },
    ],
    [
      { api: 'createPartitions', topics: [{ name: 'a', count: 3 }], timeoutMs: 5 },
      1,
      'createPartitions/v1',
      { topicPartitions: [{ topic: 'a', count: 3 }], timeout: 5 },
    ],
    [
      {
        api: 'describeConfigs',
        resources: [
          { type: 'topic', name: 'a' },
          { type: 'broker', name: '1' },
        ],
      },
      2,
      'describeConfigs/v2',
      {
        resources: [
          { type: 2, name: 'a' },
          { type: 4, name: '1' },
        ],
        includeSynonyms: false,
      },
    ],
  ])('of %o are the bytes kafkajs sends', async (request, version, path, fields) => {
    const { buffer } = await kafkajsRequest(path)(fields).encode()
    expect((await body(request, version)).toString('hex')).toBe(buffer.toString('hex'))
  })

  it('of produce hold each partition under its topic with the bytes of its batch', async () => {
    const batches = [
      batchOf([{ value: Buffer.alloc(5_000, 1) }], { topic: 'a', partition: 1 }),
      batchOf([{ value: Buffer.from('b') }], { topic: 'b', partition: 0 }),
      batchOf([{ value: Buffer.from('a') }], { topic: 'a', partition: 0, compression: 'gzip' }),
    ]
    const [a1, b0, a0] = await Promise.all(batches.map(encode))
    const wanted = new Writer()
    wanted.nullableString(null)
    wanted.int16(-1)
    wanted.int32(1_500)
    wanted.array(['a', 'b'], (topic) => {
      wanted.string(topic)
      wanted.array(topic === 'a' ? [1, 0] : [0], (partition) => {
        wanted.int32(partition)
        wanted.bytes([topic === 'b' ? b0! : partition === 1 ? a1! : a0!])
      })
    })
    const request: Request = { api: 'produce', acks: -1, timeoutMs: 1_500, transactionalId: null, batches }
    expect(await body(request, 7)).toEqual(Buffer.concat(wanted.finish()))
    const flexible = new Writer(true)
    flexible.tags()
    flexible.nullableString(null)
    flexible.int16(-1)
    flexible.int32(1_500)
    flexible.array(['a', 'b'], (topic) => {
      flexible.string(topic)
      flexible.array(topic === 'a' ? [1, 0] : [0], (partition) => {
        flexible.int32(partition)
        flexible.bytes([topic === 'b' ? b0! : partition === 1 ? a1! : a0!])
        flexible.tags()
      })
      flexible.tags()
    })
    flexible.tags()
    expect(await body(request, 12)).toEqual(Buffer.concat(flexible.finish()))
  })

  it('of Metadata 12 ask by name, for no id, and for nothing more than topics', async () => {
    const request = { api: 'metadata', topics: ['t'] } as const
    const noId = '00'.repeat(16)
    expect((await body(request, 12)).toString('hex')).toBe('00' + '02' + noId + '0274' + '00' + '00' + '00' + '00')
    expect((await body(request, 10)).toString('hex')).toBe('00' + '02' + noId + '0274' + '00' + '00' + '0000' + '00')
    expect((await body(request, 9)).toString('hex')).toBe('00' + '02' + '0274' + '00' + '00' + '0000' + '00')
    expect((await body({ ...request, topics: null }, 12)).toString('hex')).toBe('00' + '00' + '00' + '00' + '00')
  })

  it('of Fetch 13 name the topic by its id, and say where the reader is', async () => {
    const topicId = idOf('t')
    const at = { topic: 't', topicId, partition: 4, currentLeaderEpoch: 7, fetchOffset: 5, partitionMaxBytes: 6 }
    const limits = { maxWaitMs: 1, minBytes: 2, maxBytes: 3, isolation: 'read-committed' } as const
    const request = { api: 'fetch', ...limits, partitions: [at] } as const
    const before = 'ffffffff' + '00000001' + '00000002' + '00000003' + '01' + '00000000' + 'ffffffff'
    const partition = '00000004' + '00000007' + '0000000000000005' + 'ffffffff' + 'f'.repeat(16) + '00000006' + '00'
    const byId = '02' + Buffer.from(topicId, 'base64url').toString('hex') + '02' + partition + '00'
    const byName = '02' + '0274' + '02' + partition + '00'
    const after = '01' + '01' + '00'
    expect((await body(request, 13)).toString('hex')).toBe('00' + before + byId + after)
    expect((await body(request, 12)).toString('hex')).toBe('00' + before + byName + after)
    const fromRack = (await body({ ...request, rackId: 'a' }, 12)).toString('hex')
    expect(fromRack).toBe('00' + before + byName + '01' + '0261' + '00')
  })

  it('of Fetch that go on with a session name what changed, what is forgotten, and their topics as the session does', async () => {
    const topicId = idOf('t')
    const at = { topic: 't', topicId, currentLeaderEpoch: 7, fetchOffset: 5, partitionMaxBytes: 6 }
    const limits = { maxWaitMs: 1, minBytes: 2, maxBytes: 3, isolation: 'read-committed' } as const
    const session = { id: 9, epoch: 4, forgotten: [{ ...at, partition: 8 }], isById: true, all: new Map() }
    const request = { api: 'fetch', ...limits, partitions: [], session: { ...session, topicOf: () => 't' } } as const
    const before = 'ffffffff' + '00000001' + '00000002' + '00000003' + '01' + '00000009' + '00000004'
    const id = Buffer.from(topicId, 'base64url').toString('hex')
    expect((await body(request, 13)).toString('hex')).toBe(
      '00' + before + '01' + '02' + id + '02' + '00000008' + '00' + '01' + '00',
    )
    expect((await body(request, 12)).toString('hex')).toBe(
      '00' + before + '01' + '02' + '0274' + '02' + '00000008' + '00' + '01' + '00',
    )
    const versions = new Map([[1, { min: 4, max: 18 }]])
    expect(versionFor(request, versions)).toBe(16)
    expect(versionFor({ ...request, session: { ...request.session, isById: false } }, versions)).toBe(12)
  })

  it('of OffsetForLeaderEpoch ask with both epochs, in plain and in flexible form', async () => {
    const at = { topic: 't', partition: 4, currentLeaderEpoch: 7, leaderEpoch: 5 }
    const request = { api: 'offsetForLeaderEpoch', partitions: [at] } as const
    const fields = '00000004' + '00000007' + '00000005'
    expect((await body(request, 3)).toString('hex')).toBe('ffffffff' + '00000001' + '000174' + '00000001' + fields)
    expect((await body(request, 4)).toString('hex')).toBe(
      '00' + 'ffffffff' + '02' + '0274' + '02' + fields + '00' + '00' + '00',
    )
  })

  it('of ConsumerGroupHeartbeat tell apart what is unchanged and what is none', async () => {
    const unchanged: ConsumerGroupHeartbeatRequest = {
      api: 'consumerGroupHeartbeat',
      ...{ groupId: 'g', memberId: 'm', memberEpoch: 7, groupInstanceId: null },
      ...{ rackId: null, rebalanceTimeoutMs: -1, subscribedTopics: null, subscribedTopicRegex: null },
      ...{ serverAssignor: null, partitions: null },
    }
    expect((await body(unchanged, 1)).toString('hex')).toBe(
      '00' + '0267' + '026d' + '00000007' + '00' + '00' + 'ffffffff' + '00' + '00' + '00' + '00' + '00',
    )
    const id = Buffer.from(idOf('t'), 'base64url').toString('hex')
    const topicId = idOf('t')
    const full = {
      ...{ ...unchanged, memberEpoch: 0, groupInstanceId: 'i', rackId: 'r', rebalanceTimeoutMs: 1 },
      ...{ subscribedTopics: ['t'], subscribedTopicRegex: 'x', serverAssignor: 'range', partitions: [] },
    }
    const before = '00' + '0267' + '026d' + '00000000' + '0269' + '0272' + '00000001' + '02' + '0274' + '0278'
    expect((await body(full, 1)).toString('hex')).toBe(before + '06' + '72616e6765' + '01' + '00')
    const partitions = [4, 5].map((partition) => ({ topicId, partition }))
    expect((await body({ ...full, partitions }, 1)).toString('hex')).toBe(
      before + '06' + '72616e6765' + '02' + id + '03' + '00000004' + '00000005' + '00' + '00',
    )
  })

  it('of OffsetFetch 7 are flexible and ask for stable offsets', async () => {
    const request = { api: 'offsetFetch', groupId: 'g', requireStable: true } as const
    const some = await body({ ...request, partitions: [{ topic: 't', partition: 1 }] }, 7)
    expect(some.toString('hex')).toBe('00' + '0267' + '02' + '0274' + '02' + '00000001' + '00' + '01' + '00')
    expect((await body({ ...request, partitions: null }, 7)).toString('hex')).toBe('00' + '0267' + '00' + '01' + '00')
    expect((await body({ ...request, partitions: null }, 5)).toString('hex')).toBe('000167' + 'ffffffff')
  })
})

describe('versions', () => {
  it('are the newest that both sides know', () => {
    expect(negotiate('produce', { min: 0, max: 7 })).toBe(7)
    expect(negotiate('produce', { min: 3, max: 13 })).toBe(12)
    expect(negotiate('offsetFetch', { min: 1, max: 5 })).toBe(5)
  })

  it('that do not meet are an error that names the api, what is offered and which of the two is too old', () => {
    expect(() => negotiate('produce', { min: 0, max: 5 })).toThrow(
      'the broker offers produce in versions 0 to 5; tidemark needs versions 7 to 12: it is too old, take Kafka 2.5 or newer',
    )
    expect(() => negotiate('fetch', { min: 17, max: 18 })).toThrow(
      /fetch in versions 17 to 18; tidemark needs versions 11 to 16: it is too new, take a newer tidemark/,
    )
    expect(() => negotiate('joinGroup', undefined)).toThrow(/does not offer joinGroup, which Kafka from 2.4 on does/)
  })

  it('of OffsetFetch too old to wait for transactions are refused only to those who ask for that', () => {
    const versions = new Map([[9, { min: 1, max: 6 }]])
    const request = { api: 'offsetFetch', groupId: 'g', partitions: null } as const
    expect(versionFor({ ...request, requireStable: false }, versions)).toBe(6)
    expect(() => versionFor({ ...request, requireStable: true }, versions)).toThrow(/tidemark needs versions 7 to 9/)
  })

  it('inside a transaction are those that mean its transaction.version, whatever else the broker offers', () => {
    const offers = (max: Record<string, number>) =>
      new Map(
        Object.entries(max).map(([name, newest]) => [apis[name as ApiName].key, { min: 0, max: newest }] as const),
      )
    const kafka4 = offers({ produce: 13, txnOffsetCommit: 5, endTxn: 5 })
    const kafka3 = offers({ produce: 11, txnOffsetCommit: 4, endTxn: 4 })
    const requests = (transactionVersion: 1 | 2) =>
      [
        { api: 'produce', acks: -1, timeoutMs: 1, transactionalId: 't', transactionVersion, batches: [] },
        { api: 'txnOffsetCommit', ...producer, ...identity, transactionVersion, partitions: [] },
        { api: 'endTxn', ...producer, transactionVersion, committed: true },
      ] as const
    expect(requests(1).map((request) => versionFor(request, kafka4))).toEqual([11, 4, 4])
    expect(requests(2).map((request) => versionFor(request, kafka4))).toEqual([12, 5, 5])
    expect(requests(1).map((request) => versionFor(request, kafka3))).toEqual([11, 4, 4])
    for (const request of requests(2)) expect(() => versionFor(request, kafka3)).toThrow(/it is too old/)
  })

  it('of InitProducerId too old to compare are refused to transactions, and to nobody else', () => {
    const versions = new Map([[22, { min: 0, max: 2 }]])
    const request = { api: 'initProducerId', transactionTimeoutMs: 1, producerId: -1, producerEpoch: -1 } as const
    expect(versionFor({ ...request, transactionalId: null }, versions)).toBe(2)
    expect(() => versionFor({ ...request, transactionalId: 't' }, versions)).toThrow(/take Kafka 2.5 or newer/)
  })

  it('of an API that came after Kafka 2.4 are missed with the release that has it', () => {
    expect(() => negotiate('describeTransactions', undefined)).toThrow(/which Kafka from 3.0 on does/)
  })

  const told = (version: number, ranges: readonly [number, number, number][], errorCode = 0) =>
    encodeAnswer(
      'apiVersions',
      {
        throttleTimeMs: 0,
        errorCode,
        offered: ranges.map(([apiKey, min, max]) => ({ apiKey, min, max })),
        finalizedFeatures: [],
        finalizedFeaturesEpoch: -1,
      },
      version,
    )

  it('are asked for with the name and version of this package', async () => {
    const { version } = require('../../../package.json') as { version: string }
    const text = (value: string) => Buffer.from([value.length + 1, ...Buffer.from(value)])
    const wanted = Buffer.concat([
      Buffer.from('00120003' + '00000001' + '000163' + '00', 'hex'),
      text('tidemark'),
      text(version),
      Buffer.from([0]),
    ])
    expect(Buffer.concat(encodeApiVersions(3, 1, 'c')).subarray(4)).toEqual(wanted)
    const answer = told(3, [
      [18, 0, 4],
      [0, 0, 9],
    ])
    expect(decodeApiVersions(3, answer)?.get(0)).toEqual({ min: 0, max: 9 })
  })

  it('can be asked for in the oldest form, when a broker does not know the newest', () => {
    expect(Buffer.concat(encodeApiVersions(0, 1, 'c')).toString('hex')).toBe('0000000b001200000000000100' + '0163')
    // Whoever does not know the version answers in the oldest one, with or without what it does know.
    expect(decodeApiVersions(3, told(0, [[18, 0, 2]], 35))).toBeNull()
    expect(decodeApiVersions(3, told(0, [], 35))).toBeNull()
  })

  it('of a broker older than Kafka 2.4 are a clear error', () => {
    expect(() => decodeApiVersions(0, told(0, [[18, 0, 2]]))).toThrow(/too old: .* tidemark needs Kafka 2.4 or newer/)
    expect(() => decodeApiVersions(0, told(0, [], 35))).toThrow(/too old: .* tidemark needs Kafka 2.4 or newer/)
  })

  it('of fetch name topics by id only when the id of every topic is known', () => {
    const versions = new Map([[1, { min: 4, max: 18 }]])
    const limits = { maxWaitMs: 1, minBytes: 1, maxBytes: 1, isolation: 'read-committed' } as const
    const of = (...ids: (string | null)[]) => ({
      api: 'fetch' as const,
      ...limits,
      partitions: ids.map((id, index) => ({
        ...{ topic: `t${index}`, topicId: id, partition: 0 },
        ...{ currentLeaderEpoch: -1, fetchOffset: 0, partitionMaxBytes: 1 },
      })),
    })
    expect(versionFor(of(idOf('a'), idOf('b')), versions)).toBe(16)
    expect(versionFor(of(idOf('a'), null), versions)).toBe(12)
    expect(versionFor(of(idOf('a')), new Map([[1, { min: 0, max: 11 }]]))).toBe(11)
  })
})
