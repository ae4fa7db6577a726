import type { Mutant } from './mutant.js'

const units = 'test/unit/protocol/group/cooperative.test.ts'

/** Of partitions that are kept through a rebalance. */
export const groupMutants: readonly Mutant[] = [
  {
    name: 'partitions are kept under an eager leader too',
    file: 'src/protocol/group/classic/member.ts',
    find: 'if (isCooperative && isNext) return',
    replace: 'if (isNext) return',
    why: 'two members hold a partition and both commit it',
    units,
  },
  {
    name: 'a generation that was missed is not noticed',
    file: 'src/protocol/group/classic/member.ts',
    find: "const isNext = answer.generationId <= before + 1 || answer.leader === ''",
    replace: 'const isNext = answer.generationId > before || true',
    why: 'what was dealt out meanwhile is committed by its former owner under the generation of now',
    units,
  },
  {
    name: 'what another member holds is dealt out at once',
    file: 'src/protocol/group/classic/assignors/cooperative-sticky.ts',
    find: 'return of === undefined || isNewest(of, memberId)',
    replace: 'return of === undefined || of.size > 0',
    why: 'the next owner starts while the former one still works on it',
    units,
  },
  {
    name: 'a commit under the generation before is taken for lost',
    file: 'src/protocol/offsets/commit.ts',
    find: "outcome === 'lost' && refused === 'again' && this.#isOurs(offset) ? 'pending' : outcome",
    replace: 'outcome',
    why: 'a rebalance takes partitions from members that keep them',
    units,
  },
  {
    name: 'a join that waits holds up what is committed',
    file: 'src/protocol/cluster/coordinator-line.ts',
    find: "deadline, signal, 'join')",
    replace: "deadline, signal, 'group')",
    why: 'nobody commits, and no heartbeat is sent, while the group waits for a dead member',
    units,
  },
  {
    name: 'a stop while the group is joined drains nothing',
    file: 'src/protocol/group/classic/member.ts',
    find: "if (first.kind === 'stop') await this.#giveUp(stay, 'stop', this.#deadlineFor('rebalance'))",
    replace: "if (first.kind === 'stop') this.#lose('it stops', 'it was leaving')",
    why: 'what is in hand at a deploy is handled twice',
    units,
  },
]
