import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../src/connection/broker-error.js'
import { judgeBy } from '../../../src/connection/verdicts.js'
import { judgeTopicChangeCode } from '../../../src/protocol/admin/codes.js'
import { judgeFindCoordinatorCode, judgeTopicCode } from '../../../src/protocol/cluster/codes.js'
import { judgeFetchCode } from '../../../src/protocol/fetch/codes.js'
import { judgeGroupCode } from '../../../src/protocol/group/codes.js'
import {
  judgeListOffsetsCode,
  judgeOffsetCommitCode,
  judgeOffsetFetchCode,
} from '../../../src/protocol/offsets/codes.js'
import { produceCode } from '../../../src/protocol/produce/codes.js'

/** No broker has these yet. */
const unheardOf = [987, -2]

describe('a code that is younger than this client', () => {
  it.each(unheardOf)('%i claims nothing about a batch', (code) => {
    expect(produceCode(code)).toEqual({ action: 'unlisted', appended: 'maybe' })
  })

  it.each(unheardOf)('%i loses no record, no membership and no commit', (code) => {
    expect(judgeFetchCode(code)).toBe('look-up-again')
    expect(judgeListOffsetsCode(code)).toBe('ask-again')
    expect(judgeOffsetFetchCode(code)).toBe('ask-again')
    expect(judgeOffsetCommitCode(code)).toBe('not-stored')
    expect(judgeGroupCode(code)).toBe('wait')
    expect(judgeTopicCode(code)).toBe('not-yet')
  })

  it.each(unheardOf)('%i is told to whoever asked for a change, and not waited out', (code) => {
    expect(judgeTopicChangeCode(code)).toEqual({ end: 'refused' })
    expect(judgeFindCoordinatorCode(code)).toBe('refused')
  })
})

describe('a table of codes', () => {
  it('knows its codes by name, the negative one too', () => {
    const judge = judgeBy({ NONE: 'good', UNKNOWN_SERVER_ERROR: 'bad' }, 'unlisted')
    expect([brokerCode.NONE, brokerCode.UNKNOWN_SERVER_ERROR, brokerCode.NOT_COORDINATOR].map(judge)).toEqual([
      'good',
      'bad',
      'unlisted',
    ])
  })
})
