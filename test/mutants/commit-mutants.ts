import type { Mutant } from './mutant.js'

/** Of commits by hand: what says that something is on record, and what says where partitions start. */
export const commitMutants: readonly Mutant[] = [
  {
    name: 'commit() takes the answer to an earlier commit for its own',
    file: 'src/consumer/settling/confirmations.ts',
    find: 'if (after < choice) end(true)',
    replace: 'end(true)',
    why: 'what it says is on record is not, and a crash repeats it',
    units: 'test/unit/consumer/confirmed-commits.test.ts',
  },
  {
    name: "with commit: 'confirmed' the next record does not wait",
    file: 'src/consumer/settling/committed-offsets.ts',
    find: "partition.gate.close('commit')",
    replace: "partition.gate.lift('commit')",
    why: 'a crash repeats more than the record in hand',
    units: 'test/unit/consumer/confirmed-commits.test.ts',
  },
  {
    name: 'leaving a loop settles what it holds',
    file: 'src/consumer/handling/open-batch.ts',
    find: '    this.#call.cancel(leftOpen(this.#call.partition))\n',
    replace: '    void leftOpen\n',
    why: 'a throw in the body of a loop loses the batch',
    units: 'test/unit/consumer/batch-loop.test.ts',
  },
  {
    name: 'deliveries to a loop begin unasked',
    file: 'src/consumer/lifecycle/assemble.ts',
    find: 'mayBegin: loop === null ? undefined : () => loop.isAsked,',
    replace: 'mayBegin: undefined,',
    why: 'the time of a batch runs out while it waits for the loop',
    units: 'test/unit/consumer/batch-loop.test.ts',
  },
  {
    name: 'partitions are not held while onAssigned is asked',
    file: 'src/consumer/lifecycle/partition-lifecycle.ts',
    find: "for (const { gate } of owned) gate.close('hook')",
    replace: 'void owned',
    why: 'records are handled that the store of the user has already',
    units: 'test/unit/consumer/hooks.test.ts',
  },
  {
    name: 'a late answer of onAssigned counts',
    file: 'src/consumer/lifecycle/user-hooks.ts',
    find: '        onLate: () => {\n          throw tooSlow(name, hookTimeoutMs)\n        },',
    replace: '        onLate: () => (void tooSlow, undefined),',
    why: 'a partition starts elsewhere than where the store of the user says',
    units: 'test/unit/consumer/hooks.test.ts',
  },
  {
    name: 'a pause ends with a rebalance',
    file: 'src/consumer/partition/owned-partitions.ts',
    find: '    this.#obey(owned)\n    this.#onTaken',
    replace: '    this.#onTaken',
    why: 'what rests because something is down goes on by itself',
    units: 'test/unit/consumer/flow.test.ts',
  },
  {
    name: 'a stop inside a handler waits for it',
    file: 'src/consumer/consumer.ts',
    find: 'return ended === this.#closing && this.isCalling() ? Promise.resolve() : ended',
    replace: 'return ended',
    why: 'each waits for the other until the time to finish is over',
    units: 'test/unit/consumer/stop-inside.test.ts',
  },
]
