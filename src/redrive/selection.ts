import { TidemarkError } from '../errors.js'
import { isPromised } from '../input/asynchronous.js'
import { thrownName } from '../runtime/thrown.js'
import type { Letter } from './letter.js'

/** From a time on, up to and without another one; a `Date`, or ms since the Unix epoch. */
export interface TimeSpan {
  readonly from?: Date | number | undefined
  readonly to?: Date | number | undefined
}

/** Which letters are meant. All that is given must hold; a list holds when one of it does. Without any, all letters are. */
export interface LetterSelection {
  /** `td-reason`: `undecodable`, `invalid`, `rejected`, `exhausted`, `timeout`; of Connect the stage. */
  readonly reason?: string | readonly string[] | undefined
  /** A text is the whole name of the error's class, or of its cause's; an expression is looked for in `class: message`. */
  readonly error?: string | RegExp | readonly (string | RegExp)[] | undefined
  /** Text is compared as UTF-8. */
  readonly key?: string | Buffer | readonly (string | Buffer)[] | undefined
  /** Topics that the letters came from. */
  readonly origin?: string | readonly string[] | undefined
  /** Time of the record that failed. Letters that do not tell it are not meant. */
  readonly originated?: TimeSpan | undefined
  /** Time of the letter itself, looked up in the log: from the first letter of that time or later, up to the first one of the end. */
  readonly written?: TimeSpan | undefined
  /** Of the dead-letter topic. Others are not read. */
  readonly partitions?: readonly number[] | undefined
  /** Of the dead-letter topic: from an offset on, up to and without another one, in each of its partitions. */
  readonly offsets?: { readonly from?: number | undefined; readonly to?: number | undefined } | undefined
  /** Anything else. Must answer at once; what it throws ends the run. */
  readonly where?: ((letter: Letter) => boolean) | undefined
}

/** Is it meant, as far as the letter itself decides? */
export type IsSelected = (letter: Letter) => boolean

type Test = (letter: Letter) => boolean

/** What the place of a letter decides (`written`, `partitions`, `offsets`) is not asked of each one. */
export function selected(selection: LetterSelection): IsSelected {
  const { reason, error, key, origin, originated, where } = selection
  const tests: Test[] = []
  if (reason !== undefined) tests.push(oneOf(reason, (one) => one.reason))
  if (origin !== undefined) tests.push(oneOf(origin, (one) => one.origin?.topic ?? null))
  if (key !== undefined) tests.push(keyTest(listOf(key)))
  if (error !== undefined) tests.push(errorTest(listOf(error)))
  if (originated !== undefined) tests.push(timeTest(originated))
  if (where !== undefined) tests.push((letter) => asked(where, letter))
  return (letter) => tests.every((test) => test(letter))
}

export function momentOf(time: Date | number | undefined): number | null {
  return time === undefined ? null : Number(time)
}

function oneOf(wanted: string | readonly string[], textOf: (letter: Letter) => string | null): Test {
  const texts = new Set(listOf(wanted))
  return (letter) => texts.has(textOf(letter) as string)
}

function keyTest(wanted: readonly (string | Buffer)[]): Test {
  const keys = wanted.map((key) => (typeof key === 'string' ? Buffer.from(key, 'utf8') : key))
  return ({ key }) => key !== null && keys.some((one) => one.equals(key))
}

function errorTest(wanted: readonly (string | RegExp)[]): Test {
  const names = wanted.filter((one) => typeof one === 'string')
  // A sticky or global one goes on where it found something the last time.
  const expressions = wanted.flatMap((one) =>
    typeof one === 'string' ? [] : [new RegExp(one.source, one.flags.replace(/[gy]/g, ''))],
  )
  return ({ errorClasses, errorMessage }) =>
    names.some((name) => errorClasses.includes(name)) ||
    errorClasses.some((name) => expressions.some((one) => one.test(`${name}: ${errorMessage ?? ''}`)))
}

function timeTest({ from, to }: TimeSpan): Test {
  const [least, end] = [momentOf(from) ?? -Infinity, momentOf(to) ?? Infinity]
  return ({ origin }) => {
    const time = origin?.timestamp ?? null
    return time !== null && time >= least && time < end
  }
}

function asked(where: (letter: Letter) => unknown, letter: Letter): boolean {
  let answer: unknown
  try {
    answer = where(letter)
  } catch (cause) {
    throw noAnswer(letter, `threw ${thrownName(cause)}`, cause)
  }
  if (isPromised(answer)) throw noAnswer(letter, 'answered with a promise')
  return answer === true
}

function noAnswer({ topic, partition, offset }: Letter, what: string, cause?: unknown): TidemarkError {
  const message = `select.where ${what} for offset ${offset} of ${topic}-${partition}; answer true or false at once`
  return new TidemarkError('select-failed', message, { topic, partition, offset, cause })
}

function listOf<One>(one: One | readonly One[]): readonly One[] {
  return Array.isArray(one) ? (one as readonly One[]) : [one as One]
}
