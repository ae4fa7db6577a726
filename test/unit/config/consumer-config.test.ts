import { describe, expect, it } from 'vitest'
import { boundedOutOfOrderness } from 'tidemark/event-time'
import { resolveConsumerOptions } from '../../../src/config/consumer-config.js'
import { resolveProducerOptions } from '../../../src/config/producer-config.js'
import { profiles } from '../../../src/config/profiles.js'
import { ConfigError } from '../../../src/errors.js'
import { textTopic } from '../consumer/consumer-setup.js'

const least = { group: 'g', topics: [textTopic('t')], handle: () => undefined }
const resolve = (options: object) =>
  resolveConsumerOptions({ ...least, ...options } as typeof least, profiles.cp).options

function issuesOf(act: () => unknown) {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as ConfigError).issues
  }
  throw new Error('expected a ConfigError')
}

describe('defaults that follow from other options', () => {
  it('put the low mark at half of a high mark that is given', () => {
    expect(resolve({ highMark: { records: 10 } })).toMatchObject({
      highMark: { records: 10, bytes: 67_108_864 },
      lowMark: { records: 5, bytes: 33_554_432 },
    })
    expect(resolve({ highMark: { bytes: 1_001 }, lowMark: { records: 7 } }).lowMark).toEqual({ records: 7, bytes: 500 })
  })

  it('send heartbeats often enough for a short session', () => {
    expect(resolve({ sessionTimeoutMs: 1_500 }).heartbeatIntervalMs).toBe(500)
    expect(resolve({ sessionTimeoutMs: 30_000 }).heartbeatIntervalMs).toBe(1_000)
    expect(issuesOf(() => resolve({ sessionTimeoutMs: 1_500, heartbeatIntervalMs: 600 }))).toMatchObject([
      {
        path: 'heartbeatIntervalMs',
        fix: expect.stringMatching(/^write at most a third of sessionTimeoutMs, 1500/) as string,
      },
    ])
  })
})

describe('options that cannot work', () => {
  it.each([
    [{ lowMark: { records: 200_000 } }, 'lowMark.records', 'write less than highMark.records, 100000'],
    [{ handle: undefined }, 'handle', 'write handle or handleBatch'],
    [{ handleBatch: () => undefined }, 'handleBatch', 'write handle or handleBatch, not both'],
    [{ topics: ['t'] }, 'topics.0', 'write a topic made by defineTopic'],
    [{ topics: [...least.topics, ...least.topics] }, 'topics', 'write each topic once; t is there twice'],
    [{ group: null, groupInstanceId: 'a' }, 'groupInstanceId', 'write nothing: without a group'],
    [{ deadLetter: 'no topic' }, 'deadLetter', 'write the name of a topic (1 to 249 of the characters'],
    [{ deadLetter: '' }, 'deadLetter', 'write the name of a topic'],
    [{ deadLetter: { topic: '' } }, 'deadLetter.topic', 'write the name of a topic'],
    [{ deadLetter: { topic: 'dlq', afterwards: 'park' } }, 'deadLetter.afterwards', "write 'continue' or 'stop'"],
    [
      { deadLetter: { topic: 'dlq', breaker: { ratio: 10 } } },
      'deadLetter.breaker.ratio',
      'write a number of at most 1',
    ],
    [{ deadLetter: { topic: 'dlq', braker: false } }, 'deadLetter.braker', 'did you mean breaker?'],
    [{ onDrained: 3 }, 'onDrained', 'write a function (report)'],
  ])('%o', (options, path, fix) => {
    const [issue, ...others] = issuesOf(() => resolve(options))
    expect(others).toEqual([])
    expect(issue?.path).toBe(path)
    expect(issue?.fix.slice(0, fix.length)).toBe(fix)
  })

  it.each([
    [{ transaction: { everyMs: 5_000, timeoutMs: 9_000 } }, 'transaction.timeoutMs', 'raise timeoutMs'],
    [{ transaction: { everyMessages: 0 } }, 'transaction.everyMessages', 'write a number of'],
    [{ group: null, transaction: {} }, 'group', 'name a group'],
    [{ commit: { everyMessages: 10 } }, 'commit', 'write transaction: {'],
    [{ isolation: 'read-uncommitted' }, 'isolation', 'leave it out'],
    [{ retryLater: { delays: ['1m'] } }, 'retryLater.order', "write order: 'none'"],
    [{ profile: 'cp', transaction: {} }, 'transaction', "write profile: 'transactional'"],
  ])('%o, where offsets go with transactions', (options, path, fix) => {
    const issues = issuesOf(() => resolveConsumerOptions({ ...least, ...options } as never, profiles.transactional))
    expect(issues.map((issue) => [issue.path, issue.fix.slice(0, fix.length)])).toEqual([[path, fix]])
  })

  it('that make no sense together tell which of their values came', () => {
    const [issue] = issuesOf(() => resolve({ handle: undefined, handleBatch: () => undefined, order: 'key' }))
    expect(issue).toMatchObject({ path: 'order', message: 'is "key"' })
  })

  it.each([null, undefined, 'text'])('are refused as a whole when they are %s', (options) => {
    const expected = [{ path: 'options', fix: 'write an object' }]
    expect(issuesOf(() => resolveConsumerOptions(options as never, profiles.cp))).toMatchObject(expected)
    expect(issuesOf(() => resolveProducerOptions(options as never, profiles.cp))).toMatchObject(expected)
  })
})

