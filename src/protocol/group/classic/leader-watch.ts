import { pause } from '../../../runtime/pause.js'
import { brokerBackoff } from '../../cluster/broker-backoff.js'
import type { ConsumeContext } from '../../cluster/client-context.js'
import { partitionCountsChanged } from '../../cluster/topic-watch.js'
import type { LeaderDuty } from './entry.js'
import type { Stay } from './stay.js'

/**
 * The leader answers for the division: until its generation is over it has it made anew when partitions are added or a
 * missing topic appears. Never rejects.
 */
export async function watchTopics(
  context: ConsumeContext,
  stay: Stay,
  { topics, counts }: LeaderDuty,
  isSettled: () => boolean,
): Promise<void> {
  const { clock, random } = context.runtime
  const { logger, groupId } = context.settings
  const { generationId } = stay.identity
  const over = stay.generationOver
  for (let attempt = 1; !over.aborted; attempt += 1) {
    try {
      await partitionCountsChanged(context, topics, counts, over)
      // Whoever gives up joins again, or leaves: either way somebody divides anew.
      if (!isSettled()) return
      logger.info({ group: groupId, topics }, 'partitions changed; the group is rebalanced')
      stay.wantRebalance(generationId)
      return
    } catch (failure) {
      if (over.aborted) return
      logger.error({ error: String(failure) }, 'watching topics met a defect and starts again; please report it')
      await pause(clock, brokerBackoff(attempt, random), over)
    }
  }
}
