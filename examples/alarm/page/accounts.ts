import type { Kysely } from 'kysely'
import type { PipelineCounts } from '../run-pipeline.js'
import type { Schema } from '../store/schema.js'
import type { Stores } from '../stores.js'
import type { Kill, Repeat, Stage } from './report-page.js'

/** Where all that came in went, stage by stage. */
export function stagesOf(rows: number, { detect, alert, repartition, converge, notice }: PipelineCounts): Stage[] {
  const of = (counts: Readonly<Record<string, number>>, ...names: readonly string[]): number =>
    names.reduce((sum, name) => sum + (counts[name] ?? 0), 0)
  const leaks = (counts: Readonly<Record<string, number>>, names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, counts[name] ?? 0]))
  return [
    { name: 'access', in: rows, on: { what: 'acknowledged', count: rows }, leaks: {}, sends: 'raw_events' },
    {
      name: 'detect',
      in: of(detect, 'received'),
      on: { what: 'judged', count: of(detect, 'accepted') },
      leaks: leaks(detect, ['repeated', 'conflicts', 'filtered']),
      sends: `${of(detect, 'sent').toLocaleString('en-US')} events`,
    },
    {
      name: 'alert',
      in: of(alert, 'received'),
      on: { what: 'taken', count: of(alert, 'open', 'merge', 'escalate', 'end') },
      leaks: leaks(alert, ['drop', 'ignore', 'repeated']),
      sends: `${of(alert, 'open', 'escalate').toLocaleString('en-US')} alerts`,
    },
    {
      name: 'repartition',
      in: of(repartition, 'received'),
      on: { what: 'sent on', count: of(repartition, 'sent') },
      leaks: { 'of no news': of(repartition, 'received') - of(repartition, 'sent') },
      sends: 'changes',
    },
    {
      name: 'converge',
      in: of(converge, 'received'),
      on: { what: 'told of', count: of(converge, 'executed') },
      leaks: leaks(converge, ['skipped', 'held', 'inhibited', 'muted', 'repeated']),
      sends: 'notices',
    },
    {
      name: 'notice',
      in: of(notice, 'received'),
      on: { what: 'told', count: of(notice, 'sent') },
      leaks: leaks(notice, ['quiet']),
      sends: 'people',
    },
  ]
}

/** What came again, and whether anything was taken twice: by what stands in the databases, not by what services say. */
export async function repeatsOf(counts: PipelineCounts, kills: readonly Kill[], stores: Stores): Promise<Repeat[]> {
  const killed = (service: string): number => kills.filter((one) => one.service === service).length
  return [
    {
      service: 'detect',
      kills: killed('detect'),
      again: counts.detect['repeated'] ?? 0,
      absorbedBy: 'the point’s key: series and time',
      changed: Math.max(0, (counts.detect['accepted'] ?? 0) - (await countRows(stores.detect.db, 'metric_point'))),
    },
    {
      service: 'alert',
      kills: killed('alert'),
      again: counts.alert['repeated'] ?? 0,
      absorbedBy: 'the inbox of event ids',
      changed: await countLoggedTwice(stores.alert.db),
    },
    {
      service: 'repartition',
      kills: killed('repartition'),
      again: Math.max(0, (counts.repartition['sent'] ?? 0) - (counts.converge['received'] ?? 0)),
      absorbedBy: 'the transaction: what was not committed nobody reads',
      changed: 0,
    },
    {
      service: 'converge',
      kills: killed('converge'),
      again: counts.converge['repeated'] ?? 0,
      absorbedBy: 'the key of each change of an alert',
      changed: 0,
    },
    {
      service: 'notice',
      kills: killed('notice'),
      again: Math.max(0, (counts.notice['received'] ?? 0) - (await countRows(stores.notice.db, 'notice'))),
      absorbedBy: 'the inbox of notices',
      changed: 0,
    },
  ]
}

async function countRows(db: Kysely<Schema>, table: 'metric_point' | 'notice'): Promise<number> {
  const row = await db
    .selectFrom(table)
    .select((select) => select.fn.countAll<number>().as('n'))
    .executeTakeFirstOrThrow()
  return row.n
}

async function countLoggedTwice(db: Kysely<Schema>): Promise<number> {
  const rows = await db
    .selectFrom('alert_log')
    .select('event_id')
    .where('event_id', 'is not', null)
    .groupBy('event_id')
    .having((select) => select.fn.countAll<number>(), '>', 1)
    .execute()
  return rows.length
}
