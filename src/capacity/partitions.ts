import type { ResolvedWorkload } from './workload.js'

/** One reason to have so many partitions. */
export interface PartitionTerm {
  readonly name: 'producing' | 'consuming' | 'handling' | 'processes'
  readonly partitions: number
  readonly formula: string
}

/** How much more than is needed may be taken for a number that divides well. */
const mostMore = 1.2
/** Beyond it no divisor matters. */
const fewEnough = 10_000

export function partitionTerms(of: ResolvedWorkload): readonly PartitionTerm[] {
  const { messagesPerSecond, messageBytes, headroom, growth, handler, perProcess, processes } = of
  const messages = messagesPerSecond * (1 + headroom) * growth
  const rate = `${messagesPerSecond} messages/s × ${1 + headroom}${growth === 1 ? '' : ` × ${growth}`}`
  const terms: PartitionTerm[] = [
    byRate('producing', messages * messageBytes, of.producedPerPartition, `${rate} × ${messageBytes} B`, 'B/s'),
    byRate('consuming', messages * messageBytes, of.consumedPerPartition, `${rate} × ${messageBytes} B`, 'B/s'),
  ]
  if (handler !== null) {
    const perPartition = (handler.atOnce * 1_000) / handler.ms
    terms.push(
      byRate('handling', messages, perPartition, rate, `messages/s (${handler.atOnce} at once, ${handler.ms} ms each)`),
    )
  }
  if (processes !== null)
    terms.push({
      name: 'processes',
      partitions: processes,
      formula: `${processes} planned: one that has no partition is idle`,
    })
  else if (perProcess !== null) {
    const needed = Math.ceil(messages / perProcess)
    const formula = `${rate} ÷ ${perProcess} messages/s of a process, and one to spare`
    terms.push({ name: 'processes', partitions: needed + 1, formula })
  }
  return terms
}

function byRate(name: PartitionTerm['name'], rate: number, each: number, formula: string, unit: string): PartitionTerm {
  return { name, partitions: Math.max(1, Math.ceil(rate / each)), formula: `${formula} ÷ ${each} ${unit}` }
}

/** At least `needed`, not much more, and the one that most counts of members divide without a rest. */
export function niceCount(needed: number): number {
  let nicest = needed
  if (needed > fewEnough) return needed
  for (let count = needed; count <= needed * mostMore; count += 1)
    if (divisors(count) > divisors(nicest)) nicest = count
  return nicest
}

function divisors(count: number): number {
  let found = 0
  for (let by = 1; by <= Math.sqrt(count); by += 1) if (count % by === 0) found += by * by === count ? 1 : 2
  return found
}
