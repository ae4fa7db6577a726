import type { Mutant } from './mutant.js'

const units = 'test/unit/protocol/failover.test.ts'

/** Bugs in how a client finds the new leader. */
export const failoverMutants: readonly Mutant[] = [
  {
    name: 'the last hint is the best hint',
    file: 'src/protocol/cluster/leader-hints.ts',
    find: 'if (leaderEpoch <= known.leaderEpoch) return false',
    replace: '',
    why: 'a broker that lags sends everybody back to a former leader',
    units,
  },
  {
    name: 'a hint is believed for ever',
    file: 'src/protocol/cluster/leader-hints.ts',
    find: 'hint.contradictions >= mostContradictions',
    replace: 'false',
    why: 'a partition made anew is asked for at a leader of its former topic, without end',
    units,
  },
  {
    name: 'hints are not read',
    file: 'src/protocol/cluster/leader-hints.ts',
    find: 'if (hints.length > 0) hinted(hints)',
    replace: 'void hints',
    why: 'each move of a leader costs a round of metadata',
    units,
  },
  {
    name: 'a leader that does not serve is well when metadata name it again',
    file: 'src/protocol/cluster/metadata-refresher.ts',
    find: 'return known?.leader === leader && known.leaderEpoch <= leaderEpoch',
    replace: 'return false',
    why: 'the controller takes seconds to notice a death, and nobody asks again meanwhile',
    units,
  },
  {
    name: 'an election is asked after as seldom as anything else',
    file: 'src/protocol/cluster/broker-backoff.ts',
    find: 'exponential({ initialMs: 50, maxMs: 250 })',
    replace: 'exponential({ initialMs: 50, maxMs: 2_000 })',
    why: 'each failover takes a second longer than it must',
    units,
  },
  {
    name: 'a reader that backs off does not turn to a new leader',
    file: 'src/protocol/fetch/fetch-cursor.ts',
    find: 'if (leader.leaderEpoch <= failedAt.leaderEpoch && !isWithoutEpochs) return',
    replace: 'if (leader.leaderEpoch >= 0) return',
    why: 'it waits out what the dead leader cost',
    units,
  },
  {
    name: 'a batch that backs off does not turn to a new leader',
    file: 'src/protocol/produce/batch-delivery.ts',
    find: 'else this.#turnTo(leader, place.failedAt)',
    replace: '',
    why: 'it waits out what the dead leader cost',
    units,
  },
  {
    name: 'a leader that serves again is asked for on',
    file: 'src/protocol/cluster/metadata-refresher.ts',
    find: 'if (complaint?.lost.delete(partition) !== true || complaint.lost.size > 0) return',
    replace: 'if (complaint === undefined || partition >= 0) return',
    why: 'a lost answer costs the brokers a hundred questions',
    units,
  },
]
