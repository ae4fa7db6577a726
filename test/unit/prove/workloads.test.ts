import { describe, expect, it } from 'vitest'
import { outcomeOf, placesOf } from '../../prove/awaited-kafkajs.js'
import { failed } from '../../faults/tidemark-workload.js'
import { keysByPartition } from '../../prove/open-load.js'
import { SendError } from '../../../src/errors.js'

const [key0 = '', key1 = ''] = keysByPartition(10, 10)
const answer = (partition: number, baseOffset: string) => ({ topicName: 't', partition, errorCode: 0, baseOffset })

describe('what counts as what in the proof', () => {
  it('takes kafkajs by its word: what resolved is stored, one place after the other, named or not', () => {
    const places = placesOf([answer(0, '41')])
    expect([key0, key0, key1].map((key) => outcomeOf(places, key))).toEqual([
      { kind: 'stored', partition: 0, offset: 41 },
      { kind: 'stored', partition: 0, offset: 42 },
      { kind: 'stored', partition: 1, offset: -1 },
    ])
  })

  it('holds nothing against kafkajs that it rejected: nobody knows what became of that', () => {
    expect(outcomeOf(new TypeError('no'), key0)).toEqual({ kind: 'unknown', reason: 'TypeError' })
    expect(outcomeOf('no', key0)).toEqual({ kind: 'unknown', reason: 'error' })
  })

  it('takes tidemark by its word too, and excuses nothing that it says to be not stored', () => {
    expect(failed(new SendError('delivery-timeout', 'not-stored', 'm'))).toMatchObject({ kind: 'not-stored' })
    expect(failed(new SendError('delivery-timeout', 'unknown', 'm'))).toMatchObject({ kind: 'unknown' })
  })
})
