import { spawn } from 'node:child_process'
import { logLevel } from 'kafkajs'
import { createMessaging, defineTopic, string } from 'tidemark'
import { kafkajs } from 'tidemark/kafkajs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { builtConsole } from '../support/built-command.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { until } from '../support/waiting.js'

const letters = 1_000
const perSecond = 100
const orders = defineTopic({ name: 'orders', value: string(), partitions: 3 })
const dlq = defineTopic({ name: 'orders.dlq', value: string(), partitions: 2, deadLettersOf: orders })
let cluster: KafkaCluster

beforeAll(async () => {
  cluster = await startCluster({ nodes: 3 })
})
afterAll(() => cluster?.stop())

interface Served {
  readonly url: string
  readonly token: string
  readonly end: (signal: NodeJS.Signals) => Promise<void>
}

async function served(command: string): Promise<Served> {
  const child = spawn(process.execPath, [command, 'console', '--port', '0', '--json', '--redrive-to', 'orders'], {
    cwd: temporaryFolder('console'),
    env: { PATH: process.env['PATH'], KAFKA_BROKERS: cluster.brokers.join() },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()))
  let said = ''
  child.stdout.on('data', (part: Buffer) => (said += part.toString('utf8')))
  await until('the console is there', () => said.includes('\n'), { timeoutMs: 60_000 })
  const { url, token } = JSON.parse(said) as { readonly url: string; readonly token: string }
  return { url, token, end: (signal) => (child.kill(signal), gone) }
}

interface View {
  readonly id: string
  readonly group: string
  readonly plan: { readonly redriven: number; readonly passedBefore: number }
}

async function write({ url, token }: Served, path: string, body: object): Promise<View> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const answer = await fetch(`${url}api/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  expect(answer.status).toBe(200)
  return (await answer.json()) as View
}

/** What a page of dead letters is told at each look, until it is as wanted. */
async function told({ url }: Served, wanted: string): Promise<void> {
  const { body } = await fetch(`${url}api/live?view=letters`)
  let text = ''
  for await (const part of body ?? []) {
    text += Buffer.from(part).toString('utf8')
    if (text.includes(wanted)) return
  }
}

it('a console that SIGKILL ends in mid-redrive loses no letter, and one started anew tells of it and goes on', async () => {
  const command = await builtConsole()
  const driver = kafkajs({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING })
  const messaging = createMessaging({ driver, durability: 'off', logger: 'silent' })
  await messaging.ensureTopics([orders, dlq])
  const producer = messaging.producer({ lingerMs: 5 })
  const headersOf = (at: number) => ({
    'td-origin-topic': 'orders',
    'td-origin-partition': String(at % 3),
    'td-origin-offset': String(at),
    'td-reason': 'exhausted',
  })
  await Promise.all(
    Array.from({ length: letters }, (_, at) =>
      producer.send(dlq, `letter ${at}`, { key: `${at}`, headers: headersOf(at) }),
    ),
  )
  const places = [0, 1, 2].map((partition) => ({ topic: 'orders', partition }))
  const sent = async () => (await messaging.admin.listOffsets(places, 'latest')).reduce((sum, end) => sum + end, 0)
  const request = { topic: 'orders.dlq', to: ['orders'], filter: {}, perSecond }

  const first = await served(command)
  const { id, group } = await write(first, 'redrives', request)
  await write(first, `redrives/${id}/run`, { confirm: 'orders.dlq' })
  const kept = async () => {
    return (await messaging.admin.committedOffsets(group, null)).reduce((sum, { offset }) => sum + offset, 0)
  }
  await until('some progress is kept', async () => (await kept()) > perSecond / 2, { timeoutMs: 60_000 })
  await first.end('SIGKILL')
  const [before, passed] = [await sent(), await kept()]
  expect(before).toBeLessThan(letters)

  const second = await served(command)
  // Its session has to end before it is known to be dead.
  await told(second, '"resting":[{"group":"redrive-orders.dlq-')
  const { id: again, plan } = await write(second, 'redrives', request)
  expect(again).not.toBe(id)
  // Beyond what is committed some may be done too.
  expect(plan.passedBefore).toBeGreaterThanOrEqual(passed)
  expect(plan.redriven).toBeGreaterThanOrEqual(letters - before)
  await write(second, `redrives/${again}/run`, { confirm: 'orders.dlq' })
  await until('all are sent', async () => (await sent()) >= before + plan.redriven, { timeoutMs: 120_000 })
  await second.end('SIGINT')

  const ids = new Map<string, Set<string>>()
  let read = 0
  const reader = messaging.consumer({
    group: 'reader',
    topics: [orders],
    from: 'earliest',
    handle: ({ value, headers }) => {
      read += 1
      ids.set(value, (ids.get(value) ?? new Set()).add(headers.get('td-redrive-id') ?? 'none'))
    },
  })
  await reader.start()
  await until('all are read', async () => read >= (await sent()), { timeoutMs: 60_000 })
  console.info(`killed after ${before} of ${letters} letters, ${passed} of them kept; ${read - letters} went twice`)
  expect(ids.size, 'each letter').toBe(letters)
  expect(
    [...ids.values()].filter((of) => of.size > 1),
    'what went twice has one id',
  ).toEqual([])
  expect(read - letters, 'twice goes what was on its way').toBe(plan.redriven - (letters - before))
  await messaging.close()
})
