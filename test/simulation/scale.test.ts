import { describe, expect, it } from 'vitest'
import { cpuMsOf, exponentOf, scaleSteps, type ScaleStep, type Size } from './scale-steps.js'

const isFull = process.env['TIDEMARK_FULL'] === '1'
/** A scan of all partitions for each of them shows more, the more there are; at the smaller sizes only what is dear does. */
const sizes: Readonly<Record<keyof Size, readonly [small: number, large: number]>> = isFull
  ? { partitions: [1_250, 10_000], members: [25, 200] }
  : { partitions: [200, 1_600], members: [8, 64] }
/** What does not grow meanwhile. */
const few: Size = { partitions: 400, members: 4 }
/** 1 is linear and 2 quadratic; between them is what a busy machine, its caches and a collection of garbage do. */
const most = 1.7

const sized = ({ growsWith }: ScaleStep, many: number): Size => ({ ...few, [growsWith]: many })

describe('what grows with the number of partitions or members grows no faster', { timeout: 900_000 }, () => {
  it.each(scaleSteps.map((step) => [`${step.name}: ${step.growsWith}`, step] as const))('%s', async (_, step) => {
    const [small, large] = sizes[step.growsWith]
    // The first one warms up, and of the others the least counts: each takes some milliseconds, of which garbage may be most.
    const smalls: number[] = []
    for (let run = 0; run < 3; run += 1) smalls.push(await cpuMsOf(step, sized(step, small)))
    const least = Math.min(...smalls.slice(1))
    let exponent = Infinity
    for (let run = 0; run < 3 && exponent >= most; run += 1)
      exponent = Math.min(exponent, exponentOf([[small, least], [large, await cpuMsOf(step, sized(step, large))]])) // prettier-ignore
    expect(exponent).toBeLessThan(most)
  })
})
