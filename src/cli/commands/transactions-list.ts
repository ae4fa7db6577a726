import { timeText } from '../../text/figures.js'
import type { Report } from '../report.js'
import type { Session } from '../session.js'
import { table, type Cell } from '../table.js'

export interface ListOptions {
  readonly state?: readonly string[] | undefined
}

/** Brokers tell when it began of one that has ended too. */
export function isUnderWay(state: string): boolean {
  return !/^(Empty|Complete|Dead)/.test(state)
}

export async function listTransactions(session: Session, { state }: ListOptions): Promise<Report> {
  const { admin, clock } = await session.cluster()
  const listed = await admin.listTransactions({ states: state, ...session.call })
  const ids = listed.map(({ transactionalId }) => transactionalId).sort()
  const described = ids.length === 0 ? [] : await admin.describeTransactions(ids, session.call)
  const now = clock.wallTime()
  const transactions = described.map((one) => ({
    ...one,
    openForMs: one.startedAt === null || !isUnderWay(one.state) ? null : Math.max(0, now - one.startedAt),
  }))
  return {
    value: transactions,
    text: (paint) =>
      table(
        paint,
        ['TRANSACTIONAL ID', 'STATE', 'OPEN FOR', 'TIMEOUT', 'PARTITIONS', 'PRODUCER', 'EPOCH'],
        transactions.map(({ transactionalId, state: is, openForMs, timeoutMs, partitions, ...producer }): Cell[] => [
          transactionalId,
          is,
          { text: timeText(openForMs) ?? '-', tone: openForMs !== null && openForMs > timeoutMs ? 'bad' : 'plain' },
          timeText(timeoutMs),
          partitions.length,
          // A name, and no number to be read in thousands.
          String(producer.producerId),
          producer.producerEpoch,
        ]),
        state === undefined ? 'There is no transactional id.' : 'There is no such transactional id.',
      ),
  }
}
