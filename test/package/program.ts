/** What an application needs beside tidemark to send and consume here, and to be checked by a compiler. */
export const needed = ['kafkajs', 'zod', 'fzstd', '@standard-schema/spec', '@types/node', 'undici-types']

/** Sends and consumes on a cluster in memory, and asks for a real one that is not there: kafkajs is loaded for that. */
export const body = `
const Order = z.object({ id: z.string(), amount: z.number() })
const orders = defineTopic({ name: 'orders', key: 'id', value: json(Order) })

async function main() {
  const cluster = createMemoryCluster()
  const messaging = createMessaging({ driver: memory({ cluster }), clientId: 'shop' })
  await messaging.ensureTopics([orders])
  await messaging.producer().send(orders, { id: 'a', amount: 1 })
  const handled = []
  const consumer = messaging.consumer({
    group: 'g',
    topics: [orders],
    handle: ({ key, value }) => void handled.push(String(key) + value.amount),
  })
  await consumer.start()
  await consumer.caughtUp()
  await messaging.close()
  await cluster.close()

  const far = createMessaging({ driver: kafkajs({ brokers: ['127.0.0.1:1'] }), logger: 'silent' })
  const failure = await far.admin.describeTopics(null, { timeoutMs: 200 }).catch((error) => error)
  await far.close()
  console.log(handled.join(), failure.code)
}

void main()
`
const parts = {
  tidemark: 'createMessaging, defineTopic, json',
  'tidemark/memory': 'createMemoryCluster, memory',
  'tidemark/kafkajs': 'kafkajs',
  zod: 'z',
}
export const imported = Object.entries(parts).map(([from, names]) => `import { ${names} } from '${from}'`)
export const required = Object.entries(parts).map(([from, names]) => `const { ${names} } = require('${from}')`)
export const printed = 'a1 cluster-unreachable\n'
