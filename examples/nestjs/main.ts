import 'reflect-metadata'
import { createMessaging } from 'tidemark'
import { kafkajs } from 'tidemark/kafkajs'
import { memory } from 'tidemark/memory'
import { openBilling } from './billing.js'

const brokers = process.env['KAFKA_BROKERS']
/** A real Kafka, or one inside the process. */
const driver = brokers ? kafkajs({ brokers: brokers.split(',') }) : memory()

await openBilling(createMessaging({ driver, clientId: 'billing' }))
