import { describe, expect, it } from 'vitest'
import { encodeCommitMetadata, parseCommitMetadata } from '../../../src/offsets/commit-metadata.js'
import { completedRangesText } from '../../../src/offsets/completed-ranges.js'
import { identitySection, identityText, originOf, topicIdIn } from '../../../src/offsets/log-identity.js'

const log = identityText({ clusterId: 'lkc-1,eu', topicId: 'AAAAAAAAAAAAAAAAAAAAAQ' })
const written = (by: string | null) => encodeCommitMetadata([identitySection(by)])

describe('the log that a commit names', () => {
  it('is this one only when cluster and topic are the same', () => {
    const of = (clusterId: string, topicId: string) => written(identityText({ clusterId, topicId }))
    expect(originOf(written(log), log)).toBe('this-log')
    expect(originOf(of('lkc-1,eu', 'AAAAAAAAAAAAAAAAAAAAAg'), log)).toBe('former-log')
    expect(originOf(of('lkc-2', 'AAAAAAAAAAAAAAAAAAAAAg'), log)).toBe('elsewhere')
    expect(originOf(of('lkc-2', 'AAAAAAAAAAAAAAAAAAAAAQ'), log)).toBe('elsewhere')
  })

  it('is never a former one while brokers tell no topic ids', () => {
    const before = identityText({ clusterId: 'lkc-1,eu', topicId: '' })
    expect(originOf(written(before), before)).toBe('this-log')
    expect(originOf(written(before), log)).toBe('elsewhere')
    expect(originOf(written(log), before)).toBe('elsewhere')
  })

  it('names its topic, where brokers tell its id', () => {
    expect(topicIdIn(log)).toBe('AAAAAAAAAAAAAAAAAAAAAQ')
    expect(topicIdIn(identityText({ clusterId: 'lkc-1,eu', topicId: '' }))).toBeNull()
    expect(topicIdIn(null)).toBeNull()
  })

  it('is not told by other kinds of clients, nor by damaged text', () => {
    for (const metadata of [null, '', 'app metadata', 'td1;c:3:0,1', 'td1;i:99:short', 'td2;i:1:a']) {
      expect(originOf(metadata, log)).toBe('unmarked')
    }
    expect(originOf(written(log), null)).toBe('elsewhere')
    expect(originOf('', null)).toBe('this-log')
  })

  it('stands before the completed ranges, which take what room is left', () => {
    const many = Array.from({ length: 2_000 }, (_, index) => ({ from: index * 3 + 1, to: index * 3 + 2 }))
    const sections = [identitySection(log), completedRangesText(0, many)]
    expect([...parseCommitMetadata(encodeCommitMetadata(sections)).keys()]).toEqual(['i', 'c'])
    expect(originOf(encodeCommitMetadata(sections, 64), log)).toBe('this-log')
  })
})