describe('dedupe', () => {
  const store = { known: () => new Set<string>(), mark: () => undefined }
  const dedupeOf = (options: object) =>
    resolveConsumerOptions({ ...least, ...options } as typeof least, profiles.cp).dedupe

  it('is a store, or a store with what is to be known of it; the marks are those of the group', () => {
    expect(dedupeOf({})).toBeNull()
    expect(dedupeOf({ dedupe: store })).toEqual({ store, scope: 'g', identity: undefined, timeoutMs: 10_000 })
    const identity = () => 'a'
    const given = { store, scope: 's', identity, timeoutMs: 5 }
    expect(dedupeOf({ dedupe: given })).toEqual(given)
    expect(dedupeOf({ dedupe: { store, scope: undefined } })?.store).toBe(store)
    expect(dedupeOf({ group: null, dedupe: { store, scope: 's' } })?.scope).toBe('s')
  })

  it('that cannot work is refused with what to write instead', () => {
    const wrong: readonly (readonly [object, string, RegExp])[] = [
      [{ dedupe: true }, 'dedupe', /a store, or \{ store/],
      [{ dedupe: { known: () => new Set() } }, 'dedupe', /store/],
      [{ group: null, dedupe: store }, 'dedupe.scope', /without a group nothing says whose/],
      [{ group: null, dedupe: { store } }, 'dedupe.scope', /without a group nothing says whose/],
    ]
    for (const [options, path, fix] of wrong) {
      const [issue] = issuesOf(() => dedupeOf(options))
      expect(issue?.path.slice(0, path.length)).toBe(path)
      expect(issue?.fix).toMatch(fix)
    }
  })
})

describe('reorder', () => {
  it('that cannot work is refused with what to write instead', () => {
    const watermark = boundedOutOfOrderness(5)
    const wrong: readonly (readonly [object, string, RegExp])[] = [
      [{ policy: 'ignore' }, 'reorder.late.policy', /'deliver' or 'drop' or 'side-topic' or 'callback'/],
      [{ policy: 'drop', topic: 'late' }, 'reorder.late.topic', /take it out/],
      [{ policy: 'side-topic', topic: 't' }, 'reorder.late.topic', /a topic that this consumer does not read/],
    ]
    for (const [late, path, fix] of wrong) {
      expect(issuesOf(() => resolve({ reorder: { watermark, late } }))).toMatchObject([
        { path, fix: expect.stringMatching(fix) as string },
      ])
    }
  })
})

describe('transaction', () => {
  it('under another profile is refused with that alone', () => {
    expect(issuesOf(() => resolve({ transaction: { everyMs: 5 } })).map(({ path }) => path)).toEqual(['transaction'])
  })
})

describe('groupProtocol', () => {
  const underAuto = (options: object) =>
    resolveConsumerOptions({ ...least, ...options } as typeof least, profiles.cp, 'auto')

  it('is that of the messaging unless the consumer has its own', () => {
    expect(resolve({}).groupProtocol).toBe('classic')
    expect(underAuto({}).options.groupProtocol).toBe('auto')
    expect(underAuto({ groupProtocol: 'consumer', remoteAssignor: 'range' }).options).toMatchObject({
      ...{ groupProtocol: 'consumer', remoteAssignor: 'range' },
    })
  })

  it("'auto' takes the classic one for options that have no effect in the other", () => {
    expect(underAuto({ sessionTimeoutMs: 9_000, assignors: ['range'] })).toMatchObject({
      ...{ options: { groupProtocol: 'classic' }, classicFor: ['sessionTimeoutMs', 'assignors'] },
    })
    expect(underAuto({ rebalanceTimeoutMs: 9_000, sessionTimeoutMs: undefined }).classicFor).toEqual([])
  })

  it('refuses what has no effect, with who decides instead', () => {
    const options = { groupProtocol: 'consumer', sessionTimeoutMs: 9_000, heartbeatIntervalMs: 1, assignors: ['range'] }
    expect(issuesOf(() => resolve(options))).toMatchObject(
      [
        { path: 'sessionTimeoutMs', fix: /group\.consumer\.session\.timeout\.ms decides/ },
        { path: 'heartbeatIntervalMs', fix: /group\.consumer\.heartbeat\.interval\.ms decides/ },
        { path: 'assignors', fix: /remoteAssignor decides/ },
      ].map(({ path, fix }) => ({ path, fix: expect.stringMatching(fix) as string })),
    )
    expect(issuesOf(() => resolve({ remoteAssignor: 'range' }))).toMatchObject([{ path: 'remoteAssignor' }])
  })

  it.each(['classic', 'consumer', 'auto'])(
    '%s of a consumer without a group is refused, and that of the messaging is not',
    (protocol) => {
      const alone = { group: null, groupProtocol: protocol, remoteAssignor: 'range' }
      expect(issuesOf(() => resolve(alone))).toMatchObject(
        ['groupProtocol', 'remoteAssignor'].map((path) => ({ path, message: 'has no effect with group: null' })),
      )
      const inherited = protocol as 'classic' | 'consumer' | 'auto'
      const { options } = resolveConsumerOptions(
        { ...least, group: null } as object as typeof least,
        profiles.cp,
        inherited,
      )
      expect(options.group).toBeNull()
    },
  )
})

describe('retry, outage and classify', () => {
  it('try again by default, at hand are parts of it, and false is none', () => {
    const defaults = { retries: 3, backoff: { initialMs: 100, maxMs: 2_000 }, budgetMs: 10_000 }
    expect(resolve({}).retry).toEqual(defaults)
    expect(resolve({ retry: { retries: 9, backoff: { initialMs: 5, maxMs: undefined } } }).retry).toEqual({
      ...defaults,
      retries: 9,
      backoff: { initialMs: 5, maxMs: 2_000 },
    })
    const longer = resolve({ retry: { backoff: { initialMs: 5_000 } } }).retry
    expect(longer).toEqual({ ...defaults, backoff: { initialMs: 5_000, maxMs: 5_000 } })
    expect(resolve({ retry: false }).retry).toBe(false)
    expect(resolve({ outage: {} }).outage).toEqual({ decideAfterMs: 60_000 })
    expect(resolve({ outage: false }).outage).toBe(false)
  })

  it('that cannot work are refused with what to write instead', () => {
    const wrong: readonly (readonly [object, string, RegExp])[] = [
      [{ retry: true }, 'retry', /or false for not at all/],
      [{ retry: { retries: -1 } }, 'retry.retries', /attempts after the first one, from 0 to 1,000/],
      [{ retry: { attempts: 3 } }, 'retry.attempts', /retr/],
      [
        { retry: { backoff: { initialMs: 3_000, maxMs: 5 } } },
        'retry.backoff.maxMs',
        /at least retry.backoff.initialMs, 3000/,
      ],
      [{ outage: { decideAfterMs: 0 } }, 'outage.decideAfterMs', /nothing has succeeded for so long/],
      [{ classify: 'fatal' }, 'classify', /a function \(error\)/],
    ]
    for (const [options, path, fix] of wrong)
      expect(issuesOf(() => resolve(options))).toMatchObject([{ path, fix: expect.stringMatching(fix) as string }])
  })
})
