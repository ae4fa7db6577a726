import { describe, expect, test } from 'vitest'
import { DriverError, type SendError } from '../../../src/errors.js'
import { deferred } from '../../../src/runtime/deferred.js'
import { nullable } from '../../../src/serde/nullable.js'
import type { Serde } from '../../../src/serde/serde.js'
import type { Topic } from '../../../src/topic/topic.js'
import { startUnloaded, topic } from './scripted-driver.js'

/** Its bytes begin with an id that is told later: `?` stands for it until then. */
class Numbered {
  isReady = false
  asked = 0
  answer: () => Promise<void> = () => Promise.resolve()

  readonly serde: Serde<string> = {
    name: 'numbered',
    encode: (value) => Buffer.from(`${value}?`),
    decode: (bytes) => String(bytes),
    writing: this.#writing(),
  }

  readonly topic: Topic<string> = { ...topic, value: this.serde, partitioner: { name: 'first', create: () => () => 0 } }

  #writing() {
    const isReady = () => this.isReady
    return {
      get isReady() {
        return isReady()
      },
      prepare: async () => {
        this.asked += 1
        await this.answer()
        this.isReady = true
      },
      complete: (bytes: Buffer) => void bytes.write('7', bytes.length - 1),
    }
  }
}

const outage = () => new DriverError('keeper-down', 'no answer', { retriable: true })
const plain: Topic<string> = { ...topic, partitioner: { name: 'first', create: () => () => 0 } }

describe('sends whose serde has to ask first', () => {
  test('keep their order and go out whole, also beside sends of another serde to the same topic', async () => {
    const numbered = new Numbered()
    const told = deferred<void>()
    numbered.answer = () => told.promise
    const bench = startUnloaded()
    const sent = [
      bench.producer.send(numbered.topic, 'a'),
      bench.producer.send(plain, 'b'),
      bench.producer.send(numbered.topic, 'c'),
    ]
    await bench.run()
    expect(bench.driver.handedOver).toHaveLength(0)
    told.resolve()
    await bench.run()
    sent.push(bench.producer.send(numbered.topic, 'd'))
    for (let seen = 0; seen < bench.driver.handedOver.length; seen += 1) {
      bench.driver.handedOver[seen]!.store(seen)
      await bench.run()
    }
    await Promise.all(sent)
    expect(bench.driver.valuesOf(0)).toEqual(['a7', 'b', 'c7', 'd7'])
    expect(numbered.asked).toBe(1)
  })

  test.each(['send', 'sendMany'] as const)(
    'and that wait for memory too are passed by none behind them that has nothing to ask (%s)',
    async (how) => {
      const numbered = new Numbered()
      const told = deferred<void>()
      numbered.answer = () => told.promise
      const nothing: Topic<string | null> = { ...numbered.topic, value: nullable(numbered.serde) as never }
      const bench = startUnloaded({ maxRequestBytes: 1_024, bufferBytes: 1_300, batchBytes: 1_024 })
      const first = [bench.producer.send(plain, 'x'), bench.producer.send(plain, 'y')]
      await bench.run()
      const values = ['a', null]
      const sent =
        how === 'sendMany'
          ? [bench.producer.sendMany(nothing, values)]
          : values.map((value) => bench.producer.send(nothing, value))
      for (let seen = 0; seen < bench.driver.handedOver.length; seen += 1) {
        bench.driver.handedOver[seen]!.store(seen)
        await bench.run()
      }
      const before = bench.driver.handedOver.length
      told.resolve()
      await bench.run()
      for (let seen = before; seen < bench.driver.handedOver.length; seen += 1) {
        bench.driver.handedOver[seen]!.store(seen)
        await bench.run()
      }
      await Promise.all([...first, ...sent])
      expect(bench.driver.valuesOf(0)).toEqual(['x', 'y', 'a7', 'null'])
      expect(bench.producer.facts()).toMatchObject({ bufferedBytes: 0, waitingSends: 0 })
    },
  )

  test('are not stored when it cannot be told, and sends of others go on', async () => {
    const numbered = new Numbered()
    numbered.answer = () => Promise.reject(new Error('registry down'))
    const bench = startUnloaded()
    const failed = bench.producer.send(numbered.topic, 'a').catch((error: unknown) => error as SendError)
    const other = bench.producer.send(plain, 'b')
    await bench.run()
    bench.driver.handedOver[0]!.store(0)
    expect(await failed).toMatchObject({ outcome: 'not-stored', retriable: true, code: 'serde-not-ready' })
    expect((await other).offset).toBe(0)
    expect(bench.producer.facts()).toMatchObject({ bufferedBytes: 0 })
  })

  test('wait for an outage that ends within maxBlockMs, in order', async () => {
    const numbered = new Numbered()
    numbered.answer = () => Promise.reject(outage())
    const bench = startUnloaded({ maxBlockMs: 60_000 })
    const sent = ['a', 'b'].map((value) => bench.producer.send(numbered.topic, value))
    await bench.clock.advance(30_000)
    expect(numbered.asked).toBeGreaterThan(10)
    numbered.answer = () => Promise.resolve()
    await bench.clock.advance(2_000)
    for (let seen = 0; seen < bench.driver.handedOver.length; seen += 1) {
      bench.driver.handedOver[seen]!.store(seen)
      await bench.run()
    }
    await Promise.all(sent)
    expect(bench.driver.valuesOf(0)).toEqual(['a7', 'b7'])
  })

  test('ask no more when nobody waits, and end with what was last told', async () => {
    const numbered = new Numbered()
    numbered.answer = () => Promise.reject(outage())
    const bench = startUnloaded({ maxBlockMs: 5_000 })
    const failed = bench.producer.send(numbered.topic, 'a').catch((error: unknown) => error as SendError)
    await bench.clock.advance(5_001)
    expect(await failed).toMatchObject({ outcome: 'not-stored', code: 'keeper-down', retriable: true })
    const given = new AbortController()
    const { signal } = given
    const left = bench.producer.send(numbered.topic, 'b', { signal }).catch((error: unknown) => error as SendError)
    await bench.clock.advance(1_000)
    given.abort()
    expect(await left).toMatchObject({ outcome: 'not-stored', code: 'aborted' })
    const { asked } = numbered
    await bench.clock.advance(60_000)
    expect(numbered.asked).toBe(asked)
  })

  test('end by maxBlockMs when it never answers', async () => {
    const numbered = new Numbered()
    numbered.answer = () => new Promise(() => undefined)
    const bench = startUnloaded({ maxBlockMs: 1_000 })
    const failed = bench.producer.send(numbered.topic, 'a').catch((error: unknown) => error as SendError)
    await bench.clock.advance(1_001)
    expect(await failed).toMatchObject({ outcome: 'not-stored', retriable: true })
  })

  test('are asked for again by the next send after a failure', async () => {
    const numbered = new Numbered()
    numbered.answer = () => Promise.reject(new Error('registry down'))
    const bench = startUnloaded()
    await bench.producer.send(numbered.topic, 'a').catch(() => undefined)
    numbered.answer = () => Promise.resolve()
    const sent = bench.producer.send(numbered.topic, 'b')
    await bench.run()
    bench.driver.handedOver[0]!.store(0)
    await sent
    expect(bench.driver.valuesOf(0)).toEqual(['b7'])
  })
})
