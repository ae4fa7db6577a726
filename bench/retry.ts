import { startCluster } from '../test/support/kafka-cluster.js'
import { tidemarkReads, type Way } from './consume-measures.js'
import { sourceLibrary } from './library.js'
import { median, type Measured } from './measure.js'
import { fillKafka, recordsToConsume } from './suites.js'

/** Pairs of each way; the first one warms up and does not count. */
const pairs = 1 + 4 * Number(process.env['BENCH_ROUNDS'] ?? 3)
const nothing = () => undefined

const ways: Readonly<Record<string, Way>> = {
  'by message, order by partition': { handle: nothing },
  'by message, by key, 64 lanes': { order: 'key', concurrency: 64, handle: nothing },
  handleBatch: { handleBatch: nothing },
}

/** What retries and the watch for outages cost while nothing fails: pairs of runs with and without, whichever first in turn. */
export async function runRetry(): Promise<void> {
  const library = await sourceLibrary()
  const cluster = await startCluster({ nodes: 1 })
  try {
    const filled = await fillKafka(cluster)
    process.stdout.write(
      `\nretry: Kafka ${cluster.version}, ${recordsToConsume.toLocaleString('en-US')} records, ${pairs - 1} pairs; ` +
        'with the retries that are the default, over `retry: false, outage: false`: median (least to most)\n',
    )
    for (const [name, way] of Object.entries(ways)) {
      const ratios: { readonly rate: number; readonly cpu: number }[] = []
      for (let pair = 0; pair < pairs; pair += 1) {
        const read = (more: Partial<Way>) => tidemarkReads(library, filled, name, { ...way, ...more })
        const without: Partial<Way> = { retry: false, outage: false }
        const runs: Measured[] = []
        for (const more of pair % 2 === 0 ? [{}, without] : [without, {}]) {
          globalThis.gc?.()
          runs.push(await read(more))
        }
        const [configured, bare] = (pair % 2 === 0 ? runs : runs.reverse()) as [Measured, Measured]
        if (pair > 0) ratios.push({ rate: configured.perSecond / bare.perSecond, cpu: cpuOf(bare) / cpuOf(configured) })
      }
      const told = (all: readonly number[]) =>
        `${median(all).toFixed(3)} (${Math.min(...all).toFixed(2)} to ${Math.max(...all).toFixed(2)})`
      process.stdout.write(
        `  ${name.padEnd(32)} records/s ${told(ratios.map(({ rate }) => rate))} · ` +
          `records for each second of CPU ${told(ratios.map(({ cpu }) => cpu))}\n`,
      )
    }
  } finally {
    await cluster.stop()
  }
}

/** Seconds of CPU for each record. */
const cpuOf = ({ cores, seconds, count }: Measured) => (cores * seconds) / count
