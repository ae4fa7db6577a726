import { types } from 'node:util'

/**
 * Whether what must answer at once answered with a promise, or with something like one. Nobody waits for it then, so a
 * rejection of it would have no owner and end the process: it is taken here. Something like a promise is not started.
 */
export function isPromised(answer: unknown): boolean {
  if ((typeof answer !== 'object' && typeof answer !== 'function') || answer === null) return false
  if (typeof (answer as { readonly then?: unknown }).then !== 'function') return false
  if (types.isPromise(answer)) answer.catch(() => undefined)
  return true
}
