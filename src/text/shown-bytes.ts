/** Text where it is UTF-8, else base64. */
export type ShownBytes = string | { readonly base64: string } | null

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** As data; it outlives the bytes. */
export function shownBytes(bytes: Buffer | null): ShownBytes {
  if (bytes === null) return null
  try {
    return strict.decode(bytes)
  } catch {
    return { base64: bytes.toString('base64') }
  }
}

export function bytesText(bytes: ShownBytes): string {
  return bytes === null ? 'null' : typeof bytes === 'string' ? bytes : `base64 ${bytes.base64}`
}
