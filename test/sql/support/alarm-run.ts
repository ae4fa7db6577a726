import { spawn, type ChildProcess } from 'node:child_process'
import { appendFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createMessaging } from 'tidemark'
import { kafkajs } from 'tidemark/kafkajs'
import { memory } from 'tidemark/memory'
import { readCsv } from '../../../examples/alarm/access/csv.js'
import { runPipeline } from '../../../examples/alarm/run-pipeline.js'
import { readerNames, type ServiceName } from '../../../examples/alarm/services.js'
import { firstRows, readSource, sources } from '../../../examples/alarm/sources.js'
import { openStore, type Store } from '../../../examples/alarm/store/store.js'
import { closeAll, isTold, openAllStores } from '../../../examples/alarm/stores.js'
import { jsonTopics } from '../../../examples/alarm/topics.js'
import { referenceOf } from '../../../examples/alarm/verify/converge-invariants.js'
import { readEvidence } from '../../../examples/alarm/verify/evidence.js'
import { readJournal, type Reference } from '../../../examples/alarm/verify/kept.js'
import { formatVerdicts, verify, type Verdict } from '../../../examples/alarm/verify/verify.js'
import { CompiledProgram } from '../../support/compiled-program.js'
import { dieWithUs } from '../../support/reaper.js'
import { until } from '../../support/waiting.js'
import { freshFolder } from '../../examples/alarm/pipeline.js'
import type { DeathPlace } from './mortal-service.js'

/** A place in a service at which it dies. */
export interface Death {
  readonly what: string
  /** One of them, where it is not told which comes there. */
  readonly service: Mortal | readonly Mortal[]
  readonly place: DeathPlace
}

type Mortal = Exclude<ServiceName, 'search'>

const root = fileURLToPath(new URL('../../..', import.meta.url))
/** For machines that do much else. */
const patienceMs = 240_000

/** The first rows of the five series, by time, as access reads them from a file. */
export async function writeInput(folder: string, rows: number): Promise<string> {
  const events = (await Promise.all(firstRows(sources, rows).map(readSource))).flat()
  const lines = events
    .sort((one, other) => one.timestamp - other.timestamp)
    .map(({ timestamp, raw_data: { metric, value, dimensions }, bk_biz_id, priority }) =>
      [timestamp, metric, value, bk_biz_id, priority, Object.values(dimensions).join('/')].join(','),
    )
  const path = join(folder, 'input.csv')
  writeFileSync(path, `timestamp,metric,value,bk_biz_id,priority,of\n${lines.join('\n')}\n`)
  return path
}

/** What a run in this process, in which nothing fails, ends with. */
export async function runWithoutFaults(csv: string): Promise<Reference> {
  const stores = await openAllStores(freshFolder())
  const driver = memory()
  const messaging = createMessaging({ driver, clientId: 'reference', logger: 'silent' })
  try {
    const channels = { pager: async () => undefined }
    await runPipeline({ driver, stores, sources: [], input: await readCsv(csv), channels, logger: 'silent' })
    const evidence = await readEvidence(messaging, Object.values(stores), { journal: null, reference: null })
    const broken = verify(evidence).filter(({ state }) => state === 'broken')
    if (broken.length > 0) throw new Error(`the reference is no good:\n${formatVerdicts(broken)}`)
    return referenceOf(evidence)
  } finally {
    await messaging.close()
    await closeAll(Object.values(stores))
  }
}

export interface AlarmRun {
  readonly brokers: readonly string[]
  readonly database: string
  readonly csv: string
  readonly reference: Reference
  readonly deaths: readonly Death[]
  /** Done once, while services work. */
  readonly meanwhile?: (store: Store) => Promise<void>
}

/**
 * Each service as a process of its own, killed at its places one after another and started again. Resolves to what the verifier
 * finds in the end, when nothing moves any more.
 */
