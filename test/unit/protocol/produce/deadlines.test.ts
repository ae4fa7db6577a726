import { expect, test } from 'vitest'
import { Deadlines, type Due } from '../../../../src/protocol/produce/deadlines.js'
import { virtualClock } from '../../../../src/testing/time/virtual-clock.js'

function open() {
  const clock = virtualClock({ start: 0 })
  const out = new Set<Due>()
  const deadlines = new Deadlines(clock, out)
  const told: string[] = []
  const add = (name: string, deadline: number): Due => {
    const due: Due = {
      deadline,
      runOutOfTime() {
        told.push(`${name} at ${clock.now()}`)
        out.delete(due)
      },
    }
    out.add(due)
    deadlines.watch(deadline)
    return due
  }
  return { clock, out, deadlines, told, add }
}

test('each that is out at its deadline is told then, in whatever order they came', async () => {
  const { clock, told, add } = open()
  add('b', 200)
  add('c', 300)
  add('a', 100)
  await clock.advance(250)
  add('d', 260)
  await clock.advance(100)
  expect(told).toEqual(['a at 100', 'b at 200', 'd at 260', 'c at 300'])
})

test('what ended before its deadline is not told, and makes nobody late', async () => {
  const { clock, out, told, add } = open()
  out.delete(add('a', 100))
  add('b', 150)
  await clock.advance(200)
  expect(told).toEqual(['b at 150'])
})

test('where nothing is out no timer keeps the process alive', async () => {
  const { clock, out, deadlines, told, add } = open()
  out.delete(add('a', 100))
  deadlines.rest()
  expect(clock.pendingTimers).toBe(0)
  add('b', 50)
  await clock.advance(60)
  expect(told).toEqual(['b at 50'])
})
