/** When settled work is committed: after each record, or at the latest after so much time or so many records. */
export type CommitPolicy = 'each' | { readonly everyMs: number; readonly everyMessages: number }

/** Is it time, with so many records settled since the last commit? The timer of `commitDelayMs` covers the rest. */
export function commitDue(policy: CommitPolicy, settledSinceCommit: number): boolean {
  return policy === 'each' ? settledSinceCommit > 0 : settledSinceCommit >= policy.everyMessages
}

/** How long progress may stay uncommitted. */
export function commitDelayMs(policy: CommitPolicy): number {
  return policy === 'each' ? 0 : policy.everyMs
}
