import { cpuMsOf, scaleSteps, type Size } from '../test/simulation/scale-steps.js'

/** What a process of its own is told: a step by its number, and how large the cluster is. */
export interface ScaleOrder {
  readonly step: number
  readonly warm: Size
  readonly size: Size
}

const { step: number, warm, size } = JSON.parse(process.argv[2] ?? '') as ScaleOrder
const step = scaleSteps[number]!
await cpuMsOf(step, warm)
globalThis.gc?.()
process.stdout.write(`${await cpuMsOf(step, size)}\n`)
