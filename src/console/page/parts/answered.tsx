import type { Verdict } from '../../model/verdict.js'
import type { Problem } from '../ask.js'
import { Said, Trouble, Waiting } from './said.js'
import { Title } from './title.js'

interface Parts {
  readonly title: string
  /** What is told until there is an answer. */
  readonly waiting: string
  /** `null` until there is one. */
  readonly verdict: Verdict | null
  readonly problem: Problem | null
}

/** The head of a view that is asked for: what it is, and the sentence of its answer, or why there is none. */
export function Answered({ title, waiting, verdict, problem }: Parts) {
  return (
    <>
      <Title text={title} level={verdict?.level} />
      {verdict !== null ? <Said verdict={verdict} /> : problem === null ? <Waiting what={waiting} /> : null}
      <Trouble problem={problem} />
    </>
  )
}
