import type { OutgoingRecord } from '../message/record.js'

/** Header of a record batch, and what names its partition in a request. */
export const batchOverheadBytes = 61 + 32
/** Length, attributes, timestamp and offset deltas, lengths of key, value and header list: varints at their longest. */
const recordOverheadBytes = 36
const headerOverheadBytes = 10

/** What a record costs in memory beside its bytes: its promise, buffers, entries in its batch. */
const objectOverheadBytes = 500

/** Upper bound of a record's encoded size, by arithmetic. */
export function recordSizeBytes({ key, value, headers }: OutgoingRecord): number {
  let size = recordOverheadBytes
  if (key !== null) size += key.length
  if (value !== null) size += value.length
  for (let index = 0; index < headers.length; index += 1) {
    const header = headers[index]
    if (header === undefined) continue
    size += headerOverheadBytes + Buffer.byteLength(header[0])
    if (header[1] !== null) size += header[1].length
  }
  return size
}

/** Memory that a record of this encoded size holds until its send has ended. */
export function memoryBytes(sizeBytes: number): number {
  return sizeBytes + objectOverheadBytes
}
