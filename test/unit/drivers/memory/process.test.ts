import { expect, it } from 'vitest'
import { createMessaging, defineTopic, string } from 'tidemark'
import { memory } from 'tidemark/memory'

/** What would keep a process alive. */
const liveTimers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length

it('a static member, which says no goodbye, does not keep the process alive once its messaging is closed', async () => {
  const before = liveTimers()
  const messaging = createMessaging({ driver: memory() })
  const topic = defineTopic({ name: 't', value: string() })
  await messaging.ensureTopics([topic])
  let handled = 0
  const consumer = messaging.consumer({
    group: 'g',
    topics: [topic],
    groupInstanceId: 'one',
    from: 'earliest',
    handle: () => void (handled += 1),
  })
  await consumer.start()
  await messaging.producer().send(topic, 'value')
  await expect.poll(() => handled).toBe(1)
  expect(liveTimers()).toBeGreaterThan(before)
  await messaging.close()
  expect(liveTimers()).toBeLessThanOrEqual(before)
})
