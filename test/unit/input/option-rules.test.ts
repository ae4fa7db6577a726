import { describe, expect, it } from 'vitest'
import { flag, optionIssues, timeLimit, wholeNumber, withMethods, type Rules } from '../../../src/input/option-rules.js'

interface Options {
  readonly timeoutMs?: number
  readonly force?: boolean
  readonly partitions?: number
  readonly logger?: object
}

const rules: Rules<Options> = {
  timeoutMs: timeLimit,
  force: flag,
  partitions: wholeNumber(1, 9),
  logger: withMethods('a logger', ['info']),
}

const told = (options: unknown) =>
  optionIssues(options, rules).map(({ path, message, fix }) => `${path} ${message}; ${fix}`)

describe('the check of options', () => {
  it('lets through what fits, and what is undefined as left out', () => {
    const logger = { info: () => undefined }
    expect(told({ timeoutMs: Infinity, force: false, partitions: 9, logger })).toEqual([])
    expect(told({ timeoutMs: undefined })).toEqual([])
    expect(told({})).toEqual([])
  })

  it('tells every problem at once: what came and what to write', () => {
    expect(told({ timeoutMs: Number.NaN, force: 1, partitions: 10, logger: 'loud' })).toEqual([
      'timeoutMs is NaN; write milliseconds from now, of at least 0, or leave it out',
      'force is 1; write true or false',
      'partitions is 10; write a whole number from 1 to 9',
      'logger is a string; write a logger',
    ])
  })

  it('names the option that was probably meant, or all there are', () => {
    expect(told({ timeout: 5 })).toEqual(['timeout is not an option; did you mean timeoutMs?'])
    expect(told({ colour: 5 })).toEqual([
      'colour is not an option; take it out; options are timeoutMs, force, partitions, logger',
    ])
    expect(told({ constructor: 5 })[0]).toContain('constructor is not an option')
  })

  it.each([null, 5, 'text', ['list'], () => undefined])('wants an object, not %s', (options) => {
    expect(told(options)[0]).toMatch(/^options is .*; write an object with any of timeoutMs, /)
  })

  it('never shows text that was given', () => {
    expect(told({ force: 'hunter2', logger: ['hunter2'], partitions: 'hunter2' }).join()).not.toContain('hunter2')
  })
})
