import { logLevel } from 'kafkajs'
import { createMessaging, type Messaging } from 'tidemark'
import { kafkajs } from 'tidemark/kafkajs'
import type { KafkaCluster } from '../test/support/kafka-cluster.js'

/** tidemark as every bench measures it: profile cp, over kafkajs's sockets. */
export function openTidemark(cluster: Pick<KafkaCluster, 'brokers'>): Messaging {
  return createMessaging({
    driver: kafkajs({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING }),
    profile: 'cp',
  })
}
