import { brokerCode, type BrokerCodeName } from './broker-error.js'

/**
 * What the codes in the answers of one API mean for us, as one table by name. Brokers may answer with any code, also with
 * one that is younger than this client, so what an unlisted code means is part of the judgement.
 */
export function judgeBy<Verdict>(
  table: Readonly<Partial<Record<BrokerCodeName, Verdict>>>,
  unlisted: Verdict,
): (errorCode: number) => Verdict {
  const verdicts = new Map<number, Verdict>()
  for (const [name, code] of Object.entries(brokerCode)) {
    const verdict = table[name as BrokerCodeName]
    if (verdict !== undefined) verdicts.set(code, verdict)
  }
  return (errorCode) => verdicts.get(errorCode) ?? unlisted
}
