import type { Level } from '../../model/verdict.js'

/** By a sign, a word and a colour: by any of them it can be told. */
const signs: Readonly<Record<Level, readonly [sign: string, word: string]>> = {
  act: ['■', 'act'],
  watch: ['▲', 'watch'],
  ok: ['●', 'fine'],
  unjudged: ['?', 'cannot be judged'],
}

export function Sign({ level }: { readonly level: Level }) {
  const [sign, word] = signs[level]
  return (
    <span class={`sign ${level}`} role="img" aria-label={word} title={word}>
      {sign}
    </span>
  )
}

export function signOf(level: Level): string {
  return signs[level][0]
}
