import { logLevel } from 'kafkajs'
import { createMessaging, defineTopic, string, type Consumer, type Messaging } from 'tidemark'
import { healthServer, type HealthServer } from 'tidemark/health'
import { kafkajs } from 'tidemark/kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { builtConsole, runProcess, type RanProcess } from '../support/built-command.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { delay, until } from '../support/waiting.js'

const partitions = 100
const names = Array.from({ length: 10 }, (_, index) => `events-${index}`)
const quiet = Array.from({ length: 18 }, (_, index) => `quiet-${String(index).padStart(2, '0')}`)
const everywhere = names.flatMap((topic) =>
  Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
)
const perPartition = 3
/** Where a handler of billing hangs. */
const stuckAt = { topic: 'events-3', partition: 17, offset: 3 }
const behindIt = 20
const letters = 300
const token = 'a-token-of-the-test'

const text = (name: string) => defineTopic({ name, value: string() })
const hour = 3_600_000

/** What one command may take on a machine that does nothing else, and how much longer here. */
const most = { wallMs: 2_000, cpuMs: 2_000, memory: 150 * 1024 * 1024 }
const busyFactor = 15
/** A console goes on, and keeps what it has seen for those who look next; quiet its first view takes half a second. */
const mostOfConsole = { wallMs: 1_000, cpuMs: 2_000, memory: 250 * 1024 * 1024 }

interface Asked extends RanProcess {
  readonly question: string
  readonly words: string
}

