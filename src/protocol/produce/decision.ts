import { brokerCode, brokerError } from '../../connection/broker-error.js'
import type { RequestError } from '../../connection/request-error.js'
import type { ProducedPartition, RefusedRecord } from '../../connection/requests/produce.js'
import { DriverError, FencedError } from '../../errors.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import type { IdentityRefusal } from './identity.js'
import { produceCode, type ProduceAction, type ProduceCode } from './codes.js'

/** How one attempt to store a batch ended. */
export type AttemptEnd =
  | { readonly kind: 'answered'; readonly answer: ProducedPartition }
  /** The broker answered the request, but not for this partition. */
  | { readonly kind: 'missing' }
  /** acks=0: handed to the socket; no answer will come. */
  | { readonly kind: 'written' }
  | { readonly kind: 'failed'; readonly error: RequestError }

/** What the partition's identity is told: nothing, that the batch stays in doubt, or why a broker refused it. */
export type IdentityNews = 'nothing' | 'doubt' | IdentityRefusal

/** What an attempt's end means for its batch. `reason` is a name from a bounded set, for metrics. */
export type Decision =
  | { readonly next: 'stored'; readonly baseOffset: number | null; readonly logAppendTime: number | null }
  | {
      readonly next: 'send-again'
      readonly refresh: boolean
      readonly identity: 'nothing' | 'lost-state'
      readonly problem: DriverError
      readonly reason: string
    }
  | {
      readonly next: 'give-up'
      readonly identity: IdentityNews
      readonly problem: DriverError | FencedError
      readonly reason: string
      /** The records that the broker has something against. */
      readonly refused?: readonly RefusedRecord[]
    }

export interface ProduceRules {
  readonly idempotent: boolean
  /** Without idempotence: send again what may be stored already. */
  readonly retryInDoubt: boolean
}

/** The broker says that there is no such partition. What only ever got that answer was stored nowhere. */
export function isDenied(end: AttemptEnd): boolean {
  return end.kind === 'answered' && end.answer.errorCode === brokerCode.UNKNOWN_TOPIC_OR_PARTITION
}

/** Could this attempt have put the batch into the log? */
export function mayHaveAppended(end: AttemptEnd): boolean {
  switch (end.kind) {
    case 'answered':
      return produceCode(end.answer.errorCode).appended === 'maybe'
    case 'missing':
    case 'written':
      return true
    case 'failed':
      return end.error.sent === 'maybe'
  }
}

/**
 * @param inDoubtBefore whether an earlier attempt of the same batch may have put it into the log.
 */
export function decide(end: AttemptEnd, inDoubtBefore: boolean, rules: ProduceRules, place: TopicPartition): Decision {
  if (end.kind === 'written') return { next: 'stored', baseOffset: null, logAppendTime: null }
  if (end.kind === 'answered' && isStored(end.answer, inDoubtBefore)) return storedAt(end.answer)

  const inDoubt = inDoubtBefore || mayHaveAppended(end)
  const { action, problem, reason } = describe(end, place)
  const giveUp = (identity: IdentityNews): Decision => ({ next: 'give-up', identity, problem, reason })
  const ifInDoubt = inDoubt ? 'doubt' : 'nothing'
  switch (action) {
    case 'retry':
    case 'refresh':
      if (inDoubt && !rules.idempotent && !rules.retryInDoubt) return giveUp('nothing')
      return { next: 'send-again', refresh: action === 'refresh', identity: 'nothing', problem, reason }
    case 'unlisted':
      if (!rules.idempotent) return giveUp(ifInDoubt)
      return { next: 'send-again', refresh: true, identity: 'nothing', problem, reason }
    case 'lost-state':
    case 'duplicate':
      // The broker's memory and ours differ. A batch that no attempt can have stored is safe to send under a new epoch.
      if (inDoubt || !rules.idempotent) return giveUp('doubt')
      return { next: 'send-again', refresh: false, identity: 'lost-state', problem, reason }
    case 'fenced':
      return { next: 'give-up', identity: 'fenced', problem: fenced(problem), reason }
    case 'fail':
      if (end.kind !== 'answered') return giveUp(ifInDoubt)
      return { next: 'give-up', identity: ifInDoubt, problem, reason, refused: end.answer.recordErrors }
    case 'stored':
      return giveUp(ifInDoubt)
  }
}

/** A duplicate of a batch that was never in doubt is some other batch: believing it would lose this one. */
function isStored({ errorCode }: ProducedPartition, inDoubtBefore: boolean): boolean {
  const { action } = produceCode(errorCode)
  return action === 'stored' || (action === 'duplicate' && inDoubtBefore)
}

function storedAt({ baseOffset, logAppendTime }: ProducedPartition): Decision {
  return {
    next: 'stored',
    baseOffset: baseOffset >= 0 ? baseOffset : null,
    logAppendTime: logAppendTime >= 0 ? logAppendTime : null,
  }
}

interface Description {
  readonly action: ProduceAction
  readonly problem: DriverError
  readonly reason: string
}

function describe(end: Exclude<AttemptEnd, { kind: 'written' }>, { topic, partition }: TopicPartition): Description {
  switch (end.kind) {
    case 'answered': {
      const meaning = produceCode(end.answer.errorCode)
      const problem = describeCode(end.answer, meaning, { topic, partition })
      return { action: meaning.action, problem, reason: problem.code }
    }
    case 'missing': {
      const message = `the broker's answer to a Produce request said nothing about ${topic} partition ${partition}`
      const problem = new DriverError('missing-in-answer', message, { topic, partition, retriable: true })
      return { action: 'refresh', problem, reason: problem.code }
    }
    case 'failed':
      return { action: end.error.retriable ? 'refresh' : 'fail', problem: end.error, reason: end.error.failure }
  }
}

function describeCode(
  { errorCode, errorMessage }: ProducedPartition,
  { action, fix }: ProduceCode,
  { topic, partition }: TopicPartition,
): DriverError {
  const retriable = action !== 'fail' && action !== 'fenced'
  const place = { topic, partition, retriable }
  return brokerError(
    errorCode,
    `storing to ${topic} partition ${partition}${errorMessage === null ? '' : ` (the broker says: ${errorMessage})`}`,
    fix === undefined ? place : { ...place, fix },
  )
}

function fenced(problem: DriverError): FencedError {
  const { topic, partition } = problem
  return new FencedError(problem.code, `${problem.message}; the broker knows a newer epoch of this producer`, {
    cause: problem,
    topic,
    partition,
  })
}
