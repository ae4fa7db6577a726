import { convergeId, noticeId } from '../ids.js'
import type { Schema } from '../store/schema.js'
import { is, locked } from '../store/queries.js'
import type { Tx } from '../store/store.js'
import type { AlertStatus, ConvergedAlert, ConvergeInput, Notice } from '../topics.js'
import { matches, type ConvergeBook, type ConvergeRule, type Inhibition } from './converge-rules.js'
import { rootCause } from './root-cause.js'

type Instance = Schema['converge_instance']
type Relation = Schema['converge_relation']
/** `executed`: somebody is told of it now. Of the others nobody is, one by one. */
export type Outcome = 'executed' | 'skipped' | 'held' | 'inhibited' | 'muted'

/** Of a larger window the first are named: all would not fit into a record. How many there are its counts say. */
export const mostMembers = 10_000

/** Puts what is to be told into the outbox of the transaction. */
export interface Say {
  converged(tx: Tx, record: ConvergedAlert): Promise<unknown>
  notice(tx: Tx, notice: Notice): Promise<unknown>
}

/** Folds changes of alerts into windows of their dimension, inside a transaction of whoever calls. */
export class Fold {
  constructor(
    private readonly book: ConvergeBook,
    private readonly say: Say,
  ) {}

  /**
   * Takes a change of an alert; `repeated` when it was taken before. Its window is that in which it happened, whenever it
   * comes. One whose window is over is late: it is announced once more, and nobody is left to fold the change.
   */
  async take(tx: Tx, { dimension, rule: name, alert }: ConvergeInput, part: number): Promise<Outcome | 'repeated'> {
    const place = { alert_id: alert.alert_id, signal_version: alert.version }
    const known = tx.selectFrom('converge_relation').select('outcome').where(is(place))
    if (await known.executeTakeFirst()) return 'repeated'
    const rule = this.#find(name)
    if (!rule) throw new TypeError(`expected a rule named ${name}: repartition and converge have other rules`)
    const window = await this.#window(tx, dimension, rule, alert, part)
    const isLate = window.open_marker === null
    const outcome = await this.#outcome(tx, rule, alert, window)
    const { alert_id, at, severity, begin_time, target, bk_biz_id, strategy_id, signal } = alert
    const about = { ...place, at, severity, begin_time, target, bk_biz_id, strategy_id }
    const relation: Relation = { ...about, converge_id: window.converge_id, signal_name: signal, outcome }
    await tx.insertInto('converge_relation').values(relation).execute()
    const isExecuted = outcome === 'executed'
    const counted = {
      executed: window.executed + (isExecuted ? 1 : 0),
      skipped: window.skipped + (isExecuted ? 0 : 1),
      late: window.late + (isLate ? 1 : 0),
    }
    await tx.updateTable('converge_instance').set(counted).where('converge_id', '=', window.converge_id).execute()
    const now = { ...window, ...counted }
    if (isLate) await this.#conclude(tx, now)
    else if (now.executed + now.skipped === 1) await this.#announce(tx, now, [alert_id])
    const text = `${alert.alert_name} at ${target}: ${signal}`
    if (isExecuted) await this.#tell(tx, rule, { alert_id, version: alert.version, signal, text, severity, at })
    return outcome
  }

  /** Ends a window: names what its alerts come of, and tells of those that nobody was told of. */
  async close(tx: Tx, open: Instance): Promise<void> {
    const rule = this.#find(open.rule)
    const { members, cause } = await this.#conclude(tx, open)
    const folded = members.filter(({ outcome }) => outcome === 'skipped').length
    const [primary] = members
    if (rule?.func !== 'collect' || folded === 0 || !primary) return
    const text = `${folded} more ${primary.signal_name} with ${primary.target}, all from ${cause?.target ?? 'nowhere'}`
    const severity = Math.min(...members.map((one) => one.severity)) as Notice['severity']
    const { alert_id, signal_version: version } = primary
    await this.#tell(tx, rule, { alert_id, version, signal: 'summary', text, severity, at: open.ends })
  }

