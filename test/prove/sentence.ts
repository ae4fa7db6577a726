import type { ClientData, ProofData } from './proof-data.js'

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
