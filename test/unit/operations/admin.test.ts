import { describe, expect, it } from 'vitest'
import { ConfigError, createMessaging, type Admin } from 'tidemark'
import { createMemoryCluster, memory } from 'tidemark/memory'

/** Types may have been cast away. */
type Wrong = (admin: Admin, wrong: never) => Promise<unknown>

describe('the admin', () => {
  const refused: [call: string, ask: Wrong, wrong: readonly unknown[]][] = [
    ['createTopics', (admin, topics) => admin.createTopics(topics), [undefined, 'orders', ['orders'], [{ name: '' }]]],
    ['deleteTopics', (admin, topics) => admin.deleteTopics(topics), [undefined, 'orders', [3], ['']]],
    ['describeTopics', (admin, topics) => admin.describeTopics(topics), [undefined, 'orders', [null]]],
    ['createPartitions', (admin, count) => admin.createPartitions('orders', count), [Number.NaN, 0, 1.5, '3']],
    ['admin', (admin, timeoutMs) => admin.describeTopics(null, { timeoutMs }), [Number.NaN, -1, '3']],
  ]

  it.each(refused)('says what to give %s, before anything is sent', async (call, ask, wrong) => {
    const cluster = createMemoryCluster()
    const messaging = createMessaging({ driver: memory({ cluster }) })
    for (const input of wrong) {
      const failure: unknown = await ask(messaging.admin, input as never).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(ConfigError)
      expect((failure as ConfigError).message).toMatch(new RegExp(`^${call}: .*\\n.*is .*; write `))
    }
    await messaging.close()
    await cluster.close()
  })
})
