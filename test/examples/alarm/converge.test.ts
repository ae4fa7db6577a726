import { join } from 'node:path'
import { insertNew } from 'tidemark/sql'
import { describe, expect, it } from 'vitest'
import { matches, type ConvergeBook, type ConvergeRule } from '../../../examples/alarm/converge/converge-rules.js'
import { Fold } from '../../../examples/alarm/converge/fold.js'
import { inputOf } from '../../../examples/alarm/converge/repartition.js'
import { rootCause } from '../../../examples/alarm/converge/root-cause.js'
import { openStore, type Store } from '../../../examples/alarm/store/store.js'
import type { AlertStatus, ConvergedAlert, Notice } from '../../../examples/alarm/topics.js'
import { seededRandom } from '../../support/seeded-random.js'
import { alertStatusOf } from './alert-status.js'
import { freshFolder } from './pipeline.js'

const rule = (change: Partial<ConvergeRule> = {}): ConvergeRule => ({
  ...{ name: 'one', func: 'collect', match: {}, by: ['bk_biz_id'], windowSeconds: 120, count: 2 },
  receivers: [{ receiver: 'ada', channel: 'console' }],
  ...change,
})

async function openFold(change: Partial<ConvergeBook> = {}, opened?: Store) {
  const book: ConvergeBook = { convergeRules: [rule()], inhibitions: [], topology: {}, ...change }
  const store = opened ?? (await openStore(join(freshFolder(), 'converge.db')))
  const converged: ConvergedAlert[] = []
  const notices: Notice[] = []
  const fold = new Fold(book, {
    converged: async (_tx, record) => converged.push(record),
    notice: async (_tx, notice) => notices.push(notice),
  })
  const take = (alert: AlertStatus) =>
    store.db.transaction().execute((tx) => {
      const input = inputOf(book.convergeRules, alert)
      if (!input) throw new Error('no rule takes it')
      return fold.take(tx, input, 0)
    })
  const closeAll = () =>
    store.db.transaction().execute(async (tx) => {
      const open = await tx.selectFrom('converge_instance').selectAll().where('open_marker', '=', 1).execute()
      for (const one of open) await fold.close(tx, one)
    })
  return { store, take, closeAll, converged, notices }
}

const many = (n: number, change: Partial<AlertStatus> = {}): AlertStatus[] =>
  Array.from({ length: n }, (_, i) =>
    alertStatusOf({
      alert_id: `a-${String(i).padStart(3, '0')}.1`,
      target: `host-${i}`,
      at: 1_000 + (i % 10),
      ...change,
    }),
  )

