/** `KAFKA_BROKERS=localhost:9092 npx tsx examples/service/main.ts`; without it on a Kafka inside the process. */
import type { Server } from 'node:http'
import { closeOnSignal, createMessaging } from 'tidemark'
import { kafkajs } from 'tidemark/kafkajs'
import { memory } from 'tidemark/memory'
import { openService } from './service.js'
import { openStore } from './store.js'

const { KAFKA_BROKERS: brokers, DATABASE = ':memory:', PORT = '8080', INSTANCE = 'service-0' } = process.env
const driver = brokers === undefined ? memory() : kafkajs({ brokers: brokers.split(',') })
const messaging = createMessaging({ driver, clientId: 'service' })
const store = openStore(DATABASE)

let server: Server | null = null
// Requests in hand are answered, handlers finish, what is done is committed, and the process ends with 0.
closeOnSignal(messaging, { before: () => server && new Promise((closed) => server?.close(closed)) })
process.once('exit', () => store.close())

server = await openService(messaging, store, INSTANCE)
server.listen(Number(PORT), () => console.log('listening on', server?.address()))
