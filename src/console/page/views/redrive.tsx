import { useState } from 'preact/hooks'
import type { RedriveRequest, RedriveView } from '../../letters/redrives.js'
import type { TopicReader } from '../../model/topic-view.js'
import type { About } from '../../server/app.js'
import { hasToken, problemFrom, useAsked, write, type Problem } from '../ask.js'
import { filterOf, textsOf } from '../letter-filter.js'
import { Command } from '../parts/copy.js'
import { Nothing, Trouble, Waiting } from '../parts/said.js'
import { Sign } from '../parts/sign.js'
import { Title } from '../parts/title.js'
import { Token } from '../parts/token.js'
import { change, hrefOf, linkTo } from '../route.js'
import { Counts, Steps } from './redrive-counts.js'
import { RedriveRun } from './redrive-run.js'

interface Parts {
  readonly topic: string
  readonly query: Readonly<Record<string, string>>
  readonly about: About | null
  /** `null`: not told yet. */
  readonly redrives: readonly RedriveView[] | null
}

/** Choose, dry run, confirm, run, result: where it stands is what the console knows of it, so that it can be left and come back to. */
export function RedrivePage({ topic, query, about, redrives }: Parts) {
  const { id } = query
  const job = redrives?.find((one) => one.id === id && one.topic === topic)
  // What was planned counts, whatever the address says.
  const said = Object.entries(job?.filter ?? filterOf(query)).map(([name, value]) => `${name} ${String(value)}`)
  return (
    <>
      <Title text={`Send letters of ${topic} back`} />
      <Steps state={job?.state ?? null} />
      <p>
        {said.length === 0 ? 'All letters are meant.' : `Meant are letters of ${said.join(', ')}.`}{' '}
        <a href={hrefOf(linkTo('letters', topic), { ...query, id: null })}>Choose others</a>
      </p>
      {id !== undefined && redrives !== null && job === undefined ? <Forgotten /> : null}
      {job?.state === 'running' ? null : (
        <Others running={(redrives ?? []).filter((one) => one.topic === topic && one.state === 'running')} />
      )}
      {about === null || (id !== undefined && redrives === null) ? (
        <Waiting what="Asking what may be done" />
      ) : about.redriveTo.length === 0 ? (
        <Refused topic={topic} />
      ) : job === undefined ? (
        <Choose topic={topic} query={query} about={about} />
      ) : (
        <Planned job={job} />
      )}
    </>
  )
}

/** Its console has ended, or has planned many others since. What it sent is known by its group, which another dry run asks. */
function Forgotten() {
  return (
    <p class="trouble">
      <Sign level="watch" /> This console does not know the redrive of this address: it was started anew since then. If
      it was running, it has stopped. The same dry run tells what it has done, and goes on from there.
    </p>
  )
}

/** Of one topic one runs at a time; who comes by another page should know before counting anything. */
function Others({ running }: { readonly running: readonly RedriveView[] }) {
  return (
    <>
      {running.map(({ id, topic, filter, to }) => (
        <p key={id}>
          <Sign level="watch" />{' '}
          <a href={hrefOf(linkTo('redrive', topic), { ...textsOf(filter), id })}>
            A redrive to {to.join(', ')} is running
          </a>
          : another one has to wait for its end.
        </p>
      ))}
    </>
  )
}

function Refused({ topic }: { readonly topic: string }) {
  return (
    <Nothing
      text="This console may send nothing back: it was started without --redrive-to."
      next={
        <>
          Start it with the topics that letters may go to, or look first with{' '}
          <Command text={`tidemark dlq redrive ${topic} --allow <topic> --group <name> --dry-run`} />
        </>
      }
    />
  )
}

function Choose({ topic, query, about }: Omit<Parts, 'redrives' | 'about'> & { readonly about: About }) {
  const [to, setTo] = useState<readonly string[]>(about.redriveTo.length === 1 ? about.redriveTo : [])
  const [perSecond, setPerSecond] = useState('')
  const [problem, setProblem] = useState<Problem | null>(null)
  const [isAsking, setAsking] = useState(false)
  const [, setTokens] = useState(0)
  if (!hasToken()) return <Token onToken={() => setTokens((before) => before + 1)} />
  const plan = (event: Event) => {
    event.preventDefault()
    setAsking(true)
    const rate = perSecond === '' ? {} : { perSecond: Number(perSecond) }
    const asked: RedriveRequest = { topic, to: [...to], filter: filterOf(query), ...rate }
    write<RedriveView>('api/redrives', asked)
      .then(
        ({ id }) => change({ id }),
        (error: unknown) => setProblem(problemFrom(error)),
      )
      .finally(() => setAsking(false))
  }
  const choose = (name: string, isChosen: boolean) =>
    setTo(isChosen ? [...to, name] : to.filter((other) => other !== name))
  return (
    <form onSubmit={plan}>
      <fieldset>
        <legend>Topics that they may go back to</legend>
        {about.redriveTo.map((name) => (
          <label class="check" key={name}>
            <input
              type="checkbox"
              checked={to.includes(name)}
              onChange={({ currentTarget }) => choose(name, currentTarget.checked)}
            />
            {name}
          </label>
        ))}
        <p class="soft">
          Each letter goes to the topic it came from, if it is one of these; all groups of that topic see it again.
        </p>
      </fieldset>
      <label class="field">
        Most letters in a second (empty: as fast as it goes)
        <input
          type="number"
          min="1"
          max="100000"
          value={perSecond}
          onInput={({ currentTarget }) => setPerSecond(currentTarget.value)}
        />
      </label>
      <p>
        <button type="submit" disabled={isAsking || to.length === 0}>
          {isAsking ? 'Counting …' : 'Dry run: count, and send nothing'}
        </button>
      </p>
      <Trouble problem={problem} />
    </form>
  )
}

function Planned({ job }: { readonly job: RedriveView }) {
  return (
    <>
      <Counts title="Dry run" counts={job.plan} to={job.to} />
      {Object.keys(job.plan.toTopics).map((topic) => (
        <Readers key={topic} topic={topic} />
      ))}
      <RedriveRun job={job} />
    </>
  )
}

/** Who sees it again: all of them, and not only the one that failed. */
function Readers({ topic }: { readonly topic: string }) {
  const { value, problem } = useAsked<readonly TopicReader[]>('api/readers', { topic })
  if (value === null) return <Trouble problem={problem} />
  const isRead = value.length > 0
  return (
    <p>
      {topic} is read by{' '}
      {isRead
        ? value.map(({ group, link }, index) => (
            <span key={group}>
              {index === 0 ? '' : ', '}
              <a href={hrefOf(link)}>{group}</a>
            </span>
          ))
        : 'no group that has committed there'}
      {isRead ? ': all of them see the letters again.' : '.'}
    </p>
  )
}
