import { runExample, type Ended, type RunOptions } from '../run-example.js'

/** A run takes some 20 s of one core; the limit is for machines that do much else. */
export const demoLimitMs = 280_000

export function runDemo(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return runExample('alarm/demo.ts', { args, limitMs: demoLimitMs, ...options })
}

/** The closing table without the time it took. */
export function tableOf(output: string): string[] {
  return output.split('\n').filter((line) => /^(rule|machine|request|database|cost|all) /.test(line))
}
