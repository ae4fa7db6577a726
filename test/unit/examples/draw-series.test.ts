import { expect, it } from 'vitest'
import { drawSeries } from '../../../examples/alarm/page/draw-series.js'

const day = 86_400
/** Of a letter of the least size, and between two words, px. */
const [letter, gap] = [7, 10]

it('dates below a series are whole and stand apart, wherever it begins and however long it is', () => {
  for (let begin = 0; begin < day; begin += day / 8) {
    for (const days of [3, 11, 80, 400]) {
      const points = [0, days * day].map((at): [number, number] => [1_700_000_000 + begin + at, 1])
      const none = { windows: [], anomalies: [], conflicts: [], alerts: [], silences: [] }
      const drawn = drawSeries({ title: 'a series', threshold: null, points, ...none } as never)
      const axis = drawn.slice(drawn.indexOf('class="axis"'))
      const words = [...axis.matchAll(/<text ([^>]*)>([\d:-]+)</g)].map(([, attributes = '', text = '']) => {
        const x = Number(/\bx="([\d.]+)"/.exec(attributes)?.[1])
        const wide = text.length * letter
        const anchor = /text-anchor="(\w+)"/.exec(attributes)?.[1] ?? 'start'
        const left = anchor === 'start' ? x : anchor === 'end' ? x - wide : x - wide / 2
        return { left, right: left + wide }
      })
      expect(words.length).toBeGreaterThan(1)
      let end = -gap
      for (const { left, right } of words) {
        expect(left).toBeGreaterThanOrEqual(end + gap)
        end = right
      }
      expect(end).toBeLessThanOrEqual(1_200)
    }
  }
})
