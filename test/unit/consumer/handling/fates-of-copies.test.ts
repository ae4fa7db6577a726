import { expect, it, vi } from 'vitest'
import { BatchFailure, DeadLetter, Discard, RetryLater, Unavailable } from '../../../../src/consumer/handling/fate.js'
import { routeFailing, setUp } from '../consumer-setup.js'
import { records } from '../fake-driver.js'

/** The same module, loaded once more, as CommonJS beside ES modules and two versions in one process are. */
async function anotherCopy() {
  vi.resetModules()
  return import('../../../../src/consumer/handling/fate.js')
}

it('a fate is known whichever copy of the package made it, and is no other', async () => {
  const copy = await anotherCopy()
  expect(copy.DeadLetter).not.toBe(DeadLetter)
  const fates = [
    [DeadLetter, new copy.DeadLetter('bad')],
    [Discard, new copy.Discard('old')],
    [Unavailable, new copy.Unavailable('down')],
    [RetryLater, new copy.RetryLater(5)],
    [BatchFailure, new copy.BatchFailure(1, null)],
  ] as const
  for (const [own] of fates)
    expect(fates.map(([of, theirs]) => [of, theirs instanceof own])).toEqual(fates.map(([of]) => [of, of === own]))
})

it('a class that extends a fate has its own instances and no others', () => {
  class Poisoned extends DeadLetter {}
  expect(new Poisoned('bad')).toBeInstanceOf(DeadLetter)
  expect(new Poisoned('bad')).toBeInstanceOf(Poisoned)
  expect(new DeadLetter('bad')).not.toBeInstanceOf(Poisoned)
})

it('what a handler throws may be anything: it is no fate', () => {
  const hostile = new Proxy(new Error('no'), {
    get: () => {
      throw new Error('do not ask')
    },
  })
  for (const thrown of [hostile, new Error('no'), { name: 'DeadLetter' }, null, undefined, 'DeadLetter'])
    expect(thrown instanceof DeadLetter).toBe(false)
})

it('a consumer goes by a fate of another copy: discarded, put aside and gone on with', async () => {
  const copy = await anotherCopy()
  const { route, acknowledged } = routeFailing(0)
  const { clock, driver, consumer, stopped } = setUp(
    {
      commit: 'each',
      handle: ({ offset }) => {
        if (offset === 1) throw new copy.Discard('old')
        if (offset === 2) throw new copy.DeadLetter('bad')
      },
    },
    { deadLetter: route },
  )
  await consumer.start()
  driver.deliver(await driver.assign('t', 0), records(0, 4))
  await clock.advance(100)
  expect(stopped).toEqual([])
  expect(acknowledged.map(({ record, reason }) => [record.offset, reason])).toEqual([[2, 'rejected']])
  expect(driver.committed('t', 0)?.nextOffset).toBe(4)
})
