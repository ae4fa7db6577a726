/** `KAFKA_BROKERS=localhost:9092 npx tsx examples/service/main.ts`; without it on a Kafka inside the process. */
import { closeOnSignal, createMessaging } from 'tidemark'
import { kafkajs } from 'tidemark/kafkajs'
import { memory } from 'tidemark/memory'
import { openService } from './service.js'
import { openStore } from './store.js'

const { KAFKA_BROKERS: brokers, DATABASE = ':memory:', PORT = '8080', INSTANCE = 'service-0' } = process.env
const driver = brokers === undefined ? memory() : kafkajs({ brokers: brokers.split(',') })
const messaging = createMessaging({ driver, clientId: 'service' })
const store = openStore(DATABASE)

// Requests in hand are answered, handlers finish, what is done is committed; then the process ends by itself.
const over = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => over.abort())
closeOnSignal(messaging, { exit: false })
process.once('exit', () => store.close())

const server = await openService(messaging, store, INSTANCE)
server.listen({ port: Number(PORT), signal: over.signal }, () => console.log('listening on', server.address()))
