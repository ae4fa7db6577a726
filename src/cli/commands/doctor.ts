import type { Command } from 'commander'
import { thrownText } from '../../runtime/thrown.js'
import { examine, type ExaminationParts } from '../../doctor/examine.js'
import { diagnose, type Finding } from '../../doctor/rules.js'
import { singleBrokerText, type Diagnosis } from '../../console/model/topic-view.js'
import { exitCode } from '../exit-code.js'
import type { Paint } from '../paint.js'
import { printable } from '../../text/printable.js'
import type { OnProgress } from '../progress.js'
import type { Report } from '../report.js'
import type { Execute, Session } from '../session.js'

export function addDoctor(program: Command, execute: Execute): void {
  program
    .command('doctor')
    .description('whether the cluster keeps what the profile promises; ends with 1 when anything is found')
    .argument('[topics...]', 'default: those of tidemark.config.ts, else all topics')
    .action((topics: readonly string[]) => execute((session) => examineAll(session, topics)))
}

async function examineAll(session: Session, named: readonly string[]): Promise<Report> {
  const diagnosis = await session.watched('topics looked at', (onProgress) => diagnosisOf(session, named, onProgress))
  const { profile, isSingleBroker, topics, findings, unseen } = diagnosis
  return {
    value: diagnosis,
    text: (paint) =>
      [
        ...findings.map((finding) => findingText(paint, finding)),
        ...unseen.map(({ what, why }) => `${paint('warning', 'not seen')} ${printable(`${what}: ${why}`)}\n`),
        summaryText(paint, findings, `${topics.length} topic(s) under profile ${printable(profile)}`),
        ...(isSingleBroker ? [`${singleBrokerText}\n`] : []),
      ].join('\n'),
    exit: findings.length + unseen.length === 0 ? exitCode.fine : exitCode.found,
  }
}

/** What is found of these topics; of none named: of those of the file, else of all. */
export async function diagnosisOf(
  session: Session,
  named: readonly string[],
  onProgress?: OnProgress,
): Promise<Diagnosis> {
  const { facts, unseen } = await examine({ ...(await partsOf(session)), onProgress }, named)
  return {
    profile: facts.profile,
    isSingleBroker: facts.needs !== null && facts.cluster.brokers.length === 1,
    topics: facts.topics.map(({ name }) => name),
    findings: diagnose(facts),
    unseen: unseen.map(({ what, error }) => ({ what, why: thrownText(error).message })),
  }
}

async function partsOf(session: Session): Promise<ExaminationParts> {
  const { messaging: settings } = await session.settings()
  const { topics: defined = [] } = await session.file()
  return { ...(await session.reading()), profile: settings.profile, defined }
}

function findingText(paint: Paint, { code, severity, subject, reason, fix }: Finding): string {
  const tone = severity === 'error' ? 'bad' : 'warning'
  return (
    `${paint(tone, severity)} ${paint('title', code)} ${printable(subject)}\n` +
    `  ${printable(reason)}\n  ${paint('quiet', 'mend:')} ${printable(fix)}\n`
  )
}

function summaryText(paint: Paint, findings: readonly Finding[], looked: string): string {
  const errors = findings.filter(({ severity }) => severity === 'error').length
  const text =
    findings.length === 0
      ? paint('good', 'nothing found')
      : `${errors} error(s), ${findings.length - errors} warning(s)`
  return `Looked at ${looked}: ${text}.\n`
}
