/** Fewer are sorted by insertion. */
const few = 24
/** Room for the place of a record in its bucket, beside its code. */
const placeBits = 2 ** 20

/**
 * The order of the records of a bucket: positions, by code, equal codes as they came.
 *
 * @param codes `time * lanes + lane`, time from 0 below `width`, lane from 0 below `lanes`
 */
export function bucketOrder(codes: readonly number[], width: number, lanes: number): Uint32Array | readonly number[] {
  const count = codes.length
  if (count < few) return byInsertion(codes)
  if (width + lanes <= 4 * count) return byCounting(codes, width, lanes)
  if (count <= placeBits && width * lanes * placeBits <= Number.MAX_SAFE_INTEGER) return byNumbers(codes)
  return codes.map((_, position) => position).sort((one, other) => codes[one]! - codes[other]! || one - other)
}

function byInsertion(codes: readonly number[]): readonly number[] {
  const order: number[] = []
  for (let position = 0; position < codes.length; position += 1) {
    const code = codes[position] as number
    let at = position
    while (at > 0 && (codes[order[at - 1] as number] as number) > code) {
      order[at] = order[at - 1] as number
      at -= 1
    }
    order[at] = position
  }
  return order
}

/** Two stable passes, the finer part first. */
function byCounting(codes: readonly number[], width: number, lanes: number): Uint32Array {
  const byLane = counted(codes.length, lanes, (index) => (codes[index] as number) % lanes, null)
  return counted(codes.length, width, (index) => Math.floor((codes[index] as number) / lanes), byLane)
}

function counted(
  count: number,
  values: number,
  valueOf: (index: number) => number,
  before: Uint32Array | null,
): Uint32Array {
  const starts = new Uint32Array(values + 1)
  for (let index = 0; index < count; index += 1) starts[valueOf(index) + 1]! += 1
  for (let value = 0; value < values; value += 1) starts[value + 1]! += starts[value]!
  const order = new Uint32Array(count)
  for (let at = 0; at < count; at += 1) {
    const index = before === null ? at : before[at]!
    order[starts[valueOf(index)]!++] = index
  }
  return order
}

/** Code and position in one number, so that numbers are sorted and nothing is called. */
function byNumbers(codes: readonly number[]): Uint32Array {
  const keys = new Float64Array(codes.length)
  for (let position = 0; position < codes.length; position += 1) {
    keys[position] = (codes[position] as number) * placeBits + position
  }
  keys.sort()
  const order = new Uint32Array(codes.length)
  for (let at = 0; at < keys.length; at += 1) order[at] = keys[at]! % placeBits
  return order
}
