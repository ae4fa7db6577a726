import type { Mutant } from './mutant.js'

const retries = 'test/unit/consumer/handling/retries.test.ts'

/** What becomes of records that fail: bugs in retries. */
export const failureMutants: readonly Mutant[] = [
  {
    name: 'a retry that sleeps keeps its place',
    file: 'src/consumer/dispatch/settler.ts',
    find: '    lanes.giveBack(work.inLane)\n',
    replace: '',
    why: 'some failing keys take all of concurrency while they sleep, and the others wait',
    units: retries,
  },
  {
    name: 'a retry that sleeps hears of no revoke',
    file: 'src/consumer/dispatch/settler.ts',
    find: 'this.#parts.clock.sleep(afterMs, lanes.closing)',
    replace: 'this.#parts.clock.sleep(afterMs)',
    why: 'every rebalance and every stop waits for sleeping retries up to its deadline',
    units: retries,
  },
  {
    name: 'an attempt that spends nothing is counted',
    file: 'src/consumer/dispatch/settler.ts',
    find: 'if (!isFree) work.attempt += 1',
    replace: 'work.attempt += 1',
    why: 'after an outage good records seem to have been tried hundreds of times',
    units: retries,
  },
  {
    name: 'records of a batch that is taken apart have all retries again',
    file: 'src/consumer/partition/work.ts',
    find: 'single.trouble = this.trouble === null ? null : { ...this.trouble }',
    replace: 'single.trouble = null',
    why: 'a batch with a poisonous record multiplies the attempts',
    units: retries,
  },
  {
    name: 'programming errors are tried as often as others',
    file: 'src/consumer/handling/retries.ts',
    find: 'isProgrammingError(failed.error) ? Math.min(1, settings.retries) : settings.retries',
    replace: 'isProgrammingError(null) ? 0 : settings.retries',
    why: 'a bug in a handler costs seconds for each record',
    units: retries,
  },
  {
    name: 'the budget of a record begins anew with each failure',
    file: 'src/consumer/handling/retries.ts',
    find: '<= trouble.countsFrom + settings.budgetMs',
    replace: '<= trouble.lastAt + settings.budgetMs',
    why: 'one record may hold up its partition for hours',
    units: retries,
  },
]
