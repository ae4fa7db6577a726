/** As V8 keeps it also for functions that wait: whoever awaits the code that runs stands in its stack. */
type Stack = readonly NodeJS.CallSite[]

/** Must not throw. `value` is what it ended with. */
type End = (failure: { readonly error: unknown } | null, value?: unknown) => void

let marks = 0

/**
 * Marks calls, so that code can tell that it runs inside one: called by it, or awaited by it, however deep. Read from the
 * stack when somebody asks, so a call pays next to nothing; an async context of every call would slow every promise of the
 * process. Code that a call has started and does not await is not inside.
 */
export class CallMark {
  readonly #name: string
  /** Calls `end` when `work` has ended: with what it rejected with, else `null`. `work` stands below the mark until then. */
  readonly whenEnded: (work: PromiseLike<unknown>, end: End) => Promise<void>

  constructor() {
    marks += 1
    const name = `tidemark call ${marks}`
    this.#name = name
    const named = {
      async [name](work: PromiseLike<unknown>, end: End): Promise<void> {
        let value: unknown
        try {
          value = await work
        } catch (error) {
          end({ error })
          return
        }
        end(null, value)
      },
    }
    this.whenEnded = named[name] as typeof this.whenEnded
  }

  /** The same function, which stands in the stack of what it calls. */
  calling<Input, Context, Result>(call: (input: Input, context: Context) => Result) {
    const named = { [this.#name]: (input: Input, context: Context) => call(input, context) }
    return named[this.#name] as typeof call
  }

  /** Does the code that asks run inside a marked call? */
  get isWithin(): boolean {
    return stack(Infinity).some((site) => site.getFunctionName() === this.#name)
  }
}

/** Where the function stands that called the one which asks; `null` when V8 does not say. */
export function callerOf(own: (...input: never[]) => unknown): string | null {
  const [caller] = stack(1, own)
  return caller === undefined ? null : placeOf(caller)
}

/** Does the code that asks run inside a function that stands at `place`, called or awaited by it? */
export function isCalledFrom(place: string): boolean {
  return stack(Infinity).some((site) => placeOf(site) === place)
}

function placeOf(site: NodeJS.CallSite): string | null {
  const { line, column } = enclosing(site)
  return line === undefined ? null : `${site.getScriptNameOrSourceURL()}:${line}:${column}`
}

/** Where its function begins, which is the same wherever in it it stands now. */
function enclosing(site: NodeJS.CallSite) {
  const { getEnclosingLineNumber: line, getEnclosingColumnNumber: column } = site as Partial<NodeJS.CallSite>
  return { line: line?.call(site), column: column?.call(site) }
}

/** @param above leaves out this function and what it has called */
function stack(limit: number, above: (...input: never[]) => unknown = stack): Stack {
  const { prepareStackTrace, stackTraceLimit } = Error
  try {
    Error.stackTraceLimit = limit
    Error.prepareStackTrace = (_, sites) => sites
    const holder: { stack?: Stack } = {}
    Error.captureStackTrace(holder, above)
    return holder.stack ?? []
  } catch {
    return [] // errors are frozen here: nobody can be told to be inside
  } finally {
    restore(prepareStackTrace, stackTraceLimit)
  }
}

function restore(prepareStackTrace: typeof Error.prepareStackTrace, stackTraceLimit: number): void {
  try {
    Error.stackTraceLimit = stackTraceLimit
    Error.prepareStackTrace = prepareStackTrace
  } catch {
    // Frozen: nothing was changed.
  }
}
