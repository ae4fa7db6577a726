import { expect } from 'vitest'

// Byte by byte through the assertion library, a megabyte takes seconds.
expect.addEqualityTesters([
  (a: unknown, b: unknown) => (Buffer.isBuffer(a) && Buffer.isBuffer(b) ? a.equals(b) : undefined),
])
