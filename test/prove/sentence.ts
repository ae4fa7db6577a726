import { countStates, unpacked, type ClientData, type ProofData } from './proof-data.js'

export const figure = (count: number): string => count.toLocaleString('en-US')

/** Neither acknowledged nor said not to be stored: whoever sent them does not know. */
const inDoubt = ({ load }: ProofData, { totals }: ClientData): number =>
  load.records - totals.acknowledged - totals.notStored

/** What the run showed, and nothing else: the same figures of both. */
export function sentenceOf(data: ProofData): string {
  const verdicts = data.clients.map((client) => {
    const { acknowledged, lost, doubled, outOfOrder } = client.totals
    const wrong = `lost ${figure(lost)}, doubled ${figure(doubled)}, put ${figure(outOfOrder)} out of order`
    return `${client.name} acknowledged ${figure(acknowledged)}, ${wrong} and left ${figure(inDoubt(data, client))} in doubt`
  })
  return `Of ${figure(data.load.records)} records given to both, ${verdicts.join('; ')}.`
}

/** Acknowledged and unknown too: what was not acknowledged cannot be lost. */
export function linesOf({ clients, load }: ProofData): readonly string[] {
  return clients.map(({ name, version, totals }) => {
    const { acknowledged, lost, doubled, outOfOrder, unknown, notStored } = totals
    const unanswered = load.records - acknowledged - unknown - notStored
    return [
      `${name} ${version}: acknowledged ${figure(acknowledged)}`,
      `lost ${figure(lost)}`,
      `doubled ${figure(doubled)}`,
      `out of order ${figure(outOfOrder)}`,
      `unknown ${figure(unknown)}`,
      `not stored ${figure(notStored)}`,
      ...(unanswered > 0 ? [`not answered ${figure(unanswered)}`] : []),
    ].join(', ')
  })
}

/** What tidemark promised and did not keep, in words: none of these may be in a run, whatever befell it. */
export function brokenPromises({ clients, load }: ProofData): readonly string[] {
  const tidemark = clients.find(({ name }) => name === 'tidemark')
  if (tidemark === undefined) return ['tidemark took no part']
  const { acknowledged, lost, doubled, outOfOrder } = tidemark.totals
  const counts = countStates(unpacked(tidemark.map, load.records))
  const broken: readonly (readonly [number, string])[] = [
    [lost, 'acknowledged and not in the log'],
    [doubled, 'in the log more than once'],
    [outOfOrder, 'out of order'],
    [counts[6] ?? 0, 'said not to be stored, and in the log'],
    [counts[7] ?? 0, 'without an answer when the run was over'],
    // Who promises nothing breaks nothing.
    [acknowledged === 0 ? load.records : 0, 'of which none was acknowledged'],
  ]
  return broken.filter(([count]) => count > 0).map(([count, what]) => `${figure(count)} ${what}`)
}
