import type { RedriveState } from '../../letters/redrives.js'
import type { RefusalReason } from '../../../redrive/refusal.js'
import type { RedriveProgress, RedriveSummary } from '../../../redrive/tally.js'
import { Fact } from '../parts/fact.js'
import { countOf } from '../text.js'

const steps = ['choose', 'dry run', 'confirm', 'run', 'result'] as const

export function Steps({ state }: { readonly state: RedriveState | null }) {
  const now = state === null ? 0 : state === 'planned' ? 2 : state === 'running' ? 3 : 4
  return (
    <ol class="steps" aria-label="Steps">
      {steps.map((step, index) => (
        <li key={step} aria-current={index === now ? 'step' : undefined} class={index < now ? 'done' : ''}>
          {step}
        </li>
      ))}
    </ol>
  )
}

const refusals: Readonly<Record<RefusalReason, string>> = {
  outside: 'their topic is not allowed',
  'no-origin': 'no header tells where they came from',
  gone: 'what they came from is not there any more',
  hops: 'they came back too often',
  'not-taken': 'their topic does not take them',
}

interface Parts {
  readonly title: string
  readonly counts: RedriveProgress | RedriveSummary
  readonly to: readonly string[]
}

/** What would be, or was, done with letters. */
export function Counts({ title, counts, to }: Parts) {
  const { dryRun, redriven, toTopics, refused, notSelected, parked, inDoubt } = counts
  const passedBefore = 'passedBefore' in counts ? counts.passedBefore : 0
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      <dl class="facts">
        <Fact name={dryRun ? 'Would be sent' : 'Sent and stored'}>
          <strong>{countOf(redriven)}</strong>
        </Fact>
        {Object.entries(toTopics).map(([topic, count]) => (
          <Fact key={topic} name={`To ${topic}`}>
            {countOf(count)}
          </Fact>
        ))}
        {Object.entries(refused).map(([reason, count]) => (
          <Fact key={reason} name={`Stay: ${refusals[reason as RefusalReason] ?? reason}`}>
            {countOf(count)}
          </Fact>
        ))}
        {notSelected === 0 ? null : <Fact name="Not meant">{countOf(notSelected)}</Fact>}
        {passedBefore === 0 ? null : <Fact name="Done by former runs">{countOf(passedBefore)}</Fact>}
        {parked === 0 ? null : <Fact name="Parked">{countOf(parked)}</Fact>}
        {inDoubt === 0 ? null : <Fact name="Perhaps sent twice">{countOf(inDoubt)}</Fact>}
        <Fact name="Allowed">{to.join(', ')}</Fact>
      </dl>
    </section>
  )
}
