import { describe, expect, it } from 'vitest'
import { DriverError } from '../../../src/errors.js'
import type { ClientEvent } from '../../../src/telemetry/events.js'
import type { Telemetry } from '../../../src/telemetry/guard.js'
import { silentLogger, type Logger } from '../../../src/telemetry/logger.js'
import { noMetrics } from '../../../src/telemetry/metrics.js'
import { tell } from '../../../src/telemetry/tell.js'
import { Troubles } from '../../../src/telemetry/troubles.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'

interface Line {
  readonly second: number
  readonly event: string
  readonly lastsMs?: number
  readonly again?: number
}

/** A client whose lines and events are kept with the second in which they came. */
function client() {
  const clock = virtualClock()
  const begin = clock.now()
  const lines: Line[] = []
  const heard: string[] = []
  const note = (fields: object) => void lines.push({ ...(fields as Line), second: (clock.now() - begin) / 1_000 })
  const logger: Logger = { ...silentLogger, info: note, warn: note, error: note }
  const troubles = new Troubles(clock)
  const telemetry: Telemetry = { logger, metrics: noMetrics, troubles, onEvent: ({ kind }) => void heard.push(kind) }
  const secondsOf = (kind: string) => lines.filter(({ event }) => event === kind).map(({ second }) => second)
  return { clock, lines, heard, troubles, secondsOf, tell: (event: ClientEvent) => tell(telemetry, event) }
}

const outside: ClientEvent = { kind: 'outside-group', reason: 'timed-out', attempt: 1 }
const inside: ClientEvent = { kind: 'inside-group-again' }
const unanswered: ClientEvent = { kind: 'fetch-unanswered', pollAgeMs: 30_000 }
const stopped = (partition: number): ClientEvent => ({
  kind: 'dead-letter-delayed',
  topic: 't',
  partition,
  offset: 1,
  attempt: 1,
  delayMs: 1,
  error: null,
})

describe('what lasts', () => {
  it('is told when it has lasted, again at distances that double up to ten minutes, and when it ends', async () => {
    const { clock, lines, heard, secondsOf, tell } = client()
    for (let second = 0; second < 3_600; second += 1) {
      tell({ ...outside, attempt: second })
      await clock.advance(1_000)
    }
    expect(secondsOf('outside-group')).toEqual([10, 70, 190, 430, 910, 1_510, 2_110, 2_710, 3_310])
    expect(lines[1]).toMatchObject({ again: 1, lastsMs: 70_000, attempt: 69 })
    tell(inside)
    expect(lines.at(-1)).toMatchObject({ event: 'inside-group-again', lastsMs: 3_600_000 })
    expect(heard).toEqual(['outside-group', 'inside-group-again'])
    expect(clock.pendingTimers).toBe(0)
  })

  it('is told again by the clock alone, without anybody who meets it again', async () => {
    const { clock, secondsOf, tell } = client()
    tell(unanswered)
    await clock.advance(200_000)
    expect(secondsOf('fetch-unanswered')).toEqual([0, 60, 180])
  })

  it('and ends before it counts is not told, nor its end', async () => {
    const { clock, lines, tell } = client()
    tell(outside)
    await clock.advance(9_000)
    tell(inside)
    await clock.advance(60_000)
    tell(inside)
    expect(lines).toEqual([])
  })

  it('counts from its own beginning: what ended before has no part in it', async () => {
    const { clock, secondsOf, tell } = client()
    for (let round = 0; round < 10; round += 1) {
      tell(outside)
      await clock.advance(8_000)
      tell(inside)
    }
    tell(outside)
    await clock.advance(20_000)
    expect(secondsOf('outside-group')).toEqual([90])
  })

  it('is one for each partition, and is forgotten with a partition that is given up', async () => {
    const { clock, lines, tell } = client()
    tell(stopped(0))
    tell(stopped(1))
    const partitions = [{ topic: 't', partition: 0 }]
    const numbers = { drained: 0, abandoned: 0, committed: [], possibleDuplicates: [], doneBeyond: [], tookMs: 0 }
    tell({ kind: 'drained', drain: { reason: 'revoked', partitions, ...numbers } })
    await clock.advance(60_000)
    expect(lines.map(({ event, ...fields }) => [event, 'partition' in fields ? fields.partition : null])).toEqual([
      ['dead-letter-delayed', 0],
      ['dead-letter-delayed', 1],
      ['drained', null],
      ['dead-letter-delayed', 1],
    ])
  })

  it('ends with an event that is told anyhow, and that does not say twice that it ended', async () => {
    const { clock, lines, tell } = client()
    const letter: ClientEvent = {
      kind: 'dead-lettered',
      topic: 't',
      partition: 0,
      offset: 1,
      reason: 'exhausted',
      because: 'no',
      form: 'whole',
      attempt: 1,
    }
    tell(stopped(0))
    tell(letter)
    tell(letter)
    await clock.advance(600_000)
    expect(lines.map(({ event }) => event)).toEqual(['dead-letter-delayed', 'dead-lettered', 'dead-lettered'])
  })

  it('is told no more, and leaves no timer, when its client is closed', async () => {
    const { clock, lines, troubles, tell } = client()
    tell(unanswered)
    tell(outside)
    troubles.close()
    expect(clock.pendingTimers).toBe(0)
    await clock.advance(600_000)
    expect(lines).toHaveLength(1)
  })

  it('of the surroundings is one for all clients, until the last of them that met it is closed', async () => {
    const clock = virtualClock()
    const surroundings = new Troubles(clock)
    const lines: object[] = []
    const logger: Logger = { ...silentLogger, warn: (fields) => void lines.push(fields) }
    const clients = [1, 2].map(() => new Troubles(clock, surroundings))
    const error = new DriverError('timed-out', 'silent')
    const meet = () => {
      for (const troubles of clients)
        tell({ logger, metrics: noMetrics, troubles }, { kind: 'broker-silent', node: 1, error })
    }
    meet()
    await clock.advance(10_000)
    meet()
    expect(lines).toHaveLength(1)
    clients[0]?.close()
    expect(clock.pendingTimers).toBe(1)
    clients[1]?.forgetAll()
    expect(clock.pendingTimers).toBe(0)
  })

  it('lapses when nobody met it again since it was told', async () => {
    const { clock, lines, tell } = client()
    const error = new DriverError('timed-out', 'silent')
    tell({ kind: 'broker-silent', node: 1, error })
    await clock.advance(4_000)
    tell({ kind: 'broker-silent', node: 1, error })
    await clock.advance(600_000)
    expect(lines.map(({ event, lastsMs }) => [event, lastsMs])).toEqual([
      ['broker-silent', undefined],
      ['broker-unasked', 4_000],
    ])
    expect(clock.pendingTimers).toBe(0)
  })

  it('may be told of a listener that tells of another in turn', async () => {
    const clock = virtualClock()
    const troubles = new Troubles(clock)
    const heard: string[] = []
    const telemetry: Telemetry = {
      logger: silentLogger,
      metrics: noMetrics,
      troubles,
      onEvent({ kind }) {
        heard.push(kind)
        if (kind === 'outside-group') tell(telemetry, inside)
      },
    }
    tell(telemetry, outside)
    await clock.advance(600_000)
    expect(heard).toEqual(['outside-group', 'inside-group-again'])
    expect(clock.pendingTimers).toBe(0)
  })
})
