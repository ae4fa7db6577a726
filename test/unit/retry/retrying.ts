import {
  createMessaging,
  defineTopic,
  string,
  type Logger,
  type Message,
  type MessagingConsumerOptions,
} from 'tidemark'
import type { SimulatedProcess, Simulation } from 'tidemark/testing'

export const t = defineTopic({ name: 't', value: string(), key: (value) => value.split('-')[0] ?? null })
export const letters = defineTopic({ name: 't.dlq', value: string(), deadLettersOf: t })
export const [soon, late] = ['t.retry.g.2s', 't.retry.g.10s']

export interface Seen {
  readonly value: string
  readonly attempt: number
  readonly at: number
  readonly timestamp: number
  readonly place: string
}

type Options = Partial<
  Pick<
    MessagingConsumerOptions<readonly (typeof t)[]>,
    'deadLetter' | 'dedupe' | 'group' | 'order' | 'retryLater' | 'sessionTimeoutMs'
  >
> & { readonly logger?: Logger; readonly durability?: 'warn' | 'off' }

/** A consumer that fails as the test says; without retries in place, so that what is seen are those out of place. */
export async function consuming(
  { cluster, clock }: Simulation,
  process: SimulatedProcess,
  fails: (value: string, attempt: number) => unknown,
  { logger, durability = 'off', ...options }: Options = {},
) {
  if (!cluster.topicNames().includes('t')) cluster.createTopic('t')
  const messaging = createMessaging({ driver: process.driver, durability, logger: logger ?? 'silent' })
  const seen: Seen[] = []
  const startedAt = clock.now()
  const handle = (message: Message<string>, { attempt }: { readonly attempt: number }) => {
    const { topic, partition, offset, timestamp, value } = message
    seen.push({ value, attempt, at: clock.now() - startedAt, timestamp, place: `${topic}-${partition}@${offset}` })
    const error = fails(value, attempt)
    if (error !== undefined && error !== false) throw error === true ? new Error('not now') : (error as Error)
  }
  const consumer = messaging.consumer({
    group: 'g',
    topics: [t],
    retry: false,
    deadLetter: letters,
    retryLater: { delays: ['2s', 10_000], order: 'none' },
    ...options,
    handle,
  })
  await messaging.ensureTopics([t, letters, ...consumer.delayTopics])
  await consumer.start()
  const send = (...values: string[]) => messaging.producer({ lingerMs: 0 }).sendMany(t, values)
  return { messaging, consumer, seen, send }
}

export async function until({ clock }: Simulation, happened: () => boolean): Promise<void> {
  for (let waited = 0; !happened(); waited += 50) {
    if (waited > 60_000) throw new Error('it did not happen within a minute')
    await clock.sleep(50)
  }
}

export const valuesOf = (seen: readonly Seen[]) => seen.map(({ value }) => value)
