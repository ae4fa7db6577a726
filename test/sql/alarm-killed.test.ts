import { beforeAll, describe, expect, it } from 'vitest'
import { createMessaging } from 'tidemark'
import { kafkajs } from 'tidemark/kafkajs'
import { alerts } from '../../examples/alarm/topics.js'
import { formatVerdicts } from '../../examples/alarm/verify/verify.js'
import { alertEventOf } from '../examples/alarm/alert-event.js'
import { freshFolder } from '../examples/alarm/pipeline.js'
import type { Reference } from '../../examples/alarm/verify/kept.js'
import { startCluster } from '../support/kafka-cluster.js'
import { delay, until } from '../support/waiting.js'
import { runAlarm, runWithoutFaults, writeInput, type Death } from './support/alarm-run.js'
import { isFull, startDatabase, urlOf } from './support/databases.js'

/**
 * Tried in every run. A service dies at its places in this order, and each early: batches are large, so there are few.
 */
const often: readonly Death[] = [
  {
    what: 'access, acknowledged, before its checkpoint',
    service: 'access',
    place: { sql: 'update .source_checkpoint', when: 'before', nth: 3 },
  },
  {
    what: 'detect, said, before the commit',
    service: 'detect',
    place: { kafka: 'produce', topic: 'alerts', when: 'after', nth: 1 },
  },
  {
    what: 'alert, committed, before the commit to Kafka',
    service: 'alert',
    place: { sql: 'alert_log', when: 'after-commit', nth: 2 },
  },
  {
    what: 'relay, sent, before the mark',
    // Whoever has the lease.
    service: ['alert', 'converge'],
    place: { sql: 'delete from .*tidemark_outbox', when: 'before', nth: 1 },
  },
  {
    what: 'converge, a window half closed',
    service: 'converge',
    place: { sql: 'set .open_marker', when: 'before-commit', nth: 2 },
  },
  { what: 'notice, told, before the mark', service: 'notice', place: { http: true, when: 'after', nth: 2 } },
]
const seldom: readonly Death[] = [
  {
    what: 'detect, while it looks where to start',
    service: 'detect',
    place: { sql: 'from .tidemark_positions', when: 'before', nth: 1 },
  },
  {
    what: 'access, before it is acknowledged',
    service: 'access',
    place: { kafka: 'produce', topic: 'raw_events', when: 'sent', nth: 3 },
  },
  {
    what: 'detect, in its transaction',
    service: 'detect',
    place: { sql: 'into .metric_point', when: 'before-commit', nth: 1 },
  },
  {
    what: 'detect, its transaction done, before it says it',
    service: 'detect',
    place: { sql: 'into .decided_event', when: 'after-commit', nth: 1 },
  },
  // The first of alert's: what is poison comes once.
  {
    what: 'alert, a dead letter out',
    service: 'alert',
    place: { kafka: 'produce', topic: 'alerts.dlq', when: 'after', nth: 1 },
  },
  { what: 'alert, before its commit', service: 'alert', place: { sql: 'alert_log', when: 'before-commit', nth: 1 } },
  {
    what: 'alert, Kafka has its commit, before the relay',
    service: 'alert',
    place: { kafka: 'offsetCommit', topic: 'alerts', when: 'after', nth: 1 },
  },
  {
    what: 'repartition, in its transaction',
    service: 'repartition',
    place: { kafka: 'endTxn', when: 'before', nth: 1 },
  },
  {
    what: 'repartition, its transaction done',
    service: 'repartition',
    place: { kafka: 'endTxn', when: 'after', nth: 1 },
  },
]
const rows = 400
const kinds = isFull ? (['mariadb', 'postgres'] as const) : (['mariadb'] as const)
/** Of a database that is away. */
const outageMs = isFull ? 60_000 : 5_000

describe('the alarm services as processes on a real Kafka', () => {
  let csv: string
  let reference: Reference
  beforeAll(async () => {
    csv = await writeInput(freshFolder(), rows)
    reference = await runWithoutFaults(csv)
    expect(reference.alerts.length).toBeGreaterThan(3)
  })

  it.each(kinds)(
    'killed at each place end with the alerts and windows of a run without faults, on %s',
    async (kind) => {
      const deaths = isFull ? [...seldom, ...often] : often
      const cluster = await startCluster()
      const database = await startDatabase(kind)
      const messaging = createMessaging({ driver: kafkajs({ brokers: [...cluster.brokers] }), logger: 'silent' })
      try {
        const meanwhile = async (): Promise<void> => {
          if (!isFull) return
          // A name that no column takes.
          await messaging
            .producer()
            .send(alerts, alertEventOf({ alert_key: '0'.repeat(64), event_id: 'poison', alert_name: 'x'.repeat(500) }))
        }
        const run = { brokers: cluster.brokers, database: urlOf(database), csv, reference, deaths, meanwhile }
        const { verdicts, died, troubles, output } = await runAlarm(run)
        if (isFull)
          process.stdout.write(`${died.length} deaths on ${kind}: ${died.join('; ')}\n${formatVerdicts(verdicts)}\n`)
        expect(died).toHaveLength(deaths.length)
        // The database was there all the time; only that two waited for each other may have been its answer.
        expect(troubles.filter((text) => !/deadlock/i.test(text))).toEqual([])
        const broken = verdicts.filter(({ state }) => state === 'broken')
        expect(broken, `${formatVerdicts(verdicts)}\n${output}`).toEqual([])
      } finally {
        await messaging.close()
        await database.stop()
        await cluster.stop()
      }
    },
  )

  it.each(kinds)(
    'wait for a database that does not answer, stops, or is killed with -9: nothing becomes a dead letter, and no attempt is spent, on %s',
    async (kind) => {
      const cluster = await startCluster()
      const database = await startDatabase(kind)
      try {
        const meanwhile: Parameters<typeof runAlarm>[0]['meanwhile'] = async (store) => {
          const stored = async () =>
            Number(
              (
                await store.db
                  .selectFrom('metric_point')
                  .select(({ fn }) => fn.countAll().as('n'))
                  .executeTakeFirstOrThrow()
              ).n,
            )
          await until('some points are stored', async () => (await stored()) > rows / 2, { timeoutMs: 120_000 })
          if (kind === 'mariadb') {
            database.freeze()
            await delay(outageMs / 5)
            database.thaw()
          }
          await database.stop()
          await delay(outageMs)
          await database.start()
          const before = await stored()
          await until('it goes on', async () => (await stored()) > before, { timeoutMs: 120_000 })
          await database.kill()
          await delay(outageMs / 5)
          await database.start()
        }
        const { verdicts, output } = await runAlarm({
          brokers: cluster.brokers,
          database: urlOf(database),
          csv,
          reference,
          deaths: [],
          meanwhile,
        })
        if (isFull) process.stdout.write(`${formatVerdicts(verdicts)}\n`)
        expect(
          verdicts.filter(({ state }) => state === 'broken'),
          `${formatVerdicts(verdicts)}\n${output}`,
        ).toEqual([])
        expect(verdicts.find(({ number }) => number === 14)?.looked).toBe('0 dead letters')
      } finally {
        await database.stop()
        await cluster.stop()
      }
    },
  )
})
