import { flag, optionProblem, wholeNumber, type Rules } from '../input/option-rules.js'
import { defineProfile, type ProfileOverrides } from './define-profile.js'
import type { Profile, ProfileName } from './profiles.js'

/** What must be known to choose. Where an answer is left out, the safer one is taken. */
export interface ProfileAnswers {
  /** May a message that was confirmed be lost when a broker dies? Default: no. */
  readonly lossTolerated?: boolean | undefined
  /** May a message be stored twice, because its readers drop repeats or do not mind them? Default: no. */
  readonly repeatsTolerated?: boolean | undefined
  /** Must several outputs, or outputs and the consumed offsets, take effect together? Default: no. */
  readonly atomicOutputs?: boolean | undefined
  /** Does handling a record change something outside Kafka, such as a database or a mailbox? Default: no. */
  readonly effectsOutsideKafka?: boolean | undefined
  /** Is it enough to hand messages over, without hearing that they arrived? Default: no. */
  readonly confirmationNeedless?: boolean | undefined
  /** Copies of each partition. Default: not known. */
  readonly replicationFactor?: number | undefined
}

/** What `chooseProfile` found: a profile, and why. */
export interface ProfileChoice {
  readonly base: ProfileName
  readonly overrides: ProfileOverrides
  /** The base with the overrides. */
  readonly profile: Profile
  /** The answers that decided, and what follows from them. */
  readonly reasons: readonly string[]
  /** What the profile cannot do by itself. */
  readonly cautions: readonly string[]
}

const answerRules: Rules<ProfileAnswers> = {
  lossTolerated: flag,
  repeatsTolerated: flag,
  atomicOutputs: flag,
  effectsOutsideKafka: flag,
  confirmationNeedless: flag,
  replicationFactor: wholeNumber(1),
}

/** The decision tree of the guide: answers in, a profile with its reasons out. Throws `ConfigError` on what is no answer. */
export function chooseProfile(answers: ProfileAnswers): ProfileChoice {
  const problem = optionProblem('chooseProfile', answers, answerRules)
  if (problem !== null) throw problem
  const decision = decide(answers)
  return {
    ...decision,
    profile: defineProfile(decision.base, decision.overrides),
    cautions: [...readerCautions(decision.base, answers), ...clusterCautions(decision.base, answers)],
  }
}

type Decision = Pick<ProfileChoice, 'base' | 'overrides' | 'reasons'>

function decide(answers: ProfileAnswers): Decision {
  if (answers.atomicOutputs) return decideTransactional(answers)
  if (answers.lossTolerated) return decideAvailable(answers)
  const reasons = ['a confirmed message must not be lost: every in-sync replica has it before the send resolves']
  return {
    base: 'cp',
    overrides: {},
    reasons: [...reasons, 'repeats are dropped by the broker: the producer is idempotent'],
  }
}

function decideTransactional({ lossTolerated }: ProfileAnswers): Decision {
  const reasons = ['outputs must take effect together: only a transaction does that']
  if (lossTolerated) reasons.push('that loss is tolerated changes nothing: transactions need acks from all replicas')
  return { base: 'transactional', overrides: {}, reasons }
}

function decideAvailable({ repeatsTolerated, confirmationNeedless }: ProfileAnswers): Decision {
  const reasons = ['loss is tolerated: the leader alone confirms, and writes go on while replicas are missing']
  if (confirmationNeedless) {
    return {
      base: 'ap',
      overrides: { acks: 0, ...(repeatsTolerated ? {} : { retryInDoubt: false }) },
      reasons: [...reasons, 'nobody waits for a confirmation: acks 0 sends and forgets'],
    }
  }
  if (repeatsTolerated) {
    return { base: 'ap', overrides: {}, reasons: [...reasons, 'repeats are tolerated: doubt is retried'] }
  }
  return {
    base: 'ap',
    overrides: { retryInDoubt: false },
    reasons: [...reasons, 'repeats are not tolerated: doubt is reported as unknown instead of retried'],
  }
}

function readerCautions(base: ProfileName, { repeatsTolerated, effectsOutsideKafka }: ProfileAnswers): string[] {
  if (effectsOutsideKafka && base === 'transactional') {
    return [
      'a transaction ends at Kafka’s border: make the effect outside idempotent, for example by the id of the message',
    ]
  }
  if (!repeatsTolerated && base !== 'transactional') {
    return ['a handler may see a record again after a crash: make it idempotent, or drop repeats by id']
  }
  return []
}

function clusterCautions(base: ProfileName, { replicationFactor }: ProfileAnswers): string[] {
  if (base === 'ap' || replicationFactor === undefined || replicationFactor >= 3) return []
  return [
    replicationFactor === 1
      ? 'with one copy of a partition nothing survives the loss of its disk: make topics with replication factor 3'
      : 'with two copies either a lost broker stops writes or one copy confirms alone: make topics with replication factor 3',
  ]
}
