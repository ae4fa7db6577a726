import { kafkajs } from 'tidemark/kafkajs'
import { memory } from 'tidemark/memory'

const brokers = process.env['KAFKA_BROKERS']

/** The Kafka at KAFKA_BROKERS (`host:port`, comma-separated), or one inside this process. */
export const driver = brokers ? kafkajs({ brokers: brokers.split(',') }) : memory()
