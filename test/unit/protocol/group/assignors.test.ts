import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { partitionKey, type TopicPartition } from '../../../../src/message/topic-partition.js'
import type {
  Assignor,
  AssignorMember,
  GroupAssignment,
} from '../../../../src/protocol/group/classic/assignors/assignor.js'
import { assignorByName } from '../../../../src/protocol/group/classic/assignors/by-name.js'
import { cooperativeSticky } from '../../../../src/protocol/group/classic/assignors/cooperative-sticky.js'
import { decodeHeldBefore, encodeHeldBefore } from '../../../../src/protocol/group/classic/assignors/held-before.js'
import { range } from '../../../../src/protocol/group/classic/assignors/range.js'
import { kafkajsRoundRobin, roundRobin } from '../../../../src/protocol/group/classic/assignors/round-robin.js'
import { sticky } from '../../../../src/protocol/group/classic/assignors/sticky.js'

const member = (memberId: string, topics: string[], groupInstanceId: string | null = null): AssignorMember => ({
  memberId,
  groupInstanceId,
  topics,
  userData: null,
})

const text = (assignment: GroupAssignment) =>
  Object.fromEntries([...assignment].map(([id, partitions]) => [id, partitions.map(keyOf).join(' ')]))

const keyOf = ({ topic, partition }: TopicPartition) => partitionKey(topic, partition)

describe('range', () => {
  it("gives what Java's documentation of RangeAssignor gives", () => {
    const members = [member('C1', ['t0', 't1']), member('C0', ['t0', 't1'])]
    const assignment = range.assign(members, new Map([['t0', 3], ['t1', 3]])) // prettier-ignore
    expect(text(assignment)).toEqual({ C0: 't0-0 t0-1 t1-0 t1-1', C1: 't0-2 t1-2' })
  })

  it('leaves members without a partition when there are more members than partitions', () => {
    const members = ['c', 'a', 'b'].map((id) => member(id, ['t']))
    expect(text(range.assign(members, new Map([['t', 2]])))).toEqual({ a: 't-0', b: 't-1', c: '' })
  })

  it('orders static members by instance id, before dynamic ones', () => {
    const members = [member('a', ['t']), member('z', ['t'], 'i1'), member('y', ['t'], 'i2')]
    expect(text(range.assign(members, new Map([['t', 5]])))).toEqual({ z: 't-0 t-1', y: 't-2 t-3', a: 't-4' })
  })
})

describe('roundrobin', () => {
  it("gives what Java's documentation of RoundRobinAssignor gives", () => {
    const members = [member('C1', ['t0', 't1']), member('C0', ['t0', 't1'])]
    const assignment = roundRobin.assign(members, new Map([['t0', 3], ['t1', 3]])) // prettier-ignore
    expect(text(assignment)).toEqual({ C0: 't0-0 t0-2 t1-1', C1: 't0-1 t1-0 t1-2' })
  })

  it("gives what Java's documentation gives for different subscriptions", () => {
    const members = [member('C0', ['t0']), member('C1', ['t0', 't1']), member('C2', ['t0', 't1', 't2'])]
    const assignment = roundRobin.assign(members, new Map([['t0', 1], ['t1', 2], ['t2', 3]])) // prettier-ignore
    expect(text(assignment)).toEqual({ C0: 't0-0', C1: 't1-0', C2: 't1-1 t2-0 t2-1 t2-2' })
  })

  it('orders static members by instance id, before dynamic ones', () => {
    const members = [member('a', ['t']), member('z', ['t'], 'i1'), member('y', ['t'], 'i2')]
    expect(text(roundRobin.assign(members, new Map([['t', 4]])))).toEqual({ z: 't-0 t-3', y: 't-1', a: 't-2' })
  })

  it('orders by member id alone under the name of kafkajs', () => {
    const members = [member('b', ['t'], 'i1'), member('a', ['t'])]
    expect(kafkajsRoundRobin.protocolName).toBe('RoundRobinAssigner')
    expect(text(kafkajsRoundRobin.assign(members, new Map([['t', 3]])))).toEqual({ a: 't-0 t-2', b: 't-1' })
  })
})

const topicNames = ['a', 'b', 'c', 'd']
const counts = fc
  .array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 })
  .map((sizes) => new Map(sizes.map((size, index) => [topicNames[index] as string, size])))
const ids = fc.uniqueArray(
  fc.integer({ min: 0, max: 99 }).map((n) => `m${n}`),
  { minLength: 1, maxLength: 7 },
)
const anySubscriptions = ids.chain((all) =>
  fc.tuple(...all.map((id) => fc.subarray(topicNames, { minLength: 1 }).map((topics) => member(id, topics)))),
)
const equalSubscriptions = ids.map((all) => all.map((id) => member(id, topicNames)))

