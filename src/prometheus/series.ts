import type { MetricDefinition } from '../telemetry/metric-names.js'
import type { Labels } from '../telemetry/metrics.js'

/** One value of a metric, as a registry prints it. */
export interface Sample {
  readonly labels: Labels
  readonly value: number
  readonly metricName?: string
}

/** What is known under one set of labels. */
interface Cell {
  readonly labels: Labels
  value: number
  count: number
  /** Of histograms: how many values lay in each bucket alone; the last one has no bound. */
  readonly counts: Float64Array | null
}

/**
 * The values of one metric, by labels. They are added up here and not in the registry, which would make a text of the labels
 * for each record: whoever measures with the same object of labels again is found by it.
 */
export class Series {
  readonly #definition: MetricDefinition
  readonly #buckets: readonly number[]
  readonly #cells = new Map<string, Cell>()
  #known = new WeakMap<Labels, Cell>()

  constructor(definition: MetricDefinition) {
    this.#definition = definition
    this.#buckets = definition.buckets ?? []
  }

  add(labels: Labels, by: number): void {
    this.#cell(labels).value += by
  }

  set(labels: Labels, value: number): void {
    this.#cell(labels).value = value
  }

  observe(labels: Labels, value: number): void {
    const cell = this.#cell(labels)
    const counts = cell.counts as Float64Array
    let at = 0
    while (at < this.#buckets.length && value > (this.#buckets[at] as number)) at += 1
    counts[at] = (counts[at] as number) + 1
    cell.value += value
    cell.count += 1
  }

  /** It is told no more. */
  forget(labels: Labels): void {
    if (this.#cells.delete(this.#keyOf(labels))) this.#known = new WeakMap()
  }

  clear(): void {
    this.#cells.clear()
    this.#known = new WeakMap()
  }

  samples(name: string): Sample[] {
    const samples: Sample[] = []
    for (const cell of this.#cells.values()) {
      if (cell.counts === null) samples.push({ labels: cell.labels, value: cell.value })
      else this.#pushHistogram(samples, name, cell, cell.counts)
    }
    return samples
  }

  #pushHistogram(samples: Sample[], name: string, cell: Cell, counts: Float64Array): void {
    const { labels } = cell
    let below = 0
    for (const [at, bound] of this.#buckets.entries()) {
      below += counts[at] as number
      samples.push({ labels: { ...labels, le: bound }, value: below, metricName: `${name}_bucket` })
    }
    samples.push({ labels: { ...labels, le: '+Inf' }, value: cell.count, metricName: `${name}_bucket` })
    samples.push({ labels, value: cell.value, metricName: `${name}_sum` })
    samples.push({ labels, value: cell.count, metricName: `${name}_count` })
  }

  #cell(labels: Labels): Cell {
    return this.#known.get(labels) ?? this.#find(labels)
  }

  #find(labels: Labels): Cell {
    const key = this.#keyOf(labels)
    let cell = this.#cells.get(key)
    if (cell === undefined) {
      const isHistogram = this.#definition.kind === 'histogram'
      cell = { labels, value: 0, count: 0, counts: isHistogram ? new Float64Array(this.#buckets.length + 1) : null }
      this.#cells.set(key, cell)
    }
    this.#known.set(labels, cell)
    return cell
  }

  #keyOf(labels: Labels): string {
    return JSON.stringify(this.#definition.labels.map((label) => String(labels[label])))
  }
}
