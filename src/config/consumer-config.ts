import { z } from 'zod'
import type { ConsumerOptions } from '../consumer/options/consumer-options.js'
import {
  checkTogether,
  consumerShape,
  withDependentDefaults,
  type ResolvedConsumerOptions,
} from '../consumer/options/consumer-schema.js'
import type { DedupeSettings } from '../dedupe/deduped-delivery.js'
import type { DedupeStore } from '../dedupe/dedupe-store.js'
import { given } from '../input/given.js'
import { isRecord } from '../input/shapes.js'
import type { ReorderOptions, ResolvedReorder } from '../reorder/reorder-options.js'
import type { Topic } from '../topic/topic.js'
import type { MemberTransactionsSettings } from '../transaction/member.js'
import {
  deadLetterOption,
  resolveDeadLetter,
  type DeadLetterOptions,
  type ResolvedDeadLetter,
} from './dead-letter-option.js'
import { checkDedupe, dedupeOption, resolveDedupe, type DedupeOptions } from './dedupe-option.js'
import { profileOf } from './define-profile.js'
import { groupProtocolOf } from './group-protocol-option.js'
import { checkReorder, reorderOption } from './reorder-option.js'
import { checkRetryLater, resolveRetryLater, retryLaterOption, type ResolvedRetryLater } from './retry-later-option.js'
import type { Profile, ProfileName } from './profiles.js'
import { requireObject, resolveOptions } from './resolve-options.js'
import { resolveTransaction, transactionOption, type ConsumerTransactionOptions } from './transaction-option.js'

/** Options of `messaging.consumer`. */
export type MessagingConsumerOptions<Topics extends readonly Topic[] = readonly Topic[]> = ConsumerOptions<Topics> & {
  /**
   * Topic that takes records whose handling failed, with their bytes as they were and headers that say why. Without it
   * such a record stops its partition, visibly.
   */
  readonly deadLetter?: string | Topic | DeadLetterOptions | undefined
  /**
   * Repeats are dropped: what this store knows as handled does not come to the handler again. A store, or
   * `{ store, scope, identity, timeoutMs }`. While the store is down nothing is handled. See the guide of once-only effects.
   */
  readonly dedupe?: DedupeStore | DedupeOptions | undefined
  /**
   * Handles the records of all partitions in the order of event time, one after another, with late records apart. What is kept
   * back is not committed. Default: each partition in the order of its log. Docs: guides/event-time.md.
   */
  readonly reorder?: ReorderOptions | undefined
  /** Under the profile `transactional`: how work is cut into transactions. */
  readonly transaction?: ConsumerTransactionOptions | undefined
  /**
   * Where a record that failed in place waits to be tried again, while its partition goes on: delay topics named
   * `<topic>.retry.<group>.<delay>`, which this consumer reads along. Behind the last delay comes the dead letter. They must
   * exist with as many partitions as their topic: `ensureTopics(consumer.delayTopics)`.
   */
  readonly retryLater?:
    | {
        /** Rising, in ms or as text: `['1m', '10m']`. How often a record may be put off. */
        readonly delays: readonly (number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`)[]
        /**
         * `key` (default): records of a key stay in order, what follows one that is put off waits behind it in the delay
         * topic; others go on. `none`: the partition goes on, the key too.
         */
        readonly order?: 'key' | 'none' | undefined
        /** Stands in the names of the topics instead of the group; no other consumer may have the same. */
        readonly name?: string | undefined
      }
    | undefined
  /** Default: the profile of the messaging it is made by. */
  readonly profile?: ProfileName | Profile | undefined
}

/** Checks, defaults and descriptions of {@link MessagingConsumerOptions}; the profile fills in what it settles. */
export const messagingConsumerSchema = z
  .strictObject({
    ...consumerShape,
    deadLetter: deadLetterOption,
    dedupe: dedupeOption,
    reorder: reorderOption,
    transaction: transactionOption,
    retryLater: retryLaterOption,
  })
  .superRefine(checkTogether)
  .superRefine(checkDedupe)
  .superRefine(checkReorder)
  .superRefine(checkRetryLater)

/** What the parts of a consumer are made from. */
export interface ConsumerConfig {
  readonly profile: Profile
  readonly options: ResolvedConsumerOptions
  readonly deadLetter: ResolvedDeadLetter | null
  /** `null`: whatever comes is handled. */
  readonly dedupe: DedupeSettings | null
  readonly reorder: ResolvedReorder | null
  /** `null`: without transactions. */
  readonly transaction: MemberTransactionsSettings | null
  readonly retryLater: ResolvedRetryLater | null
  /** Options for which `auto` takes the classic group protocol. */
  readonly classicFor: readonly string[]
}

/** The profile's settings, overridden by the options. Throws `ConfigError` with every problem. */
export function resolveConsumerOptions<Topics extends readonly Topic[]>(
  input: MessagingConsumerOptions<Topics>,
  inherited: Profile,
  groupProtocol: ResolvedConsumerOptions['groupProtocol'] = 'classic',
): ConsumerConfig {
  requireObject('consumer', input)
  const { profile, ...options } = given(input)
  const chosen = profile === undefined ? inherited : profileOf(profile)
  const { isolation, onOutOfRange, commitEveryMs, breaksFloods } = chosen.consumer
  const settled = { isolation, onOutOfRange }
  const subject = typeof options.group === 'string' ? `consumer "${options.group}"` : 'consumer'
  const {
    deadLetter,
    dedupe,
    reorder = null,
    transaction,
    retryLater,
    ...resolved
  } = resolveOptions(
    subject,
    messagingConsumerSchema,
    withDependentDefaults({
      ...settled,
      groupProtocol,
      ...options,
      commit: commitOf(options.commit, commitEveryMs),
    }),
  )
  const protocol = groupProtocolOf(subject, options, groupProtocol)
  return {
    profile: chosen,
    options: { ...resolved, groupProtocol: protocol.groupProtocol },
    classicFor: protocol.classicFor,
    deadLetter: resolveDeadLetter(deadLetter, breaksFloods),
    dedupe: resolveDedupe(dedupe, resolved.group),
    reorder,
    transaction: resolveTransaction(subject, chosen, resolved, transaction, retryLater, options),
    retryLater: resolveRetryLater(retryLater, resolved.group, resolved.topics, resolved.order),
  }
}

/** How often the profile commits stays its own say where only the number of messages was given. */
function commitOf(commit: unknown, every: number | 'closely'): unknown {
  if (commit === undefined) return every === 'closely' ? every : { everyMs: every }
  return isRecord(commit) && every !== 'closely' ? { everyMs: every, ...given(commit) } : commit
}
