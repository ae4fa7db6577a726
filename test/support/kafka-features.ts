import { java } from './java.js'
import type { JavaTarget } from './java-client.js'

const mainClass = 'org.apache.kafka.tools.FeatureCommand'

/** Has the cluster agree on another `transaction.version`: 2 is that of KIP-890, and what new clusters of Kafka 4 begin with. */
export async function setTransactionVersion(target: JavaTarget, version: 1 | 2): Promise<void> {
  const bootstrap = ['--bootstrap-server', target.internalBrokers.join(',')]
  const action = version === 1 ? 'downgrade' : 'upgrade'
  await java(target.installation, mainClass, [...bootstrap, action, '--feature', `transaction.version=${version}`])
}