  /** Says what became of a window: the same whatever the order in which its alerts came. */
  async #conclude(tx: Tx, window: Instance) {
    const inWindow = tx.selectFrom('converge_relation').selectAll().where('converge_id', '=', window.converge_id)
    const members: Relation[] = await inWindow.orderBy('at').orderBy('alert_id').orderBy('signal_version').execute()
    const cause = rootCause(members, this.book.topology)
    const closed = { open_marker: null, root_cause: cause?.alert_id ?? null }
    await tx.updateTable('converge_instance').set(closed).where('converge_id', '=', window.converge_id).execute()
    const ids = members.map(({ alert_id }) => alert_id)
    await this.#announce(tx, { ...window, ...closed }, ids)
    return { members, cause }
  }

  async #outcome(tx: Tx, { func, count }: ConvergeRule, alert: AlertStatus, window: Instance): Promise<Outcome> {
    const { executed, skipped, open_marker } = window
    if (alert.ack || alert.shield || alert.signal === 'superseded') return 'muted'
    if (alert.signal === 'abnormal' && (await this.#isInhibited(tx, alert))) return 'inhibited'
    if (alert.signal !== 'abnormal' && !(await this.#wasTold(tx, alert))) return 'muted'
    if (func === 'relevance') return executed + skipped + 1 === count ? 'executed' : 'skipped'
    // The summary of a window that is over is out.
    if (executed < count || (func === 'collect' && open_marker === null)) return 'executed'
    return func === 'defense' ? 'held' : 'skipped'
  }

  /** Of what nobody was told, nobody is told that it is over. */
  async #wasTold(tx: Tx, { alert_id }: AlertStatus): Promise<boolean> {
    const first = tx.selectFrom('converge_relation').select('outcome').where('alert_id', '=', alert_id)
    const told = await first.where('signal_name', '=', 'abnormal').executeTakeFirst()
    return told === undefined || told.outcome === 'executed'
  }

  /** Only what was folded before inhibits, so nothing goes in a circle. What matches both sides is not its own target. */
  async #isInhibited(tx: Tx, alert: AlertStatus): Promise<boolean> {
    for (const inhibition of this.book.inhibitions) {
      if (!matches(inhibition.target, alert) || matches(inhibition.source, alert)) continue
      if (await this.#hasOpenSource(tx, inhibition, alert)) return true
    }
    return false
  }

  async #hasOpenSource(tx: Tx, { source, equal }: Inhibition, alert: AlertStatus): Promise<boolean> {
    let query = tx.selectFrom('converge_relation as begun').select('begun.alert_id')
    for (const [field, values] of Object.entries({ ...source, signal_name: ['abnormal'] }))
      query = query.where(`begun.${field as 'severity'}`, 'in', values as number[])
    for (const field of equal) query = query.where(`begun.${field}`, '=', alert[field])
    const open = query.where(({ not, exists, selectFrom }) => {
      const same = selectFrom('converge_relation as ended').whereRef('ended.alert_id', '=', 'begun.alert_id')
      const ends = same.where('ended.signal_name', 'in', ['recovered', 'closed', 'superseded'])
      return not(exists(ends.select('ended.alert_id')))
    })
    return (await open.limit(1).executeTakeFirst()) !== undefined
  }

  /**
   * Windows are cut by data time alone. At most one is open in a dimension, the newest that was seen: the unique index refuses
   * a second.
   */
  async #window(tx: Tx, dimension: string, rule: ConvergeRule, alert: AlertStatus, part: number): Promise<Instance> {
    const starts = alert.at - (alert.at % rule.windowSeconds)
    const converge_id = convergeId(dimension, starts)
    const windows = tx.selectFrom('converge_instance').selectAll()
    const known = await locked(tx, windows.where('converge_id', '=', converge_id)).executeTakeFirst()
    if (known) return known
    const inDimension = windows.where('dimension', '=', dimension).where('open_marker', '=', 1)
    const open = await locked(tx, inDimension).executeTakeFirst()
    const isOver = open !== undefined && open.starts > starts
    if (open && !isOver) await this.close(tx, open)
    const begun: Instance = {
      ...{ converge_id, dimension, rule: rule.name, part, open_marker: isOver ? null : 1 },
      ...{ starts, ends: starts + rule.windowSeconds, executed: 0, skipped: 0, late: 0, root_cause: null },
    }
    await tx.insertInto('converge_instance').values(begun).execute()
    return begun
  }

  async #tell(tx: Tx, { receivers }: ConvergeRule, word: Omit<Notice, 'notice_id' | 'receiver' | 'channel'>) {
    for (const { receiver, channel } of receivers) {
      const notice_id = noticeId(word.alert_id, word.version, word.signal, receiver, channel)
      await this.say.notice(tx, { ...word, notice_id, receiver, channel })
    }
  }

  /** Of a window that is open yet the rule may be gone: it is closed, and nobody is told. */
  #find(name: string): ConvergeRule | undefined {
    return this.book.convergeRules.find((one) => one.name === name)
  }

  async #announce(tx: Tx, window: Instance, members: readonly string[]): Promise<void> {
    const { converge_id, dimension, rule, starts, ends, executed, skipped, late, root_cause, open_marker } = window
    const func = this.#find(rule)?.func ?? 'none'
    const status = open_marker === null ? 'closed' : 'open'
    await this.say.converged(tx, {
      ...{ converge_id, dimension, rule, func, status, window: { from: starts, to: ends } },
      ...{ primary: members[0] ?? '', members: members.slice(0, mostMembers), executed, skipped, late, root_cause },
    })
  }
}
