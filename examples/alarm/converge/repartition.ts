import { convergeDimension } from '../ids.js'
import { memberOf, type Service, type ServiceParts } from '../service.js'
import { jsonTopics, type AlertStatus, type ConvergeInput } from '../topics.js'
import { matches, type ConvergeRule } from './converge-rules.js'

/**
 * alert_status → converge_input, by what alerts are folded by. What is read and what is sent stand in one transaction of
 * Kafka, so each record is there once for readers of committed records, however often this dies. Its messaging is of the
 * profile `transactional`.
 */
export function repartition(
  options: Omit<ServiceParts, 'store'> & { readonly rules: readonly ConvergeRule[] },
): Service<{ received: number; sent: number }> {
  const { messaging, rules, topics = jsonTopics } = options
  const totals = { received: 0, sent: 0 }
  const consumer = messaging.consumer({
    ...memberOf('repartition', options),
    topics: [topics.alertStatus],
    deadLetter: topics.repartitionDeadLetters.name,
    handleBatch: async (messages, context) => {
      const inputs = messages.flatMap(({ value }) => inputOf(rules, value) ?? [])
      for (const input of inputs) {
        await context.send(topics.convergeInput, input, { id: `${input.alert.alert_id}.${input.alert.version}` })
      }
      totals.received += messages.length
      totals.sent += inputs.length
    },
  })
  return { start: () => consumer.start(), counts: () => totals, lag: () => consumer.lag() }
}

/** `null` for what nobody is to be told of. */
export function inputOf(rules: readonly ConvergeRule[], alert: AlertStatus): ConvergeInput | null {
  const rule = rules.find(({ match }) => matches(match, alert))
  if (!rule || alert.signal === 'none') return null
  const shared = Object.fromEntries(rule.by.map((field) => [field, String(alert[field])]))
  return { dimension: convergeDimension(rule.name, alert.signal, shared), rule: rule.name, alert }
}
