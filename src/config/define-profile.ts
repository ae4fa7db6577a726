import { z } from 'zod'
import { ConfigError, type ConfigIssue } from '../errors.js'
import { profiles, type ConsumerProfile, type ProducerProfile, type Profile, type ProfileName } from './profiles.js'
import { resolveOptions } from './resolve-options.js'
import { given } from '../input/given.js'
import { nearest } from '../input/suggestion.js'

type Settings = ProducerProfile & ConsumerProfile

/** Settings that differ from the base; the producer's and the consumer's in one object, since their names do not overlap. */
export type ProfileOverrides = {
  readonly [Name in keyof (ProducerProfile & ConsumerProfile)]?: (ProducerProfile & ConsumerProfile)[Name] | undefined
} & {
  readonly durability?: Profile['durability'] | undefined
  /** Allows settings the promise rests on to be changed. The profile's name then says which. */
  readonly unsafe?: boolean | undefined
}

const durationMs = z.int().min(1).max(2_147_483_647)

const overridesSchema = z.strictObject({
  acks: z
    .literal([-1, 0, 1])
    .optional()
    .describe('replicas that must have a record: -1 all in sync, 1 the leader, 0 none'),
  idempotent: z.boolean().optional().describe('the broker drops repeats of a batch'),
  retryInDoubt: z.boolean().optional().describe('send again what may be stored already'),
  deliveryTimeoutMs: durationMs.optional().describe('from send to its last word, in milliseconds'),
  transactional: z.boolean().optional().describe('produce in transactions'),
  transactionTimeoutMs: durationMs.nullable().optional().describe('the broker aborts after this many milliseconds'),
  delivery: z.enum(['at-least-once', 'exactly-once']).optional().describe('how often a record takes effect'),
  isolation: z.enum(['read-uncommitted', 'read-committed']).optional().describe('whether open transactions are read'),
  commitEveryMs: z
    .union([z.literal('closely'), durationMs])
    .optional()
    .describe("settled work is committed at least this often, in milliseconds, or 'closely' behind the work"),
  onOutOfRange: z.enum(['stop', 'earliest', 'latest']).optional().describe('when the committed offset is gone'),
  breaksFloods: z.boolean().optional().describe('a flood of dead letters stops its partition'),
  durability: z.enum(['refuse', 'warn', 'off']).optional().describe('when the cluster cannot keep the promise'),
  unsafe: z.boolean().optional().describe('allow settings the promise rests on to be changed'),
}) satisfies z.ZodType<unknown, ProfileOverrides>

/**
 * A profile with some settings changed. A setting its promise rests on is changed only with `unsafe: true`, and then the
 * name and the guarantee say so. Throws `ConfigError` with all problems.
 *
 * @example
 * defineProfile('cp', { deliveryTimeoutMs: 30_000 })
 */
export function defineProfile<const Base extends ProfileName | Profile>(
  base: Base,
  // What a compiler can tell beforehand: acks and idempotence are what both of these rest on.
  overrides: [Base] extends ['cp' | 'transactional']
    ? ProfileOverrides &
        ({ readonly unsafe: true } | { readonly acks?: -1 | undefined; readonly idempotent?: true | undefined })
    : ProfileOverrides,
): Profile
export function defineProfile(base: ProfileName | Profile, overrides: ProfileOverrides): Profile {
  const from = profileOf(base)
  const subject = `profile ${from.name}`
  const {
    unsafe = false,
    durability = from.durability,
    ...changes
  } = given(resolveOptions(subject, overridesSchema, overrides))
  const broken = from.promiseKeys.filter((key) => key in changes && changes[key] !== settingOf(from, key))
  const profile = { ...withChanges(from, changes), durability }
  const issues = [...(unsafe ? [] : broken.map((key) => promiseIssue(from, key))), ...impossible(profile)]
  if (issues.length > 0) throw new ConfigError(subject, issues)
  return Object.freeze(broken.length > 0 ? withoutPromise(from, profile, broken) : profile)
}

/** The profile of a name, or the profile itself. Throws `ConfigError` on a name that is none. */
export function profileOf(profile: ProfileName | Profile): Profile {
  if (typeof profile === 'object' && profile !== null) return profile
  if (Object.hasOwn(profiles, profile)) return profiles[profile]
  const names = Object.keys(profiles)
  const meant = typeof profile === 'string' ? nearest(profile, names) : undefined
  throw new ConfigError('profile', [
    {
      path: 'profile',
      message: typeof profile === 'string' ? `is ${JSON.stringify(profile)}` : `is ${typeof profile}`,
      fix: meant === undefined ? `write ${names.join(' or ')}, or use defineProfile` : `did you mean ${meant}?`,
    },
  ])
}

function withChanges(from: Profile, changes: Omit<ProfileOverrides, 'durability' | 'unsafe'>): Profile {
  // Brokers keep no sequences below acks=all, so giving up acks gives up idempotence unless both are asked for.
  const implied = changes.acks === 0 || changes.acks === 1 ? { idempotent: false } : {}
  return {
    ...from,
    producer: Object.freeze(picked(from.producer, { ...implied, ...changes })),
    consumer: Object.freeze(picked(from.consumer, changes)),
  }
}

/** The same fields, those that `changes` has replaced. */
function picked<Group extends object>(settings: Group, changes: object): Group {
  const fields = Object.entries(changes).filter(([name]) => name in settings)
  return { ...settings, ...Object.fromEntries(fields) }
}

function settingOf(profile: Profile, key: keyof Settings): unknown {
  return ({ ...profile.producer, ...profile.consumer } as Record<string, unknown>)[key]
}

function withoutPromise(from: Profile, profile: Profile, broken: readonly string[]): Profile {
  const changed = broken.join(', ')
  return {
    ...profile,
    name: `${from.name} (unsafe: ${changed})`,
    guarantee: `The guarantee of ${from.name} does not hold, because ${changed} differs. It was: ${from.guarantee}`,
  }
}

function promiseIssue({ name }: Profile, key: string): ConfigIssue {
  return {
    path: key,
    message: `the promise of ${name} rests on it`,
    fix: 'leave it as it is, start from another profile, or add unsafe: true to give the promise up',
  }
}

function impossible({ producer, consumer }: Profile): ConfigIssue[] {
  const issues: ConfigIssue[] = []
  if (producer.idempotent && producer.acks !== -1) {
    issues.push({ path: 'idempotent', message: `needs acks -1, but acks is ${producer.acks}`, fix: 'write acks: -1' })
  }
  if (producer.transactional && !producer.idempotent) {
    issues.push({
      path: 'transactional',
      message: 'needs an idempotent producer with acks -1',
      fix: 'write acks: -1 and idempotent: true, or transactional: false',
    })
  }
  if (producer.transactional && producer.transactionTimeoutMs === null) {
    issues.push({ path: 'transactionTimeoutMs', message: 'is null with transactions', fix: 'write for example 60000' })
  }
  if (consumer.delivery === 'exactly-once' && !producer.transactional) {
    issues.push({ path: 'delivery', message: 'exactly-once needs transactions', fix: "start from 'transactional'" })
  }
  return issues
}
