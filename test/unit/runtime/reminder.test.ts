import { describe, expect, it } from 'vitest'
import { Reminder } from '../../../src/runtime/reminder.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'

describe('a reminder', () => {
  it('is due soon at first and then ever more rarely, at most every ten minutes', async () => {
    const clock = virtualClock()
    const begin = clock.now()
    const reminder = new Reminder(clock)
    const due: number[] = []
    for (let second = 0; second < 3_600; second += 1) {
      if (reminder.isDue()) due.push((clock.now() - begin) / 1_000)
      await clock.advance(1_000)
    }
    expect(due).toEqual([10, 30, 70, 150, 310, 630, 1_230, 1_830, 2_430, 3_030])
    expect(reminder.told).toBe(due.length)
  })
})
