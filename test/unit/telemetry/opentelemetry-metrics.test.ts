import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { metricNames } from 'tidemark'
import { openTelemetryMetrics } from 'tidemark/opentelemetry'
import { describe, expect, it } from 'vitest'

function measured(temporality = AggregationTemporality.CUMULATIVE) {
  const exporter = new InMemoryMetricExporter(temporality)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const provider = new MeterProvider({ readers: [reader] })
  const collected = async () => {
    exporter.reset()
    await reader.forceFlush()
    const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
    return (name: string) => all.find(({ descriptor }) => descriptor.name === name)
  }
  return { adapter: openTelemetryMetrics({ meterProvider: provider }), collected, close: () => provider.shutdown() }
}

describe('openTelemetryMetrics', () => {
  it('measures every metric of the table, under a name from which exporters make that of the table', async () => {
    const { adapter, collected, close } = measured()
    const units: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' }
    for (const [name, { kind, labels }] of Object.entries(metricNames)) {
      const values = Object.fromEntries(labels.map((label) => [label, 'x']))
      if (kind === 'counter') adapter.count(name as never, values, 2)
      else if (kind === 'gauge') adapter.gauge(name as never, values, 2)
      else adapter.observe(name as never, values, 2)
    }
    const find = await collected()
    for (const [name, { kind, meaning }] of Object.entries(metricNames)) {
      const base = name.replace(/_total$/, '').replace(/_(seconds|bytes)$/, '')
      const own = base.replace('_', '.').replace('_', '.')
      const metric = find(own)
      const unit = units[metric?.descriptor.unit ?? ''] ?? ''
      expect(`${own.replaceAll('.', '_')}${unit}${kind === 'counter' ? '_total' : ''}`).toBe(name)
      expect(metric?.descriptor.description).toBe(meaning)
      expect(metric?.dataPoints).toHaveLength(1)
    }
    await close()
  })

  it('reads gauges when they are collected, and tells no more of what is forgotten', async () => {
    // Of what is cumulative an SDK tells the last value for ever.
    const { adapter, collected, close } = measured(AggregationTemporality.DELTA)
    const labels = { client: 'c', group: 'g', topic: 't', partition: 0 }
    let lag = 7
    const end = adapter.onScrape?.(() => adapter.gauge('tidemark_consumer_lag_records', labels, lag))
    const points = async () => (await collected())('tidemark.consumer.lag_records')?.dataPoints ?? []
    expect((await points()).map(({ value }) => value)).toEqual([7])
    lag = 9
    expect((await points()).map(({ value }) => value)).toEqual([9])
    end?.()
    adapter.forget?.('tidemark_consumer_lag_records', { ...labels })
    expect(await points()).toEqual([])
    await close()
  })

  it('puts values in the buckets of the table', async () => {
    const { adapter, collected, close } = measured()
    adapter.observe('tidemark_producer_send_seconds', { client: 'c', topic: 't' }, 0.002)
    const value = (await collected())('tidemark.producer.send')?.dataPoints[0]?.value as never
    expect(value).toMatchObject({
      count: 1,
      buckets: { boundaries: metricNames.tidemark_producer_send_seconds.buckets },
    })
    await close()
  })
})
