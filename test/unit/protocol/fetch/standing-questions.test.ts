import { describe, expect, it } from 'vitest'
import { StandingQuestions } from '../../../../src/protocol/fetch/standing-questions.js'

describe('what a broker was asked for last', () => {
  it('is asked again without a look as long as nothing has changed, broker by broker', () => {
    const questions = new StandingQuestions()
    const looks: number[] = []
    const of = (node: number) =>
      questions.of(node, () => {
        looks.push(node)
        return new Map()
      })
    const first = of(1)
    expect(of(1)).toBe(first)
    of(2)
    expect(looks).toEqual([1, 2])
    questions.changed()
    expect(of(1)).not.toBe(first)
    of(2)
    of(2)
    expect(looks).toEqual([1, 2, 1, 2])
  })

  it('is looked at again when something has changed during the look', () => {
    const questions = new StandingQuestions()
    let looks = 0
    const look = () => {
      looks += 1
      if (looks === 1) questions.changed()
      return new Map()
    }
    questions.of(1, look)
    questions.of(1, look)
    questions.of(1, look)
    expect(looks).toBe(2)
  })
})
