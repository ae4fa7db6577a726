/** `TIDEMARK_FULL=1`: what takes minutes. */
export const isFull = process.env['TIDEMARK_FULL'] === '1'

/** So many tries beside all other tests, and the full number in CI, where TIDEMARK_FULL=1 says so. */
export const tries = (few: number, full: number): number => (isFull ? full : few)
