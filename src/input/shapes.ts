/** An object with fields: no list, not null. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

/** No half of a surrogate pair, which UTF-8 has no bytes for: it would be stored as U+FFFD, another text. */
export function isUnicode(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed()
}
