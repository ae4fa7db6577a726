import { ConfigError, DecodeError } from '../../errors.js'
import { came } from '../../input/came.js'
import { isError, thrownName } from '../../runtime/thrown.js'
import { SerdeError } from '../../serde/serde-error.js'
import { tellListener, type Telemetry } from '../../telemetry/guard.js'
import { DeadLetter, Discard, FencedWriter, MarkedMeanwhile, RetryLater, Unavailable } from './fate.js'

/**
 * What may be done about a failure. More may come.
 *
 * - `retryable`: the record may succeed at another attempt, of which there are so many.
 * - `fatal`: no attempt can succeed; the record goes to the dead-letter topic, or stops its partition.
 * - `unavailable`: nothing succeeds now, whichever record; the partition waits, and no attempt is spent.
 * - `cancelled`: it was told to end; it is tried again, and no attempt is spent.
 */
export type FailureClass = 'retryable' | 'fatal' | 'unavailable' | 'cancelled'

/** `undefined` leaves it to the default. */
export type Classify = (error: unknown) => FailureClass | undefined

const classes: readonly unknown[] = ['retryable', 'fatal', 'unavailable', 'cancelled'] satisfies FailureClass[]

/**
 * What a failure is, in this order:
 *
 * | thrown                                    | class |
 * |-------------------------------------------|-------|
 * | `DeadLetter`, `Discard`, a `DecodeError`  | `fatal` |
 * | `Unavailable`, `FencedWriter`             | `unavailable` |
 * | `RetryLater`                              | `retryable` |
 * | `MarkedMeanwhile`                         | `cancelled` |
 * | anything else                             | what `classify` says |
 * | where `classify` says nothing, or throws  | `fatal` for a `SerdeError`, as `keySerde.decode` throws, and `unavailable` if what it reads by has to be fetched again; else `retryable` |
 */
export class Classifier {
  readonly #classify: Classify | undefined
  readonly #telemetry: Telemetry
  /** One line says what is wrong with `classify`; at every failure it would only be longer. */
  #toldWrong = false

  constructor(classify: Classify | undefined, telemetry: Telemetry) {
    this.#classify = classify
    this.#telemetry = telemetry
  }

  classOf(error: unknown): FailureClass {
    if (error instanceof DeadLetter || error instanceof Discard || error instanceof DecodeError) return 'fatal'
    if (error instanceof Unavailable || error instanceof FencedWriter) return 'unavailable'
    if (error instanceof RetryLater) return 'retryable'
    if (error instanceof MarkedMeanwhile) return 'cancelled'
    return this.#ask(error) ?? (error instanceof SerdeError ? classOfSerde(error) : 'retryable')
  }

  #ask(error: unknown): FailureClass | undefined {
    if (this.#classify === undefined) return undefined
    let answer: unknown
    tellListener('classify', () => (answer = this.#classify?.(error)), this.#telemetry)
    if (classes.includes(answer)) return answer as FailureClass
    if (answer !== undefined) this.#tellWrong(answer)
    return undefined
  }

  #tellWrong(answer: unknown): void {
    if (this.#toldWrong) return
    this.#toldWrong = true
    this.#telemetry.logger.warn(
      {},
      `the answer of classify ${came(answer)} and counts as undefined; answer ${classes.join(', ')} or undefined, at once`,
    )
  }
}

function classOfSerde({ retriable }: SerdeError): FailureClass {
  return retriable ? 'unavailable' : 'fatal'
}

const programmingErrors: readonly string[] = ['TypeError', 'ReferenceError', 'RangeError', 'SyntaxError']

/**
 * The code is wrong, or the record is not what it expects: another attempt rarely helps. An error with a cause was made on
 * purpose; `fetch`, for one, tells of a lost network with a `TypeError`.
 */
export function isProgrammingError(error: unknown): boolean {
  if (error instanceof ConfigError) return true
  return isError(error) && programmingErrors.includes(thrownName(error)) && !hasCause(error)
}

function hasCause(error: Error): boolean {
  try {
    return error.cause !== undefined
  } catch {
    return false
  }
}