describe('on a cluster of three brokers with 20 groups over 1,000 partitions, one command answers', () => {
  const asked: Asked[] = []
  const members: { readonly consumer: Consumer; readonly server: HealthServer; readonly name: string }[] = []
  const owned: Messaging[] = []
  let cluster: KafkaCluster
  let messaging: Messaging
  let release: () => void

  function messagingAs(clientId: string, profile: 'cp' | 'transactional' = 'cp'): Messaging {
    const driver = kafkajs({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING })
    const one = createMessaging({ driver, clientId, profile, durability: 'off', logger: 'silent' })
    owned.push(one)
    return one
  }

  /** Asks one question, by one command, as whoever is on call would. */
  async function ask(question: string, words: string): Promise<RanProcess> {
    const env = { KAFKA_BROKERS: cluster.brokers.join(), TIDEMARK_FACTS_TOKEN: token }
    const ran = await runProcess(words.split(' '), { env })
    asked.push({ question, words, ...ran })
    expect(ran.cpuMs, `CPU of ${words}`).toBeLessThan(most.cpuMs)
    expect(ran.memory, `memory of ${words}`).toBeLessThan(most.memory)
    expect(ran.wallMs, `time of ${words}`).toBeLessThan(most.wallMs * busyFactor)
    return ran
  }

  async function answer<Value>(question: string, words: string, exit: number): Promise<Value> {
    const ran = await ask(question, `${words} --json`)
    expect([ran.exit, ran.err], words).toEqual([exit, ''])
    return JSON.parse(ran.out) as Value
  }

  async function write(): Promise<void> {
    const producer = messaging.producer()
    const now = Date.now()
    const old = everywhere.flatMap(({ topic, partition }) =>
      Array.from({ length: perPartition }, () =>
        producer.send(text(topic), 'event', { partition, timestamp: now - 2 * hour }),
      ),
    )
    await Promise.all(old)
    const { topic, partition } = stuckAt
    await producer.send(text(topic), 'stuck', { partition, timestamp: now - 1.5 * hour })
    for (let count = 0; count < behindIt; count += 1) {
      await producer.send(text(topic), 'event', { partition, timestamp: now - 60_000 })
    }
    const put = (to: string, headers: Readonly<Record<string, string>>) =>
      producer.send(text(to), 'an event', { key: 'k', headers })
    const origin = { 'td-origin-topic': 'events-0', 'td-origin-partition': '7' }
    const why = { 'td-reason': 'exhausted', 'td-group': 'quiet-00', 'td-error-class': 'PaymentRefused' }
    await Promise.all(
      Array.from({ length: letters }, (_, at) =>
        put('events-0.dlq', { ...origin, ...why, 'td-origin-offset': String(at) }),
      ),
    )
    const shed = { 'td-origin-topic': 'events-1', 'td-degrade-outcome': 'shed', 'td-degrade-level': '2' }
    await Promise.all(Array.from({ length: 50 }, () => put('events-1.shed', shed)))
  }

  async function commit(): Promise<void> {
    const ends = await messaging.admin.listOffsets(everywhere, 'latest')
    const offsets = everywhere.map((place, index) => ({ ...place, offset: ends[index] as number }))
    for (const group of quiet) await messaging.admin.setOffsets(group, offsets)
    await messaging.admin.setOffsets(
      'draining',
      everywhere.map((place) => ({ ...place, offset: 0 })),
    )
    await messaging.admin.setOffsets(
      'billing',
      offsets.map((at) =>
        at.topic === stuckAt.topic && at.partition === stuckAt.partition ? stuckAt : { ...at, offset: at.offset - 1 },
      ),
    )
  }

  async function join(name: string, hung: Promise<void>): Promise<void> {
    const own = messagingAs(name)
    const consumer = own.consumer({
      group: 'billing',
      topics: names.map(text),
      commit: { everyMs: 500 },
      handle: ({ value }) => (value === 'stuck' ? hung : undefined),
    })
    const server = await healthServer({ messaging: own, port: 0, token })
    members.push({ consumer, server, name })
    await consumer.start()
  }

  beforeAll(async () => {
    cluster = await startCluster({ nodes: 3 })
    messaging = messagingAs('setting-up')
    await messaging.admin.createTopics(
      [...names, 'events-0.dlq', 'events-1.shed', 'thin'].map((name) => ({
        name,
        partitions: name.includes('.') || name === 'thin' ? 4 : partitions,
        replicationFactor: 3,
        configs: { 'min.insync.replicas': name === 'thin' ? 1 : 2 },
      })),
      { timeoutMs: 240_000 },
    )
    await write()
    await commit()
    const hung = new Promise<void>((resolve) => (release = resolve))
    await Promise.all(['billing-a', 'billing-b'].map((name) => join(name, hung)))
    await until(
      'billing has done all but what is stuck',
      async () => {
        const committed = await messaging.admin.committedOffsets('billing')
        const ends = await messaging.admin.listOffsets(everywhere, 'latest')
        const endOf = new Map(everywhere.map(({ topic, partition }, at) => [`${topic}-${partition}`, ends[at]]))
        const behind = committed.filter(
          ({ topic, partition, offset }) => offset < (endOf.get(`${topic}-${partition}`) ?? 0),
        )
        return behind.length === 1 && members.every(({ consumer }) => consumer.facts().partitions.length > 0)
      },
      { timeoutMs: 120_000 },
    )
  }, 600_000)

  afterAll(async () => {
    release?.()
    for (const { server } of members) await server.close()
    for (const one of owned) await one.close({ timeoutMs: 5_000 }).catch(() => undefined)
    await cluster?.stop()
    for (const { question, words, wallMs, cpuMs, memory } of asked) {
      const took = `${(wallMs / 1_000).toFixed(2)} s, CPU ${(cpuMs / 1_000).toFixed(2)} s, ${(memory / 2 ** 20).toFixed(0)} MB`
      console.log(`${question}\n  tidemark ${words.replaceAll(/http:\S+/g, 'http:…')}: ${took}`)
    }
  })

  it('which group is stuck or falls behind, and since about when', async () => {
    const groups = await answer<readonly Aged[]>('1 which group is stuck', 'lag --behind', 0)
    expect(groups.map(({ group, lag, olderThanMs }) => [group, lag, olderThanMs])).toEqual([
      ['draining', everywhere.length * perPartition + 1 + behindIt, hour],
      ['billing', 1 + behindIt, hour],
    ])
  })

  it('on which partition and at which record', async () => {
    const [billing] = await answer<readonly Aged[]>('2 where', 'lag billing --partitions --behind', 0)
    const { topic, partition, offset } = stuckAt
    expect(billing?.partitions).toMatchObject([{ topic, partition, committed: offset, olderThanMs: hour }])
  })

  it('why, and since when; and which member is the slow one', async () => {
    const urls = members.map(({ server }) => `http://127.0.0.1:${server.port}`).join(' ')
    const { topic, partition } = stuckAt
    const isThere = (one: { readonly topic: string; readonly partition: number }) =>
      one.topic === topic && one.partition === partition
    const slow = members.find(({ consumer }) => consumer.facts().partitions.some(isThere))
    const { groups } = await answer<Described>('3, 4 why, and who', `group describe billing --members ${urls}`, 0)
    const [billing] = groups
    expect(billing?.members.filter(({ lag }) => lag > 0)).toMatchObject([{ clientId: slow?.name, lag: 1 + behindIt }])
    const found = billing?.partitions.find(isThere)
    expect(found).toMatchObject({ lag: 1 + behindIt, told: { waitsFor: 'handler' } })
    expect(found?.told?.stalledMs).toBeGreaterThan(0)
    expect(billing?.partitions).toHaveLength(everywhere.length)
  })

  it('what is in the dead-letter topic, and why', async () => {
    const counts = await answer<object>('5 dead letters', 'dlq stats events-0.dlq', 1)
    expect(counts).toMatchObject({
      letters,
      byReason: { exhausted: letters },
      byError: { PaymentRefused: letters },
      byOrigin: { 'events-0': letters },
      byGroup: { 'quiet-00': letters },
    })
  })

  it('whether they can go back', async () => {
    const words = 'dlq redrive events-0.dlq --allow events-0 --group on-call --dry-run'
    const summary = await answer<object>('6 can they go back', words, 0)
    expect(summary).toMatchObject({ dryRun: true, redriven: letters, toTopics: { 'events-0': letters }, refused: {} })
  })

  it('whether this cluster keeps the promise of its profile', async () => {
    const { findings, unseen } = await answer<Diagnosed>('7 doctor', 'doctor', 1)
    expect([findings.map(({ code, subject }) => `${code} ${subject}`), unseen]).toEqual([
      ['acknowledged-by-one thin'],
      [],
    ])
  })

  it('how long until a group has caught up', async () => {
    const { admin } = messaging
    const { signal, abort } = endable()
    const draining = (async () => {
      for (let topic = 0; topic < names.length && !signal.aborted; topic += 1) {
        await delay(300)
        const done = everywhere.filter((place) => place.topic === names[topic])
        await admin.setOffsets(
          'draining',
          done.map((place) => ({ ...place, offset: perPartition })),
        )
      }
    })()
    const ran = await ask('8 how long', 'lag draining --watch --every 800ms --looks 2 --json')
    abort()
    await draining
    const [[before], [after]] = ran.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as readonly Aged[]) as [readonly Aged[], readonly Aged[]]
    const [one, other] = [before as Aged, after as Aged]
    expect(other.lag).toBeLessThan(one.lag)
    const expected = (other.lag * (other.at - one.at)) / (one.lag - other.lag)
    expect(Math.abs((other.drainMs ?? 0) - expected)).toBeLessThan(expected / 5)
  })

  it('what was shed', async () => {
    const counts = await answer<object>('9 shed', 'dlq stats events-1.shed', 1)
    expect(counts).toMatchObject({ letters: 50, byReason: { shed: 50 }, byOrigin: { 'events-1': 50 } })
  })

  it('which transaction blocks readers', async () => {
    const transactional = messagingAs('holding-up', 'transactional')
    const place = { topic: 'events-5', partition: 42 }
    const open = await transactional.transaction('holds-up', async (transaction) => {
      await transaction.send(text(place.topic), 'held', { partition: place.partition })
      return answer<readonly object[]>('10 which transaction', 'transactions open --group billing', 0)
    })
    expect(open).toMatchObject([{ ...place, transactionalId: 'holds-up', hangs: false, firstOffset: perPartition }])
  })

  it('where a group starts when it is reset', async () => {
    const to = new Date(Date.now() - 1.75 * hour).toISOString()
    const words = `group reset quiet-05 --to ${to} --dry-run`
    const { resets, done } = await answer<Reset>('11 where it would start', words, 0)
    expect([done, resets.length]).toEqual([false, everywhere.length])
    const { topic, partition, offset } = stuckAt
    const isStuck = (one: Reset['resets'][number]) => one.topic === topic && one.partition === partition
    expect(resets.find(isStuck)).toMatchObject({ offset, from: offset + 1 + behindIt, earliest: 0 })
    // Nothing else was written since then, but what a transaction has left.
    expect(resets.filter(({ offset: at }) => at < perPartition)).toEqual([])
  })

  it('the console has its first view of all groups, and its process takes no more than two seconds of CPU for it', async () => {
    await builtConsole()
    const viewed: { readonly tookMs: number; readonly text: string }[] = []
    const env = { KAFKA_BROKERS: cluster.brokers.join() }
    const ran = await runProcess('console --port 0 --json'.split(' '), {
      env,
      onStart: (child) =>
        void (async () => {
          let said = ''
          child.stdout?.on('data', (part: Buffer) => (said += part.toString('utf8')))
          await until('the console is there', () => said.includes('\n'), { timeoutMs: 60_000 })
          viewed.push(await firstView((JSON.parse(said) as { readonly url: string }).url))
        })().finally(() => child.kill('SIGINT')),
    })
    const [view] = viewed
    expect(view?.text).toContain('"groups":20')
    asked.push({
      question: `console: its first view took ${Math.round(view?.tookMs ?? NaN)} ms`,
      words: 'console',
      ...ran,
    })
    expect(view?.tookMs).toBeLessThan(mostOfConsole.wallMs * busyFactor)
    expect(ran.cpuMs).toBeLessThan(mostOfConsole.cpuMs)
    expect(ran.memory).toBeLessThan(mostOfConsole.memory)
  })

  it('how many partitions and how much disk it needs', async () => {
    const words = 'plan --rate 20000 --size 700 --retention 1d --per-process 3000'
    const plan = await answer<object>('12 how much', words, 0)
    expect(plan).toMatchObject({ partitions: 12, processes: 10, brokers: 3 })
  })
})

