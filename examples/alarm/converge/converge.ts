import { setTimeout as sleep } from 'node:timers/promises'
import type { Message } from 'tidemark'
import { boundedOutOfOrderness } from 'tidemark/event-time'
import { sqlOutbox, sqlPositions, type HandlerCallLike } from 'tidemark/sql'
import { disorderSeconds } from '../access/arrivals.js'
import { writerOf, type Service, type ServiceParts } from '../service.js'
import { is } from '../store/queries.js'
import type { Store } from '../store/store.js'
import { jsonTopics, type ConvergedAlert, type ConvergeInput } from '../topics.js'
import type { ConvergeBook } from './converge-rules.js'
import { Fold, type Outcome } from './fold.js'

const group = 'converge'
/** Changes come up to so much later than others that happened then. */
const graceSeconds = 60
/** When nothing came for so long the clock on the wall closes what detect waits for no more: there is no other time then. */
const idleMs = 2_000

/**
 * converge_input → converged_alerts and notices.
 *
 * Changes of alerts come in the order of event time over all partitions. Each batch, and each close of windows by the
 * watermark, is one transaction with what is to be told of it.
 */
export function converge(
  options: ServiceParts & ConvergeBook,
): Service<Record<'received' | 'repeated' | Outcome, number>> {
  const { messaging, store, topics = jsonTopics, onTrouble } = options
  const positions = sqlPositions(store.db, { group })
  const outbox = sqlOutbox(store.db)
  const relay = messaging.relay(outbox)
  const fold = new Fold(options, {
    converged: (tx, record) => outbox.add(tx, topics.convergedAlerts, record, { id: convergedId(record) }),
    notice: (tx, notice) => outbox.add(tx, topics.notices, notice, { id: notice.notice_id }),
  })
  const totals = { received: 0, repeated: 0, executed: 0, skipped: 0, held: 0, inhibited: 0, muted: 0 }
  let cameAt = performance.now()

  const handle = async (messages: readonly Message<ConvergeInput>[], context: HandlerCallLike): Promise<void> => {
    const [first] = messages
    if (!first) return
    cameAt = performance.now()
    // In the order of time offsets leap: what came before is told by its relation.
    const outcomes = await positions.transaction(context, first, null, async (tx) => {
      const taken: (Outcome | 'repeated')[] = []
      for (const { value } of messages) taken.push(await fold.take(tx, value, first.partition))
      return taken
    })
    totals.received += messages.length
    for (const outcome of outcomes) totals[outcome]++
    relay.wake()
  }

  /** Windows of our partitions that are over by this time. */
  const closeUntil = async (seconds: number, context: HandlerCallLike): Promise<void> => {
    for (const ours of consumer.assignment()) {
      const due = (db: Store['db']) => {
        const windows = db.selectFrom('converge_instance').selectAll()
        const open = windows.where(is({ open_marker: 1, part: ours.partition }))
        return open.where('ends', '<=', seconds).orderBy('ends').orderBy('converge_id').execute()
      }
      if ((await due(store.db)).length === 0) continue
      await positions.transaction(context, ours, null, async (tx) => {
        for (const one of await due(tx)) await fold.close(tx, one)
      })
      relay.wake()
    }
  }

  const consumer = messaging.consumer({
    ...writerOf(group, options),
    topics: [topics.convergeInput],
    deadLetter: topics.convergeDeadLetters.name,
    isolation: 'read-committed',
    reorder: {
      watermark: boundedOutOfOrderness(graceSeconds * 1_000)
        .withIdleness({ maxIdleMs: idleMs })
        .withTimestampAssigner(({ value }) => (value as ConvergeInput).alert.at * 1_000),
      late: { policy: 'deliver' },
      onWatermark: (watermark, context) => closeUntil(Math.floor(watermark / 1_000), context),
    },
    onAssigned: async (partitions, context) => void (await positions.take(partitions, context)),
    handleBatch: handle,
  })

  const start = async (): Promise<void> => {
    await relay.start()
    await consumer.start()
    void closeWhenIdle()
  }
  /** No assignment ends it: what is due is read in the transaction. */
  const never = { signal: AbortSignal.any([]) }
  const closeWhenIdle = async (): Promise<void> => {
    while (consumer.facts().state === 'running') {
      await sleep(idleMs / 4, undefined, { ref: false })
      const isIdle = consumer.lag() === 0 && performance.now() - cameAt > idleMs
      const over = Math.floor(Date.now() / 1_000) - disorderSeconds - graceSeconds
      if (isIdle) await closeUntil(over, never).catch((error: unknown) => onTrouble?.(error))
    }
  }
  return { start, counts: () => totals, lag: () => consumer.lag() }
}

/** A window that is over is announced once more with each change that is late. */
function convergedId({ converge_id, status, executed, skipped }: ConvergedAlert): string {
  return `${converge_id}.${status}.${executed + skipped}`
}
