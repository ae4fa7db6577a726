import { BatchFailure, DeadLetter } from 'tidemark'
import { memberOf, type Service, type ServiceParts } from '../service.js'
import { jsonTopics } from '../topics.js'
import type { Elastic, Indexed } from './elastic.js'

/** alert_status → Elasticsearch: a batch is one request. What is refused for good becomes a dead letter, the others stand. */
export function search(
  options: Omit<ServiceParts, 'store'> & { readonly elastic: Elastic },
): Service<Record<'received' | Indexed, number>> {
  const { messaging, elastic, topics = jsonTopics } = options
  const totals = { received: 0, indexed: 0, older: 0 }
  const consumer = messaging.consumer({
    ...memberOf('search', options),
    topics: [topics.alertStatus],
    deadLetter: topics.searchDeadLetters.name,
    handleBatch: async (messages, { signal }) => {
      const alerts = messages.map(({ value }) => value)
      const done = await elastic.index(alerts, signal).catch((error: unknown) => {
        options.onTrouble?.(error)
        throw error
      })
      for (const [at, outcome] of done.entries()) {
        if (typeof outcome === 'object') throw new BatchFailure(at, new DeadLetter(`refused: ${outcome.refused}`))
        totals.received += 1
        totals[outcome] += 1
      }
    },
  })
  return { start: () => consumer.start(), counts: () => totals, lag: () => consumer.lag() }
}
