import { DeadLetter, RetryLater, Unavailable } from 'tidemark'
import { insertNew, isRefusedForGood, sqlDedupe } from 'tidemark/sql'
import { memberOf, type Service, type ServiceParts } from '../service.js'
import { jsonTopics, type Notice } from '../topics.js'
import type { Channels } from './channels.js'

export interface NoticeOptions extends ServiceParts {
  readonly channels: Channels
  /** What one receiver is told in a minute; beyond it the fatal ones wait, and of the others it is only noted. Default 60. */
  readonly perMinute?: number
}

/**
 * notices → channels.
 *
 * Who was told stands in the database with the mark of the record, in one transaction, so a notice that comes again is
 * dropped; only a death, or a database lost, between the channel's answer and that transaction tells somebody twice, under the
 * same id. What a channel does not take is tried again by delay topics, one receiver's in their order, and others are not held
 * up.
 */
export function notice(options: NoticeOptions): Service<Record<'received' | 'sent' | 'quiet', number>> {
  const { messaging, store, channels, perMinute = 60, topics = jsonTopics } = options
  const inbox = sqlDedupe(store.db)
  const totals = { received: 0, sent: 0, quiet: 0 }

  const isTooMany = async ({ receiver }: Notice): Promise<boolean> => {
    const now = Date.now()
    const told = store.db.selectFrom('notice').select(({ fn }) => fn.countAll().as('n'))
    const since = told.where('receiver', '=', receiver).where('sent_at_ms', '>', now - 60_000)
    const lately = since.where('outcome', '=', 'sent')
    // To now: what a clock said that was ahead, and was put right, holds nothing back.
    const { n } = await lately.where('sent_at_ms', '<=', now).executeTakeFirstOrThrow()
    return Number(n) >= perMinute
  }

  const consumer = messaging.consumer({
    ...memberOf('notice', options),
    topics: [topics.notices],
    order: 'key',
    dedupe: inbox,
    retryLater: { delays: ['10s', '1m', '10m'] },
    deadLetter: topics.noticesDeadLetters.name,
    handle: async ({ value }, context) => {
      const channel = channels[value.channel]
      if (!channel) throw new DeadLetter('no channel of that name')
      const down = (error: unknown): never => {
        // Else it would be told again and again.
        if (isRefusedForGood(error)) throw new DeadLetter('the database refuses this notice for good', error)
        options.onTrouble?.(error)
        throw new Unavailable('the database is down', error)
      }
      const tooMany = await isTooMany(value).catch(down)
      if (tooMany && value.severity === 1) throw new RetryLater(10_000, 'told enough for now')
      if (!tooMany) await channel(value, context.signal)
      const outcome = tooMany ? 'quiet' : 'sent'
      const { notice_id, receiver } = value
      const about = { notice_id, receiver, channel: value.channel, outcome }
      const row = { ...about, attempts: context.attempt, sent_at_ms: Date.now() }
      await inbox.transaction(context, (tx) => insertNew(tx, 'notice', [row]).catch(down))
      totals.received += 1
      totals[outcome] += 1
    },
  })

  const start = async (): Promise<void> => {
    await messaging.ensureTopics([...consumer.delayTopics])
    await consumer.start()
  }
  return { start, counts: () => totals, lag: () => consumer.lag() }
}
