import type { Store } from '../store/store.js'
import { Alerts, readAlerts, type Tell } from './alert-rows.js'

/** `ack`: somebody has it, no more notices. `shield` and `unshield`: it goes on, and nobody is told. */
export type Operation = 'ack' | 'shield' | 'unshield'

const operations = {
  ack: { change: { is_ack: 1 }, op: 'ACK', signal: 'ack' },
  shield: { change: { is_shielded: 1 }, op: 'SHIELD', signal: 'shielded' },
  unshield: { change: { is_shielded: 0 }, op: 'UNSHIELD', signal: 'unshielded' },
} as const

/**
 * What a person does to an alert, also to one that is over. Under the lock of its key, so that with a recovery at the same
 * time both are kept, whoever comes first. Returns false when it was so already.
 */
export async function operate(
  { db }: Store,
  tell: Tell,
  alertId: string,
  operation: Operation,
  at: number,
): Promise<boolean> {
  const found = db.selectFrom('alert').select('alert_key').where('alert_id', '=', alertId)
  const { alert_key } = await found.executeTakeFirstOrThrow()
  return db.transaction().execute(async (tx) => {
    // The key before the alert, as events have it: else the two would lock each other out.
    const alerts = await Alerts.lock(tx, [alert_key])
    const [row] = await readAlerts(tx, [alertId])
    const { change: changed, op, signal } = operations[operation]
    if (!row || Object.entries(changed).every(([name, value]) => row[name as keyof typeof row] === value)) return false
    alerts.change(row, changed, { op, signal, at })
    await alerts.write(tx, tell)
    return true
  })
}
