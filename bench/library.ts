import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type * as tidemark from 'tidemark'
import type * as kafkajs from 'tidemark/kafkajs'
import type { TracingAdapter } from 'tidemark/driver'
import type * as memory from 'tidemark/memory'

/** What a measure uses of tidemark, so that it can be run on the sources and on any build. */
export interface Library {
  readonly tidemark: Pick<typeof tidemark, 'bytes' | 'createMessaging' | 'defineTopic'>
  readonly memory: Pick<typeof memory, 'createMemoryCluster' | 'memory'>
  readonly kafkajs: Pick<typeof kafkajs, 'kafkajs'>
  /** Where measurements go; nowhere without it. */
  readonly metrics?: tidemark.MetricsAdapter
  /** Where spans go; nowhere without it. */
  readonly tracing?: TracingAdapter
}

/** `load` gives the module of one entry: `index`, `memory`, `kafkajs`. */
async function libraryFrom(load: (entry: string) => Promise<unknown>): Promise<Library> {
  const modules = await Promise.all(['index', 'memory', 'kafkajs'].map(load))
  return { tidemark: modules[0], memory: modules[1], kafkajs: modules[2] } as Library
}

export const builtLibrary = (dist: string): Promise<Library> =>
  libraryFrom((entry) => import(pathToFileURL(join(dist, `${entry}.js`)).href))

export const sourceLibrary = (): Promise<Library> => libraryFrom((entry) => import(`../src/${entry}.js`))
