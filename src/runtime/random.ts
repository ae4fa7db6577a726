import { randomUUID } from 'node:crypto'

/** The only source of chance. */
export interface Random {
  /** A number in [0, 1). */
  next(): number
  uuid(): string
}

export const systemRandom: Random = { next: () => Math.random(), uuid: () => randomUUID() }

/** A repeatable source: the same seed gives the same sequence (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const hex = (digits: number) => {
    let text = ''
    while (text.length < digits) text += Math.floor(next() * 16).toString(16)
    return text
  }
  return { next, uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}` }
}
