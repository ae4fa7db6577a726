import type { Coverage } from './coverage.js'
import type { Plan } from './plan.js'

/** What listeners, loggers and metrics of users do besides their work: nothing, or they fail, at once or later. */
export class ForeignCode {
  constructor(
    private readonly behaviour: Plan['adapters'],
    private readonly coverage: Coverage,
  ) {}

  get isSound(): boolean {
    return this.behaviour === 'sound'
  }

  /** At the end of each call of what is named. */
  end(name: 'listener' | 'logger' | 'metrics'): void {
    if (this.behaviour === 'sound') return
    this.coverage.met(`${name} fails: ${this.behaviour}`)
    const failure = new Error(`this ${name} cannot do it`)
    if (this.behaviour === 'throw') throw failure
    // A promise where none is expected, as untyped code returns it.
    return Promise.reject(failure) as never
  }
}

/** What a handler throws that knows no better. Reading some of it throws again. */
const oddThings: readonly (() => unknown)[] = [
  () => undefined,
  () => null,
  () => 0,
  () => 'a text',
  () => Symbol('odd'),
  () => 10n,
  () => Object.create(null) as unknown,
  () => Object.freeze(new Error('frozen')),
  () => withItself(),
  () => unreadable('message'),
  () => unreadable('stack'),
  () => unreadable('name'),
  () => new Proxy({}, { get: refuse, has: refuse, getPrototypeOf: refuse, ownKeys: refuse }),
  () => Object.assign(new Error('odd texts'), { name: 7, message: { no: 'text' }, stack: null, code: Symbol('odd') }),
]

/** @param draw in [0, 1) */
export function oddThing(draw: number): unknown {
  return oddThings[Math.floor(draw * oddThings.length)]!()
}

function refuse(): never {
  throw new Error('this cannot be read')
}

function withItself(): object {
  const thing: { self?: object; cause?: object } = {}
  thing.self = thing
  thing.cause = thing
  return thing
}

function unreadable(property: string): Error {
  return Object.defineProperty(new Error('odd'), property, { get: refuse })
}
