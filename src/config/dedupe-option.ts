import { z } from 'zod'
import type { DedupeSettings } from '../dedupe/deduped-delivery.js'
import type { DedupeStore } from '../dedupe/dedupe-store.js'
import type { IdentityOf } from '../dedupe/identity.js'
import { withMethods } from '../input/option-rules.js'

/** How repeats are told and dropped. */
export interface DedupeOptions {
  /** Where it is kept what was handled: `memoryDedupe` of `tidemark/dedupe`, `sqlDedupe` of `tidemark/sql`, or one of yours. */
  readonly store: DedupeStore
  /** Whose marks: consumers with the same scope drop what one of them has handled. Default the group. */
  readonly scope?: string | undefined
  /**
   * What two messages of a topic have in common that are the same; `undefined` for the default, which is the `id` of the
   * sender, else the place where it was first written.
   */
  readonly identity?: IdentityOf | undefined
  /** Most time for one answer of the store, ms; then it counts as down. Default 10,000. */
  readonly timeoutMs?: number | undefined
}

const storeRule = withMethods('a store with known and mark', ['known', 'mark'])
const isStore = (value: unknown) => storeRule.accepts(value)

const store = z.custom<DedupeStore>(
  isStore,
  'a store: memoryDedupe(), sqlDedupe(db), or an object with the methods known and mark',
)

export const dedupeOption = z
  .union([
    store,
    z.strictObject({
      store,
      scope: z.string().min(1).optional().describe('whose marks, by default those of the group'),
      identity: z
        .custom<IdentityOf>((value) => typeof value === 'function')
        .optional()
        .describe('a function (message) that returns what names it, or undefined for the default'),
      timeoutMs: z.int().positive().default(10_000).describe('most time for one answer of the store, in ms'),
    }),
  ])
  .optional()
  .describe(
    'where it is kept what was handled, so that repeats are dropped: a store, or { store, scope, identity, timeoutMs }',
  )

type Given = z.output<typeof dedupeOption>

interface Issues {
  addIssue(issue: { code: 'custom'; path: string[]; message: string }): void
}

/** Without a group nothing says whose the marks are. */
export function checkDedupe({ dedupe, group }: { dedupe?: Given; group: string | null }, issues: Issues): void {
  if (dedupe === undefined || group !== null) return
  if (isStore(dedupe) || (dedupe as DedupeOptions).scope === undefined)
    issues.addIssue({
      code: 'custom',
      path: ['dedupe', 'scope'],
      message: 'a text: without a group nothing says whose the marks are',
    })
}

export function resolveDedupe(option: Given, group: string | null): DedupeSettings | null {
  if (option === undefined) return null
  const {
    store,
    scope,
    identity,
    timeoutMs = 10_000,
  }: DedupeOptions = isStore(option) ? { store: option as DedupeStore } : (option as DedupeOptions)
  return { store, scope: scope ?? (group as string), identity, timeoutMs }
}
