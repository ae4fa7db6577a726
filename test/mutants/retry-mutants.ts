import type { Mutant } from './mutant.js'

const later = 'test/unit/retry/retry-later.test.ts'
const takeover = 'test/unit/retry/takeover.test.ts'
const order = 'test/unit/retry/kept-order.test.ts'

/** Delay topics, and the order of keys whose records wait there. */
export const retryMutants: readonly Mutant[] = [
  {
    name: 'a delayed record is due when it is read',
    file: 'src/retry/delay-stage.ts',
    find: 'return now + Math.max(0, Math.min(notBefore - clock.wallTime(), notBefore - timestamp))',
    replace: 'return now',
    why: 'delays are none, and a record becomes a dead letter within a second',
    units: later,
  },
  {
    name: 'what comes back is told as of the delay topic',
    file: 'src/consumer/intake/decode.ts',
    find: 'offset: topic.name === partition.topic ? record.offset : offsetInSource(record),',
    replace: 'offset: record.offset,',
    why: 'handlers that know records by their place take a retry for another record',
    units: later,
  },
  {
    name: 'a delayed record begins at its first attempt again',
    file: 'src/retry/delayed-record.ts',
    find: '    textHeader(tdHeader.attempt, String(attempt)),\n',
    replace: '',
    why: 'a handler that looks at context.attempt never gives up',
    units: later,
  },
  {
    name: 'the last delay comes again and again',
    file: 'src/retry/put-off.ts',
    find: '    const level = all[index + 1]\n',
    replace: '    const level = all[index + 1] ?? all.at(-1)\n',
    why: 'a poisonous record never becomes a dead letter',
    units: later,
  },
  {
    name: 'RetryLater goes to the next delay, whatever it asks for',
    file: 'src/retry/put-off.ts',
    find: 'const level = open.find(({ delayMs }) => delayMs >= error.afterMs) ?? open.at(-1)',
    replace: 'const level = open[0]',
    why: 'records that wait long keep those that wait shortly company',
    units: later,
  },
  {
    name: 'what follows a key that is put off is handled',
    file: 'src/retry/key-order.ts',
    find: "if (waiting !== undefined) return { index: at, state: waiting.records > 0 ? 'put-off' : 'coming-back' }",
    replace: "if (waiting === null) return { index: at, state: 'put-off' }",
    why: 'the order of a key is lost with its first failure',
    units: order,
    isRare: true,
  },
  {
    name: 'records are handled before the delay topics behind theirs are read',
    file: 'src/retry/key-order.ts',
    find: 'return (index < 0 || this.#level(index).reading?.end != null) && this.#isReadFrom(index + 1)',
    replace: 'return index < 0 || this.#level(index).reading?.end != null',
    why: 'after a rebalance a record passes one of its key that failed twice',
    units: order,
    isRare: true,
  },
  {
    name: 'a late write of a former owner counts',
    file: 'src/retry/key-order.ts',
    find: '    if (this.#ours.has(work)) return false\n',
    replace: '    if (this.#ours.has(work) || work.firstRecord.offset >= 0) return false\n',
    why: 'what was handled from the source is handled again behind newer records of its key',
    units: takeover,
  },
  {
    name: 'of one key those that wait behind another come at once',
    file: 'src/retry/delay-stage.ts',
    find: 'const dueAt = Math.max(before, dueTime(work.firstRecord, this.#clock))',
    replace: 'const dueAt = dueTime(work.firstRecord, this.#clock)',
    why: 'the followers of a record are handled while it waits',
    units: order,
    isRare: true,
  },
  {
    name: 'a key comes free before the group has confirmed it',
    file: 'src/retry/kept-order.ts',
    find: 'void this.#parts.ledger.confirmed(back.partition).then((isConfirmed) => {',
    replace: 'void Promise.resolve(true).then((isConfirmed) => {',
    why: 'after a crash the last records of a key are handled again behind newer ones',
    units: takeover,
  },
  {
    name: 'the next owner does not know the fences',
    file: 'src/retry/key-order.ts',
    find: 'partition.fences = level.reading === null ? fencesOnRecord(partition) : []',
    replace: 'partition.fences = []',
    why: 'a late write of the owner before the last counts',
    units: takeover,
  },
  {
    name: 'a write that was given up holds its key for ever',
    file: 'src/retry/key-order.ts',
    find: 'return this.#level(index).writing.delete(id) && key !== null ? this.#uncount(index, key) : null',
    replace: 'return null',
    why: 'a key whose record was too large for its delay topic is never handled again',
    units: takeover,
  },
]
