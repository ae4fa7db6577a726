/** Up to so many bytes a loop in place is faster than the call that copies. */
const loopBelowBytes = 48

/** @returns where the copy ends in `target` */
export function copyBytes(source: Buffer, from: number, to: number, target: Buffer, writeAt: number): number {
  const end = writeAt + to - from
  if (to - from >= loopBelowBytes) source.copy(target, writeAt, from, to)
  else for (let read = from, at = writeAt; at < end;) target[at++] = source[read++]!
  return end
}

/** Repeats what stands `distance` before. It may reach into what it writes: a short distance repeats a pattern. */
export function repeatBytes(target: Buffer, writeAt: number, distance: number, length: number): number {
  const from = writeAt - distance
  const end = writeAt + length
  if (length < loopBelowBytes) for (let read = from, at = writeAt; at < end;) target[at++] = target[read++]!
  else if (distance >= length) target.copyWithin(writeAt, from, from + length)
  else target.fill(target.subarray(from, writeAt), writeAt, end)
  return end
}
