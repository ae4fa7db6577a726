/**
 * In bytes: where x stands for eight bits, `x^352 + x^188 + x^179 + x^76 + x^7 + 1` is a multiple of the polynomial, so a
 * byte weighs as much as five equal ones that stand so far behind it. Fewer than five there are not at such lengths. The least
 * distance is longer than a step of the loop, and the largest leaves little to tables.
 */
export const distances = [164, 173, 276, 345, 352] as const

/** So many bytes are left when the others are folded. */
export const span = distances[4]

/** Vectors in one round of the loop. */
const unrolled = 8
const vectorBytes = 16

/** Locals: the three parameters, and where the window of `at` begins. */
const at = 0
const end = 1
const behind = 2
const windowAt = 3

/**
 * A module with one page of `memory` and one function:
 *
 *     fold(at, end, behind)
 *       for (; at < end; at += 16)
 *         vector[at] ^= vector[at + behind - 164] ^ … ^ vector[at + behind - 352]
 *
 * written by hand, so that there are no bytes here which nobody can read.
 */
export function foldingModule(): Uint8Array {
  const body = [
    ...[...get(at), ...get(behind), op.add, ...constant(span), op.subtract, ...set(windowAt)],
    ...loop(unrolled),
    ...loop(1),
  ]
  const locals = vector([[1, type.i32]])
  const code = [...locals, ...body, op.end]
  const isFunction = 0x60
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // '\0asm', version 1
    ...section(1, vector([[isFunction, ...vector([[type.i32], [type.i32], [type.i32]]), ...vector([])]])),
    ...section(3, vector([[0]])), // the one function is of the one type
    ...section(5, vector([[1, 1, 1]])), // a page at least and at most
    ...section(7, vector([exported('memory', 2), exported('fold', 0)])),
    ...section(10, vector([[...number(code.length), ...code]])),
  ])
}

const type = { i32: 0x7f, nothing: 0x40 } as const

const op = {
  ...{ block: 0x02, loop: 0x03, end: 0x0b, branch: 0x0c, branchIf: 0x0d },
  ...{ get: 0x20, set: 0x21, constant: 0x41, isAbove: 0x4b, add: 0x6a, subtract: 0x6b },
} as const

const simd = { load: [0xfd, 0x00], store: [0xfd, 0x0b], xor: [0xfd, 0x51] } as const

/** As long as `vectors` more fit before the end. */
function loop(vectors: number): number[] {
  const step = constant(vectors * vectorBytes)
  const isDone = [...get(at), ...step, op.add, ...get(end), op.isAbove]
  return [
    ...[op.block, type.nothing, op.loop, type.nothing, ...isDone, op.branchIf, 1],
    ...Array.from({ length: vectors }, (_, index) => oneVector(index * vectorBytes)).flat(),
    ...[...get(at), ...step, op.add, ...set(at), ...get(windowAt), ...step, op.add, ...set(windowAt)],
    ...[op.branch, 0, op.end, op.end],
  ]
}

function oneVector(offset: number): number[] {
  const added = distances.map((distance) => [
    ...get(windowAt),
    ...access(simd.load, span - distance + offset),
    ...simd.xor,
  ])
  return [...get(at), ...get(at), ...access(simd.load, offset), ...added.flat(), ...access(simd.store, offset)]
}

/** @param offset is added to the address; 0 before it: addresses need not be aligned */
function access(operation: readonly number[], offset: number): number[] {
  return [...operation, 0, ...number(offset)]
}

function get(local: number): number[] {
  return [op.get, local]
}

function set(local: number): number[] {
  return [op.set, local]
}

/** Signed, so the highest of seven bits has to be free. */
function constant(value: number): number[] {
  return [op.constant, ...(value < 64 ? [value] : [(value & 127) | 128, value >>> 7])]
}

/** LEB128 without a sign. */
function number(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...number(value >>> 7)]
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...number(items.length), ...items.flat()]
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...number(content.length), ...content]
}

function exported(name: string, kind: number): number[] {
  return [name.length, ...Buffer.from(name), kind, 0]
}
