import type { IsolationLevel } from '../connection/requests/fetch.js'
import type { BrokerNeeds } from '../operations/durability.js'

/** More may come. */
export type ProfileName = 'ap' | 'cp' | 'transactional'

/** What a profile settles for producers. */
export interface ProducerProfile {
  /** Who must have a record before it counts as stored: -1 every in-sync replica, 1 the leader, 0 nobody. */
  readonly acks: -1 | 0 | 1
  /** The broker drops repeats of a batch. */
  readonly idempotent: boolean
  /** Without idempotence: send a batch again whose fate is unknown (true), or report it `unknown` (false). */
  readonly retryInDoubt: boolean
  /** From `send` to its last word, retries included. */
  readonly deliveryTimeoutMs: number
  readonly transactional: boolean
  /** After this long the broker aborts a transaction that was not ended; `null` without transactions. */
  readonly transactionTimeoutMs: number | null
}

/** What a profile settles for consumers. */
export interface ConsumerProfile {
  readonly delivery: 'at-least-once' | 'exactly-once'
  readonly isolation: IsolationLevel
  /** Settled work is committed at least this often; `closely`: as soon as coordinators bear, at most every 100 ms. */
  readonly commitEveryMs: number | 'closely'
  readonly onOutOfRange: 'stop' | 'earliest' | 'latest'
  /** A partition whose dead letters are a flood stops. */
  readonly breaksFloods: boolean
}

/** A named set of settings together with what it promises. Plain data. */
export interface Profile {
  readonly name: string
  /** What holds with these settings, for people. */
  readonly guarantee: string
  /** What happens when fewer replicas are in sync than the topic asks for. */
  readonly tooFewReplicas: string
  /** What it is meant for. */
  readonly fits: readonly string[]
  readonly producer: ProducerProfile
  readonly consumer: ConsumerProfile
  /** What to do about topics that are written and not kept as the promise needs it; topics that are read are warned of. */
  readonly durability: 'refuse' | 'warn' | 'off'
  /** `null`: asks nothing. */
  readonly brokerNeeds: BrokerNeeds | null
  /** Settings the promise rests on; `defineProfile` changes them only with `unsafe: true`. */
  readonly promiseKeys: readonly (keyof ProducerProfile | keyof ConsumerProfile)[]
}

const replicated: BrokerNeeds = { minReplicationFactor: 3, minInsyncReplicas: 2, uncleanLeaderElection: false }

const ap: Profile = {
  name: 'ap',
  guarantee:
    'A send that resolved is on the leader; it is lost if the leader dies before its followers copied it. ' +
    'Doubt is retried, so a record may be stored twice or late. ' +
    'Records are handled at least once.',
  tooFewReplicas: 'writes go on',
  fits: ['logs', 'metrics', 'click streams'],
  producer: {
    acks: 1,
    idempotent: false,
    retryInDoubt: true,
    deliveryTimeoutMs: 30_000,
    transactional: false,
    transactionTimeoutMs: null,
  },
  consumer: {
    delivery: 'at-least-once',
    isolation: 'read-uncommitted',
    commitEveryMs: 5_000,
    onOutOfRange: 'earliest',
    breaksFloods: false,
  },
  durability: 'off',
  brokerNeeds: null,
  promiseKeys: [],
}

const cp: Profile = {
  name: 'cp',
  guarantee:
    'A send that resolved is on every in-sync replica, once, in order per key; what is not known to be stored is ' +
    'reported as not stored or unknown. ' +
    'Records are handled at least once, and only settled work is committed.',
  tooFewReplicas: 'sends wait, then fail at the delivery deadline',
  fits: ['alarms', 'orders'],
  producer: {
    acks: -1,
    idempotent: true,
    retryInDoubt: true,
    deliveryTimeoutMs: 120_000,
    transactional: false,
    transactionTimeoutMs: null,
  },
  consumer: {
    delivery: 'at-least-once',
    isolation: 'read-uncommitted',
    commitEveryMs: 'closely',
    onOutOfRange: 'stop',
    breaksFloods: true,
  },
  durability: 'refuse',
  brokerNeeds: replicated,
  promiseKeys: ['acks', 'idempotent'],
}

const transactional: Profile = {
  name: 'transactional',
  guarantee:
    'A send that resolved is visible with all of its transaction or not at all. ' +
    'Offsets commit with the outputs, so inside Kafka every record takes effect exactly once; effects outside Kafka ' +
    'are at least once.',
  tooFewReplicas: 'the transaction aborts',
  fits: ['read–process–write inside Kafka', 'several topics at once', 'payments'],
  producer: { ...cp.producer, transactional: true, transactionTimeoutMs: 10_000 },
  consumer: { ...cp.consumer, delivery: 'exactly-once', isolation: 'read-committed' },
  durability: 'refuse',
  brokerNeeds: replicated,
  promiseKeys: ['acks', 'idempotent', 'transactional', 'delivery', 'isolation'],
}

/** The three profiles as data: availability first, consistency first, and consistency with transactions. */
export const profiles: Readonly<Record<ProfileName, Profile>> = deepFreeze({ ap, cp, transactional })

function deepFreeze<Value extends object>(value: Value): Value {
  for (const field of Object.values(value) as unknown[]) {
    if (typeof field === 'object' && field !== null) deepFreeze(field)
  }
  return Object.freeze(value)
}
