import { setTimeout as sleep } from 'node:timers/promises'

/** What to watch of a service. */
export interface Watched {
  /** `null` while it is not known. */
  readonly lag: () => number | null
  readonly received: () => number
  /** Whether nothing is left of what it does by itself. */
  readonly isDone?: () => Promise<boolean>
}

const lookEveryMs = 25

/**
 * Resolves when the service is behind by nothing and has read nothing new for `quietMs`: its view of the log is as old as
 * its last fetch, so one look is not enough.
 */
export async function drained(
  service: Watched,
  { quietMs, signal }: { quietMs: number; signal: AbortSignal },
): Promise<void> {
  let received = -1
  let quietSince = 0
  for (;;) {
    const now = performance.now()
    if (service.received() !== received || service.lag() !== 0) {
      received = service.received()
      quietSince = now
    } else if (now - quietSince >= quietMs && (await (service.isDone?.() ?? true))) {
      return
    }
    await sleep(lookEveryMs, undefined, { signal })
  }
}