/** The members again, each telling what it holds in `assignment`. */
function holding(members: readonly AssignorMember[], assignment: GroupAssignment, generationId: number) {
  return members.map((one) => ({
    ...one,
    userData: encodeHeldBefore({ generationId, partitions: assignment.get(one.memberId) ?? [] }),
  }))
}

function ownerOf(assignment: GroupAssignment): Map<string, string> {
  return new Map([...assignment].flatMap(([id, partitions]) => partitions.map((at) => [keyOf(at), id] as const)))
}

const moves = (before: GroupAssignment, after: GroupAssignment) => {
  const was = ownerOf(before)
  return [...ownerOf(after)].filter(([key, id]) => was.get(key) !== id).length
}
const loads = (assignment: GroupAssignment) => [...assignment.values()].map((partitions) => partitions.length)

describe.each<Assignor>(Object.values(assignorByName))('$name', (assignor) => {
  it('gives every partition of a subscribed topic to exactly one member, which subscribed to it', () => {
    fc.assert(
      fc.property(anySubscriptions, counts, (members, sizes) => {
        const assignment = assignor.assign(members, sizes)
        const given = [...assignment.values()].flat().map(keyOf)
        const wanted = [...sizes]
          .filter(([topic]) => members.some((one) => one.topics.includes(topic)))
          .flatMap(([topic, size]) => Array.from({ length: size }, (_, partition) => partitionKey(topic, partition)))
        expect(given.sort()).toEqual(wanted.sort())
        expect([...assignment.keys()].sort()).toEqual(members.map((one) => one.memberId).sort())
        for (const one of members) {
          for (const at of assignment.get(one.memberId) ?? []) expect(one.topics).toContain(at.topic)
        }
      }),
    )
  })

  it('gives the same whatever the order in which the members are listed', () => {
    fc.assert(
      fc.property(anySubscriptions, counts, (members, sizes) => {
        const sorted = (assignment: GroupAssignment) => Object.entries(text(assignment)).sort()
        expect(sorted(assignor.assign([...members].reverse(), sizes))).toEqual(sorted(assignor.assign(members, sizes)))
      }),
    )
  })
})

describe('sticky', () => {
  it('is balanced within one partition when subscriptions are equal', () => {
    fc.assert(
      fc.property(equalSubscriptions, counts, (members, sizes) => {
        const numbers = loads(sticky.assign(members, sizes))
        expect(Math.max(...numbers) - Math.min(...numbers)).toBeLessThanOrEqual(1)
      }),
    )
  })

  it('moves nothing when nothing changed', () => {
    fc.assert(
      fc.property(anySubscriptions, counts, (members, sizes) => {
        const before = sticky.assign(members, sizes)
        expect(moves(before, sticky.assign(holding(members, before, 1), sizes))).toBe(0)
      }),
    )
  })

  it('moves only what a member held that left, when subscriptions are equal', () => {
    fc.assert(
      fc.property(equalSubscriptions, counts, fc.nat(), (members, sizes, pick) => {
        fc.pre(members.length > 1)
        const before = sticky.assign(members, sizes)
        const gone = members[pick % members.length]?.memberId ?? ''
        const rest = members.filter((one) => one.memberId !== gone)
        const after = sticky.assign(holding(rest, before, 1), sizes)
        expect(moves(before, after)).toBe(before.get(gone)?.length)
      }),
    )
  })

  it('moves only what a new member gets, when subscriptions are equal', () => {
    fc.assert(
      fc.property(equalSubscriptions, counts, (members, sizes) => {
        const before = sticky.assign(members, sizes)
        const grown = [...holding(members, before, 1), member('newcomer', topicNames)]
        const after = sticky.assign(grown, sizes)
        expect(moves(before, after)).toBe(after.get('newcomer')?.length)
        const numbers = loads(after)
        expect(Math.max(...numbers) - Math.min(...numbers)).toBeLessThanOrEqual(1)
      }),
    )
  })

  it('leaves no member two above another that could take one of its partitions', () => {
    fc.assert(
      fc.property(anySubscriptions, anySubscriptions, counts, (first, second, sizes) => {
        const members = holding(second, sticky.assign(first, sizes), 1)
        const assignment = sticky.assign(members, sizes)
        const load = (id: string) => assignment.get(id)?.length ?? 0
        for (const [id, partitions] of assignment) {
          for (const other of members) {
            const couldTake = partitions.some(({ topic }) => other.topics.includes(topic))
            if (couldTake) expect(load(id) - load(other.memberId)).toBeLessThanOrEqual(1)
          }
        }
      }),
    )
  })

  it('evens loads along chains of members that share no topic end to end', () => {
    const claims = (topic: string, size: number) =>
      encodeHeldBefore({
        generationId: 1,
        partitions: Array.from({ length: size }, (_, partition) => ({ topic, partition })),
      })
    const members = [
      { ...member('m1', ['a', 'b']), userData: claims('a', 4) },
      { ...member('m2', ['a', 'b']), userData: claims('b', 3) },
      member('m3', ['b']),
    ]
    const assignment = sticky.assign(members, new Map([['a', 4], ['b', 3]])) // prettier-ignore
    expect(loads(assignment).sort()).toEqual([2, 2, 3])
  })

  it('believes the higher generation when two members claim one partition', () => {
    const claim = (generationId: number) =>
      encodeHeldBefore({ generationId, partitions: [{ topic: 't', partition: 0 }] })
    const stale = { ...member('a', ['t']), userData: claim(4) }
    const fresh = { ...member('b', ['t']), userData: claim(5) }
    expect(text(sticky.assign([stale, fresh], new Map([['t', 1]])))).toEqual({ a: '', b: 't-0' })
  })

  it('takes user data it cannot read as owning nothing', () => {
    const broken = [
      '',
      'no json',
      '[]',
      '{"v":2,"g":1,"p":{}}',
      '{"v":1,"g":1,"p":{"t":[-1]}}',
      '{"v":1,"g":1,"p":{"t":7}}',
    ]
    for (const data of broken) expect(decodeHeldBefore(Buffer.from(data)).partitions).toEqual([])
  })

  it('keeps what is owned over its encoding', () => {
    const owned = { generationId: 7, partitions: [{ topic: '__proto__', partition: 3 }, { topic: 'b', partition: 0 }] } // prettier-ignore
    expect(decodeHeldBefore(encodeHeldBefore(owned))).toEqual(owned)
  })
})

