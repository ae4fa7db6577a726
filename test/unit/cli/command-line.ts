import { createMessaging } from 'tidemark'
import { createMemoryCluster, memory, type MemoryCluster } from 'tidemark/memory'
import { run } from '../../../src/cli/run.js'
import { temporaryFolder } from '../../support/temporary-folder.js'
import { numbered, put } from '../consumer/simulated.js'

export interface Ran {
  readonly exit: number
  readonly out: string
  readonly err: string
  /** What was asked. */
  readonly asked: readonly string[]
  /** `out`, as data. */
  readonly value: unknown
}

export interface Around {
  readonly answers?: readonly string[] | undefined
  readonly environment?: Readonly<Record<string, string>> | undefined
  readonly directory?: string | undefined
  readonly hasColours?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Told what is written, as it is. */
  readonly onOut?: ((text: string) => void) | undefined
}

let empty: string | undefined

/** Runs `tidemark <words>` over an in-process cluster, in a directory without settings. */
export async function tidemark(cluster: MemoryCluster, words: string, around: Around = {}): Promise<Ran> {
  const { answers, environment = { KAFKA_BROKERS: 'memory:9092' }, signal = new AbortController().signal } = around
  const [out, err, asked]: [string[], string[], string[]] = [[], [], []]
  const left = [...(answers ?? [])]
  const exit = await run(words.split(' '), {
    terminal: {
      write: (text) => {
        out.push(text)
        around.onOut?.(text)
      },
      writeError: (text) => void err.push(text),
      isInteractive: answers !== undefined,
      isScreen: false,
      errorsOnScreen: false,
      hasColours: around.hasColours ?? false,
      columns: 100,
      ask: async (question) => {
        asked.push(question)
        return left.shift() ?? ''
      },
    },
    environment,
    directory: around.directory ?? (empty ??= temporaryFolder('cli')),
    signal,
    driverOf: () => memory({ cluster }),
  })
  const text = out.join('')
  return {
    exit,
    out: text,
    err: err.join(''),
    asked,
    get value() {
      return JSON.parse(text) as unknown
    },
  }
}

/** A cluster where the group `billing` is 3 records behind in partition 0 of `orders`, and 2 in partition 1. */
export async function billing(): Promise<MemoryCluster> {
  const cluster = createMemoryCluster()
  cluster.createTopic('orders', { partitions: 2 })
  // With the marker of its transaction each has one offset more.
  put(cluster, numbered('a', 7), 'orders', 0)
  put(cluster, numbered('b', 3), 'orders', 1)
  const messaging = createMessaging({ driver: memory({ cluster }), durability: 'off', logger: 'silent' })
  const at = (partition: number, offset: number) => ({ topic: 'orders', partition, offset })
  await messaging.admin.setOffsets('billing', [at(0, 5), at(1, 2)])
  await messaging.close()
  return cluster
}
