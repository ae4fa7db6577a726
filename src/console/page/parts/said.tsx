import type { ComponentChildren } from 'preact'
import { timeText } from '../../../text/figures.js'
import type { Verdict } from '../../model/verdict.js'
import type { Problem } from '../ask.js'
import { isoOf, momentOf, unknown } from '../text.js'
import { Sign } from './sign.js'

/** The answer of a view: one sentence, and what to do. */
export function Said({ verdict }: { readonly verdict: Verdict }) {
  return (
    <div class={`said ${verdict.level}`}>
      <p class="sentence" data-sentence>
        <Sign level={verdict.level} /> {verdict.text}
      </p>
      {verdict.action === null ? null : <p class="action">→ {verdict.action}</p>}
    </div>
  )
}

/** What went wrong stays where it belongs; all else goes on. */
export function Trouble({ problem }: { readonly problem: Problem | null }) {
  if (problem === null) return null
  return (
    <p class="trouble" role="alert">
      <Sign level="unjudged" /> {problem.message} <span class="soft">({problem.code})</span>
    </p>
  )
}

/** Nothing there: says so, and what to do next. */
export function Nothing({ text, next }: { readonly text: string; readonly next: ComponentChildren }) {
  return (
    <p class="nothing">
      {text} {next}
    </p>
  )
}

export function Waiting({ what }: { readonly what: string }) {
  return <p class="waiting soft">{what} …</p>
}

/** A figure that nobody knows, with the reason. */
export function Unknown({ why }: { readonly why: string }) {
  return (
    <span class="soft" title={why}>
      <span aria-hidden="true">{unknown}</span>
      <span class="unseen">not known: {why}</span>
    </span>
  )
}

export function Time({ ms, why }: { readonly ms: number | null; readonly why: string }) {
  return ms === null ? <Unknown why={why} /> : <>{ms === 0 ? '0 s' : timeText(ms)}</>
}

/** By the clock of whoever looks; in UTC, by which others can be told, when it is pointed at. */
export function Moment({ at }: { readonly at: number }) {
  const iso = isoOf(at)
  return (
    <time dateTime={iso} title={iso}>
      {momentOf(at)}
    </time>
  )
}
