import type { Command } from 'commander'
import { chooseProfile, type ProfileAnswers, type ProfileChoice } from '../../config/choose-profile.js'
import { wholeFrom } from '../arguments.js'
import type { Paint } from '../paint.js'
import type { Report } from '../report.js'
import type { Execute, Session } from '../session.js'
import { listing } from '../table.js'

type Question = Exclude<keyof ProfileAnswers, 'replicationFactor'>

const questions: Readonly<Record<Question, string>> = {
  atomicOutputs: 'Must several outputs, or outputs and the consumed offsets, take effect together',
  lossTolerated: 'May a message that was confirmed be lost when a broker dies',
  repeatsTolerated: 'May a message be stored twice',
  confirmationNeedless: 'Is it enough to hand messages over, without hearing that they arrived',
  effectsOutsideKafka: 'Does handling a message change something outside Kafka, such as a database',
}

interface Options extends Partial<Record<Question, boolean>> {
  readonly replicas?: number | undefined
}

export function addProfile(program: Command, execute: Execute): void {
  program
    .command('profile')
    .description('which profile fits, and why: by options, or by questions on a terminal; asks no cluster')
    .option('--atomic-outputs', 'outputs must take effect together')
    .option('--loss-tolerated', 'a confirmed message may be lost when a broker dies')
    .option('--repeats-tolerated', 'a message may be stored twice')
    .option('--confirmation-needless', 'nobody needs to hear that messages arrived')
    .option('--effects-outside-kafka', 'handling changes something outside Kafka')
    .option('--replicas <count>', 'copies of each partition', wholeFrom(1))
    .action((options: Options) => execute((session) => profileFor(session, options)))
}

async function profileFor(session: Session, { replicas, ...given }: Options): Promise<Report> {
  const isAsked = Object.keys(given).length === 0 && session.terminal.isInteractive && !session.json
  const answers = isAsked ? await asked(session) : given
  const choice = chooseProfile({ ...answers, replicationFactor: replicas })
  return { value: { answers, ...choice }, text: (paint) => choiceText(paint, choice) }
}

/** What is not answered with yes is no, the safer answer. */
async function asked({ terminal, signal }: Session): Promise<ProfileAnswers> {
  const answers: Partial<Record<Question, boolean>> = {}
  for (const [name, question] of Object.entries(questions) as [Question, string][]) {
    // Where outputs go together, loss and doubt are settled by that.
    if (answers.atomicOutputs && name !== 'effectsOutsideKafka') continue
    if (name === 'confirmationNeedless' && !answers.lossTolerated) continue
    answers[name] = /^y(es)?$/i.test((await terminal.ask(`${question}? (yes/no) `, signal)).trim())
  }
  return answers
}

function choiceText(paint: Paint, { base, overrides, profile, reasons, cautions }: ProfileChoice): string {
  const changed = Object.entries(overrides).map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
  const code =
    changed.length === 0
      ? `createMessaging({ driver, profile: '${base}' })`
      : `createMessaging({ driver, profile: defineProfile('${base}', { ${changed.join(', ')} }) })`
  return [
    listing(paint, [
      ['profile', { text: changed.length === 0 ? base : `${base}, changed`, tone: 'title' }],
      ['promise', profile.guarantee],
      ['too few replicas', profile.tooFewReplicas],
    ]),
    reasons.map((reason) => `because ${reason}\n`).join(''),
    cautions.map((caution) => `${paint('warning', 'mind')} ${caution}\n`).join(''),
    `${code}\n`,
  ]
    .filter((part) => part !== '')
    .join('\n')
}
