import { foldingModule, span } from './folding-module.js'
import { byTables } from './tables.js'

/** What `bytes[start, end)`, at least `span` of them, make of the state `before`. */
export type Folding = (bytes: Uint8Array, start: number, end: number, before: number) => number

/** The part of WebAssembly that is used here; a type of the DOM, which Node's own types leave out. */
interface WebAssemblyHere {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => {
    readonly exports: {
      readonly memory: { readonly buffer: ArrayBuffer }
      readonly fold: (at: number, end: number, behind: number) => void
    }
  }
}

/** Small enough for the innermost cache, twice. */
const chunk = 32_768

/** The module's memory: the last bytes are finished in the first part; what is folded has its window before it. */
const last = 0
const first = 2 * span

/**
 * CRC-32C without a table for most bytes. Modulo the polynomial, a byte weighs as much as five equal ones at `distances`
 * behind it, so it can be added (XOR) to those and be 0 from then on: sixteen at a time, each after what was added to it from
 * before. So all bytes go but the last `span`, which tables finish. The idea of sparse multiples of the polynomial is that
 * of Chorba (Russell, 2024).
 *
 * `null` where there is no WebAssembly with vectors, or no address space for its memory: tables give the same sum.
 */
export function openFolding(): Folding | null {
  try {
    const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyHere }).WebAssembly
    const { memory, fold } = new Instance(new Module(foldingModule())).exports
    return over(new Uint8Array(memory.buffer), fold)
  } catch {
    return null
  }
}

function over(memory: Uint8Array, fold: (at: number, end: number, behind: number) => void): Folding {
  return (bytes, start, end, before) => {
    const odd = (end - start) % 16
    const state = byTables(bytes, start, start + odd, before)
    let at = start + odd
    memory.fill(0, first - span, first)
    for (let isBegin = true; ; isBegin = false) {
      // What is left after a chunk is never less than what tables finish: it goes into the chunk.
      const size = end - at < chunk + span ? end - at : chunk
      memory.set(new Uint8Array(bytes.buffer, bytes.byteOffset + at, size), first)
      if (isBegin) addState(memory, state)
      at += size
      if (at === end) return finish(first + size - span)
      fold(first, first + size, 0)
      memory.copyWithin(first - span, first + size - span, first + size)
    }
  }

  /** The last bytes, at `lastAt`, are given what comes to them from before, and nothing from each other. */
  function finish(lastAt: number): number {
    fold(first, lastAt, 0)
    memory.copyWithin(last, lastAt, lastAt + span)
    memory.fill(0, lastAt, lastAt + span)
    fold(last, last + span, lastAt - last)
    return byTables(memory, last, last + span, 0)
  }
}

/** A state counts as if it stood on the next four bytes. */
function addState(memory: Uint8Array, state: number): void {
  for (let byte = 0; byte < 4; byte++) memory[first + byte]! ^= state >>> (8 * byte)
}
