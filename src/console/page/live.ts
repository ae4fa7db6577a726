import { EventSourceParserStream } from 'eventsource-parser/stream'
import { useCallback, useEffect, useState } from 'preact/hooks'
import type { RedriveView } from '../letters/redrives.js'
import type { Live } from '../server/live.js'
import { problemFrom, request, type Problem } from './ask.js'

type Watched = Readonly<Record<string, string>>

export interface LiveState extends Told {
  /** Begins anew at once. */
  readonly again: () => void
}

interface Told {
  readonly live: Live | null
  /** What it was asked for: of another group it tells nothing. */
  readonly watched: Watched
  /** `null`: not told yet. */
  readonly redrives: readonly RedriveView[] | null
  /** When the newest came, by the clock of this page. */
  readonly receivedAt: number
  /** Why nothing comes any more. */
  readonly problem: Problem | null
}

const longestPauseMs = 10_000
/** So many looks may be missed: then the way to the console is taken for broken, though nobody has said so. */
const missed = 3
const leastQuietMs = 30_000

/**
 * What the console tells at each look, of what this page shows. A stream that breaks is begun again, after a longer and
 * longer time; meanwhile what is known stays. By `fetch` and not `EventSource`, which can send no token.
 */
export function useLive(watched: Watched, isPaused: boolean): LiveState {
  const [times, setTimes] = useState(0)
  const again = useCallback(() => setTimes((before) => before + 1), [])
  const [state, setState] = useState<Told>({ live: null, watched, redrives: null, receivedAt: 0, problem: null })
  const query = new URLSearchParams(watched).toString()
  useEffect(() => {
    if (isPaused) return undefined
    const stop = new AbortController()
    let quietMs = leastQuietMs
    const onEvent = (event: string | undefined, data: string) => {
      if (stop.signal.aborted) return
      const told: unknown = JSON.parse(data)
      if (event === 'redrives') setState((before) => ({ ...before, redrives: told as readonly RedriveView[] }))
      else {
        const { everyMs, tookMs } = (told as Live).frame.cost
        quietMs = Math.max(leastQuietMs, missed * (everyMs + tookMs))
        setState((before) => ({ ...before, live: told as Live, watched, receivedAt: performance.now(), problem: null }))
      }
    }
    setState((before) => (before.problem?.code === 'not-understood' ? { ...before, problem: null } : before))
    const follow = async () => {
      for (let pauseMs = 500; !stop.signal.aborted; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
        try {
          await read(
            `api/live?${query}`,
            stop.signal,
            () => quietMs,
            (event, data) => {
              pauseMs = 500
              onEvent(event, data)
            },
          )
        } catch (error) {
          if (stop.signal.aborted) return
          const problem = problemFrom(error)
          setState((before) => ({ ...before, problem }))
          // The same question is not understood the next time either.
          if (problem.code === 'not-understood') return
        }
        await new Promise((resolve) => setTimeout(resolve, pauseMs))
      }
    }
    void follow()
    return () => stop.abort()
  }, [query, isPaused, times])
  return { ...state, again }
}

async function read(
  path: string,
  signal: AbortSignal,
  quietMs: () => number,
  onEvent: (event: string | undefined, data: string) => void,
): Promise<void> {
  const quiet = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const heard = () => {
    clearTimeout(timer)
    timer = setTimeout(() => quiet.abort(), quietMs())
  }
  try {
    heard()
    const { body } = await request(path, { signal: AbortSignal.any([signal, quiet.signal]) })
    if (body === null) return
    const events = body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream()).getReader()
    for (;;) {
      const { done, value } = await events.read()
      if (done) return
      onEvent(value.event, value.data)
      heard()
    }
  } catch (error) {
    if (quiet.signal.aborted && !signal.aborted) return
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/** Whether it tells of what is shown: a filter only chooses rows of it. */
export function tellsOf(state: LiveState, shown: Watched): boolean {
  return (
    state.live !== null && ['view', 'group', 'topic', 'partition'].every((name) => state.watched[name] === shown[name])
  )
}

/** A tab that nobody sees asks for nothing. */
export function useIsHidden(): boolean {
  const [isHidden, setHidden] = useState(document.hidden)
  useEffect(() => {
    const onChange = () => setHidden(document.hidden)
    document.addEventListener('visibilitychange', onChange)
    return () => document.removeEventListener('visibilitychange', onChange)
  }, [])
  return isHidden
}
