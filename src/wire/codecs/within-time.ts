import { createContext, Script, type Context } from 'node:vm'

/** Made at the first use. */
let context: Context | undefined
const script = new Script('work()')

/**
 * Runs code of others that may never end, and stops it after so many ms of the machine. What it throws comes as it is.
 *
 * @returns `late` when it was stopped
 */
export function withinTime(work: () => void, limitMs: number): 'ended' | 'late' {
  context ??= createContext({})
  context['work'] = work
  try {
    script.runInContext(context, { timeout: limitMs })
    return 'ended'
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return 'late'
    throw error
  } finally {
    context['work'] = undefined
  }
}
