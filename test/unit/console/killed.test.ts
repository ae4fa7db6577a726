import { simulate } from 'tidemark/testing'
import { expect, it } from 'vitest'
import { Redrives } from '../../../src/console/letters/redrives.js'
import { judgeGroup } from '../../../src/console/model/group-verdict.js'
import { restingRedrives } from '../../../src/console/model/redrive-group.js'
import { ClusterWatch } from '../../../src/console/watch/cluster-watch.js'
import { systemRandom } from '../../../src/runtime/random.js'
import { dlq, failedAt, messagingOf, put, stored, textsOf } from '../redrive/dead-letters.js'

const letters = 60
const request = { topic: dlq, to: ['orders'], filter: {}, perSecond: 50 }

it.each([900])(
  'a console started after one that was killed %i ms into a redrive tells of it, and goes on: no letter is missing, one id each',
  async (afterMs) => {
    await simulate(afterMs, async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('orders', { partitions: 2 })
      cluster.createTopic(dlq, { partitions: 2 })
      for (const partition of [0, 1]) {
        const values = Array.from({ length: letters / 2 }, (_, at) => `${partition}-${at}`)
        put(
          cluster,
          values.map((value, at) => ({ key: value, value, headers: failedAt(at) })),
          { partition },
        )
      }
      const process = simulation.process('killed')
      const killed = new Redrives(messagingOf(process), ['orders'], systemRandom, () => undefined)
      const { id } = await killed.plan(request)
      killed.run(id, dlq)
      await clock.sleep(afterMs)
      process.crash()
      // What it had written before it died may still arrive.
      await clock.sleep(50)
      const sent = stored(cluster).length
      expect(sent).toBeGreaterThan(0)
      expect(sent).toBeLessThan(letters)

      const messaging = messagingOf(simulation.process('anew'))
      const watch = new ClusterWatch({
        ...{ messaging, everyMs: 1_000, timeoutMs: 10_000, members: [], factsToken: undefined },
      })
      const leave = watch.watch(() => undefined)
      // The dead one is a member until its session has ended.
      while (restingRedrives(watch.sight).length === 0) await clock.sleep(1_000)
      const [resting] = restingRedrives(watch.sight)
      expect(resting).toMatchObject({ topic: dlq })
      const left = resting?.left ?? 0
      expect(left).toBeGreaterThanOrEqual(letters - sent)
      expect(watch.sight.groups.map((group) => judgeGroup(group, watch.sight.at).verdict.text)).toEqual([
        expect.stringMatching(
          /^redrive-orders\.dlq-\w+ keeps the place of a redrive of orders\.dlq that does not run$/,
        ),
      ])
      leave()
      await watch.close()

      const anew = new Redrives(messaging, ['orders'], systemRandom, () => undefined)
      expect(() => anew.run(id, dlq)).toThrow('there is no such redrive: make a dry run first')
      const again = await anew.plan(request)
      const { redriven, passedBefore } = again.plan
      // The topic counts by offsets, of which a marker of a transaction takes one too.
      expect(passedBefore).toBe((watch.sight.letterTopics[0]?.letters ?? NaN) - left)
      expect(redriven).toBeGreaterThanOrEqual(letters - sent)
      expect(redriven).toBeLessThanOrEqual(left)
      anew.run(again.id, dlq)
      while (anew.views().some(({ state }) => state === 'running')) await clock.sleep(100)
      expect(anew.views()).toMatchObject([{ state: 'done', progress: { redriven } }])

      const ids = new Map<string, string[]>()
      for (const record of stored(cluster)) {
        const value = record.value?.toString() as string
        ids.set(value, [...(ids.get(value) ?? []), textsOf(record)['td-redrive-id'] as string])
      }
      expect(ids.size).toBe(letters)
      expect([...ids.values()].filter((sent) => new Set(sent).size > 1)).toEqual([])
      expect(stored(cluster), 'again goes only what was sent and not kept').toHaveLength(sent + redriven)
      await anew.close()
      await messaging.close()
    })
  },
)
