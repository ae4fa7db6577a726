import { HandlerError } from '../../errors.js'

/**
 * What a handler ended with that would run only if somebody took its values: a generator, an Observable. Nobody does, so
 * nothing of it was done. `null` for everything else; asked for every record.
 */
export function lazyFailure(value: unknown): { readonly error: HandlerError } | null {
  if (value === undefined || value === null || (typeof value !== 'object' && typeof value !== 'function')) return null
  const what = lazyName(value as Methods)
  if (what === null) return null
  const message =
    `the handler ended with ${what}, which runs only when somebody takes its values, and nobody does; write a function, or an ` +
    'async one, that ends when all of it is handled'
  return { error: new HandlerError('lazy-result', message) }
}

type Methods = Readonly<Record<string | symbol, unknown>>

function lazyName(value: Methods): string | null {
  try {
    const has = (name: string | symbol) => typeof value[name] === 'function'
    if (has('next') && (has(Symbol.asyncIterator) || has(Symbol.iterator))) return 'a generator'
    return has('subscribe') && has('pipe') ? 'an Observable' : null
  } catch {
    return null // whatever it is, it was not meant to be run
  }
}
