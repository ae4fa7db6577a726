import { pause } from '../../runtime/pause.js'
import { brokerBackoff } from '../cluster/broker-backoff.js'
import type { ConsumeContext } from '../cluster/client-context.js'

const feature = 'group.version'

/** Which protocol the cluster has agreed on: `consumer` from `group.version` 1 on. What brokers offer proves nothing. */
export async function agreedGroupProtocol(
  { cluster, runtime, settings }: ConsumeContext,
  signal: AbortSignal,
): Promise<'classic' | 'consumer'> {
  const { clock, random } = runtime
  for (let attempt = 1; !signal.aborted; attempt += 1) {
    try {
      const answer = await cluster.anyBroker({ api: 'apiVersions' }, clock.now() + settings.requestTimeoutMs, signal)
      if (answer.errorCode === 0) {
        const level = answer.finalizedFeatures.find(({ name }) => name === feature)?.maxLevel ?? 0
        const groupProtocol = level >= 1 ? 'consumer' : 'classic'
        settings.logger.info(
          { group: settings.groupId, groupProtocol, groupVersion: level },
          'the group protocol follows what the cluster has agreed on, until this consumer ends',
        )
        return groupProtocol
      }
    } catch (failure) {
      settings.logger.debug({ error: String(failure) }, 'what the cluster has agreed on is not known yet')
    }
    await pause(clock, brokerBackoff(attempt, random), signal)
  }
  return 'classic'
}
