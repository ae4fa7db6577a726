import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createMessaging, type Messaging, type Topic } from 'tidemark'
import { kafkajs } from 'tidemark/kafkajs'
import { memory } from 'tidemark/memory'
import { runPipeline } from '../../examples/alarm/run-pipeline.js'
import { sources } from '../../examples/alarm/sources.js'
import { openStore } from '../../examples/alarm/store/store.js'
import type { ServiceName } from '../../examples/alarm/services.js'
import { closeAll, openAllStores } from '../../examples/alarm/stores.js'
import { alerts, rawEvents } from '../../examples/alarm/topics.js'
import { committedEvents, eventsWithoutFaults } from '../examples/alarm/committed-events.js'
import { freshFolder, readAlertTables } from '../examples/alarm/pipeline.js'
import { readDatabases } from '../examples/alarm/read-databases.js'
import { freePorts } from '../support/free-ports.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { dieWithUs } from '../support/reaper.js'
import { until } from '../support/waiting.js'

const main = fileURLToPath(new URL('../../examples/alarm/main.ts', import.meta.url))
/** Each takes some seconds; the limit is for machines that do much else. */
const serviceMs = 60_000

type Tables = Readonly<Record<string, unknown[]>>

/** A service as a process of its own. */
interface ServiceProcess {
  readonly output: () => string
  kill(): Promise<void>
  /** Asks it to end; resolved when it did, with 0. */
  stop(): Promise<void>
  /** Resolved when it ended by itself, with 0. */
  end(): Promise<void>
}

const running = new Set<ServiceProcess>()
let cluster: KafkaCluster
let embedded: Tables
let messaging: Messaging

beforeAll(async () => {
  embedded = await runEmbedded(freshFolder())
})
// Topics and groups have fixed names, so each run gets a cluster of its own.
beforeEach(async () => {
  cluster = await startCluster()
  messaging = createMessaging({ driver: kafkajs({ brokers: [...cluster.brokers] }) })
})
afterEach(async () => {
  for (const service of running) await service.kill()
  await messaging?.close()
  await cluster?.stop()
})

async function runEmbedded(folder: string): Promise<Tables> {
  const stores = await openAllStores(folder)
  try {
    await runPipeline({ driver: memory(), stores, sources })
  } finally {
    await closeAll(Object.values(stores))
  }
  return readDatabases(folder)
}

/** What a killed process left behind: no promise about what is still to come. */
async function readUnfinishedAlerts(folder: string): Promise<Tables> {
  const store = await openStore(join(folder, 'alert.db'))
  try {
    return await readAlertTables(store)
  } finally {
    await store.close()
  }
}

function start(service: ServiceName, folder: string, ...options: readonly string[]): ServiceProcess {
  const args = ['--import', 'tsx', main, service, '--brokers', cluster.brokers.join(','), '--data-dir', folder]
  const child: ChildProcess = spawn(process.execPath, [...args, ...options], { stdio: ['ignore', 'pipe', 'pipe'] })
  dieWithUs(child)
  let output = ''
  const take = (chunk: Buffer): void => void (output += chunk.toString())
  child.stdout?.on('data', take)
  child.stderr?.on('data', take)
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null
  const ended = async (): Promise<void> => {
    await until(`${service} ended; it said:\n${output}`, hasEnded, { timeoutMs: serviceMs })
    await closed
    running.delete(started)
  }
  const endedInOrder = async (): Promise<void> => {
    await ended()
    expect(child.exitCode, `${service} said:\n${output}`).toBe(0)
  }
  const started: ServiceProcess = {
    output: () => output,
    kill: async () => {
      child.kill('SIGKILL')
      await ended()
    },
    stop: async () => {
      child.kill('SIGTERM')
      await endedInOrder()
    },
    end: endedInOrder,
  }
  running.add(started)
  return started
}

/**
 * The group has handled everything the topic holds.
 *
 * @param keptBack records at the end of each partition that wait for time to pass
 */
