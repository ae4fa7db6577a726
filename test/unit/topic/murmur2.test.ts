import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { murmur2, murmur2Partition } from '../../../src/topic/murmur2.js'

interface Vector {
  readonly hex: string
  readonly hash: number
  readonly partitions: Readonly<Record<string, number>>
}

const file = new URL('../../vectors/murmur2.json', import.meta.url)
const vectors = JSON.parse(readFileSync(file, 'utf8')) as readonly Vector[]

describe('murmur2', () => {
  it('puts every key where the Java client puts it', () => {
    expect(vectors.length).toBeGreaterThanOrEqual(200)
    const ours = vectors.map(({ hex, partitions }) => {
      const key = Buffer.from(hex, 'hex')
      const counts = Object.keys(partitions)
      return {
        hex,
        hash: murmur2(key),
        partitions: Object.fromEntries(counts.map((count) => [count, murmur2Partition(key, Number(count))])),
      }
    })
    expect(ours).toEqual(vectors)
  })

  it('reads only its own window of a larger memory', () => {
    const whole = Buffer.from('xxkey-17yy')
    expect(murmur2(whole.subarray(2, 8))).toBe(murmur2(Buffer.from('key-17')))
  })
})
