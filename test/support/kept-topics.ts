import {
  createMessaging,
  defineTopic,
  string,
  TidemarkError,
  type ClientEvent,
  type Driver,
  type Messaging,
  type Topic,
} from 'tidemark'

/** A topic of a three-node cluster, what a process does with it under `cp`, and what comes of it. */
export interface KeptTopic {
  readonly name: string
  readonly replicationFactor: number
  readonly configs: Readonly<Record<string, string>>
  readonly use: 'written' | 'read'
  readonly verdict: string
}

const kept = (inSync: number, unclean = false) => ({
  'min.insync.replicas': String(inSync),
  'unclean.leader.election.enable': String(unclean),
})

export const keptTopics: readonly KeptTopic[] = [
  { name: 'kept-right', replicationFactor: 3, configs: kept(2), use: 'written', verdict: 'goes on' },
  {
    name: 'kept-by-one-in-sync',
    replicationFactor: 3,
    configs: kept(1),
    use: 'written',
    verdict: 'refused: min.insync.replicas is 1, wanted 2',
  },
  {
    name: 'kept-by-unclean-leaders',
    replicationFactor: 3,
    configs: kept(2, true),
    use: 'written',
    verdict: 'refused: unclean.leader.election.enable is true, wanted false',
  },
  {
    name: 'kept-once',
    replicationFactor: 1,
    configs: kept(1),
    use: 'written',
    verdict: 'refused: replication factor is 1, wanted 3',
  },
  {
    name: 'kept-by-all-or-none',
    replicationFactor: 2,
    configs: kept(2),
    use: 'written',
    verdict: 'goes on, warned: replication factor is 2, wanted 3 or more',
  },
  {
    name: 'kept-once-and-read',
    replicationFactor: 1,
    configs: kept(1),
    use: 'read',
    verdict: 'goes on, warned: replication factor is 1, wanted 3',
  },
]

export interface Tried {
  readonly verdict: string
  /** The command that the refusal or the warning names. */
  readonly command: string | null
}

/** Uses the topic as it is to be used, with a client of its own. */
export async function tryTopic(
  driver: Driver,
  { name, use }: Pick<KeptTopic, 'name' | 'use'>,
  durability?: 'refuse' | 'warn' | 'off',
): Promise<Tried> {
  const events: ClientEvent[] = []
  const messaging = createMessaging({
    driver,
    durability,
    logger: 'silent',
    onEvent: (event) => void events.push(event),
  })
  const topic = defineTopic({ name, value: string() })
  try {
    if (use === 'written') await messaging.producer().send(topic, 'x')
    else await readOne(messaging, topic)
  } catch (error) {
    if (!(error instanceof TidemarkError) || error.code !== 'not-durable') throw error
    const text = error.message.match(new RegExp(`  ${name}: ([^:]*):.*; mend it with: (.*)\n`))
    return { verdict: `refused: ${text?.[1]}`, command: text?.[2] ?? null }
  } finally {
    await messaging.close()
  }
  const warned = events.find((event) => event.kind === 'not-durable')
  if (warned === undefined) return { verdict: 'goes on', command: null }
  const problems = warned.problems.map((problem) => problem.split(':')[0])
  return { verdict: `goes on, warned: ${problems.join()}`, command: warned.command }
}

async function readOne(messaging: Messaging, topic: Topic<string>): Promise<void> {
  await messaging.producer({ profile: 'ap' }).send(topic, 'x')
  await new Promise<void>((resolve, reject) => {
    const handle = () => resolve()
    const consumer = messaging.consumer({ group: `reads ${topic.name}`, topics: [topic], from: 'earliest', handle })
    consumer.start().catch(reject)
  })
}