/** Until a page has all groups to show. */
async function firstView(url: string): Promise<{ readonly tookMs: number; readonly text: string }> {
  const begun = performance.now()
  const { body } = await fetch(`${url}api/live?view=overview`)
  let text = ''
  for await (const part of body ?? []) {
    text += Buffer.from(part).toString('utf8')
    // What is known at once is nothing yet.
    if (/"groups":[1-9]/.test(text)) break
  }
  return { tookMs: performance.now() - begun, text }
}

interface Aged {
  readonly group: string
  readonly at: number
  readonly lag: number
  readonly olderThanMs: number
  readonly drainMs: number | null
  readonly partitions: readonly object[]
}

interface Described {
  readonly groups: readonly {
    readonly members: readonly { readonly clientId: string; readonly lag: number }[]
    readonly partitions: readonly {
      readonly topic: string
      readonly partition: number
      readonly told: { readonly stalledMs: number } | null
    }[]
  }[]
}

interface Diagnosed {
  readonly findings: readonly { readonly code: string; readonly subject: string }[]
  readonly unseen: readonly unknown[]
}

interface Reset {
  readonly done: boolean
  readonly resets: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[]
}

function endable(): { readonly signal: AbortSignal; readonly abort: () => void } {
  const controller = new AbortController()
  return { signal: controller.signal, abort: () => controller.abort() }
}
