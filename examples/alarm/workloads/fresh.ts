import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMessaging, type Driver } from 'tidemark'
import { openDriver } from '../driver.js'
import { clear, closeAll, openAllStores, storedPoints, type Stores } from '../stores.js'
import { jsonTopics } from '../topics.js'

/** The way to a Kafka whose topics are empty, as a workload counts all that is there. Without brokers: one in this process. */
export async function openFreshDriver(brokers: string | undefined): Promise<Driver> {
  const driver = await openDriver(brokers)
  await requireEmptyTopics(driver)
  return driver
}

export async function requireEmptyTopics(driver: Driver): Promise<void> {
  const messaging = createMessaging({ driver, clientId: 'workload', logger: 'silent' })
  try {
    const topics = await messaging.admin.describeTopics(Object.values(jsonTopics).map(({ name }) => name))
    const places = topics.flatMap(({ name: topic, partitions }) =>
      partitions.map(({ partition }) => ({ topic, partition })),
    )
    const ends = await messaging.admin.listOffsets(places, 'latest')
    const used = new Set(places.filter((_, index) => (ends[index] ?? 0) > 0).map(({ topic }) => topic))
    if (used.size === 0) return
    throw new Error(
      `expected a Kafka without records of another run, as a workload counts all that is there; it has some in ` +
        `${[...used].join(', ')}: delete these topics, or take one of your own (npm run kafka)`,
    )
  } finally {
    await messaging.close()
  }
}

/** Stores of their own, thrown away in the end: files, or the database at the URL, which must be empty and is again. */
export async function withStores<Result>(work: (stores: Stores) => Promise<Result>, url?: string): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'alarm-'))
  const stores = await openAllStores(folder, url)
  const used = url === undefined ? 0 : await storedPoints(stores)
  try {
    if (used > 0) throw new Error(`expected --db with an empty database; it has ${used} points`)
    return await work(stores)
  } finally {
    if (url !== undefined && used === 0) await clear(stores.access)
    await closeAll(Object.values(stores))
    await rm(folder, { recursive: true, force: true })
  }
}
