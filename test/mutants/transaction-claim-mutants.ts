import type { Mutant } from './mutant.js'

const units = 'test/unit/transaction/transactions.test.ts'
const transactions = 'src/protocol/transactions/transactions.ts'

/** Of what a producer claims of its transactions, and of whose an id is. */
export const transactionClaimMutants: readonly Mutant[] = [
  {
    name: 'a late repeat of an end finds its epoch in use',
    file: transactions,
    find: 'else if (inDoubt || mayHaveStragglers) this.#epochIsSpent = true',
    replace: 'else void (inDoubt || mayHaveStragglers)',
    why: 'before KIP-890 it ends the next transaction in the middle, and half of it is visible',
    units,
  },
  {
    name: 'a lost answer to a commit counts as not committed',
    file: 'src/protocol/transactions/ending.ts',
    find: "if (asked.sent === 'maybe') inDoubt = true",
    replace: 'void asked.sent',
    why: 'a transaction that is visible is reported as aborted',
    units,
  },
  {
    name: 'a fenced id is taken over again',
    file: transactions,
    find: "if (known === 'taken') throw this.#fence()",
    replace: "if (known === 'taken') return this.#renewFrom(description, deadline)",
    why: 'two owners of one id fence each other for ever',
    units,
  },
  {
    name: 'an id is taken over by naming the epoch of its owner',
    file: 'src/protocol/transactions/ownership.ts',
    find: '    return this.#init(anybody, timeoutMs, deadline)\n',
    replace: '    return this.describe(deadline).then((owner) => this.#init(owner ?? anybody, timeoutMs, deadline))\n',
    why: 'two owners are given one epoch, and records of one are taken for repeats of the other: they are lost',
    units,
  },
  {
    name: 'a late attempt of our own to take the id over is taken for another owner',
    file: 'src/protocol/transactions/ownership.ts',
    find: "if (asked.sent === 'maybe' && owner === anybody) this.#mayBeLate()",
    replace: 'void this.#mayBeLate',
    why: 'after one lost answer a producer stops for good, though nobody else has its id',
    units,
  },
  {
    name: 'an epoch that another owner may have been given is renewed by naming it',
    file: 'src/protocol/transactions/ownership.ts',
    find: "return version === 1 && mayHaveEnded ? 'cannot-be-told' : { producerId, producerEpoch }",
    replace:
      "return version === 1 && mayHaveEnded && wasOpen !== wasOpen ? 'cannot-be-told' : { producerId, producerEpoch }",
    why: 'both are given the same next one',
    units,
  },
  {
    name: 'a failed send that nobody awaits is not looked at',
    file: 'src/transaction/transaction-runner.ts',
    find: 'if (transaction.failure !== null) throw transaction.failure',
    replace: 'void transaction.failure',
    why: 'a transaction is committed without one of its records',
    units,
  },
  {
    name: 'what the version is, is not asked again',
    file: 'src/protocol/transactions/version.ts',
    find: 'this.#clock.now() - this.#askedAt >= askAgainMs',
    replace: 'this.#askedAt === -Infinity',
    why: 'after a downgrade of the cluster every second transaction fails, and after an upgrade the old hole stays open',
    units,
  },
  {
    name: 'sequences go on under another epoch',
    file: 'src/protocol/transactions/identity.ts',
    find: '      this.#nextSequence = 0\n',
    replace: '',
    why: 'the second transaction is refused as out of order',
    units,
  },
  {
    name: 'partitions are written before they have joined',
    file: 'src/protocol/transactions/identity.ts',
    find: 'if (this.#version === 1) {',
    replace: 'if (this.#version === 1 && this.#joined.size > 99) {',
    why: 'before KIP-890 the records hang, or are refused',
    units,
  },
  {
    name: 'a commit that nobody answered is given up as unknown for good',
    file: transactions,
    find: "first.kind === 'undecided' ? await this.#askForEnd(true, Infinity, true) : first",
    replace: 'first',
    why: 'what could be known is not found out',
    units,
  },
  {
    name: 'an aborted record in the log counts as visible',
    file: 'src/protocol/transactions/resolving.ts',
    find: "if (aborted) return 'aborted'",
    replace: "void (aborted && 'aborted')",
    why: 'a transaction that nobody will see is reported as committed',
    units,
  },
  {
    name: 'nothing ends a handler that does not return',
    file: 'src/transaction/transaction-runner.ts',
    find: 'const until = { clock, deadline: clock.now() + timeoutMs, signal',
    replace: 'const until = { clock, deadline: Infinity, signal',
    why: 'the call hangs, and the next one with it',
    units,
  },
]
