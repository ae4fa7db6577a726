import {
  closeOnSignal,
  createMessaging,
  defineTopic,
  json,
  Unavailable,
  type Consumer,
  type LogLevel,
  type Logger,
} from 'tidemark'
import { simulate, type Simulation } from 'tidemark/testing'
import { z } from 'zod'
import { plainFields } from '../../src/telemetry/plain-fields.js'

/** One line of the log of a service. */
export interface Line {
  readonly second: string
  readonly level: LogLevel
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** Something that happens to the service, and what it wrote meanwhile. */
export interface Chapter {
  readonly title: string
  readonly what: string
  readonly lines: readonly Line[]
}

const Order = z.object({ id: z.string(), cents: z.int() })
const orders = defineTopic({ name: 'orders', value: json(Order), partitions: 3 })

/** The days of a service that bills orders, in virtual time: every line that it writes at level info. */
export async function playTranscript(): Promise<readonly Chapter[]> {
  const chapters: Chapter[] = []
  await simulate(
    7,
    async (simulation) => {
      const service = new Service(simulation)
      const play = async (title: string, what: string, happen: () => Promise<void>) => {
        const from = service.lines.length
        await happen()
        chapters.push({ title, what, lines: service.lines.slice(from) })
      }
      await play('Start', 'Topics are made, the consumer joins its group, three orders are billed.', () =>
        service.start(),
      )
      await play(
        'A poison record',
        'A record that is no order comes, and two more of the kind. Each goes to the dead-letter topic; the first is a warning.',
        () => service.poison(),
      )
      await play(
        'The database is out for fifty seconds',
        'Handlers throw `Unavailable`. Each partition pauses and tries one record at a time; nothing is put aside.',
        () => service.databaseOutage(50_000),
      )
      await play(
        'All brokers are out for forty seconds',
        'A request of the service waits for its order to be stored, and the consumer reads nothing.',
        () => service.brokerOutage(40_000),
      )
      await play(
        'A second process comes, and goes',
        'The group divides its partitions anew when a process is started, and when it is told to stop.',
        () => service.scaleOutAndBack(),
      )
      await play('SIGTERM', '`closeOnSignal` closes in order.', () => service.terminate())
    },
    { limitMs: 3_600_000 },
  )
  return chapters
}

class Service {
  readonly lines: Line[] = []
  readonly #simulation: Simulation
  readonly #messaging
  readonly #consumer: Consumer
  readonly #producer
  readonly #billed = new Set<string>()
  #database: 'up' | 'down' = 'up'
  #orders = 0

  constructor(simulation: Simulation) {
    this.#simulation = simulation
    const process = simulation.process('service')
    this.#messaging = createMessaging({ driver: process.driver, clientId: 'billing', logger: this.#logger() })
    this.#producer = this.#messaging.producer()
    this.#consumer = this.#billing(this.#messaging)
  }

  async start(): Promise<void> {
    await this.#messaging.ensureTopics([orders, defineTopic({ name: 'orders.dead', value: json(Order) })])
    await this.#consumer.start()
    await this.#order(3)
  }

  async poison(): Promise<void> {
    for (let record = 0; record < 3; record += 1) {
      const poison = { key: null, value: Buffer.from('no order'), headers: [], timestamp: 0 }
      this.#simulation.cluster.appendTransaction('orders', 0, [poison as never], 'commit')
    }
    await this.#simulation.clock.sleep(5_000)
  }

  async databaseOutage(forMs: number): Promise<void> {
    this.#database = 'down'
    const billed = this.#order(3)
    await this.#simulation.clock.sleep(forMs)
    this.#database = 'up'
    await billed
    await this.#simulation.clock.sleep(10_000)
  }

  async brokerOutage(forMs: number): Promise<void> {
    const { cluster, clock } = this.#simulation
    for (const node of [0, 1, 2]) cluster.faults.stopBroker(node)
    const billed = this.#order(3)
    await clock.sleep(forMs)
    for (const node of [0, 1, 2]) cluster.faults.startBroker(node)
    await billed
    await clock.sleep(10_000)
  }

  async scaleOutAndBack(): Promise<void> {
    const { clock } = this.#simulation
    const second = this.#simulation.process('second')
    const messaging = createMessaging({ driver: second.driver, clientId: 'billing', logger: 'silent' })
    await this.#billing(messaging).start()
    await clock.sleep(10_000)
    await messaging.close()
    await clock.sleep(10_000)
  }

  async terminate(): Promise<void> {
    const stopListening = closeOnSignal(this.#messaging, { signals: ['SIGTERM'], exit: false })
    process.emit('SIGTERM', 'SIGTERM')
    await this.#until(() => this.#consumer.state === 'stopped')
    await this.#messaging.close()
    stopListening()
  }

  #billing(messaging: ReturnType<typeof createMessaging>): Consumer {
    return messaging.consumer({
      group: 'billing',
      topics: [orders],
      deadLetter: 'orders.dead',
      handle: ({ value }) => {
        if (this.#database === 'down') throw new Unavailable('the database is down')
        this.#billed.add(value.id)
      },
    })
  }

  /** Resolves when they are billed. */
  async #order(count: number): Promise<void> {
    const ids = Array.from({ length: count }, () => `o-${(this.#orders += 1)}`)
    const sent = ids.map((id, partition) => this.#producer.send(orders, { id, cents: 100 }, { partition }))
    await Promise.all(sent)
    await this.#until(() => ids.every((id) => this.#billed.has(id)))
  }

  async #until(isDone: () => boolean): Promise<void> {
    while (!isDone()) await this.#simulation.clock.sleep(100)
  }

  #logger(): Logger {
    const { clock } = this.#simulation
    const begin = clock.now()
    const at = (level: LogLevel) => (fields: object, message: string) => {
      const second = ((clock.now() - begin) / 1_000).toFixed(1)
      this.lines.push({ second, level, message, fields: plainFields(fields) })
    }
    return { debug: () => undefined, info: at('info'), warn: at('warn'), error: at('error') }
  }
}

/** What does not change from run to run and from version to version of a timing: each level and message, in any order. */
export function normalised(
  chapters: readonly Chapter[],
): readonly (readonly [title: string, lines: readonly string[]])[] {
  return chapters.map(({ title, lines }) => [title, lines.map(({ level, message }) => `${level} ${message}`).sort()])
}

const introduction = `# A log of a service, at level info

What a service that bills orders writes through the six things that happen to every service: each once, and nothing that repeats. It is
played in virtual time on a Kafka inside the process (\`npm run transcript\` writes this page anew, and a test compares it), so the times are
seconds since the start. [Logs and events](logs.md) explains the lines.
`

/** The page. */
export function pageOf(chapters: readonly Chapter[]): string {
  const sections = chapters.map(({ title, what, lines }) => {
    const text = lines.map(({ second, level, message, fields }) => {
      const { client: _client, group: _group, ...own } = fields
      return `${second.padStart(6)} ${level.padEnd(5)} ${message} ${JSON.stringify(own)}`
    })
    return `## ${title}\n\n${what}\n\n\`\`\`text\n${text.join('\n')}\n\`\`\`\n`
  })
  return [introduction, ...sections].join('\n')
}

/** What a page says, as {@link normalised} does. */
export function normalisedPage(page: string): readonly (readonly [title: string, lines: readonly string[]])[] {
  return page
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [title = ''] = section.split('\n', 1)
      const lines = [...section.matchAll(/^ *[\d.]+ (debug|info|warn|error) +(.*?) \{.*\}$/gm)]
      return [title, lines.map(([, level, message]) => `${level} ${message}`).sort()]
    })
}
