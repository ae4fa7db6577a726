import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import { deferred } from '../../runtime/deferred.js'
import type { Redrives } from '../letters/redrives.js'
import type { Reading } from '../../letters/read-records.js'
import type { ClusterWatch } from '../watch/cluster-watch.js'
import { liveOf, type Watched } from './live.js'

export interface StreamParts {
  readonly reading: Reading
  readonly watch: ClusterWatch
  readonly redrives: Redrives
  /** Called at each change of a redrive, until what it returns is called. */
  readonly onRedrive: (listener: () => void) => () => void
}

type Change = 'sight' | 'redrives'

/**
 * Server-sent events: at once what is known, then every look and every step of a redrive. Who reads slowly gets the newest
 * state and not all of them, so nothing piles up.
 */
export function stream(
  context: Context,
  wanted: Watched,
  { reading, watch, redrives, onRedrive }: StreamParts,
): Response {
  // A proxy that gathers an answer until it is long enough would hold back each look.
  context.header('x-accel-buffering', 'no')
  return streamSSE(context, async (events) => {
    const changed = new Set<Change>(['sight', 'redrives'])
    let woken = deferred<void>()
    const note = (change: Change) => {
      changed.add(change)
      woken.resolve()
    }
    const ends = [watch.watch(() => note('sight')), onRedrive(() => note('redrives'))]
    let isOpen = true
    events.onAbort(() => {
      isOpen = false
      woken.resolve()
    })
    try {
      while (isOpen && !events.aborted && !events.closed) {
        if (changed.delete('sight'))
          await events.writeSSE({
            event: 'live',
            data: JSON.stringify(liveOf(watch.sight, wanted, reading.messaging.clock.wallTime())),
          })
        if (changed.delete('redrives')) {
          await events.writeSSE({ event: 'redrives', data: JSON.stringify(redrives.views()) })
        }
        if (changed.size > 0) continue
        woken = deferred<void>()
        if (isOpen && changed.size === 0) await woken.promise
      }
    } finally {
      for (const end of ends) end()
    }
  })
}
