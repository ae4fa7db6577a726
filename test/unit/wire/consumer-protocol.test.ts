import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../../src/wire/consumer-protocol.js'

const { AssignerProtocol } = createRequire(import.meta.url)('kafkajs') as {
  AssignerProtocol: {
    MemberMetadata: { encode(fields: object): Buffer; decode(bytes: Buffer): object }
    MemberAssignment: { encode(fields: object): Buffer; decode(bytes: Buffer): object }
  }
}
const subscription = {
  version: 3,
  topics: ['a', 'b'],
  userData: Buffer.from('u'),
  ownedPartitions: [{ topic: 'a', partition: 2 }],
}

describe('the consumer protocol', () => {
  it('of kafkajs members is understood both ways', () => {
    const { MemberAssignment, MemberMetadata } = AssignerProtocol
    expect(decodeSubscription(MemberMetadata.encode({ version: 1, topics: ['a'] }))).toEqual({
      version: 1,
      topics: ['a'],
      userData: Buffer.alloc(0),
      ownedPartitions: [],
    })
    expect(MemberMetadata.decode(Buffer.concat(encodeSubscription(subscription)))).toEqual({
      version: 3,
      topics: ['a', 'b'],
      userData: Buffer.from('u'),
    })
    const partitions = [
      { topic: 'a', partition: 0 },
      { topic: 'a', partition: 3 },
      { topic: 'b', partition: 1 },
    ]
    expect(MemberAssignment.decode(Buffer.concat(encodeAssignment({ partitions, userData: null })))).toEqual({
      version: 0,
      assignment: { a: [0, 3], b: [1] },
      userData: null,
    })
    const theirs = MemberAssignment.encode({ version: 1, assignment: { a: [0, 3], b: [1] } })
    expect(decodeAssignment(theirs)).toEqual({ partitions, userData: Buffer.alloc(0) })
  })

  it('of a newer version is read as far as it is known', () => {
    const bytes = Buffer.concat([...encodeSubscription(subscription), Buffer.from('from the future')])
    bytes.writeInt16BE(9, 0)
    expect(decodeSubscription(bytes)).toEqual({ ...subscription, version: 9 })
  })

  it('of no bytes means no topics and no partitions', () => {
    expect(decodeSubscription(Buffer.alloc(0)).topics).toEqual([])
    expect(decodeAssignment(null)).toEqual({ partitions: [], userData: null })
  })

  it('writes a version only as new as it knows', () => {
    expect(decodeSubscription(Buffer.concat(encodeSubscription({ ...subscription, version: 7 }))).version).toBe(3)
  })
})