async function untilCommittedToTheEnd(
  group: string,
  topic: Pick<Topic, 'name' | 'partitions'>,
  keptBack = 0,
): Promise<void> {
  const partitions = Array.from({ length: topic.partitions }, (_, partition) => ({ topic: topic.name, partition }))
  const ends = await messaging.admin.listOffsets(partitions, 'latest')
  await until(
    `${group} has committed ${topic.name} to the end`,
    async () => {
      const committed = await messaging.admin.committedOffsets(group, partitions)
      const at = new Map(committed.map(({ partition, offset }) => [partition, offset]))
      return ends.every((end, partition) => (at.get(partition) ?? 0) >= end - keptBack)
    },
    { timeoutMs: serviceMs },
  )
}

describe('the alarm pipeline as three processes on real Kafka', () => {
  it('stores the alerts of the embedded run', async () => {
    const folder = freshFolder()
    await start('access', folder).end()
    await start('detect', folder, '--until-idle').end()
    await start('alert', folder, '--until-idle').end()
    expect(await readDatabases(folder)).toEqual(embedded)
    expect(embedded['alert']).toHaveLength(57)
  })

  it('stores the same when alert is killed in mid-run and started again', async () => {
    const folder = freshFolder()
    const alert = start('alert', folder)
    const detect = start('detect', folder)
    await until('both run', () => [alert, detect].every((one) => one.output().includes(': running')))
    const access = start('access', folder)

    await until('alert stored something', () => alert.output().includes('records stored'), { everyMs: 10 })
    await alert.kill()
    const left = await readUnfinishedAlerts(folder)
    expect(left['alert_log']?.length).toBeGreaterThan(0)
    expect(left['alert_log']?.length).toBeLessThan(embedded['alert_log']?.length ?? 0)

    const again = start('alert', folder)
    const sessionMs = 45_000
    await until('alert has its partitions again', () => again.output().includes(': running'), {
      timeoutMs: sessionMs - 10_000,
    })
    await access.end()
    // The last word of how late it is lies ahead of the watermark that it makes: nobody tells of later.
    await untilCommittedToTheEnd('detect', rawEvents, 1)
    await untilCommittedToTheEnd('alert', alerts)
    await detect.stop()
    await again.stop()
    expect(await readDatabases(folder)).toEqual(embedded)
  })

  it('under transactional says each event once, as a run without faults does, when detect is killed again and again', async () => {
    const expected = await eventsWithoutFaults(freshFolder(), sources)
    const folder = freshFolder()
    await start('access', folder).end()
    for (let life = 0; life < 3; life++) {
      const detect = start('detect', folder, '--profile', 'transactional')
      await until('detect stored something', () => detect.output().includes('records stored'), { everyMs: 10 })
      await detect.kill()
    }
    const left = await committedEvents(kafkajs({ brokers: [...cluster.brokers] }))
    expect(left.length).toBeLessThan(expected.length)
    await start('detect', folder, '--profile', 'transactional', '--until-idle').end()
    expect(await committedEvents(kafkajs({ brokers: [...cluster.brokers] }))).toEqual(expected)
  })

  it('tell whether they live and are ready, and what they count, for as long as they run', async () => {
    const [port] = await freePorts(1)
    const alert = start('alert', freshFolder(), '--probes', String(port))
    const ask = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${port}${path}`)
    const isReady = async (): Promise<boolean> => (await ask('/ready').catch(() => null))?.status === 200
    await until('it is ready', isReady, { timeoutMs: serviceMs })
    expect((await ask('/live')).status).toBe(200)
    const metrics = async (): Promise<string> => (await ask('/metrics')).text()
    await until('it says how far behind it is', async () =>
      (await metrics()).includes(
        'tidemark_consumer_lag_records{client="alert",group="alert",topic="alerts",partition="0"} 0',
      ),
    )
    await alert.stop()
    await expect(ask('/live')).rejects.toThrow('fetch failed')
  })
})
