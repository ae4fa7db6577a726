import { createMessaging } from 'tidemark'
import { simulate, type Disturbance } from 'tidemark/testing'
import { describe, expect, it } from 'vitest'
import { OrderedWorld, source } from './ordered-world.js'
import { tries } from '../../support/long-profile.js'

/** All but what puts keys on other partitions, or takes records away. */
const disturbances: readonly Disturbance[] = [
  'lose-answer',
  'lose-request',
  'straggler',
  'delay',
  'refuse',
  'throttle',
  'silence',
  'turn-away',
  'lag-metadata',
  'move-leader',
  'restart-broker',
  'lag-replication',
  'move-coordinator',
  'kick-member',
  'transaction',
  'end-transaction',
]

/** `TIDEMARK_FULL=1`: 100; `RETRY_SEEDS` asks for so many, from `RETRY_FROM` on. */
const seeds = Array.from(
  { length: Number(process.env['RETRY_SEEDS'] ?? tries(1, 100)) },
  (_, index) => index + Number(process.env['RETRY_FROM'] ?? 1),
)

/** Drawn by the seed: what fails, who comes, goes and dies, and when the cluster is disturbed. */
async function run(seed: number): Promise<{ followers: number; problems: string[] }> {
  let outcome = { followers: 0, problems: ['it did not end'] }
  await simulate(
    seed,
    async (simulation) => {
      const { clock, random, nemesis } = simulation
      const below = (most: number) => Math.floor(random.next() * most)
      const failures = new Map<string, number>()
      const world = new OrderedWorld(simulation, {
        partitions: 1 + below(3),
        order: random.next() < 0.7 ? 'key' : 'partition',
        failures: (value) => failures.get(value) ?? 0,
        handlingMs: () => below(20),
      })
      const keys = Array.from({ length: 3 + below(6) }, (_, index) => `k${index}`)
      const producing = createMessaging({
        driver: simulation.process('producer').driver,
        durability: 'off',
        logger: 'silent',
      })
      const producer = producing.producer({ lingerMs: 0 })
      await world.join()
      if (random.next() < 0.5) await world.join()
      if (random.next() < 0.6) nemesis.start()
      for (let round = 0; round < 30; round += 1) {
        for (let count = below(8); count > 0; count -= 1) {
          const value = world.next(keys[below(keys.length)] as string)
          if (random.next() < 0.1) failures.set(value, random.next() < 0.25 ? Infinity : 1 + below(2))
          await producer.send(source, value)
        }
        await clock.sleep(below(400))
        if (random.next() > 0.15) continue
        const [what, is] = [random.next(), world.members]
        if (what < 0.4 || is === 0) await world.join()
        else if (what < 0.7) world.crash()
        else await world.leave()
      }
      nemesis.heal()
      if (world.members === 0) await world.join()
      for (let waited = 0; !world.isAllDone && waited < 240_000; waited += 500) await clock.sleep(500)
      const undone = world.undone.map((value) => `${value} was neither handled nor a letter`)
      outcome = { followers: world.followers(), problems: [...world.misorders(), ...undone] }
      await world.close()
      await producing.close()
    },
    { limitMs: 3_600_000, nemesis: { disturbances } },
  )
  return outcome
}

describe('keys whose records are put off', () => {
  it('stay in order through failures, crashes and rebalances, and nothing of them is lost', async () => {
    let followers = 0
    for (const seed of seeds) {
      const outcome = await run(seed)
      followers += outcome.followers
      expect({ seed, problems: outcome.problems.slice(0, 5) }).toEqual({ seed, problems: [] })
    }
    expect(followers).toBeGreaterThan(seeds.length)
  }, 600_000)
})
