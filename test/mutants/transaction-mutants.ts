import type { Mutant } from './mutant.js'

/** Of consumers whose offsets go with what they send: each must be found where members copy under simulated faults. */
export const transactionMutants: readonly Mutant[] = [
  {
    name: 'a record of a former transaction is taken for one of this one',
    file: 'src/protocol/transactions/identity.ts',
    find: '    const stored = [...this.#joined].map((partition) => partition.takeFirstStored())\n',
    replace:
      '    const stored: (StoredRecord | null)[] = []\n' +
      '    for (const partition of this.#joined) if (stored.length === 0) stored.push(partition.takeFirstStored())\n',
    why: 'a commit that is not known is said to be visible, and is not',
    units: 'test/unit/protocol/transactions/identity.test.ts',
  },
  {
    name: 'a partition that is given up within a transaction does not abort it',
    file: 'src/transaction/end-of-transaction.ts',
    find: '  if (gone === undefined) return\n',
    replace: '  if (gone !== undefined || gone === undefined) return\n',
    why: 'its output is committed and its offset is not: the next owner doubles it',
    copying: true,
  },
  {
    name: 'the commit does not wait for its records',
    file: 'src/transaction/end-of-transaction.ts',
    find: '  await withinDeadline(stored, { clock, deadline, signal: closed, onLate })\n',
    replace: '  void stored.catch(() => closed)\n',
    why: 'records whose offset is committed are lost',
    copying: true,
  },
  {
    name: 'offsets stay out of the transaction',
    file: 'src/transaction/end-of-transaction.ts',
    find: '  await transactions.commitOffsets(member, offsets, deadline)\n',
    replace: '  void [member, offsets, deadline]\n',
    why: 'a restart doubles everything',
    copying: true,
  },
  {
    name: 'offsets are committed in the name of nobody',
    file: 'src/transaction/end-of-transaction.ts',
    find: 'const member = { groupId, generationId, memberId, groupInstanceId }',
    replace:
      'const member = { groupId, generationId: -1 * Number(generationId >= -1), memberId: memberId.slice(0, 0), groupInstanceId: null }\n  void groupInstanceId',
    why: 'a member that stood still commits over the new owner',
    copying: true,
  },
  {
    name: 'nothing goes back after an abort',
    file: 'src/transaction/member-transactions.ts',
    find: '        this.#parts.rewind(partition)\n',
    replace: '        void partition\n',
    why: 'the offsets of what was aborted go with the next transaction: its outputs are lost',
    copying: true,
  },
  {
    name: 'a partition on its way out commits what was aborted',
    file: 'src/transaction/member-transactions.ts',
    find: "      if (partition.state.is('draining') || this.#is('closed')) this.#undone.add(partition)\n      else {",
    replace: "      if (!partition.state.is('draining') && !this.#is('closed')) {",
    why: 'the outputs of its last records are lost',
    copying: true,
  },
  {
    name: 'a commit that is not known counts as aborted',
    file: 'src/transaction/member-transactions.ts',
    find: "    if (outcome === 'committed') this.#committed(chosen, choice)\n    else if (outcome === 'aborted') this.#rewind(error)",
    replace:
      "    if (outcome === 'never') this.#committed(chosen, choice)\n    else if (outcome !== 'closed') this.#rewind(error)",
    why: 'what was committed is doubled',
    copying: true,
  },
  {
    name: 'an end without an answer is taken for one that never arrived',
    file: 'src/protocol/transactions/ending.ts',
    find: "      if (asked.sent === 'maybe') inDoubt = true\n",
    replace: '',
    why: 'a transaction is told to be aborted, and is visible',
    units: 'test/unit/transaction/transactions.test.ts',
  },
  {
    name: 'a new owner does not wait for offsets in open transactions',
    file: 'src/protocol/offsets/committed.ts',
    find: 'requireStable = true',
    replace: 'requireStable = false',
    why: 'it starts before what its predecessor commits a moment later, and doubles it',
    copying: true,
  },
]
