import { createMessaging, type Driver } from 'tidemark'
import { memory } from 'tidemark/memory'
import { deliver } from '../../../examples/alarm/access/access.js'
import { detect } from '../../../examples/alarm/detect/detect.js'
import { noDataRules, rules } from '../../../examples/alarm/rules.js'
import { readReplay, type Source } from '../../../examples/alarm/sources.js'
import { closeAll, openAllStores } from '../../../examples/alarm/stores.js'
import { alerts, jsonTopics } from '../../../examples/alarm/topics.js'
import { until } from '../../support/waiting.js'

/** What readers of committed records find in `alerts`, as text, in the order of its bytes. */
export async function committedEvents(driver: Driver): Promise<string[]> {
  const messaging = createMessaging({ driver, clientId: 'reader', logger: 'silent' })
  const events: string[] = []
  const consumer = messaging.consumer({
    group: null,
    topics: [alerts],
    isolation: 'read-committed',
    handle: ({ value }) => void events.push(JSON.stringify(value)),
  })
  await consumer.start()
  await consumer.caughtUp()
  await messaging.close()
  return events.sort()
}

/** Fills `raw_events`. Returns the rows that it holds then. */
export async function fillRawEvents(driver: Driver, folder: string, sources: readonly Source[]): Promise<number> {
  const messaging = createMessaging({ driver, clientId: 'access', logger: 'silent' })
  const stores = await openAllStores(folder)
  await messaging.ensureTopics(Object.values(jsonTopics))
  const rows = await deliver(await readReplay(sources), { messaging, store: stores.access })
  await messaging.close()
  await closeAll(Object.values(stores))
  return rows
}

/** The events of a run under `transactional` in which nothing fails. */
export async function eventsWithoutFaults(folder: string, sources: readonly Source[]): Promise<string[]> {
  const driver = memory()
  const rows = await fillRawEvents(driver, folder, sources)
  const stores = await openAllStores(folder)
  const messaging = createMessaging({ driver, clientId: 'detect', profile: 'transactional', logger: 'silent' })
  const detecting = detect({ messaging, store: stores.detect, rules, noDataRules, profile: 'transactional' })
  await detecting.start()
  await until('all is judged', () => detecting.lag() === 0 && detecting.counts().received >= rows)
  await messaging.close()
  await closeAll(Object.values(stores))
  return committedEvents(driver)
}
