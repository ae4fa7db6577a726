import { describe, expect, it } from 'vitest'
import { partitionKey, type TopicPartition } from '../../../../src/message/topic-partition.js'
import type { AssignorMember, GroupAssignment } from '../../../../src/protocol/group/classic/assignors/assignor.js'
import { encodeHeldBefore } from '../../../../src/protocol/group/classic/assignors/held-before.js'
import { sticky } from '../../../../src/protocol/group/classic/assignors/sticky.js'
import { seededRandom } from '../../../../src/runtime/random.js'

interface Member {
  readonly id: string
  readonly topics: readonly string[]
}

/** A group over its generations, as its members tell it to each leader. */
class Group {
  readonly #held = new Map<string, { readonly generationId: number; readonly partitions: readonly TopicPartition[] }>()
  #generationId = 0

  /** Divides anew; tells who had each partition before, of those members that are left. */
  rebalance(members: readonly Member[], counts: ReadonlyMap<string, number>) {
    const owners = new Map<string, string>()
    const views = members.map(({ id, topics }): AssignorMember => {
      const owned = this.#held.get(id) ?? { generationId: -1, partitions: [] }
      for (const { topic, partition } of owned.partitions) owners.set(partitionKey(topic, partition), id)
      return { memberId: id, groupInstanceId: null, topics, userData: encodeHeldBefore(owned) }
    })
    const assignment = sticky.assign(views, counts)
    this.#generationId += 1
    for (const [id, partitions] of assignment) this.#held.set(id, { generationId: this.#generationId, partitions })
    return { assignment, owners }
  }
}

const sizes = (assignment: GroupAssignment) => [...assignment.values()].map((partitions) => partitions.length)
const keysOf = (assignment: GroupAssignment) =>
  [...assignment].flatMap(([id, partitions]) =>
    partitions.map(({ topic, partition }) => ({ key: partitionKey(topic, partition), id })),
  )
const heldBy = (owners: ReadonlyMap<string, string>, id: string) =>
  [...owners.values()].filter((owner) => owner === id).length

/** The most that can stay where it is when everyone gets its equal share. */
function mostKept(members: readonly Member[], owners: ReadonlyMap<string, string>, partitions: number): number {
  const share = Math.floor(partitions / members.length)
  const withOneMore = partitions % members.length
  return members
    .map(({ id }) => heldBy(owners, id))
    .sort((left, right) => right - left)
    .reduce((kept, held, index) => kept + Math.min(held, share + (index < withOneMore ? 1 : 0)), 0)
}

describe('the sticky assignor, over joins, leaves and growth', () => {
  it.each(Array.from({ length: 20 }, (_, index) => index + 1))(
    'moves as few partitions as balance allows, when subscriptions are equal (seed %i)',
    (seed) => {
      const random = seededRandom(seed)
      const draw = (below: number) => Math.floor(random.next() * below)
      const counts = new Map([
        ['a', 1 + draw(40)],
        ['b', 1 + draw(40)],
      ])
      const group = new Group()
      let members: Member[] = [{ id: 'm0', topics: ['a', 'b'] }]
      for (let generation = 1; generation <= 30; generation += 1) {
        const what = random.next()
        const leaver = draw(members.length)
        if (what < 0.5 || members.length === 1) members.push({ id: `m${generation}-${draw(100)}`, topics: ['b', 'a'] })
        else if (what < 0.85) members = members.filter((_, index) => index !== leaver)
        else counts.set('a', (counts.get('a') ?? 0) + draw(5))
        const { assignment, owners } = group.rebalance(members, counts)
        const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
        const given = keysOf(assignment)
        expect(new Set(given.map(({ key }) => key)).size).toBe(total)
        expect(given.length).toBe(total)
        expect(Math.max(...sizes(assignment)) - Math.min(...sizes(assignment))).toBeLessThanOrEqual(1)
        const kept = given.filter(({ key, id }) => owners.get(key) === id).length
        expect(kept).toBe(mostKept(members, owners, total))
      }
    },
  )

  it('moves little more than what members must give up, when subscriptions differ', () => {
    let moved = 0
    let mustMove = 0
    for (let seed = 1; seed <= 20; seed += 1) {
      const random = seededRandom(seed)
      const draw = (below: number) => Math.floor(random.next() * below)
      const names = ['a', 'b', 'c', 'd']
      const counts = new Map(names.map((name) => [name, 2 + draw(16)]))
      const some = () => {
        const chosen = names.filter(() => random.next() < 0.6)
        return chosen.length === 0 ? ['a'] : chosen
      }
      const group = new Group()
      let members: Member[] = [{ id: 'm0', topics: names }]
      for (let generation = 1; generation <= 20; generation += 1) {
        const leaver = 1 + draw(members.length - 1)
        if (random.next() < 0.5 || members.length < 4) members.push({ id: `m${generation}`, topics: some() })
        else members = members.filter((_, index) => index !== leaver)
        const { assignment, owners } = group.rebalance(members, counts)
        moved += keysOf(assignment).filter(({ key, id }) => owners.has(key) && owners.get(key) !== id).length
        for (const [id, partitions] of assignment) mustMove += Math.max(0, heldBy(owners, id) - partitions.length)
      }
    }
    expect(moved).toBeLessThanOrEqual(mustMove * 1.25)
  })
})
