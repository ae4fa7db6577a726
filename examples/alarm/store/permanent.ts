/**
 * The database will never take this, whoever asks again: the data or a rule of the table refuses it (SQLSTATE classes 22 and
 * 23), or our code cannot make sense of it. A key that is taken is none: two writers met, and the next look sees the other.
 */
export function isPermanent(error: unknown): boolean {
  if (error instanceof TypeError || error instanceof RangeError) return true
  const { code, sqlState, message } = (error ?? {}) as Readonly<Record<string, unknown>>
  if (code === 'ER_DUP_ENTRY' || code === '23505') return false
  const state = typeof sqlState === 'string' ? sqlState : code
  if (typeof state === 'string' && /^2[23]\w{3}$/.test(state)) return true
  return typeof message === 'string' && /(check|not null) constraint failed|datatype mismatch|too big/i.test(message)
}
