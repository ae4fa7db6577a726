import { parseCommitMetadata, type MetadataSection } from './commit-metadata.js'

/** First of all sections, so that no other one can crowd it out. */
export const identitySectionName = 'i'

/** Which log offsets count in: a topic that is made anew has another one, and so has a topic of that name elsewhere. */
export interface LogIdentity {
  readonly clusterId: string
  /** Empty where brokers do not tell (Kafka before 2.8). */
  readonly topicId: string
}

/**
 * What a commit says about the log of now.
 *
 * | its identity                    | it is        | its offset      | its completed ranges |
 * |---------------------------------|--------------|-----------------|----------------------|
 * | the same                        | of this log  | counts          | count                |
 * | another topic, the same cluster | of a former  | says nothing    | say nothing          |
 * | another cluster, or no topic id on one side | from elsewhere | counts: tools copy commits with their metadata | say nothing |
 * | none                            | unmarked     | counts: another kind of client wrote it | say nothing   |
 */
export type CommitOrigin = 'this-log' | 'former-log' | 'elsewhere' | 'unmarked'

export function identityText({ clusterId, topicId }: LogIdentity): string {
  return `${clusterId},${topicId}`
}

/** `null` in: a driver that cannot tell logs apart. */
export function identitySection(log: string | null): MetadataSection {
  return {
    name: identitySectionName,
    fit: (maxBytes) => (log !== null && Buffer.byteLength(log) <= maxBytes ? log : null),
  }
}

/** @param log as `identityText` gives it; `null` when nobody can tell. */
export function originOf(metadata: string | null, log: string | null): CommitOrigin {
  const written = parseCommitMetadata(metadata).get(identitySectionName) ?? null
  if (written === log) return 'this-log'
  if (written === null) return 'unmarked'
  if (log === null) return 'elsewhere'
  const [writtenCluster, writtenTopic] = partsOf(written)
  const [cluster, topic] = partsOf(log)
  const isFormer = writtenCluster === cluster && writtenTopic !== '' && topic !== ''
  return isFormer ? 'former-log' : 'elsewhere'
}

/**
 * The id of its topic; `null` when nobody can tell.
 *
 * @param log as `identityText` gives it
 */
export function topicIdIn(log: string | null): string | null {
  const [, topicId] = partsOf(log ?? '')
  return topicId === '' ? null : topicId
}

/** A topic's id has no comma. */
function partsOf(text: string): readonly [clusterId: string, topicId: string] {
  const at = text.lastIndexOf(',')
  return [text.slice(0, Math.max(at, 0)), text.slice(at + 1)]
}
