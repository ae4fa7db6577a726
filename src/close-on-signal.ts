import { constants } from 'node:os'
import { ConfigError } from './errors.js'
import { came } from './input/came.js'
import { flag, optionIssues, timeLimit, withMethods, type Rules } from './input/option-rules.js'
import type { Messaging } from './messaging.js'
import { systemClock } from './runtime/clock.js'

export interface CloseOnSignalOptions {
  /** Default SIGTERM and SIGINT. */
  readonly signals?: readonly NodeJS.Signals[] | undefined
  /** Most time for the close. Default: as the messaging says. */
  readonly timeoutMs?: number | undefined
  /**
   * End the process when closed: with 0, or 1 when something could not be closed in order. Default true; with false the
   * exit code is set all the same, and only a second signal ends the process.
   */
  readonly exit?: boolean | undefined
}

const optionRules: Rules<CloseOnSignalOptions> = {
  signals: { expected: "a list of signals: ['SIGTERM', 'SIGINT']", accepts: isSignals },
  timeoutMs: timeLimit,
  exit: flag,
}

/** Sockets close at once when forced; whatever hangs all the same is not waited for. */
const forceMs = 500

/**
 * Closes in order at the first signal. A second signal ends the process at once, without commits: what was not committed
 * is handled again by whoever takes over. Returns how to stop listening. Throws `ConfigError` before
 * it listens when it could not close.
 */
export function closeOnSignal(messaging: Messaging, options: CloseOnSignalOptions = {}): () => void {
  requireCloseable(messaging, options)
  const { signals = ['SIGTERM', 'SIGINT'], timeoutMs, exit = true } = options
  let received = 0
  const onSignal = () => {
    received += 1
    if (received === 1) void closeInOrder()
    else void closeByForce()
  }
  const closeInOrder = async () => {
    try {
      await messaging.close({ timeoutMs })
      if (exit) process.exit(0)
    } catch {
      // Whoever calls `close` as well is told why: it is the same promise.
      process.exitCode = 1
      if (exit) process.exit(1)
    }
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
