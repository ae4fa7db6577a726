import { followLevels, levelWatcher, type Degradation, type LevelNotice } from 'tidemark/degrade'
import type { GroupLag } from 'tidemark/lag'
import type { Simulation } from 'tidemark/testing'
import { expect, it } from 'vitest'
import { noHeaders } from '../../../src/message/record.js'
import { logged, open, simulated, until } from '../consumer/simulated.js'
import { control, off, shedding } from './shedding.js'

/** As a record of the control topic, of any bytes, written so long ago by the clock of whoever wrote it. */
function write({ cluster, clock }: Simulation, value: string | Buffer | null, ageMs = 0): void {
  const record = {
    key: Buffer.from('level'),
    value: value === null ? null : Buffer.from(value as string),
    headers: noHeaders,
    timestamp: clock.wallTime() - ageMs,
  }
  cluster.appendTransaction('work.control', 0, [record], 'commit')
}

const notice = (level: LevelNotice['level'], epoch: number, lastsMs = 60_000) =>
  JSON.stringify({ level, epoch, lastsMs })

async function following(simulation: Simulation, taker?: (less: Degradation<string>) => Pick<Degradation, 'take'>) {
  simulation.cluster.createTopic('work.control')
  const { logger, loud } = logged()
  const messaging = open(simulation.process('serving'), { durability: 'off', logger })
  const less = shedding(messaging)
  await followLevels(messaging, control, taker?.(less) ?? less).start()
  const heard = async (value: string, ageMs?: number) => {
    write(simulation, value, ageMs)
    await simulation.clock.sleep(100)
    return [less.level, Math.floor(less.facts().leftMs / 100) * 100] as const
  }
  return { messaging, less, loud, heard }
}

it('whatever bytes come over a control topic, a tombstone too, the level behind them is heard', () =>
  simulated(async (simulation) => {
    const { messaging, less, loud, heard } = await following(simulation)
    const nonsense = [null, '', Buffer.from([0xff, 0xfe]), '[]', 'null', '"3"', '{"level":3', notice(3, -1)]
    for (const value of [...nonsense, notice(7 as never, 1), '{"level":"3","epoch":1,"lastsMs":1000}']) {
      write(simulation, value)
    }
    await simulation.clock.sleep(1_000)
    expect(less.level).toBe(0)
    expect((await heard(notice(1, 5)))[0]).toBe(1)
    expect(loud().map(({ message }) => message)).toEqual([
      'what came over the control topic is no level',
      'the level in force has risen: less is handled, as its rules say',
    ])
    await messaging.close()
  }))

it('a level counts for what is left of it: told twice, late, over already, by an older watcher, or by a clock that is ahead', () =>
  simulated(async (simulation) => {
    const { messaging, heard } = await following(simulation)
    expect(await heard(notice(2, 5))).toEqual([2, 59_900])
    expect(await heard(notice(2, 5))).toEqual([2, 59_900])
    expect(await heard(notice(3, 4))).toEqual([2, 59_800])
    expect(await heard(notice(3, 9), 60_000)).toEqual([2, 59_700])
    expect(await heard(notice(1, 9), 50_000)).toEqual([1, 9_900])
    expect(await heard(notice(3, 9), -3_600_000)).toEqual([3, 59_900])
    await simulation.clock.sleep(60_000)
    // The older watcher is the only one that is left.
    expect(await heard(notice(1, 4))).toEqual([1, 59_900])
    await messaging.close()
  }))

it('levels are heard although whoever takes them throws', () =>
  simulated(async (simulation) => {
    let refused = 0
    const { messaging, loud, heard } = await following(simulation, (less) => ({
      take: (given, ageMs) => {
        if (given.level === 3) refused += 1
        if (given.level === 3) throw new Error('foreign')
        return less.take(given, ageMs)
      },
    }))
    expect((await heard(notice(3, 5)))[0]).toBe(0)
    expect((await heard(notice(1, 5)))[0]).toBe(1)
    expect(refused).toBe(1)
    expect(loud().map(({ fields }) => fields['listener'])).toContain('take')
    await messaging.close()
  }))

it('watchers of a messaging have one producer, however many there were', () =>
  simulated(async (simulation) => {
    simulation.cluster.createTopic('work.control')
    const messaging = open(simulation.process('watching'), off)
    const monitor = { look: () => Promise.resolve([{ lag: 0, unseen: [] } as unknown as GroupLag]) }
    for (let nth = 0; nth < 20; nth += 1) await levelWatcher(messaging, { monitor, topic: control }).look()
    expect(messaging.facts().producers).toHaveLength(1)
    await until(simulation, () => simulation.cluster.records('work.control', 0).length === 20)
    await messaging.close()
  }))
