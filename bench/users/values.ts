/** Values of so many bytes that look like what services send: JSON text, no two alike, which compresses about as JSON does. */
export function valuesOf(bytes: number): readonly Buffer[] {
  let seed = 1
  const random = () => (seed = (seed * 48_271) % 2_147_483_647)
  return Array.from({ length: 256 }, () => {
    const parts: string[] = []
    for (let length = 0; length < bytes;) {
      const part = `{"host":"10.0.${random() % 256}.${random() % 256}","load":${random() % 100_000},"type":"metric"},`
      parts.push(part)
      length += part.length
    }
    return Buffer.from(parts.join('').slice(0, bytes))
  })
}
