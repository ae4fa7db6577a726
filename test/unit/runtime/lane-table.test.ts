import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LaneTable, type InTable } from '../../../src/runtime/lane-table.js'

class Lane implements InTable<Lane> {
  hash = 0
  nextInSlot: Lane | null = null

  constructor(readonly key: Uint8Array) {}
}

/** Few of them, of all lengths: equal in both ends and different between them, or one the beginning of another. */
const keys = fc.oneof(
  fc.uint8Array({ maxLength: 2 }),
  fc.tuple(fc.constantFrom(30, 64, 65, 100), fc.nat(3)).map(([length, at]) => {
    const key = new Uint8Array(length)
    key[Math.floor((length * at) / 4)] = 1
    return key
  }),
)

describe('a table of lanes', () => {
  it('finds under each key the lane that was added last and has not left, like a map', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(keys, fc.boolean()), { maxLength: 400 }), (steps) => {
        const table = new LaneTable<Lane>()
        const model = new Map<string, Lane>()
        for (const [key, leaves] of steps) {
          const name = Buffer.from(key).toString('hex')
          const known = model.get(name) ?? null
          expect(table.find(key.slice())).toBe(known)
          if (known === null) {
            const lane = new Lane(key)
            table.add(lane)
            model.set(name, lane)
          } else if (leaves) {
            table.delete(known)
            model.delete(name)
          }
          expect(table.size).toBe(model.size)
        }
        const left: Lane[] = []
        table.clear((lane) => left.push(lane))
        expect(new Set(left)).toEqual(new Set(model.values()))
        expect([table.size, left.length]).toEqual([0, model.size])
      }),
    )
  })

  it('knows each of 10,000 lanes, and none when they have left', () => {
    const table = new LaneTable<Lane>()
    const all = Array.from({ length: 10_000 }, (_, index) => new Lane(Buffer.from(`key-${index}`)))
    for (const lane of all) table.add(lane)
    for (const lane of all) expect(table.find(lane.key)).toBe(lane)
    for (const lane of all) table.delete(lane)
    expect(table.size).toBe(0)
    for (const lane of all.slice(0, 100)) expect([table.find(lane.key), lane.nextInSlot]).toEqual([null, null])
  })

  it('tells lanes apart whose keys share a slot', () => {
    const table = new LaneTable<Lane>()
    // Equal in all that counts for the slot.
    const alike = [0, 1, 2].map((middle) => {
      const key = new Uint8Array(100)
      key[50] = middle
      return new Lane(key)
    })
    for (const lane of alike) table.add(lane)
    expect(new Set(alike.map(({ hash }) => hash)).size).toBe(1)
    for (const gone of [1, 2, 0]) {
      table.delete(alike[gone] as Lane)
      expect(table.find(alike[gone]?.key as Uint8Array)).toBe(null)
    }
  })
})
