import { parseCommitMetadata, type MetadataSection } from './commit-metadata.js'

const section = 'n'

/**
 * How many partitions a topic had when its group started to read it, beside every commit of a group that does not start at
 * the beginning: what is added later was written while the group was reading, and is read from its first record.
 */
export function partitionsAtFirstSection(count: number | null): MetadataSection {
  const text = count === null ? null : count.toString(36)
  return { name: section, fit: (maxBytes) => (text !== null && text.length <= maxBytes ? text : null) }
}

/** `null`: nothing of the kind is on record. */
export function partitionsAtFirst(metadata: string | null): number | null {
  const text = parseCommitMetadata(metadata).get(section)
  if (text === undefined || !/^[0-9a-z]{1,6}$/.test(text)) return null
  return parseInt(text, 36)
}
