import { join } from 'node:path'
import { openStore, type Store } from './store/store.js'

export type ServiceName = 'access' | 'detect' | 'alert'

/** Each service has a database of its own, as it would in production; so each can be stopped, killed and moved alone. */
export function openServiceStore(dataDir: string, service: ServiceName): Promise<Store> {
  return openStore(join(dataDir, `${service}.db`))
}

export type Stores = Readonly<Record<ServiceName, Store>>

export async function openAllStores(dataDir: string): Promise<Stores> {
  const opened: Store[] = []
  const open = async (service: ServiceName): Promise<Store> => {
    const store = await openServiceStore(dataDir, service)
    opened.push(store)
    return store
  }
  try {
    return { access: await open('access'), detect: await open('detect'), alert: await open('alert') }
  } catch (error) {
    await closeAll(opened)
    throw error
  }
}

export async function closeAll(stores: readonly Store[]): Promise<void> {
  await Promise.all(stores.map((store) => store.close()))
}
