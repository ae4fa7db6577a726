/** Header of a record batch, and what names its partition in a request. */
export const batchOverheadBytes = 61 + 32

/** What a record costs in memory beside its bytes: its promise, its entries in its batch, room that the batch grew ahead. */
const objectOverheadBytes = 500

/** Memory that a record of at most this encoded size holds until its send has ended. */
export function memoryBytes(sizeBytes: number): number {
  return sizeBytes + objectOverheadBytes
}
