import { readFileSync } from 'node:fs'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { avro } from '../../../src/avro/avro.js'
import { bytes, createMessaging, defineTopic, json, type Topic } from '../../../src/index.js'
import { memory } from '../../../src/memory.js'
import { schemaRegistry } from '../../../src/registry/schema-registry.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { memoryRegistry } from '../../../src/testing/registry/memory-registry.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'

const Order = z.object({ id: z.string(), n: z.number() })
type Order = z.infer<typeof Order>
const schema = {
  type: 'record',
  name: 'Order',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'n', type: 'int' },
  ],
}

/** What the guide says, as it stands there. */
function topicsOfGuide(names: object): { readonly read: Topic<Order>; readonly written: Topic<Order> } {
  const page = readFileSync(new URL('../../../docs/guides/schemas.md', import.meta.url), 'utf8')
  const section = page.split('## From JSON to Avro without stopping')[1] as string
  const code = /```ts\n([\s\S]*?)```/.exec(section)?.[1] as string
  return runInNewContext(`(() => { ${code}; return { read, written } })()`, names) as ReturnType<typeof topicsOfGuide>
}

test('from JSON to Avro as the guide has it: nothing is lost, and each key keeps its order over the change and back', async () => {
  const clock = virtualClock()
  const runtime = { clock, random: seededRandom(7) }
  const registry = schemaRegistry({ transport: memoryRegistry({ clock }), runtime })
  const { read, written } = topicsOfGuide({ avro, defineTopic, json, Order, registry, schema })
  const before = defineTopic({ name: 'orders', key: 'id', value: json(Order), partitions: 2 })
  const dead = defineTopic({ name: 'dead', value: bytes(), partitions: 2 })
  const messaging = createMessaging({ driver: memory({ runtime }), durability: 'off', logger: 'silent' })
  await clock.runUntil(messaging.ensureTopics([before, dead]))
  const handled: string[] = []
  const handle = ({ value }: { readonly value: Order }) => void handled.push(`${value.id}${value.n}`)
  const consumer = messaging.consumer({ group: 'g', topics: [read], deadLetter: dead, handle })
  await clock.runUntil(consumer.start())
  // Two processes that write, of which one is deployed before the other, and both again on the way back.
  const producer = messaging.producer()
  const rounds = [
    [before, before],
    [written, before],
    [written, written],
    [before, written],
    [before, before],
  ]
  for (const [n, [one, other]] of rounds.entries()) {
    await clock.runUntil(
      Promise.all([
        producer.send(one as Topic<Order>, { id: 'a', n }),
        producer.send(other as Topic<Order>, { id: 'b', n }),
      ]),
    )
  }
  await clock.runUntil(() => handled.length >= 10)
  for (const id of ['a', 'b']) {
    expect(handled.filter((one) => one.startsWith(id))).toEqual([0, 1, 2, 3, 4].map((n) => `${id}${n}`))
  }
  await clock.runUntil(consumer.stop())

  // Step 3 before its time.
  const [early, letters]: [string[], string[]] = [[], []]
  const hasty = messaging.consumer({
    group: 'hasty',
    topics: [written],
    from: 'earliest',
    deadLetter: dead,
    handle: ({ value }) => void early.push(`${value.id}${value.n}`),
  })
  const reader = messaging.consumer({
    group: null,
    topics: [dead],
    from: 'earliest',
    handle: ({ value }) => void letters.push(value.toString()),
  })
  await clock.runUntil(Promise.all([hasty.start(), reader.start()]))
  await clock.runUntil(() => early.length + letters.length >= 10)
  expect(early.sort()).toEqual(['a1', 'a2', 'b2', 'b3'])
  expect(letters).toHaveLength(6)
  expect(letters).toContain('{"id":"a","n":0}')
  await clock.runUntil(messaging.close())
})
