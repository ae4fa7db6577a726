import { createMessaging, DriverError } from 'tidemark'
import { lagMonitor, type GroupLag } from 'tidemark/lag'
import { expect, it } from 'vitest'
import type { ConnectionFactory } from '../../../src/connection/connection.js'
import type { AnswerTo, Request } from '../../../src/connection/requests/apis.js'
import { createProtocolDriver } from '../../../src/protocol/driver.js'
import { numbered, put, simulated } from '../consumer/simulated.js'

const topicAuthorizationFailed = 29

/** Brokers tell nothing of these topics to this client, as they do where it has no DESCRIBE. */
function withoutDescribe(factory: ConnectionFactory, hidden: readonly string[]): ConnectionFactory {
  return {
    ...factory,
    open: (...from) => {
      const connection = factory.open(...from)
      return {
        request: async <R extends Request>(...asked: Parameters<typeof connection.request<R>>) => {
          const answer = await connection.request(...asked)
          if (asked[2].api !== 'metadata') return answer
          const metadata = answer as AnswerTo<Extract<Request, { api: 'metadata' }>>
          const topics = metadata.topics.map((topic) =>
            hidden.includes(topic.name) ? { ...topic, errorCode: topicAuthorizationFailed, partitions: [] } : topic,
          )
          return { ...metadata, topics } as unknown as AnswerTo<R>
        },
        lastSign: (node, lane) => connection.lastSign(node, lane),
        close: () => connection.close(),
      }
    },
  }
}

/** What one look ends with at a group of these topics, and at another one of the topic that is not hidden. */
async function looked(hidden: readonly string[], topics: readonly string[]): Promise<readonly GroupLag[] | Error> {
  let end: readonly GroupLag[] | Error = []
  await simulated(async ({ cluster }) => {
    for (const topic of ['t', 'pay', 'hr']) cluster.createTopic(topic)
    put(cluster, numbered('x', 9))
    const driver = createProtocolDriver(withoutDescribe(cluster.connectionFactory(), hidden), cluster.runtime)
    const messaging = createMessaging({ driver, durability: 'off', logger: 'silent' })
    const groups = [
      { group: 'mixed', topics },
      { group: 'open', topics: ['t'] },
    ]
    const monitor = lagMonitor(messaging, { groups: topics.includes('t') ? groups : groups.slice(0, 1) })
    end = await monitor.look().catch((error: unknown) => error as Error)
    await messaging.close()
  })
  return end
}

it('a topic without DESCRIBE hides itself from a look at lag, with the reason, and no other', async () => {
  const [mixed, open] = (await looked(['pay', 'hr'], ['pay', 't', 'hr'])) as readonly GroupLag[]
  expect(open).toMatchObject({ partitions: [{ topic: 't', partition: 0 }], unseen: [] })
  expect(mixed?.partitions).toMatchObject([{ topic: 't', partition: 0 }])
  expect(mixed?.unseen).toMatchObject([
    { topic: 'pay', partition: null, reason: 'failed' },
    { topic: 'hr', partition: null, reason: 'failed' },
  ])
  expect(mixed?.unseen[0]).toHaveProperty('why', expect.stringMatching(/"pay".*grant this client DESCRIBE/))
})

it('a look at lag that may see no topic at all fails with what to grant', async () => {
  const error = await looked(['pay', 'hr'], ['pay', 'hr'])
  expect(error).toBeInstanceOf(DriverError)
  expect(error).toMatchObject({
    code: 'topic-authorization-failed',
    message: expect.stringContaining('grant this client DESCRIBE') as string,
  })
})
