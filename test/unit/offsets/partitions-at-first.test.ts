import { describe, expect, it } from 'vitest'
import { encodeCommitMetadata } from '../../../src/offsets/commit-metadata.js'
import { partitionsAtFirst, partitionsAtFirstSection } from '../../../src/offsets/partitions-at-first.js'

describe('the number of partitions when a group started', () => {
  it('is read back from the metadata of a commit', () => {
    for (const count of [0, 1, 36, 200_000]) {
      expect(partitionsAtFirst(encodeCommitMetadata([partitionsAtFirstSection(count)]))).toBe(count)
    }
  })

  it('is not told by a group that starts at the beginning, by others, or by damaged text', () => {
    expect(encodeCommitMetadata([partitionsAtFirstSection(null)])).toBe('')
    for (const text of [null, '', 'theirs', 'td1;n:2:A!', 'td1;n:9:123456789'])
      expect(partitionsAtFirst(text)).toBe(null)
  })
})