describe('a window of alerts', () => {
  it('is closed when its time is over also where its rule is gone, and nobody is told', async () => {
    const { store, take, closeAll, converged, notices } = await openFold()
    for (const alert of many(5)) await take(alert)
    const said = notices.length
    const { store: other, ...changed } = await openFold({ convergeRules: [rule({ name: 'another' })] }, store)
    await changed.closeAll()
    expect(changed.converged).toMatchObject([{ rule: 'one', func: 'none', status: 'closed', executed: 2, skipped: 3 }])
    expect([notices.length, changed.notices.length]).toEqual([said, 0])
    await closeAll()
    expect(converged).toHaveLength(1)
    await other.close()
  })

  it('of more alerts than a record holds is announced all the same, with the first of them and how many there are', async () => {
    const { store, take, closeAll, converged } = await openFold()
    await take(alertStatusOf({ alert_id: `${'a'.repeat(32)}.1` }))
    const one = await store.db.selectFrom('converge_relation').selectAll().executeTakeFirstOrThrow()
    const others = Array.from({ length: 30_000 }, (_, n) => ({ ...one, alert_id: `${'b'.repeat(26)}${100_000 + n}.1` }))
    await store.db.transaction().execute((tx) => insertNew(tx, 'converge_relation', others))
    await store.db.updateTable('converge_instance').set({ skipped: others.length }).execute()
    await closeAll()
    const told = converged.at(-1)
    expect([told?.members.length, told?.executed, told?.skipped]).toEqual([10_000, 1, 30_000])
    expect(JSON.stringify(told).length).toBeLessThan(1_000_000)
  })

  it('tells of the first ones, and of all others in one summary; each change is in one window', async () => {
    const { store, take, closeAll, converged, notices } = await openFold()
    for (const alert of many(5)) await take(alert)
    for (const alert of many(5)) expect(await take(alert)).toBe('repeated')
    await closeAll()
    expect(converged.map(({ status, executed, skipped }) => [status, executed, skipped])).toEqual([
      ['open', 1, 0],
      ['closed', 2, 3],
    ])
    expect(notices.map(({ signal }) => signal)).toEqual(['abnormal', 'abnormal', 'summary'])
    expect(await store.db.selectFrom('converge_relation').selectAll().execute()).toHaveLength(5)
    await store.close()
  })

  it('has no summary when all were told of', async () => {
    const { store, take, closeAll, notices } = await openFold()
    for (const alert of many(2)) await take(alert)
    await closeAll()
    expect(notices.map(({ signal }) => signal)).toEqual(['abnormal', 'abnormal'])
    await store.close()
  })

  it('is cut by data time alone: what comes late is in its own window, which is announced once more', async () => {
    const { store, take, closeAll, converged, notices } = await openFold({ convergeRules: [rule({ count: 1 })] })
    await take(alertStatusOf({ alert_id: 'b.1', at: 1_000 }))
    await take(alertStatusOf({ alert_id: 'd.1', at: 1_120 }))
    await take(alertStatusOf({ alert_id: 'a.1', at: 990 }))
    await take(alertStatusOf({ alert_id: 'c.1', at: 800 }))
    await closeAll()
    expect(converged.map(({ status, window, members, late }) => [status, window.from, members, late])).toEqual([
      ['open', 960, ['b.1'], 0],
      ['closed', 960, ['b.1'], 0],
      ['open', 1_080, ['d.1'], 0],
      ['closed', 960, ['a.1', 'b.1'], 1],
      ['closed', 720, ['c.1'], 1],
      ['closed', 1_080, ['d.1'], 0],
    ])
    // Nobody folds what is late: it is told of by itself.
    expect(notices.map(({ alert_id, signal }) => [alert_id, signal])).toEqual(
      ['b.1', 'd.1', 'a.1', 'c.1'].map((id) => [id, 'abnormal']),
    )
    await store.close()
  })

  it('has the same alerts and the same cause in whatever order they come, and whenever somebody closes it', async () => {
    const alerts = many(6).map((one, n) => ({ ...one, at: 900 + n * 50, severity: (n % 2 ? 1 : 2) as 1 | 2 }))
    const inOrder = async (order: readonly AlertStatus[], isQuietAfter: (n: number) => boolean = () => false) => {
      const { store, take, closeAll, converged } = await openFold()
      for (const [n, alert] of order.entries()) {
        await take(alert)
        if (isQuietAfter(n)) await closeAll()
      }
      await closeAll()
      const windows = store.db.selectFrom('converge_instance').select(['converge_id', 'starts', 'root_cause'])
      const members = store.db.selectFrom('converge_relation').select(['alert_id', 'converge_id']).orderBy('alert_id')
      // What a reader knows of each in the end.
      const told = new Map(converged.map((one) => [one.converge_id, one]))
      const last = [...told.values()].map(({ window, status, members: named, executed, skipped, root_cause }) => {
        return { from: window.from, status, named, changes: executed + skipped, root_cause }
      })
      const found = {
        windows: await windows.orderBy('starts').execute(),
        members: await members.execute(),
        told: last.sort((one, other) => one.from - other.from),
      }
      await store.close()
      return found
    }
    const expected = await inOrder(alerts)
    expect(expected.windows).toHaveLength(3)
    for (let seed = 1; seed <= 20; seed++) {
      const random = seededRandom(seed)
      const mixed = alerts.map((alert) => ({ alert, place: random() })).sort((one, other) => one.place - other.place)
      const order = mixed.map(({ alert }) => alert)
      expect(await inOrder(order, () => random() < 0.4), `seed ${seed}`).toEqual(expected)
    }
  })

  it.each([
    ['skip_when_exceed', ['executed', 'executed', 'skipped', 'skipped']],
    ['defense', ['executed', 'executed', 'held', 'held']],
    ['relevance', ['skipped', 'executed', 'skipped', 'skipped']],
  ] as const)('of %s tells of %s', async (func, expected) => {
    const { store, take, closeAll, notices } = await openFold({ convergeRules: [rule({ func })] })
    const outcomes = []
    for (const alert of many(4)) outcomes.push(await take(alert))
    await closeAll()
    expect(outcomes).toEqual(expected)
    expect(notices).toHaveLength(expected.filter((one) => one === 'executed').length)
    await store.close()
  })

  it('tells of nothing that was acknowledged, shielded or superseded, and of no end whose begin nobody was told of', async () => {
    const { store, take } = await openFold({ convergeRules: [rule({ count: 1 })] })
    expect(await take(alertStatusOf({ alert_id: 'a.1', ack: true }))).toBe('muted')
    expect(await take(alertStatusOf({ alert_id: 'b.1', shield: true }))).toBe('muted')
    expect(await take(alertStatusOf({ alert_id: 'c.1', version: 2, signal: 'superseded' }))).toBe('muted')
    expect(await take(alertStatusOf({ alert_id: 'b.1', version: 2, signal: 'recovered' }))).toBe('muted')
    await store.close()
  })

  it('inhibits while the source is open, and never one that matches both sides', async () => {
    const inhibitions = [
      {
        source: { severity: [1 as const] },
        target: { severity: [1 as const, 3 as const] },
        equal: ['bk_biz_id' as const],
      },
    ]
    const { store, take } = await openFold({ convergeRules: [rule({ count: 100 })], inhibitions })
    expect(await take(alertStatusOf({ alert_id: 'milder.1', severity: 3 }))).toBe('executed')
    expect(await take(alertStatusOf({ alert_id: 'source.1', severity: 1 }))).toBe('executed')
    expect(await take(alertStatusOf({ alert_id: 'both.1', severity: 1 }))).toBe('executed')
    expect(await take(alertStatusOf({ alert_id: 'target.1', severity: 3 }))).toBe('inhibited')
    expect(await take(alertStatusOf({ alert_id: 'elsewhere.1', severity: 3, bk_biz_id: 9 }))).toBe('executed')
    for (const alert_id of ['source.1', 'both.1'])
      await take(alertStatusOf({ alert_id, severity: 1, version: 2, signal: 'recovered' }))
    expect(await take(alertStatusOf({ alert_id: 'after.1', severity: 3 }))).toBe('executed')
    await store.close()
  })

  it('folds a storm of 500 hosts of a rack, and its services, into one cause and as many notices as it may have', async () => {
    const topology = Object.fromEntries(many(500).map(({ target }) => [target, ['rack-7']]))
    const { store, take, closeAll, converged, notices } = await openFold({ topology })
    const storm = [
      ...many(250),
      alertStatusOf({ alert_id: 'rack.1', target: 'rack-7', severity: 1, at: 1_004 }),
      ...many(500).slice(250),
    ]
    for (const alert of storm) await take(alert)
    await closeAll()
    expect(notices).toHaveLength(3)
    expect(converged.at(-1)).toMatchObject({ root_cause: 'rack.1', executed: 2, skipped: 499 })
    expect(await store.db.selectFrom('converge_relation').selectAll().execute()).toHaveLength(501)
    await store.close()
  })
})

describe('the root cause', () => {
  const member = (alert_id: string, target: string, severity = 2, begin_time = 1_000) => ({
    alert_id,
    target,
    severity,
    begin_time,
  })

  it('is the same in whatever order alerts came', () => {
    const members = [member('b', 'host'), member('a', 'host'), member('s', 'service', 1)]
    const topology = { service: ['host'] }
    expect(rootCause(members, topology)?.alert_id).toBe('a')
    expect(rootCause([...members].reverse(), topology)?.alert_id).toBe('a')
  })

  it('is found in a topology that goes in a circle', () => {
    expect(rootCause([member('x', 'x'), member('y', 'y', 1)], { x: ['y'], y: ['x'] })?.alert_id).toBe('y')
  })

  it('is nothing of nothing', () => {
    expect(rootCause([], {})).toBeNull()
  })
})

it('a matcher takes what has one of the values in every field', () => {
  const alert = alertStatusOf({ severity: 2, bk_biz_id: 3 })
  expect(matches({ severity: [1, 2], bk_biz_id: [3] }, alert)).toBe(true)
  expect(matches({ severity: [1], bk_biz_id: [3] }, alert)).toBe(false)
})
