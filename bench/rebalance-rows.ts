import { until } from '../test/support/waiting.js'
import { nowMs, type BenchMember } from './rebalance-crew.js'

/** One group in the middle of what happens to it. */
export interface Field {
  readonly members: readonly BenchMember[]
  readonly join: (instance?: string | null) => BenchMember
  /** From now on this happens to the group, and these members are touched by it; the others stand by. */
  readonly step: (...touched: BenchMember[]) => void
}

export interface Row {
  readonly name: string
  readonly isStatic?: boolean
  readonly happens: (field: Field) => Promise<void> | void
  /** Longest time until everything is handled again. */
  readonly settlesWithinMs: number
}

const [quick, session] = [15_000, 65_000]

/** What waits for a session would take hours one after the other. */
export const waitsForSession = ({ settlesWithinMs }: Row) => settlesWithinMs === session

export const rows: readonly Row[] = [
  { name: 'nothing (control)', settlesWithinMs: quick, happens: ({ step }) => step() },
  {
    name: 'a member joins',
    settlesWithinMs: quick,
    happens({ join, step }) {
      step()
      join()
    },
  },
  {
    name: 'SIGTERM',
    settlesWithinMs: quick,
    happens({ members: [first], step }) {
      step(first!)
      void first!.end('SIGTERM')
    },
  },
  {
    name: 'SIGKILL',
    settlesWithinMs: session,
    happens({ members: [first], step }) {
      step(first!)
      void first!.end('SIGKILL')
    },
  },
  {
    name: 'SIGKILL, a new member at once',
    settlesWithinMs: session,
    happens({ members: [first], join, step }) {
      step(first!)
      void first!.end('SIGKILL')
      join()
    },
  },
  {
    name: 'SIGKILL of an instance, started again at once',
    isStatic: true,
    settlesWithinMs: quick,
    async happens({ members: [first], join, step }) {
      step(first!)
      await first!.end('SIGKILL')
      join(first!.task.instance)
    },
  },
  {
    name: 'all restarted, one after another',
    settlesWithinMs: 30_000,
    async happens({ members, join, step }) {
      for (const member of members) {
        step(member)
        await member.end('SIGTERM')
        const next = join()
        // The next is stopped when this one has its share, as an orchestrator does with a check of readiness.
        await until('the new member has its share', () => next.holds(nowMs() - 1_000).size > 0, { timeoutMs: 60_000 })
      }
    },
  },
]
