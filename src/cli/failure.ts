import { RequestError } from '../connection/request-error.js'
import { ConfigError, TidemarkError, TimeoutError } from '../errors.js'
import { thrownText } from '../runtime/thrown.js'
import { NotThere } from '../operations/places.js'
import { exitCode, type ExitCode } from './exit-code.js'
import { WrongUse } from './wrong-use.js'

export interface Failure {
  readonly exit: ExitCode
  /** As in errors of the library; `wrong-use`, `interrupted` and `defect` are this command's own. */
  readonly code: string
  readonly message: string
}

/**
 * What an error means to who called the command:
 *
 * | thrown | exit |
 * |--------|------|
 * | anything after the signal, unless a change had begun | `interrupted` |
 * | `WrongUse`, `ConfigError`, `NotThere` | `wrongUse` |
 * | nobody answered in time | `unreachable` |
 * | any other error of the library, as of a broker that does not take us | `refused` |
 * | the rest | `defect` |
 */
export function failureOf(error: unknown, isInterrupted: boolean): Failure {
  const { name, message } = thrownText(error)
  if (isInterrupted) return { exit: exitCode.interrupted, code: 'interrupted', message: 'interrupted' }
  if (error instanceof WrongUse) return { exit: exitCode.wrongUse, code: 'wrong-use', message }
  if (error instanceof NotThere) return { exit: exitCode.wrongUse, code: error.code, message }
  if (error instanceof ConfigError) return { exit: exitCode.wrongUse, code: error.code, message }
  if (error instanceof TidemarkError) {
    const exit = isUnanswered(error) ? exitCode.unreachable : exitCode.refused
    return { exit, code: error.code, message }
  }
  return { exit: exitCode.defect, code: 'defect', message: `${name}: ${message}` }
}

function isUnanswered(error: TidemarkError): boolean {
  if (error instanceof RequestError) return !error.isFinal && error.failure !== 'turned-away'
  return error instanceof TimeoutError || error.code === 'cluster-unreachable'
}
