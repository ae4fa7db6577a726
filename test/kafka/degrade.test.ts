import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { logLevel } from 'kafkajs'
import { expect, inject, it } from 'vitest'
import { controlTopic, degradation, followLevels } from '../../src/degrade.js'
import { createMessaging, defineTopic, string } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { recordsOf } from '../../src/testing.js'
import { dieWithUs } from '../support/reaper.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { delay, until } from '../support/waiting.js'

/** Records of one backlog, of which one in ten is kept; handled one after another they take `records` × `handleMs`. */
const records = 1_500
const handleMs = 5
const raiseAt = 200
const lastsMs = 3_000
const looksToClear = 5

it('a level of a watcher that is killed ends by itself, the next watcher sets one again, and takes it back when the backlog is gone', async () => {
  const brokers = [...inject('kafkaBrokers')]
  const name = `degrade-${process.pid}-${Date.now()}`
  const work = defineTopic({ name, value: string(), key: (value) => value, partitions: 1 })
  const shed = defineTopic({ name: `${name}.shed`, value: string(), partitions: 1 })
  const control = controlTopic(`${name}.control`)
  const driver = kafkajs({ brokers, logLevel: logLevel.NOTHING })
  const messaging = createMessaging({ driver, logger: 'silent', durability: 'off' })
  await messaging.ensureTopics([work, shed, control])
  const less = degradation<string>(messaging, {
    keep: ({ value }) => value.startsWith('keep'),
    priorityOf: () => 3,
    levels: { 1: { shedFrom: 3 } },
    shedTo: shed.name,
  })
  await followLevels(messaging, control, less).start()
  const handled: string[] = []
  const consumer = messaging.consumer({
    group: name,
    topics: [work],
    handle: less.around(async ({ value }) => {
      await delay(handleMs)
      handled.push(value)
    }),
  })
  await consumer.start()

  const file = join(temporaryFolder('degrade'), 'lines')
  writeFileSync(file, '')
  const said = () => readFileSync(file, 'utf8').split('\n').slice(0, -1)
  const seen = () =>
    `level ${less.level}, ${handled.length} handled, ${JSON.stringify(less.facts())}, the watcher: ${said().slice(-5).join('; ')}`
  const path = fileURLToPath(new URL('../support/level-watching-process.ts', import.meta.url))
  const watch = (...clearAfter: readonly string[]): ChildProcess => {
    const args = [
      '--import',
      'tsx',
      path,
      brokers.join(','),
      name,
      file,
      String(raiseAt),
      String(lastsMs),
      ...clearAfter,
    ]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] })
    dieWithUs(child)
    return child
  }
  const killed = async (child: ChildProcess) => {
    const ended = new Promise((resolve) => child.once('close', (_, by) => resolve(by)))
    child.kill('SIGKILL')
    expect(await ended).toBe('SIGKILL')
  }

  const producer = messaging.producer({ lingerMs: 5 })
  const sent: string[] = []
  for (const life of [1, 2]) {
    const before = said().length
    const shedBefore = less.facts().shed
    const child = watch()
    await until('the watcher tells levels', () => said().length > before, { seen })
    expect(less.level, seen()).toBe(0)
    const values = Array.from({ length: records }, (_, at) => `${at % 10 === 0 ? 'keep' : 'drop'}-${life}-${at}`)
    sent.push(...values)
    await Promise.all(values.map((value) => producer.send(work, value)))
    await until('the lag raises the level', () => less.level === 1, { seen })
    await until('something is shed', () => less.facts().shed > shedBefore, { seen })
    await until(
      'the level is told again',
      () =>
        said()
          .slice(before)
          .filter((line) => line === 'told 1').length > 1,
      { seen },
    )
    expect(less.level, seen()).toBe(1)
    await killed(child)
    const killedAt = performance.now()
    expect(less.level, seen()).toBe(1)
    await until('the level ends', () => less.level === 0, { seen })
    // What it told last may have been on its way.
    expect(performance.now() - killedAt).toBeLessThan(lastsMs + 2_000)
    const late = `drop-${life}-late`
    sent.push(late)
    await producer.send(work, late)
    await until('what was shed before is handled', () => handled.includes(late), { seen, timeoutMs: 120_000 })
  }

  const before = said().length
  const child = watch(String(looksToClear))
  // On a busy machine it starts so slowly that the backlog would be gone before its first look.
  await until('the watcher tells levels', () => said().length > before, { seen })
  const values = Array.from({ length: records }, (_, at) => `${at % 10 === 0 ? 'keep' : 'drop'}-3-${at}`)
  sent.push(...values)
  await Promise.all(values.map((value) => producer.send(work, value)))
  await until('the lag raises the level', () => less.level === 1, { seen })
  await consumer.caughtUp({ timeoutMs: 120_000 })
  const gone = said().length
  await until(
    'the watcher takes it back',
    () => said().slice(before).includes('told 1') && said().at(-1) === 'told 0',
    {
      seen,
      timeoutMs: 120_000,
    },
  )
  const looks = said().indexOf('told 0', said().indexOf('told 1', before)) - gone
  // It sees what was committed, which may be a while behind what was handled.
  expect(looks).toBeLessThan(looksToClear + 20)
  await until('the level ends', () => less.level === 0, { seen, timeoutMs: 2_000 })
  await killed(child)
  await consumer.caughtUp({ timeoutMs: 120_000 })

  const { shed: count, refused } = less.facts()
  const aside = (await recordsOf(messaging, shed)).map(({ value }) => value)
  expect({ stored: aside.length, refused }).toEqual({ stored: count, refused: 0 })
  expect(aside.filter((value) => value.startsWith('keep'))).toEqual([])
  expect([...handled, ...aside].sort()).toEqual(sent.sort())
  await messaging.close()
}, 300_000)
