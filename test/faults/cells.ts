import { newestKafka, oldestKafka } from '../support/kafka-jars.js'
import { nemeses, type NemesisName } from './nemesis.js'

export interface Cell {
  readonly name: string
  readonly profile: 'ap' | 'cp'
  readonly nemesis: NemesisName
  readonly version: string
  /** A cell that acknowledged or injected less than these fails. */
  readonly acknowledgedAtLeast: number
  readonly injectionsAtLeast: number
  /** A cell that needs longer to reach them fails; most need a fifth of it, and a machine that does much else more. */
  readonly withinMs: number
}

interface Figures {
  readonly acknowledgedAtLeast: number
  readonly injectionsAtLeast: number
  readonly withinMs: number
}

const short: Figures = { acknowledgedAtLeast: 50_000, injectionsAtLeast: 8, withinMs: 240_000 }
const long: Figures = { acknowledgedAtLeast: 100_000, injectionsAtLeast: 24, withinMs: 600_000 }

const cell = (profile: 'ap' | 'cp', nemesis: NemesisName, version: string, figures: Figures): Cell => ({
  name: `${profile}/${nemesis}/${version}`,
  profile,
  nemesis,
  version,
  ...figures,
})

const names = Object.keys(nemeses) as NemesisName[]

/** Sorted by version, so that cells of one version share a cluster. */
export const shortMatrix: readonly Cell[] = [
  ...names.map((nemesis) => cell('cp', nemesis, newestKafka, short)),
  cell('ap', 'mixed', newestKafka, short),
  cell('cp', 'sigkill', oldestKafka, short),
  cell('cp', 'mixed', oldestKafka, short),
]

export const fullMatrix: readonly Cell[] = [newestKafka, oldestKafka].flatMap((version) => [
  ...names.map((nemesis) => cell('cp', nemesis, version, long)),
  ...(['sigkill', 'sigstop', 'mixed'] as const).map((nemesis) => cell('ap', nemesis, version, long)),
])
