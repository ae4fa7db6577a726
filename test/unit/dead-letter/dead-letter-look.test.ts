import { describe, expect, it } from 'vitest'
import { lookAtDeadLetterTopic } from '../../../src/dead-letter/dead-letter-look.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'
import { logged, open, put, simulated, t } from '../consumer/simulated.js'

type Configs = Readonly<Record<string, string>>

/** How a consumer of `t` starts beside the dead-letter topic `t.dlq`. */
async function starting(configs: Configs | null, ofSource: Configs = {}) {
  const { logger, loud } = logged()
  let outcome: unknown = 'started'
  await simulated(async ({ cluster, clock, process }) => {
    cluster.createTopic('t', { configs: ofSource })
    if (configs !== null) cluster.createTopic('t.dlq', { configs })
    put(cluster, ['a'])
    const messaging = open(process('one'), { logger })
    const consumer = messaging.consumer({ group: 'g', topics: [t], deadLetter: 't.dlq', handle: () => undefined })
    await consumer.start().catch((error: unknown) => (outcome = error))
    await clock.sleep(1_000)
    await messaging.close()
  })
  const warnings = loud().filter(({ message }) => message.includes('dead-letter topic'))
  return { outcome, warnings }
}

describe('a consumer with a dead-letter topic', () => {
  it('starts without a word where the topic is fit', async () => {
    expect(await starting({})).toEqual({ outcome: 'started', warnings: [] })
  })

  it('does not start when the cluster says that the topic is missing', async () => {
    const { outcome } = await starting(null)
    expect(outcome).toMatchObject({
      name: 'ConfigError',
      message: expect.stringMatching(/t\.dlq does not exist; create it/),
    })
  })

  it('does not start when the topic is compacted', async () => {
    for (const policy of ['compact', 'compact,delete']) {
      const { outcome } = await starting({ 'cleanup.policy': policy })
      expect(outcome).toMatchObject({ name: 'ConfigError', message: expect.stringMatching(/t\.dlq is compacted/) })
    }
  })

  it('is warned of a topic that takes smaller records, or keeps them shorter, than what it reads', async () => {
    const small = await starting({ 'max.message.bytes': '1000' }, { 'max.message.bytes': '2000' })
    const short = await starting({ 'retention.ms': '1000' }, { 'retention.ms': '-1' })
    expect([small.outcome, short.outcome]).toEqual(['started', 'started'])
    expect(small.warnings.map(({ fields }) => fields['config'])).toEqual(['max.message.bytes'])
    expect(short.warnings.map(({ fields }) => fields['config'])).toEqual(['retention.ms'])
    const larger = await starting({ 'retention.ms': '-1', 'max.message.bytes': '9000000' })
    expect(larger.warnings).toEqual([])
  })
})

describe('the look at a dead-letter topic', () => {
  function look(
    describeTopics: () => Promise<readonly { name: string; errorCode: number }[]>,
    describeConfig = () => Promise.resolve(new Map<string, string | null>()),
  ) {
    const { logger, loud } = logged()
    const clock = virtualClock()
    const looked = lookAtDeadLetterTopic({
      target: 'd',
      sources: ['t'],
      cluster: { describeTopics, describeConfig },
      clock,
      logger,
      signal: new AbortController().signal,
    })
    return { looked: clock.runUntil(looked), loud }
  }

  it('that nobody answers, or that is not allowed, is a warning and no more', async () => {
    const silent = look(() => Promise.reject(new Error('nobody there')))
    await silent.looked
    expect(silent.loud().map(({ level }) => level)).toEqual(['warn'])
    const forbidden = look(
      () => Promise.resolve([{ name: 'd', errorCode: 0 }]),
      () => Promise.reject(new Error('not authorised')),
    )
    await forbidden.looked
    expect(forbidden.loud().map(({ level }) => level)).toEqual(['warn'])
  })

  it('believes that a topic is missing only after some looks: one that was just made is not known everywhere', async () => {
    let looks = 0
    const { looked, loud } = look(() => Promise.resolve((looks += 1) < 3 ? [] : [{ name: 'd', errorCode: 0 }]))
    await looked
    expect([looks, loud()]).toEqual([3, []])
  })
})
