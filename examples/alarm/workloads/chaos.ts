import { createMessaging } from 'tidemark'
import { mortalCluster } from '../page/mortal-cluster.js'
import { runPipeline, untold, type RunningPipeline } from '../run-pipeline.js'
import { readerNames, type ReaderName } from '../services.js'
import { firstRows, sources } from '../sources.js'
import type { Stores } from '../stores.js'
import { referenceOf } from '../verify/converge-invariants.js'
import { readEvidence, type Evidence } from '../verify/evidence.js'
import { verify, type Verdict } from '../verify/verify.js'
import { randomBy } from './random.js'

/** Each service dies so often. */
const lives = 2
const longestDownMs = 300

export interface Chaos {
  readonly died: readonly ReaderName[]
  readonly verdicts: readonly Verdict[]
}

/**
 * W6: while rows come in each service is cut off from the Kafka of this process twice, in an order and for a time that the
 * seed says, and goes on in a next life. What is left is held against a run in which nothing fails.
 *
 * @param withStores gives stores of its own to each run
 */
export async function chaos(
  rows: number,
  seed: number,
  withStores: <Result>(work: (stores: Stores) => Promise<Result>) => Promise<Result>,
): Promise<Chaos> {
  const random = randomBy(seed)
  const order = Array.from({ length: lives }, () => readerNames)
    .flat()
    .map((service) => ({ service, place: random(), downMs: Math.floor(random() * longestDownMs) }))
    .sort((one, other) => one.place - other.place)
  const reference = referenceOf(await withStores((stores) => run(stores, rows, [])))
  const evidence = await withStores((stores) => run(stores, rows, order))
  return { died: order.map(({ service }) => service), verdicts: verify({ ...evidence, reference }) }
}

async function run(
  stores: Stores,
  rows: number,
  deaths: readonly { readonly service: ReaderName; readonly downMs: number }[],
): Promise<Evidence> {
  const cluster = mortalCluster()
  const messaging = createMessaging({ driver: cluster.driverOf('verify'), clientId: 'verify', logger: 'silent' })
  let killing = Promise.resolve()
  const kill = async (pipeline: RunningPipeline): Promise<void> => {
    for (const { service, downMs } of deaths) await pipeline.restart(service, () => cluster.cut(service), downMs)
  }
  try {
    await runPipeline({
      ...{ driver: cluster.driverOf, stores, sources: firstRows(sources, rows), continues: true, logger: 'silent' },
      ...untold,
      onRunning: (pipeline) => {
        killing = kill(pipeline)
      },
    })
    await killing
    return await readEvidence(messaging, Object.values(stores), { journal: null, reference: null })
  } finally {
    await messaging.close()
  }
}