describe('cooperative-sticky', () => {
  const claiming = (memberId: string, generationId: number, ...numbers: number[]): AssignorMember => {
    const partitions = numbers.map((partition) => ({ topic: 't', partition }))
    return { ...member(memberId, ['t']), owned: { generationId, partitions } }
  }
  const divide = (partitions: number, ...members: AssignorMember[]) =>
    text(cooperativeSticky.assign(members, new Map([['t', partitions]])))

  it('gives nobody what another may read still, also not to one that claims it in error', () => {
    const held = claiming('b', 5, 0, 1, 2, 3)
    expect(divide(4, claiming('a', 4, 3), held)).toEqual({ a: '', b: 't-0 t-1' })
    expect(divide(4, claiming('a', 5, 0), held)).toEqual({ a: '', b: 't-1 t-2' })
  })

  it('leaves with its owner what an older claim is made to', () => {
    expect(divide(2, claiming('a', 4, 0), claiming('b', 5, 0))).toEqual({ a: 't-1', b: 't-0' })
  })
})

describe('a large group', () => {
  const [members, topics, partitions] = [200, 10, 100]
  const names = Array.from({ length: topics }, (_, at) => `topic-${at}`)
  const counts = new Map(names.map((name) => [name, partitions]))
  const some = [names, names.slice(0, 3), names.slice(2, 7)]
  const reading = {
    'the same topics': (_at: number) => names,
    'different topics': (at: number) => some[at % some.length] ?? names,
  }

  /** Each with what the division of before gave it, as its next join tells the leader. */
  const joinedAgain = (crew: AssignorMember[], assignor: Assignor, divided: GroupAssignment, generationId: number) =>
    crew.map((one): AssignorMember => {
      const last = divided.get(one.memberId) ?? []
      const claims = { now: last, nowGenerationId: generationId, last, generationId }
      const { userData, ownedPartitions } = assignor.subscription(one.topics, claims)
      return { ...one, userData, owned: { generationId, partitions: ownedPartitions } }
    })

  it.each(
    (['the same topics', 'different topics'] as const).flatMap((what) =>
      [cooperativeSticky, sticky, range, roundRobin].map((assignor) => ({ what, assignor, name: assignor.name })),
    ),
  )(
    'of 200 members that read $what with 1,000 partitions is divided in less than 200 ms of one core by $name',
    ({ what, assignor }) => {
      const crew = Array.from({ length: members }, (_, at) => member(`member-${at}`, [...reading[what](at)]))
      const newcomer = member('newcomer', names)
      let divided = assignor.assign(crew, counts)
      // One leaves, then one comes.
      for (const next of [crew.slice(1), [...crew.slice(1), newcomer]]) {
        const times: number[] = []
        const known = joinedAgain(next, assignor, divided, 1)
        for (let round = 0; round < 3; round += 1) {
          const before = process.cpuUsage()
          divided = assignor.assign(known, counts)
          const { user, system } = process.cpuUsage(before)
          times.push((user + system) / 1_000)
        }
        expect(Math.min(...times)).toBeLessThan(200)
      }
      expect(divided.size).toBe(members)
    },
  )
})
