/** What tells repeats: the port of a store of what was handled, and one in memory. */
export type { CallMarks, DedupeStore } from './dedupe/dedupe-store.js'
export type { DedupeOptions } from './config/dedupe-option.js'
export type { IdentityOf } from './dedupe/identity.js'
export { memoryDedupe, type MemoryDedupe, type MemoryDedupeOptions } from './dedupe/memory-dedupe.js'