export async function runAlarm({ brokers, database, csv, reference, deaths, meanwhile }: AlarmRun): Promise<{
  readonly verdicts: readonly Verdict[]
  readonly died: readonly string[]
  /** What services tried again. */
  readonly troubles: readonly string[]
  readonly output: string
}> {
  await using program = await CompiledProgram.compile(root, 'test/sql/support/mortal-service.ts', 'alarm')
  const folder = freshFolder()
  const store = await openStore(database)
  const messaging = createMessaging({
    driver: kafkajs({ brokers: [...brokers] }),
    clientId: 'harness',
    logger: 'silent',
  })
  await messaging.ensureTopics(Object.values(jsonTopics))
  const journal = join(folder, 'journal.jsonl')
  writeFileSync(journal, '')
  const pager = await listen(store, journal)
  const died: string[] = []
  const troubles: string[] = []
  let output = ''
  let isEnding = false
  let accessEnded = false
  const living = new Map<string, { readonly child: ChildProcess; readonly death: Death | undefined }>()

  const start = (service: Mortal): void => {
    const death = deaths.find((one) => [one.service].flat().includes(service) && !died.includes(one.what))
    const args = [program.file, service, '--brokers', brokers.join(','), '--db', database]
    const child = spawn(process.execPath, [...args, ...(service === 'access' ? ['--csv', csv] : [])], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        ALARM_WEBHOOK: pager.url,
        DEATH_PLACE: JSON.stringify(death?.place ?? null),
        TIDEMARK_LOG: 'silent',
      },
    })
    dieWithUs(child)
    living.set(service, { child, death })
    const take = (chunk: Buffer): void => {
      output = `${output}${service}: ${String(chunk)}`.slice(-20_000)
      troubles.push(...(String(chunk).match(/(?<=trying again: ).*/g) ?? []))
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.once('exit', (code, signal) => {
      if (living.get(service)?.child !== child) return
      living.delete(service)
      if (signal === 'SIGKILL' && death && !isEnding) {
        if (!died.includes(death.what)) died.push(death.what)
        appendFileSync(journal, `${JSON.stringify({ kind: 'death', service })}\n`)
        start(service)
        // Who was to die there too goes on to its next place.
        for (const other of living.values()) if (other.death === death) other.child.kill('SIGKILL')
      } else if (service === 'access' && code === 0) accessEnded = true
      else if (!isEnding) output += `${service} ended with ${signal ?? code}\n`
    })
  }
  const look = async (): Promise<Verdict[]> => {
    const evidence = await readEvidence(messaging, [store], { journal: await readJournal(journal), reference })
    return verify(evidence)
  }
  try {
    for (const service of ['access', ...readerNames] as const) start(service)
    await meanwhile?.(store)
    const isOver = () => accessEnded && died.length === deaths.length
    const seen = () => `died: ${died.join('; ')}; access ${accessEnded ? 'ended' : 'runs'}\n${output}`
    await until('everybody died where they should', isOver, { timeoutMs: patienceMs, seen })
    // A window that is open is closed soon, and what is to be told of it would wait for processes that are asked to end.
    const isQuiet = async () => (await isTold(store)) && (await look()).every(({ state }) => state !== 'broken')
    // What is broken to the end is told by the caller's look at the verdicts.
    await until('all holds', isQuiet, { timeoutMs: patienceMs, everyMs: 1_000 }).catch(() => undefined)
    isEnding = true
    for (const [service, { child }] of [...living]) {
      const askedAt = Date.now()
      const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      appendFileSync(
        journal,
        `${JSON.stringify({ kind: 'exit', service, code: await ended, ms: Date.now() - askedAt })}\n`,
      )
    }
    return { verdicts: await look(), died, troubles, output }
  } finally {
    isEnding = true
    for (const { child } of living.values()) child.kill('SIGKILL')
    await messaging.close()
    await store.close()
    await pager.close()
  }
}

/** Who is told: heeds ids, and looks at once whether the alert can be seen. */
async function listen(store: Store, journal: string): Promise<{ readonly url: string; close(): Promise<unknown> }> {
  const known = new Set<string>()
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += String(chunk)))
    request.on('end', () => {
      const { notice_id, alert_id, version } = JSON.parse(body) as {
        notice_id: string
        alert_id: string
        version: number
      }
      const effect = !known.has(notice_id)
      known.add(notice_id)
      const row = store.db
        .selectFrom('alert_log')
        .select('at')
        .where('alert_id', '=', alert_id)
        .where('version', '=', version)
      row.executeTakeFirst().then(
        (found) => {
          appendFileSync(
            journal,
            `${JSON.stringify({ kind: 'notice', notice_id, effect, visible: found !== undefined })}\n`,
          )
          response.end()
        },
        () => {
          // Nobody was told: the database that would be looked at is away.
          if (effect) known.delete(notice_id)
          response.writeHead(503).end()
        },
      )
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return { url, close: () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))) }
}
