import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { Linked, LinkedSet } from '../../../src/runtime/linked-set.js'

class Named extends Linked<Named> {
  constructor(readonly name: string) {
    super()
  }
}

const named = (names: string) => [...names].map((name) => new Named(name))
const namesIn = (set: LinkedSet<Named>) => [...set].map(({ name }) => name).join('')

function filled(names: string) {
  const set = new LinkedSet<Named>()
  const items = named(names)
  for (const item of items) set.add(item)
  return { set, items }
}

describe('a linked set', () => {
  it.each([
    ['the oldest', 'a', 'bcd'],
    ['the youngest', 'd', 'abc'],
    ['one between', 'b', 'acd'],
    ['several', 'bc', 'ad'],
    ['all', 'cadb', ''],
  ])('keeps the order of the others when %s goes', (_, gone, left) => {
    const { set, items } = filled('abcd')
    for (const name of gone) expect(set.delete(items.find((item) => item.name === name) as Named)).toBe(true)
    expect([namesIn(set), set.size, set.oldest?.name ?? '']).toEqual([left, left.length, left.slice(0, 1)])
    set.add(new Named('e'))
    expect(namesIn(set)).toBe(`${left}e`)
  })

  it('lets go of nothing that is not in it: what was never there, is gone, or is in another one', () => {
    const { set, items } = filled('ab')
    const other = filled('x')
    const [a] = items as [Named, Named]
    set.delete(a)
    for (const item of [a, new Named('c'), ...other.items]) expect(set.delete(item)).toBe(false)
    expect([namesIn(set), namesIn(other.set)]).toEqual(['b', 'x'])
  })

  it('goes on behind one that is deleted when it has its turn, and may be in another set then', () => {
    const { set } = filled('abc')
    const later = new LinkedSet<Named>()
    for (const item of set) {
      set.delete(item)
      later.add(item)
    }
    expect([namesIn(set), namesIn(later)]).toEqual(['', 'abc'])
  })

  it('shows nothing of the others in what an item prints and serialises to', () => {
    const { items } = filled('abc')
    expect(inspect(items[1])).toBe("Named { name: 'b' }")
    expect(JSON.stringify(items[1])).toBe('{"name":"b"}')
  })

  it('keeps nothing that is gone, and what is gone keeps nothing', () => {
    const { set, items } = filled('abc')
    const [, b] = items as [Named, Named, Named]
    set.delete(b)
    expect([b.older, b.younger, b.set]).toEqual([null, null, null])
  })
})
