import { useEffect, useState } from 'preact/hooks'
import { timeText } from '../../text/figures.js'
import type { Frame } from '../model/frame.js'
import type { LiveState } from './live.js'
import { Sign } from './parts/sign.js'
import { isoOf, momentOf } from './text.js'

const tabs: readonly (readonly [view: string, title: string, parts: readonly string[]])[] = [
  ['overview', 'Overview', []],
  ['groups', 'Groups', ['group', 'partition', 'reset']],
  ['letters', 'Dead letters', ['redrive', 'record']],
  ['topics', 'Topics', []],
  ['transactions', 'Transactions', []],
  ['shed', 'Shed', []],
]

interface TopParts {
  readonly view: string
  readonly state: LiveState
  readonly isPaused: boolean
  readonly onPause: () => void
  readonly onHelp: () => void
}

export function Top({ view, state, isPaused, onPause, onHelp }: TopParts) {
  const { live } = state
  return (
    <header>
      <div class="cluster">
        <strong>tidemark</strong> <ClusterName frame={live?.frame ?? null} />
        <span class="space" />
        <span class="tools">
          <Age state={state} isPaused={isPaused} />
          <button type="button" aria-pressed={isPaused} onClick={onPause}>
            {isPaused ? 'Go on' : 'Pause'}
          </button>
          <button type="button" aria-label="Help: keys and signs" onClick={onHelp}>
            ?
          </button>
        </span>
      </div>
      <nav aria-label="Views">
        {tabs.map(([name, title, parts]) => (
          <a key={name} href={`#/${name}`} aria-current={name === view || parts.includes(view) ? 'page' : undefined}>
            {title}
          </a>
        ))}
      </nav>
    </header>
  )
}

function ClusterName({ frame }: { readonly frame: Frame | null }) {
  if (frame === null || frame.cluster === null) return null
  const { name, brokers, down } = frame.cluster
  return (
    <span class="soft">
      {name} · {brokers.length} {brokers.length === 1 ? 'broker' : 'brokers'}
      {down.length === 0 ? '' : `, ${down.length} down`}
    </span>
  )
}

const everyMs = 1_000
/** So many looks may be missed before what is shown is called stale. */
const missed = 3

/** How old the figures are. What is stale stays, and is marked as such. */
function Age({
  state: { live, receivedAt, problem },
  isPaused,
}: {
  readonly state: LiveState
  readonly isPaused: boolean
}) {
  const [now, setNow] = useState(performance.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), everyMs)
    return () => clearInterval(timer)
  }, [])
  const frame = live?.frame
  const ageMs = frame === undefined ? 0 : frame.ageMs + Math.max(0, now - receivedAt)
  const isStale = frame !== undefined && ageMs > missed * (frame.cost.everyMs + frame.cost.tookMs) + everyMs
  useEffect(() => {
    document.documentElement.classList.toggle('stale', isStale && !isPaused)
  }, [isStale, isPaused])
  if (frame === undefined) return <span class="soft">{problem?.message ?? 'connecting …'}</span>
  const at = Date.now() - ageMs
  if (isPaused) return <span class="soft">paused, {timeText(ageMs)} old</span>
  if (!isStale && problem === null) {
    return (
      <span class="soft">
        <span class="age">{ageMs < 1_000 ? 'now' : `${timeText(ageMs)} old`}</span>
        <span class="printed">as of {isoOf(at)}</span>
      </span>
    )
  }
  return (
    <span class="watch-text" title={problem?.message}>
      <Sign level="watch" /> stale since {momentOf(at)}
    </span>
  )
}

export function Foot({ frame }: { readonly frame: Frame | null }) {
  if (frame === null) return <footer class="soft">&nbsp;</footer>
  const { cost, failure, watchedMs } = frame
  return (
    <footer class="soft">
      {failure === null ? null : (
        <p class="trouble" role="alert">
          <Sign level="unjudged" /> The last look failed: {failure}
        </p>
      )}
      <p>
        A look took {timeText(cost.tookMs)}; one every {timeText(cost.everyMs)} while somebody watches. Watched for{' '}
        {timeText(watchedMs)}.
      </p>
    </footer>
  )
}
