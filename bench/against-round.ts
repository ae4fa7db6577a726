import { builtLibrary } from './library.js'
import { ownRound, type BenchKafka, type SuiteName } from './suites.js'

/** One round of one build in a process of its own. */
export interface RoundTask {
  readonly suite: SuiteName
  readonly dist: string
  readonly kafka: BenchKafka | null
}

const { suite, dist, kafka } = JSON.parse(process.argv[2] ?? '') as RoundTask
process.stdout.write(JSON.stringify(await ownRound(suite, await builtLibrary(dist), kafka)))
process.exit()
