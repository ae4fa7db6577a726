import type { Messaging } from 'tidemark'
import { degradation, type Degradation } from 'tidemark/degrade'
import { jsonTopics, type AlarmTopics, type RawEvent } from '../topics.js'

/** What is put aside while there is too much to do: of metrics the less important, never events and what may become fatal. */
export function shedding(messaging: Messaging, topics: AlarmTopics = jsonTopics): Degradation<RawEvent> {
  return degradation<RawEvent>(messaging, {
    keep: ({ value }) => value.event_type !== 'metric' || value.priority === 1,
    priorityOf: ({ value }) => value.priority,
    shedTo: topics.shed.name,
  })
}
