import { inflateSync } from 'node:zlib'

/** Width and pixels of a picture by palette, as we write them. */
export function decodedPng(uri: string): { readonly width: number; readonly rows: readonly Buffer[] } {
  const png = Buffer.from(uri.slice(uri.indexOf(',') + 1), 'base64')
  if (png.toString('latin1', 1, 4) !== 'PNG') throw new Error(`no PNG: ${uri.slice(0, 60)}`)
  const width = png.readUInt32BE(16)
  let at = 8
  while (png.toString('latin1', at + 4, at + 8) !== 'IDAT') at += 12 + png.readUInt32BE(at)
  const raw = inflateSync(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)))
  const rows = Array.from({ length: raw.length / (width + 1) }, (_, row) =>
    raw.subarray(row * (width + 1) + 1, (row + 1) * (width + 1)),
  )
  return { width, rows }
}
