import { describe, expect, it } from 'vitest'
import { decodeDivision, encodeDivision, tookLeadersPlace } from '../../../../src/protocol/group/classic/division.js'

describe('a division told to the members', () => {
  it('comes back as it was told, whatever the names of topics', () => {
    const counts = new Map([
      ['t', 3],
      ['__proto__', 1],
      ['ü.-_', 1_000],
    ])
    expect(decodeDivision(encodeDivision(counts))).toEqual(counts)
  })

  it('of another client is none', () => {
    const strangers = [
      '',
      'x',
      'null',
      '{}',
      '[1]',
      '{"format":"other","counts":{}}',
      '{"format":"tidemark-division-1"}',
    ]
    for (const text of [...strangers, '{"format":"tidemark-division-1","counts":{"t":"3"}}']) {
      expect(decodeDivision(Buffer.from(text))).toBe(null)
    }
    expect(decodeDivision(null)).toBe(null)
    expect(decodeDivision(Buffer.from([0, 255, 1]))).toBe(null)
  })
})

describe('a member in the place of the leader', () => {
  const uuid = '123e4567-e89b-42d3-a456-426614174000'

  it('is told by the id that its instance had, and by no other', () => {
    expect(tookLeadersPlace(`a-${uuid}`, `a-${uuid.replace('1', '2')}`, 'a')).toBe(true)
    expect(tookLeadersPlace(`a-${uuid}`, `a-${uuid}`, 'a')).toBe(false)
    expect(tookLeadersPlace(`b-${uuid}`, `a-${uuid}`, 'a')).toBe(false)
    expect(tookLeadersPlace(`a-b-${uuid}`, `a-${uuid}`, 'a')).toBe(false)
    expect(tookLeadersPlace(`a-${uuid}`, `c-${uuid}`, null)).toBe(false)
  })
})
