import { logLevel } from 'kafkajs'
import type { Messaging } from 'tidemark'
import type { Library } from './library.js'

/** tidemark as every bench measures it: profile cp, over kafkajs's sockets. */
export function openTidemark({ tidemark, kafkajs, metrics, tracing }: Library, brokers: readonly string[]): Messaging {
  return tidemark.createMessaging({
    driver: kafkajs.kafkajs({ brokers: [...brokers], logLevel: logLevel.NOTHING }),
    profile: 'cp',
    metrics,
    tracing,
  })
}
