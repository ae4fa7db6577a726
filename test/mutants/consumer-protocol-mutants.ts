import type { Mutant } from './mutant.js'

const units = 'test/unit/protocol/group/consumer-member.test.ts'

/** Bugs in a member of a group that its coordinator divides. */
export const consumerProtocolMutants: readonly Mutant[] = [
  {
    name: 'a heartbeat after a lost answer tells only what changed',
    file: 'src/protocol/group/consumer/heartbeat.ts',
    find: '    term.noteUnanswered()\n',
    replace: '',
    why: 'the coordinator takes it for a zombie: each lost answer costs all partitions',
    units,
  },
  {
    name: 'the epoch of a heartbeat is not taken over',
    file: 'src/protocol/group/consumer/member.ts',
    find: 'term.told(memberEpoch, assignment)',
    replace: 'term.told(term.epoch, assignment)',
    why: 'the member is fenced after every change in its group',
    units,
  },
  {
    name: 'a partition is told to be free before it is drained',
    file: 'src/protocol/group/consumer/member.ts',
    find: 'await this.#events.revoked(goes, this.#drainBy())',
    replace: 'void this.#events.revoked(goes, this.#drainBy())',
    why: 'two members handle it at the same time, and the last commit of the first is refused',
    units,
  },
  {
    name: 'an acknowledgement does not say what is ours',
    file: 'src/protocol/group/consumer/term.ts',
    find: "if (this.#next === 'changes') this.#next = 'owned'",
    replace: '',
    why: 'the coordinator waits until the rebalance timeout and puts the member out',
    units,
  },
  {
    name: 'what a fenced member had stays with it',
    file: 'src/protocol/group/consumer/member.ts',
    find: "    this.#events.lost(term.owned.all())\n    if (end.kind === 'failed') {",
    replace: "    if (end.kind === 'failed') {",
    why: 'it goes on handling what others own',
    units,
  },
  {
    name: 'a member that reaches nobody is a member for ever',
    file: 'src/protocol/group/consumer/heartbeat.ts',
    find: 'if (askedAt >= expiresAt) {',
    replace: 'if (askedAt < 0) {',
    why: 'cut off from the group it handles on while others own its partitions',
    units,
  },
  {
    name: 'a static member leaves for good',
    file: 'src/protocol/group/consumer/member.ts',
    find: 'isForGood ? memberEpochs.leaves : memberEpochs.leavesForAWhile',
    replace: 'memberEpochs.leaves',
    why: 'each restart moves its partitions to others and back',
    units,
  },
  {
    name: 'a static member whose join got no answer is its own rival',
    file: 'src/protocol/group/consumer/entrance.ts',
    find: "if (beat.kind === 'unanswered' && beat.sent === 'maybe') this.#state = 'in doubt'",
    replace: '',
    why: 'one lost answer keeps it out for a session timeout',
    units,
  },
  {
    name: 'a successor does not wait for a dead predecessor',
    file: 'src/protocol/group/consumer/entrance.ts',
    find: 'const predecessorMs = 75_000',
    replace: 'const predecessorMs = 0',
    why: 'a static member that crashed cannot come back for 45 s: its process fails and fails',
    units,
  },
  {
    name: 'auto takes what brokers could do for what the cluster agreed on',
    file: 'src/protocol/group/group-protocol.ts',
    find: "level >= 1 ? 'consumer' : 'classic'",
    replace: "level >= 0 ? 'consumer' : 'classic'",
    why: 'consumers fail on clusters that are not upgraded to the end',
    units,
  },
]
