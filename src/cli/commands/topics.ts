import type { Command } from 'commander'
import { carryOut, type ChangeOptions } from '../change.js'
import { exitCode } from '../exit-code.js'
import type { Paint } from '../paint.js'
import type { Report } from '../report.js'
import type { Execute, Session } from '../session.js'
import { addTopicsElect } from './topics-elect.js'
import { isChange, planTopics, topicsText, type TopicPlan } from './topics-plan.js'

export function addTopics(program: Command, execute: Execute): void {
  const topics = program.command('topics').description('topics as tidemark.config.ts defines them, and as they are')
  topics
    .command('plan')
    .description('what apply would do; ends with 1 when anything is otherwise than defined')
    .action(() => execute(showPlan))
  topics
    .command('apply')
    .description('makes topics, adds partitions, raises settings; deletes nothing and lowers nothing')
    .option('-y, --yes', 'do not ask')
    .action((options: Pick<ChangeOptions, 'yes'>) => execute((session) => applyPlan(session, options)))
  addTopicsElect(topics, execute)
}

async function showPlan(session: Session): Promise<Report> {
  const topics = await planTopics(session)
  const isAsDefined = topics.every((topic) => !isChange(topic) && topic.differences.length === 0)
  return {
    value: { applied: false, topics },
    text: (paint) => topicsText(paint, topics),
    exit: isAsDefined ? exitCode.fine : exitCode.found,
  }
}

async function applyPlan(session: Session, options: Pick<ChangeOptions, 'yes'>): Promise<Report> {
  const topics = await planTopics(session)
  const changes = topics.filter(isChange)
  const shown = (paint: Paint) => topicsText(paint, topics)
  return carryOut(session, options, {
    isEmpty: changes.length === 0,
    question: `change ${changes.length} topic(s)`,
    plan: shown,
    work: () => makeAll(session, changes),
    report: (done) => ({
      value: { applied: done !== null, topics },
      text: (paint) => `${shown(paint)}\n${done === null ? 'Nothing to do.' : 'Done.'}\n`,
      exit: topics.every(({ differences }) => differences.length === 0) ? exitCode.fine : exitCode.found,
    }),
  })
}

/** One after the other, each told when it is done: what an error or an interruption leaves out the next plan shows. */
async function makeAll(session: Session, changes: readonly TopicPlan[]): Promise<void> {
  const { admin } = await session.cluster()
  const { call } = session
  const made = changes.flatMap(({ topic, create }) => (create === null ? [] : [{ name: topic, ...create }]))
  if (made.length > 0) {
    await session.change(() => admin.createTopics(made, call))
    session.note(`made ${made.map(({ name }) => name).join(', ')}`)
  }
  for (const { topic, addPartitions, alter } of changes) {
    if (addPartitions !== null) {
      await session.change(() => admin.createPartitions(topic, addPartitions.to, call))
      session.note(`${topic} has ${addPartitions.to} partitions`)
    }
    if (alter.length === 0) continue
    const settings = Object.fromEntries(alter.map(({ name, to }) => [name, to]))
    await session.change(() => admin.alterConfig('topic', topic, settings, call))
    session.note(`${topic} has ${alter.map(({ name, to }) => `${name}=${to}`).join(', ')}`)
  }
}
