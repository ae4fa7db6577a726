/**
 * When settled work is committed: after each record; after each record and before the next one begins; closely behind the
 * work, at a pace that coordinators bear; or at the latest after so much time or so many records.
 */
export type CommitPolicy =
  'each' | 'confirmed' | 'closely' | { readonly everyMs: number; readonly everyMessages: number }

/** Is it time, with so many records settled since the last commit? The timer of the pace covers the rest. */
export function commitDue(policy: CommitPolicy, settledSinceCommit: number): boolean {
  if (policy === 'closely') return false
  return typeof policy === 'string' ? settledSinceCommit > 0 : settledSinceCommit >= policy.everyMessages
}
