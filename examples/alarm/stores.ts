import { join } from 'node:path'
import { sqlOutbox } from 'tidemark/sql'
import { readerNames, type ServiceName } from './services.js'
import { tables } from './store/schema.js'
import { openStore, type Store } from './store/store.js'

/** Each service has a file of its own, so each can be stopped, killed and moved alone; or they share a server at a URL. */
export async function openServiceStore(dataDir: string, service: ServiceName, url?: string): Promise<Store> {
  if (url === undefined) return openStore(join(dataDir, `${service}.db`))
  // Else it would be the name of a file.
  if (!/^(mysql|mariadb|postgres(ql)?):\/\/[^/]/.test(url) || !URL.canParse(url))
    throw new Error('expected --db as mysql://user:password@host:port/database (MariaDB too), or postgres://…')
  return openStore(url).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error)
    const { host, pathname } = new URL(url)
    throw new Error(
      `the database ${pathname.slice(1)} at ${host} cannot be opened: ${why}; ` +
        'check that it is there, and who may ask it',
      { cause: error },
    )
  })
}

export type Stores = Readonly<Record<Exclude<ServiceName, 'search'>, Store>>

export async function openAllStores(dataDir: string, url?: string): Promise<Stores> {
  const opened: [ServiceName, Store][] = []
  try {
    for (const service of ['access', ...readerNames] as const)
      opened.push([service, await openServiceStore(dataDir, service, url)])
    return Object.fromEntries(opened) as Stores
  } catch (error) {
    await closeAll(opened.map(([, store]) => store))
    throw error
  }
}

export async function closeAll(stores: readonly Store[]): Promise<void> {
  await Promise.all(stores.map((store) => store.close()))
}

/** Forgets everything: for a log that is gone or a run that starts afresh. */
export async function clear({ db }: Store): Promise<void> {
  await db.transaction().execute(async (tx) => {
    for (const table of [...tables, 'tidemark_inbox', 'tidemark_outbox', 'tidemark_positions'])
      await tx.deleteFrom(table as never).execute()
  })
}

/** All that was to be told was sent, and no window is open. */
export async function isTold({ db }: Store): Promise<boolean> {
  if ((await sqlOutbox(db).backlog()).rows > 0) return false
  const open = db.selectFrom('converge_instance').select('converge_id').where('open_marker', '=', 1)
  return (await open.limit(1).executeTakeFirst()) === undefined
}

/** Points that detect has stored. */
export async function storedPoints({ detect: { db } }: Stores): Promise<number> {
  const points = db.selectFrom('metric_point').select(({ fn }) => fn.countAll<number>().as('n'))
  return Number((await points.executeTakeFirstOrThrow()).n)
}
