/** As V8 keeps it also for functions that wait: whoever awaits the code that runs stands in its stack. */
type Stack = readonly NodeJS.CallSite[]

/** What `work` rejected with. */
interface Failure {
  readonly error: unknown
}

/** Hears how a call ended: with what it rejected with, else with `null` and its value. Must not throw. */
export interface EndListener {
  callEnded(failure: Failure | null, value: unknown): void
}

let marks = 0

/**
 * Marks calls, so that code can tell that it runs inside one: called by it, or awaited by it, however deep. Read from the
 * stack when somebody asks, so a call pays next to nothing; an async context of every call would slow every promise of the
 * process. Code that a call has started and does not await is not inside.
 */
export class CallMark {
  readonly #name: string
  /** Of what tells an end: that is no longer inside, although the mark still stands below it. */
  readonly #nameOfEnds: string
  readonly #goesOn = new GoesOn()
  readonly #wait: (work: PromiseLike<unknown>, listener: EndListener) => Promise<void>

  constructor() {
    marks += 1
    this.#name = `tidemark call ${marks}`
    this.#nameOfEnds = `end of ${this.#name}`
    const goesOn = this.#goesOn
    const telling = {
      [this.#nameOfEnds]: (listener: EndListener, failure: Failure | null, value: unknown) =>
        goesOn.while(listener, failure, value),
    }
    const tell = telling[this.#nameOfEnds] as (typeof telling)[string]
    const waiting = {
      async [this.#name](first: PromiseLike<unknown>, itsListener: EndListener): Promise<void> {
        let work: PromiseLike<unknown> | null = first
        let listener: EndListener | null = itsListener
        while (work !== null && listener !== null) {
          let failure: Failure | null = null
          let value: unknown
          try {
            value = await work
          } catch (error) {
            failure = { error }
          }
          tell(listener, failure, value)
          ;({ work, listener } = goesOn)
          goesOn.taken()
        }
      },
    }
    this.#wait = waiting[this.#name] as (typeof waiting)[string]
  }

  /** Tells the listener when `work` has ended. Until then `work` stands below the mark. */
  whenEnded(work: PromiseLike<unknown>, listener: EndListener): void {
    if (!this.#goesOn.takes(work, listener)) void this.#wait(work, listener) // never rejects
  }

  /** The same function, which stands in the stack of what it calls. */
  calling<Input, Context, Result>(call: (input: Input, context: Context) => Result) {
    const named = { [this.#name]: (input: Input, context: Context) => call(input, context) }
    return named[this.#name] as typeof call
  }

  /** Does the code that asks run inside a marked call? */
  get isWithin(): boolean {
    const names = stack(Infinity).map((site) => site.getFunctionName())
    return names.find((name) => name === this.#name || name === this.#nameOfEnds) === this.#name
  }
}

/**
 * What a call begins whose end is told. The function that told it waits for that too: one of its own for every call would
 * cost more than many a call.
 */
class GoesOn {
  work: PromiseLike<unknown> | null = null
  listener: EndListener | null = null
  #isTelling = false

  while(listener: EndListener, failure: Failure | null, value: unknown): void {
    this.#isTelling = true
    try {
      listener.callEnded(failure, value)
    } finally {
      this.#isTelling = false
    }
  }

  /** False when nobody is there to go on with it. */
  takes(work: PromiseLike<unknown>, listener: EndListener): boolean {
    if (!this.#isTelling || this.work !== null) return false
    this.work = work
    this.listener = listener
    return true
  }

  taken(): void {
    this.work = null
    this.listener = null
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
