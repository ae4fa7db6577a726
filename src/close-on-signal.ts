import { constants } from 'node:os'
import { ConfigError, TimeoutError } from './errors.js'
import { came } from './input/came.js'
import { flag, optionIssues, timeLimit, withMethods, type Rules } from './input/option-rules.js'
import type { Messaging } from './messaging.js'
import { systemClock } from './runtime/clock.js'
import { thrownName, thrownText } from './runtime/thrown.js'
import { withinDeadline } from './runtime/within-deadline.js'

/** How `closeOnSignal` ends a process. */
export interface CloseOnSignalOptions {
  /** Default SIGTERM and SIGINT. */
  readonly signals?: readonly NodeJS.Signals[] | undefined
  /** Most time for `before` and the close. Default: 4 s for `before`, and for the close as the messaging says. */
  readonly timeoutMs?: number | undefined
  /**
   * Runs at the first signal, before anything is closed, and is awaited for at most 4 s: here a service stops taking
   * requests. When it throws, or takes longer, that is a warning of the process and the exit code is 1; the close follows.
   *
   * @example
   * closeOnSignal(messaging, { before: () => server.close() })
   */
  readonly before?: (() => unknown) | undefined
  /**
   * End the process when closed: with 0, or 1 when something could not be closed in order. Default true; with false the
   * exit code is set all the same, and only a second signal ends the process.
   */
  readonly exit?: boolean | undefined
}

const optionRules: Rules<CloseOnSignalOptions> = {
  signals: { expected: "a list of signals: ['SIGTERM', 'SIGINT']", accepts: isSignals },
  timeoutMs: timeLimit,
  before: { expected: 'a function: () => server.close()', accepts: (value) => typeof value === 'function' },
  exit: flag,
}

/** With 25 s for the close it fits into the 30 s that Kubernetes gives a process to end. */
const beforeMs = 4_000

/** Sockets close at once when forced; whatever hangs all the same is not waited for. */
const forceMs = 500

/**
 * Closes in order at the first signal. A second signal ends the process at once, without commits: what was not committed
 * is handled again by whoever takes over. Returns how to stop listening. Throws `ConfigError` before
 * it listens when it could not close.
 */
export function closeOnSignal(messaging: Messaging, options: CloseOnSignalOptions = {}): () => void {
  requireCloseable(messaging, options)
  const { signals = ['SIGTERM', 'SIGINT'], timeoutMs, before, exit = true } = options
  let received = 0
  const onSignal = () => {
    received += 1
    if (received === 1) void closeInOrder()
    else void closeByForce()
  }
  const closeInOrder = async () => {
    const startedAt = systemClock.now()
    let inOrder = before === undefined || (await runBefore(before, Math.min(beforeMs, timeoutMs ?? beforeMs)))
    const leftMs = timeoutMs === undefined ? undefined : Math.max(0, timeoutMs - (systemClock.now() - startedAt))
    // Whoever calls `close` as well is told why it failed: it is the same promise.
    await messaging.close({ timeoutMs: leftMs }).catch(() => (inOrder = false))
    if (!inOrder) process.exitCode = 1
    if (exit) process.exit(inOrder ? 0 : 1)
  }
  const closeByForce = async () => {
    const closed = messaging.close({ force: true }).catch(() => undefined)
    await Promise.race([closed, systemClock.sleep(forceMs)])
    process.exit(1)
  }
  for (const signal of signals) process.on(signal, onSignal)
  return () => {
    for (const signal of signals) process.off(signal, onSignal)
  }
}

/** Says whether it ended well. Never rejects: what was begun is closed all the same. */
async function runBefore(before: () => unknown, limitMs: number): Promise<boolean> {
  const onLate = () => {
    throw new TimeoutError('before-timeout', `it had not ended after ${limitMs} ms`)
  }
  try {
    const ended = Promise.resolve(before())
    await withinDeadline(ended, { clock: systemClock, deadline: systemClock.now() + limitMs, onLate })
    return true
  } catch (error) {
    const detail = thrownText(error).stack
    process.emitWarning(`before of closeOnSignal failed (${thrownName(error)}); closing goes on`, { detail })
    return false
  }
}

/** At the first signal it would be too late to tell. */
function requireCloseable(messaging: unknown, options: unknown): void {
  const closeable = withMethods('what createMessaging returned', ['close'])
  const issues = optionIssues(options, optionRules)
  if (!closeable.accepts(messaging)) {
    issues.unshift({ path: 'messaging', message: came(messaging), fix: `give ${closeable.expected}` })
  }
  if (issues.length > 0) throw new ConfigError('closeOnSignal', issues)
}

function isSignals(value: unknown): boolean {
  const known: readonly unknown[] = Object.keys(constants.signals)
  return Array.isArray(value) && value.length > 0 && value.every((signal) => known.includes(signal))
}
