import type { Mutant } from './mutant.js'

const fetching = 'test/unit/protocol/fetch/nearest-replica.test.ts'
const source = 'test/unit/protocol/fetch/read-source.test.ts'

/** Bugs in reading from followers. */
export const nearestReplicaMutants: readonly Mutant[] = [
  {
    name: 'a follower has the say about the log',
    file: 'src/protocol/fetch/fetcher.ts',
    find: 'else if (fromLeader) this.#refusedPartition',
    replace: 'else if (token >= 0) this.#refusedPartition',
    why: 'a follower that lags sets a reader back, or stops it',
    units: fetching,
  },
  {
    name: 'who follows once follows for ever',
    file: 'src/protocol/fetch/read-source.ts',
    find: 'if (isSame && now < state.until) return state.node',
    replace: 'if (isSame) return state.node',
    why: 'a follower that copies nothing any more holds its readers up without end',
    units: fetching,
  },
  {
    name: 'a follower of a former leader is read on',
    file: 'src/protocol/fetch/read-source.ts',
    find: 'const isSame = state.under.leader === leader.leader && state.under.leaderEpoch === leader.leaderEpoch',
    replace: 'const isSame = leader.leaderEpoch >= 0',
    why: 'nobody asks the new leader whether the place still stands',
    units: source,
  },
  {
    name: 'a follower that failed is asked again at once',
    file: 'src/protocol/fetch/read-source.ts',
    find: "this.#state = { kind: 'leader-alone', failed: node, until }",
    replace: 'this.#state = unsettled',
    why: 'leader and dead follower are asked in turn, as fast as they answer',
    units: source,
  },
  {
    name: 'what one partition fails at keeps the others with the leader',
    file: 'src/protocol/fetch/read-sources.ts',
    find: 'const apart = isMixed ?',
    replace: 'const apart = now < 0 ?',
    why: 'bytes of other partitions cross zones',
    units: fetching,
  },
  {
    name: 'a refusal counts for a place where the reader is no more',
    file: 'src/protocol/fetch/fetcher.ts',
    find: 'else if (question.position !== partition.position) continue',
    replace: 'else if (question.position < 0) continue',
    why: 'the leader says of an offset that a follower has given meanwhile that it is gone, and the reader is set back',
    units: fetching,
  },
  {
    name: 'the end that a follower tells is the end of the log',
    file: 'src/protocol/offsets/end-offsets.ts',
    find: "if (by === 'leader') this.#put",
    replace: 'if (by.length > 0) this.#put',
    why: 'a reader beside a follower that lags is told to have no lag',
    units: fetching,
  },
]
