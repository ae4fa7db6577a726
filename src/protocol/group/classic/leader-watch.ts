import { onAbort } from '../../../runtime/on-abort.js'
import { pause } from '../../../runtime/pause.js'
import { brokerBackoff } from '../../cluster/broker-backoff.js'
import type { ConsumeContext } from '../../cluster/client-context.js'
import { partitionCountsChanged } from '../../cluster/topic-watch.js'
import type { Joined, LeaderDuty, Synced } from './entry.js'
import type { Stay } from './stay.js'

/**
 * Until its generation is over a member has the group divide anew when it reads other topics than it asked for, and the leader,
 * who answers for the division, when partitions are added or a missing topic appears. Never rejects.
 */
export async function watchTopics(
  context: ConsumeContext,
  stay: Stay,
  { joined, synced }: { readonly joined: Pick<Joined, 'topics'>; readonly synced: Pick<Synced, 'duty'> },
  isSettled: () => boolean,
): Promise<void> {
  followOwnTopics(context, stay, joined.topics)
  if (synced.duty !== null) await watchAsLeader(context, stay, synced.duty, isSettled)
}

function followOwnTopics({ settings, onTopicsChange }: ConsumeContext, stay: Stay, asked: readonly string[]): void {
  if (onTopicsChange === undefined) return
  const { generationId } = stay.identity
  const joinAgain = () => stay.wantRebalance(generationId)
  // They may have become others while the join was out.
  if (settings.topics !== asked) return joinAgain()
  onAbort(stay.generationOver, onTopicsChange(joinAgain))
}

async function watchAsLeader(
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
