import type { MemoryCluster } from '../../../src/drivers/memory/memory-cluster.js'
import type { Report } from '../invariant.js'

/** One record of the source, by name. Equal records of a transaction go to the topics in and side. */
export interface SourceTransaction {
  readonly records: readonly string[]
  outcome: 'under-way' | 'committed' | 'aborted' | 'unknown'
}

export const topics = { in: 'in', out: 'out', side: 'side', letters: 'letters', later: 'in.retry.copying.1s' } as const

interface Visible {
  readonly partition: number
  readonly offset: number
  readonly value: string
}

/** Records that a reader of committed records sees, in order of partition and offset, by this file's own reading of markers. */
function visibleIn(cluster: MemoryCluster, topic: string): readonly Visible[] {
  const found: Visible[] = []
  for (let partition = 0; partition < cluster.partitionCount(topic); partition += 1) {
    const batches = cluster.batches(topic, partition)
    for (const [index, batch] of batches.entries()) {
      if (batch.control !== 'none') continue
      const end = batches.slice(index).find((one) => one.control !== 'none' && one.producerId === batch.producerId)
      if (batch.isTransactional && end?.control !== 'commit') continue
      for (const { offset, value } of batch.decode()) found.push({ partition, offset, value: String(value) })
    }
  }
  return found
}

/** What was written and copied, and whether that may be so. */
export class CopyingLedger {
  readonly transactions: SourceTransaction[] = []
  readonly poison = new Set<string>()
  /** Records that are put off once. */
  readonly later = new Set<string>()

  constructor(
    private readonly cluster: MemoryCluster,
    private readonly report: Report,
  ) {}

  /** A source record is out, beside it on the side, among letters, or put off: each at most once, whenever one looks. */
  checkMeanwhile(): void {
    for (const topic of [topics.out, topics.side, topics.letters, topics.later]) {
      const seen = new Set<string>()
      for (const { value } of visibleIn(this.cluster, topic)) {
        if (seen.has(value)) this.report('nothing is doubled', `${value} is twice in ${topic}`)
        seen.add(value)
      }
    }
  }

  /** What is visible in the source and not yet copied. */
  missing(): readonly string[] {
    const done = new Set([...this.#valuesOf(topics.out), ...this.#valuesOf(topics.letters)])
    return this.#valuesOf(topics.in).filter((value) => !done.has(value))
  }

  checkEnd(order: 'partition' | 'key' | 'none'): void {
    this.checkMeanwhile()
    const source = visibleIn(this.cluster, topics.in)
    const inSource = new Set(source.map(({ value }) => value))
    this.#checkSource(inSource)
    const out = visibleIn(this.cluster, topics.out)
    const outside = new Set(out.map(({ value }) => value))
    const beside = new Set(this.#valuesOf(topics.side))
    const letters = new Set(this.#valuesOf(topics.letters))
    for (const value of inSource) {
      const place = `out ${outside.has(value)}, side ${beside.has(value)}, letters ${letters.has(value)}`
      const isWhole = this.poison.has(value)
        ? !outside.has(value) && !beside.has(value) && letters.has(value)
        : outside.has(value) && beside.has(value) && !letters.has(value)
      if (!isWhole) this.report('what was read is written once, whole', `${value}: ${place}`)
    }
    for (const value of [...outside, ...beside, ...letters, ...this.#valuesOf(topics.later)]) {
      if (!inSource.has(value)) this.report('only what was committed is copied', `${value} is not in the source`)
    }
    if (order === 'partition' && this.later.size === 0) this.#checkOrder(source, out)
    this.#checkClosed()
  }

  #checkSource(visible: ReadonlySet<string>): void {
    for (const { records, outcome } of this.transactions) {
      const seen = records.filter((value) => visible.has(value)).length
      const detail = `${outcome}, and ${seen} of ${records.length} are visible: ${records.join(' ')}`
      if (seen > 0 && seen < records.length) this.report('a transaction is visible as a whole or not at all', detail)
      if (outcome === 'committed' && seen === 0) this.report('what was committed is visible', detail)
      if (outcome === 'aborted' && seen > 0) this.report('what was aborted is not visible', detail)
    }
  }

  #checkOrder(source: readonly Visible[], out: readonly Visible[]): void {
    const position = new Map(source.map(({ value }, index) => [value, index]))
    let before = -1
    let last = -1
    for (const { partition, value } of out) {
      const at = position.get(value) ?? -1
      if (partition === last && at < before) this.report('order of a partition is kept', `${value} in out-${partition}`)
      before = at
      last = partition
    }
  }

  /** No transaction stays open for ever. */
  #checkClosed(): void {
    for (const topic of Object.values(topics)) {
      for (let partition = 0; partition < this.cluster.partitionCount(topic); partition += 1) {
        const { lastStableOffset, highWatermark } = this.cluster.partitionFacts(topic, partition)
        if (lastStableOffset === highWatermark) continue
        const detail = `${topic}-${partition} is stable up to ${lastStableOffset} of ${highWatermark}`
        this.report('no transaction stays open', detail)
      }
    }
  }

  #valuesOf(topic: string): readonly string[] {
    return visibleIn(this.cluster, topic).map(({ value }) => value)
  }
}
