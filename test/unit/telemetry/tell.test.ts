import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { courses } from '../../../src/telemetry/courses.js'
import type { ClientEvent, EventOf } from '../../../src/telemetry/events.js'
import type { Logger } from '../../../src/telemetry/logger.js'
import { noMetrics, type Metrics } from '../../../src/telemetry/metrics.js'
import { eventKinds, tell } from '../../../src/telemetry/tell.js'

function telling(event: ClientEvent): readonly unknown[] {
  const told: unknown[] = []
  const at = (level: string) => (fields: object, message: string) => void told.push([level, fields, message])
  const logger: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  const metrics: Metrics = {
    ...noMetrics,
    count: (name, labels, by) => void told.push([name, labels, by]),
    gauge: () => told.push('a gauge'),
    observe: () => told.push('an observation'),
  }
  tell({ logger, metrics, onEvent: (heard) => void told.push(heard) }, event)
  return told
}

function drained(possibleDuplicates: EventOf<'drained'>['drain']['possibleDuplicates']): EventOf<'drained'> {
  const partitions = [{ topic: 't', partition: 1 }]
  const numbers = { drained: 4, abandoned: 0, tookMs: 10 }
  return {
    kind: 'drained',
    drain: { reason: 'revoked', partitions, ...numbers, committed: [], possibleDuplicates, doneBeyond: [] },
  }
}

describe('what happened', () => {
  it('is counted, written under its kind and heard, each once and in this order', () => {
    const event: ClientEvent = { kind: 'epoch-raised', topic: 't', partition: 1, reason: 'timeout' }
    expect(telling(event)).toEqual([
      ['tidemark_producer_epoch_bumps_total', { topic: 't', reason: 'timeout' }, undefined],
      [
        'warn',
        { event: 'epoch-raised', topic: 't', partition: 1, reason: 'timeout' },
        'producer epoch raised for this partition',
      ],
      event,
    ])
  })

  it('is not counted when its kind has no counter', () => {
    const event: ClientEvent = { kind: 'fetch-answered' }
    expect(telling(event)).toEqual([['info', { event: 'fetch-answered' }, 'fetches are answered again'], event])
  })

  it('is as grave as what it tells: partitions that were given up in order are news, repeated records a warning', () => {
    expect(telling(drained([]))[1]).toMatchObject(['info', {}, 'partitions were given up'])
    const warned = telling(drained([{ topic: 't', partition: 1, from: 5, to: 7 }]))
    expect(warned[1]).toEqual(['tidemark_consumer_possible_repeats_total', { topic: 't' }, 2])
    expect(warned[2]).toMatchObject(['warn', {}, 'partitions were given up; some records may be handled twice'])
    expect(warned[0]).toEqual(['tidemark_consumer_rebalances_total', { kind: 'revoked' }, undefined])
  })
})

describe('the page about events', () => {
  const page = readFileSync(new URL('../../../docs/guides/logs.md', import.meta.url), 'utf8')

  it.each(eventKinds)('names %s', (kind) => {
    expect(page).toContain(`\`${kind}\``)
  })

  it('has the time after which what lasts is told, and what ends it', () => {
    for (const [kind, { afterMs, ends }] of Object.entries(courses)) {
      const row = page.split('\n').find((line) => line.startsWith(`| \`${kind}\` |`)) ?? ''
      const [, , after, , , end = ''] = row.split('|')
      if (!after?.includes('stallWarningMs')) expect([kind, after?.trim()]).toEqual([kind, `${afterMs / 1_000} s`])
      for (const one of ends) expect([kind, end]).toEqual([kind, expect.stringContaining(`\`${one}\``)])
    }
  })
})
