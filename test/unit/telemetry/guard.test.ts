import { afterEach, describe, expect, it, vi } from 'vitest'
import { guarded, tellListener } from '../../../src/telemetry/guard.js'
import { silentLogger, type Logger } from '../../../src/telemetry/logger.js'
import { noMetrics, type Labels, type Metrics, type MetricsAdapter } from '../../../src/telemetry/metrics.js'

function throwing(): never {
  throw new Error('disk full')
}
const rejecting = () => Promise.reject(new Error('disk full')) as unknown as void
const logger: Logger = { debug: throwing, info: throwing, warn: throwing, error: throwing }

function kept() {
  const lines: string[] = []
  const counts: string[] = []
  const write = (_: object, message: string) => void lines.push(message)
  return {
    lines,
    counts,
    logger: { ...silentLogger, error: write } satisfies Logger,
    metrics: {
      ...noMetrics,
      count: (name: string, labels: Labels) => void counts.push(`${name} ${labels['source']}`),
    } satisfies MetricsAdapter & Metrics,
  }
}

function standardError(): string[] {
  const lines: string[] = []
  vi.spyOn(process.stderr, 'write').mockImplementation((line) => lines.push(String(line)) > 0)
  return lines
}

describe('foreign code at the edge', () => {
  afterEach(() => vi.restoreAllMocks())

  it.each([
    ['throws', logger],
    ['rejects', { debug: rejecting, info: rejecting, warn: rejecting, error: rejecting }],
  ])('a logger that %s is told once on standard error, and counted each time', async (_, odd) => {
    const printed = standardError()
    const { metrics, counts } = kept()
    const telemetry = guarded(odd, metrics, 'c')
    telemetry.logger.info({}, 'one')
    telemetry.logger.error({}, 'two')
    await new Promise((resolve) => setImmediate(resolve))
    expect(printed).toEqual([expect.stringContaining('the logger threw')])
    expect(counts).toEqual(Array(2).fill('tidemark_foreign_failures_total logger'))
  })

  it('a metrics adapter that throws is told once in the log', () => {
    const { logger: own, lines } = kept()
    const telemetry = guarded(own, { count: throwing, gauge: throwing, observe: throwing }, 'c')
    telemetry.metrics.gauge('tidemark_consumer_in_flight', {}, 1)
    telemetry.metrics.observe('tidemark_consumer_handle_seconds', { topic: 't' }, 1)
    expect(lines).toEqual([expect.stringContaining('metrics adapter threw')])
  })

  it('a logger and a metrics adapter that both throw end nothing', () => {
    standardError()
    const telemetry = guarded(logger, { count: throwing, gauge: throwing, observe: throwing }, 'c')
    expect(() => telemetry.metrics.gauge('tidemark_consumer_in_flight', {}, 1)).not.toThrow()
    expect(() => telemetry.logger.warn({}, 'one')).not.toThrow()
  })

  it.each([
    ['throws', throwing],
    ['rejects', () => Promise.reject(new Error('no pager'))],
    ['returns what throws when it is waited for', () => ({ then: throwing })],
  ])('a listener that %s is logged and counted', async (_, call) => {
    const world = kept()
    tellListener('onDrained', call, world)
    await new Promise((resolve) => setImmediate(resolve))
    expect(world.lines).toHaveLength(1)
    expect(world.counts).toEqual(['tidemark_foreign_failures_total onDrained'])
  })

  it('what is silent stays the very same, so that it costs nothing', () => {
    expect(guarded(silentLogger, noMetrics, 'c')).toEqual({ logger: silentLogger, metrics: noMetrics })
    expect(guarded(silentLogger, noMetrics, 'c').metrics).toBe(noMetrics)
  })
})
