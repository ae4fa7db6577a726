/**
 * How grave it is: `act` stands still or is lost, `watch` will become so, `ok` is fine, `unjudged` cannot be told. Each is
 * shown by a word and a sign, never by a colour alone.
 */
export type Level = 'act' | 'watch' | 'unjudged' | 'ok'

/** What is so, in one sentence, and what to do about it. */
export interface Verdict {
  readonly level: Level
  /** Who does what, where, for how long, and why. */
  readonly text: string
  /** `null`: nothing. */
  readonly action: string | null
}

const gravest: readonly Level[] = ['act', 'watch', 'unjudged', 'ok']

function gravity(level: Level): number {
  return gravest.indexOf(level)
}

export function byGravity(one: { readonly verdict: Verdict }, other: { readonly verdict: Verdict }): number {
  return gravity(one.verdict.level) - gravity(other.verdict.level)
}

export function countText(count: number, one: string, many = `${one}s`): string {
  return `${numberText(count)} ${count === 1 ? one : many}`
}

export function numberText(count: number): string {
  return count.toLocaleString('en-US')
}
