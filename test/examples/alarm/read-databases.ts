import { join } from 'node:path'
import { openStore } from '../../../examples/alarm/store/store.js'
import { closeAll } from '../../../examples/alarm/stores.js'
import { expectAlertInvariants } from './invariants.js'
import { readAlertTables } from './pipeline.js'

/** Alerts, their log, inbox and series of a run that ended, each in the order of its key. */
export async function readDatabases(folder: string): Promise<Record<string, unknown[]>> {
  const detectStore = await openStore(join(folder, 'detect.db'))
  const alertStore = await openStore(join(folder, 'alert.db'))
  try {
    await expectAlertInvariants({ detectStore, alertStore })
    return await readAlertTables(alertStore)
  } finally {
    await closeAll([detectStore, alertStore])
  }
}
