import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMessaging, defineTopic, string, type Messaging } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import type { CopierTask } from '../support/copier-process.js'
import { readTopic } from '../support/java-client.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { dieWithUs } from '../support/reaper.js'
import { delay, until } from '../support/waiting.js'

const partitions = 2
/** Of each of them, written at a time. */
const records = 500
const limit = { timeoutMs: 90_000, everyMs: 100 }

describe.each(['4.2.0', '3.9.1'])('a member that copies exactly once, on Kafka %s', (version) => {
  let cluster: KafkaCluster
  let messaging: Messaging

  beforeAll(async () => {
    const properties = {
      'transaction.abort.timed.out.transaction.cleanup.interval.ms': 200,
      'group.min.session.timeout.ms': 1_000,
    }
    cluster = await startCluster({ version, nodes: 1, properties })
    const driver = kafkajs({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING })
    messaging = createMessaging({ driver, durability: 'off', logger: 'silent' })
  })

  afterAll(async () => {
    await messaging.close({ force: true })
    await cluster.stop()
  })

  /** Of each partition, by name. */
  const written = new Map<string, number>()
  const total = (name: string) => partitions * (written.get(name) ?? 0)

  async function write(name: string): Promise<void> {
    const topic = defineTopic({ name: `${name}-in`, value: string() })
    const producer = messaging.producer()
    const first = written.get(name) ?? 0
    for (let partition = 0; partition < partitions; partition += 1) {
      const values = Array.from({ length: records }, (_, index) => String(first + index))
      await producer.sendMany(topic, values, { partition })
    }
    written.set(name, first + records)
    await producer.close()
  }

  const copier = (name: string, instance: string) =>
    new Member({
      ...{ name: instance, brokers: cluster.brokers, group: name, from: `${name}-in`, to: `${name}-out`, seed: 1 },
      ...{ aborted: 0, handleMs: 4, membership: { sessionTimeoutMs: 2_000 }, transactionTimeoutMs: 3_000 },
    })

  const created = async (name: string) => {
    for (const topic of [`${name}-in`, `${name}-out`]) await cluster.createTopic(topic, { partitions })
    await write(name)
  }

  const isOpen = async (name: string): Promise<boolean> => {
    const places = Array.from({ length: partitions }, (_, partition) => ({ topic: `${name}-out`, partition }))
    return (await messaging.admin.openTransactions(places)).length > 0
  }

  /** Stopped in the middle of a transaction, with more to copy than it has. */
  async function stopAmidst(name: string, member: Member): Promise<void> {
    await until('a transaction is cut in two', async () => {
      if (total(name) - (await copied(name)) < records) await write(name)
      if (!(await isOpen(name))) return false
      member.signal('SIGSTOP')
      if (await isOpen(name)) return true
      member.signal('SIGCONT')
      return false
    })
    await write(name)
  }

  const copied = async (name: string) => {
    const offsets = await messaging.admin.committedOffsets(name)
    return offsets.reduce((sum, { offset }) => sum + Math.max(0, offset), 0)
  }

  const copyOf = async (name: string) => {
    const read = await readTopic(cluster, `${name}-out`)
    return Array.from({ length: partitions }, (_, index) =>
      read.filter(({ partition }) => partition === index).map(({ value }) => Number(value)),
    )
  }
  const all = (name: string) =>
    Array.from({ length: partitions }, () => Array.from({ length: written.get(name) ?? 0 }, (_, at) => at))
  const isCopied = async (name: string) => (await copied(name)) >= total(name)

  it('adds nothing after it stood still past its timeouts and others took over, and copies on later', async () => {
    const name = 'still'
    await created(name)
    const zombie = copier(name, 'zombie')
    await zombie.started
    await stopAmidst(name, zombie)
    const heir = copier(name, 'heir')
    const before = await copied(name)
    await until('another has gone on', async () => (await copied(name)) > before + 100, limit)
    zombie.signal('SIGCONT')
    await until('all is copied', () => isCopied(name), limit)
    // Its own rebalance is over before the other one leaves.
    await heir.end()
    await write(name)
    await until('it copies what is left alone', () => isCopied(name), limit)
    expect(await copyOf(name)).toEqual(all(name))
    await zombie.end()
    expect([zombie.code, heir.code]).toEqual([0, 0])
  })

  it('adds nothing after another process has taken its instance name, and ends with an error', async () => {
    const name = 'taken'
    await created(name)
    const zombie = copier(name, 'one')
    await zombie.started
    await stopAmidst(name, zombie)
    const heir = copier(name, 'one')
    const before = await copied(name)
    await heir.started
    const startedAt = performance.now()
    await until('another has gone on', async () => (await copied(name)) > before + 100, limit)
    const tookMs = performance.now() - startedAt
    zombie.signal('SIGCONT')
    await until('all is copied', () => isCopied(name), limit)
    await until('the former one has ended', () => zombie.code !== null, limit)
    expect(zombie.code).toBe(1)
    expect(zombie.errors).toMatch(/FencedError/)
    await delay(500)
    expect(await copyOf(name)).toEqual(all(name))
    await heir.end()
    expect(heir.code).toBe(0)
    expect(tookMs).toBeLessThan(15_000)
  })
})

/** A copier in a process of its own. */
class Member {
  errors = ''
  readonly started: Promise<void>
  readonly #child: ChildProcess
  readonly #gone: Promise<unknown>

  constructor(task: CopierTask) {
    const program = fileURLToPath(new URL('../support/copier-process.ts', import.meta.url))
    const child = spawn(process.execPath, ['--import', 'tsx', program, JSON.stringify(task)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    dieWithUs(child)
    child.stderr.on('data', (chunk: Buffer) => (this.errors = (this.errors + String(chunk)).slice(-4_000)))
    this.started = new Promise((resolve) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line === 'started') resolve()
      })
    })
    this.#gone = new Promise((resolve) => child.once('close', resolve))
    this.#child = child
  }

  get code(): number | null {
    return this.#child.exitCode
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal)
  }

  async end(): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.#gone
  }
}
