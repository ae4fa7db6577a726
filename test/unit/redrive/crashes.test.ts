import { expect, it } from 'vitest'
import { redrive } from 'tidemark/redrive'
import { simulate, type SimulatedProcess } from 'tidemark/testing'
import { progressOf } from '../../../src/offsets/progress.js'
import { dlq, failedAt, messagingOf, options, put, redriven, stored, textsOf } from './dead-letters.js'
import { tries } from '../../support/long-profile.js'

/** `TIDEMARK_FULL=1`: before and after every request and answer; else at some of them. */
const stride = tries(23, 1)
const letters = 12

interface Ending {
  readonly crashed: boolean
}

/** The first run dies at its `at`-th request or answer, and another one follows. */
async function killedAt(at: number, seed: number): Promise<Ending> {
  let first: SimulatedProcess | null = null
  let seen = 0
  let kill: () => void = () => undefined
  const onEvent = () => {
    if (first?.state !== 'alive') return
    seen += 1
    if (seen === at) kill()
  }
  let crashed = false
  await simulate(
    seed,
    async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('orders', { partitions: 2 })
      cluster.createTopic(dlq, { partitions: 2 })
      for (const partition of [0, 1]) {
        const values = Array.from({ length: letters }, (_, number) => number)
        put(
          cluster,
          values.map((number) => ({
            key: `${partition}-${number % 3}`,
            value: `${partition}-${number}`,
            headers: failedAt(number, {
              'td-origin-partition': String(partition),
              'td-reason': number % 4 === 3 ? 'rejected' : 'exhausted',
            }),
          })),
          { partition },
        )
      }
      first = simulation.process('first')
      // In the middle of a turn it would go on with what it holds.
      kill = () => clock.defer(() => first?.crash())
      const messaging = messagingOf(first)
      const more = { select: { reason: 'exhausted' }, inFlight: 4 }
      const running = redrive(messaging, { ...options, ...more }).then(() => messaging.close())
      const isOver = () => first?.state === 'crashed'
      let isDone = false
      void running.then(() => (isDone = true))
      while (!isOver() && !isDone) await clock.sleep(1)
      crashed = isOver()
      first = null
      // What it had written before it died may still arrive.
      await clock.sleep(50)
      const done = cluster.committed(options.group).map((commit) => ({ ...commit, ...progressOf(commit) }))
      const isCommitted = (partition: number, offset: number) =>
        done.some(
          (one) =>
            one.partition === partition &&
            (offset < one.offset || one.completed.some(({ from, to }) => offset >= from && offset < to)),
        )
      expect(await redriven(simulation, more, 'second')).toMatchObject({ ended: 'done' })

      const all = stored(cluster)
      const places = new Map<string, { readonly partition: number; readonly offset: number }>()
      for (const [partition, number] of [0, 1].flatMap((one) => Array.from({ length: letters }, (_, n) => [one, n]))) {
        if ((number as number) % 4 !== 3) {
          places.set(`${partition}-${number}`, { partition: partition as number, offset: number as number })
        }
      }
      const ids = new Map<string, string[]>()
      for (const record of all) {
        const value = record.value?.toString() as string
        ids.set(value, [...(ids.get(value) ?? []), textsOf(record)['td-redrive-id'] as string])
      }
      expect([...ids.keys()].sort(), 'each letter that was meant, and no other').toEqual([...places.keys()].sort())
      for (const [value, sent] of ids) {
        const { partition, offset } = places.get(value) as { readonly partition: number; readonly offset: number }
        expect(new Set(sent).size, `${value} has one id`).toBe(1)
        expect(
          sent.length,
          `${value} goes twice at the most, and once where its progress was kept`,
        ).toBeLessThanOrEqual(isCommitted(partition, offset) ? 1 : 2)
      }
      for (const key of new Set(all.map((record) => record.key?.toString()))) {
        const ofKey = all
          .filter((record) => record.key?.toString() === key)
          .map(({ value }) => String(value).split('-')[1])
        const once = [...new Set(ofKey)].map(Number)
        expect(once, `the letters of ${key} are in order for whoever drops repeats`).toEqual(
          [...once].sort((one, other) => one - other),
        )
      }
    },
    { onEvent },
  )
  return { crashed }
}

it('a redrive that is killed at any point is finished by the next one: nothing is missing, and only what was on its way goes twice', async () => {
  let points = 0
  for (let at = 1; ; at += stride) {
    const { crashed } = await killedAt(at, at)
    if (!crashed) break
    points += 1
  }
  expect(points).toBeGreaterThan(60 / stride)
})
