import type { RunningPipeline } from '../run-pipeline.js'
import { readerNames, type ReaderName } from '../services.js'
import type { Kill, Sample } from './report-page.js'

const lookEveryMs = 200
const downMs = 400

/** What was seen of a run, and done to it. */
export interface Watched {
  readonly samples: readonly Sample[]
  readonly kills: readonly Kill[]
  readonly seconds: () => number
  /** What `runPipeline` is given, and this tells of it. */
  readonly onRunning: (pipeline: RunningPipeline) => void
  readonly onProgress: (progress: { readonly sent: number; readonly total: number }) => void
  /** Resolves when whoever was killed runs again. */
  stop(): Promise<void>
}

/** Looks at the run some times a second; with `cut` it kills each service in turn while rows come in, and starts it again. */
export function watchRun(
  onLook: (pipeline: RunningPipeline) => void,
  cut: ((service: ReaderName) => void) | null,
): Watched {
  const startedAt = performance.now()
  const samples: Sample[] = []
  const kills: Kill[] = []
  const now = (): number => performance.now() - startedAt
  let pipeline: RunningPipeline | null = null
  let ticker: NodeJS.Timeout | undefined
  let lastSent = 0
  let killing: Promise<void> = Promise.resolve()

  const look = (): void => {
    if (!pipeline) return
    const counts = pipeline.counts()
    const lag = Object.fromEntries(readerNames.map((name) => [name, pipeline?.lag(name) ?? null]))
    const received = Object.fromEntries(readerNames.map((name) => [name, counts[name]['received'] ?? 0]))
    samples.push({ atMs: now(), lag, received })
    onLook(pipeline)
  }
  const kill = async (service: ReaderName, atRow: number): Promise<void> => {
    const fromMs = now()
    await pipeline?.restart(service, () => cut?.(service), downMs)
    kills.push({ service, fromMs, toMs: now(), atRow })
  }
  return {
    samples,
    kills,
    seconds: () => now() / 1_000,
    onRunning: (running) => {
      pipeline = running
      ticker = setInterval(look, lookEveryMs)
    },
    onProgress: ({ sent, total }) => {
      for (const [index, service] of readerNames.entries()) {
        const due = ((index + 1) / (readerNames.length + 1)) * total
        if (cut && lastSent < due && sent >= due) killing = killing.then(() => kill(service, sent))
      }
      lastSent = sent
    },
    stop: async () => {
      await killing
      clearInterval(ticker)
      look()
    },
  }
}
