import { openFolding, type Folding } from './folding.js'
import { byTables } from './tables.js'

/** Shorter ones are not worth the copy, and what folding leaves. */
const foldedFrom = 1_500

/** `undefined`: not asked for yet, `null`: not to be had. */
let folding: Folding | null | undefined

/**
 * CRC-32C (Castagnoli) of `bytes[start, end)` as an unsigned number.
 * @param before the checksum of what comes before these bytes.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, before = 0): number {
  if (end - start < foldedFrom) return ~byTables(bytes, start, end, ~before) >>> 0
  if (folding === undefined) folding = openFolding()
  return ~(folding ?? byTables)(bytes, start, end, ~before) >>> 0
}
