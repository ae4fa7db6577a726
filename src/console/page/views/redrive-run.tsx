import { useState } from 'preact/hooks'
import { timeText } from '../../../text/figures.js'
import type { RedriveView } from '../../letters/redrives.js'
import { hasToken, problemFrom, write, type Problem } from '../ask.js'
import { Said, Trouble } from '../parts/said.js'
import { Sign } from '../parts/sign.js'
import { Token } from '../parts/token.js'
import { change } from '../route.js'
import { countOf, plural } from '../text.js'
import { Counts } from './redrive-counts.js'

/** What was planned, from the confirmation to the result. */
export function RedriveRun({ job }: { readonly job: RedriveView }) {
  const [problem, setProblem] = useState<Problem | null>(null)
  const ask = (path: string, body: object) => {
    setProblem(null)
    write<RedriveView>(`api/redrives/${job.id}/${path}`, body).catch((error: unknown) => setProblem(problemFrom(error)))
  }
  return (
    <>
      {job.state === 'planned' ? <WaitsFor what={job.plan.waitsFor} /> : null}
      {job.state === 'planned' ? <Confirm job={job} onConfirm={(confirm) => ask('run', { confirm })} /> : null}
      {job.state === 'running' ? <Running job={job} onStop={() => ask('stop', {})} /> : null}
      {job.state === 'done' || job.state === 'aborted' || job.state === 'failed' ? <Ended job={job} /> : null}
      <Trouble problem={problem} />
    </>
  )
}

function Confirm({ job, onConfirm }: { readonly job: RedriveView; readonly onConfirm: (topic: string) => void }) {
  const [typed, setTyped] = useState('')
  const [, setTokens] = useState(0)
  const { redriven } = job.plan
  if (redriven === 0) {
    return (
      <p class="nothing">
        Nothing would be sent.{' '}
        <button type="button" onClick={() => change({ id: null })}>
          Choose again
        </button>
      </p>
    )
  }
  if (!hasToken()) return <Token onToken={() => setTokens((before) => before + 1)} />
  const confirm = (event: Event) => {
    event.preventDefault()
    onConfirm(typed)
  }
  return (
    <form onSubmit={confirm} class="confirm">
      <label class="field">
        Type {job.topic} to send {plural(redriven, 'letter')}
        <input
          autocomplete="off"
          spellcheck={false}
          value={typed}
          onInput={({ currentTarget }) => setTyped(currentTarget.value)}
        />
      </label>
      <button type="submit" disabled={typed !== job.topic} class="write">
        Send {plural(redriven, 'letter')}
      </button>
      <button type="button" onClick={() => change({ id: null })}>
        Choose again
      </button>
    </form>
  )
}

function Running({ job, onStop }: { readonly job: RedriveView; readonly onStop: () => void }) {
  const { plan, progress } = job
  const all = plan.redriven + plan.parked
  const done = (progress?.redriven ?? 0) + (progress?.parked ?? 0)
  return (
    <section aria-label="Progress">
      <h2>Sending</h2>
      <p>
        <progress value={done} max={Math.max(1, all)} aria-label={`${countOf(done)} of ${countOf(all)} letters sent`} />{' '}
        <strong>
          {countOf(done)} of {countOf(all)}
        </strong>
        {progress === null ? '' : `, ${timeText(progress.elapsedMs)}`}
      </p>
      <WaitsFor what={(progress ?? plan).waitsFor} />
      <p>
        <button type="button" onClick={onStop}>
          Stop
        </button>{' '}
        <span class="soft">What is on its way is finished, and the place is kept: the same redrive goes on there.</span>
      </p>
    </section>
  )
}

/** Told before as well, since it may keep letters from going. */
function WaitsFor({ what }: { readonly what: string | null }) {
  if (what === null) return null
  return (
    <p role="status">
      <Sign level="watch" /> Letters wait for {what}.
    </p>
  )
}

function Ended({ job }: { readonly job: RedriveView }) {
  const { state, progress, failure, topic } = job
  const sent = plural(progress?.redriven ?? 0, 'letter')
  const verdict =
    state === 'done'
      ? { level: 'ok' as const, text: `${sent} of ${topic} sent back and stored.`, action: null }
      : state === 'aborted'
        ? {
            level: 'watch' as const,
            text: `Stopped after ${sent}; the same redrive goes on there.`,
            action: 'make the same dry run again to go on',
          }
        : {
            level: 'act' as const,
            text: `Ended after ${sent}: ${failure ?? 'it cannot go on'}`,
            action: 'mend the cause, then make the same dry run again: it goes on there',
          }
  return (
    <>
      <Said verdict={verdict} />
      {progress === null ? null : <Counts title="Result" counts={progress} to={job.to} />}
      <p>
        <button type="button" onClick={() => change({ id: null })}>
          Another dry run
        </button>
      </p>
    </>
  )
}
