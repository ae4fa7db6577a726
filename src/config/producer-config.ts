import { ConfigError } from '../errors.js'
import { given } from '../input/given.js'
import {
  producerOptionsSchema,
  type ProducerSettingsOptions,
  type ResolvedProducerOptions,
} from '../producer/producer-options.js'
import { profileOf } from './define-profile.js'
import type { Profile, ProfileName } from './profiles.js'
import { requireObject, resolveOptions } from './resolve-options.js'

/** What the promise rests on is the profile's to say. */
const settledByProfile = ['acks', 'idempotent', 'retryInDoubt'] as const

/** Options of `messaging.producer`. */
export interface MessagingProducerOptions extends ProducerSettingsOptions {
  /** Default: the profile of the messaging it is made by. */
  readonly profile?: ProfileName | Profile | undefined
}

/** The profile's settings, overridden by the options. Throws `ConfigError` with every problem. */
export function resolveProducerOptions(
  input: MessagingProducerOptions,
  inherited: Profile,
): { readonly profile: Profile; readonly options: ResolvedProducerOptions } {
  requireObject('producer', input)
  const { profile, ...options } = given(input)
  const chosen = profile === undefined ? inherited : profileOf(profile)
  refuseWhatTheProfileSettles(options, chosen.name)
  const { acks, idempotent, retryInDoubt, deliveryTimeoutMs } = chosen.producer
  const settled = { acks, idempotent, retryInDoubt, deliveryTimeoutMs }
  return { profile: chosen, options: resolveOptions('producer', producerOptionsSchema, { ...settled, ...options }) }
}

function refuseWhatTheProfileSettles(options: object, profileName: string): void {
  const settled = settledByProfile.filter((name) => name in options)
  if (settled.length === 0) return
  throw new ConfigError(
    'producer',
    settled.map((name) => ({
      path: name,
      message: `is settled by the profile ${profileName}`,
      fix: `choose another profile, or make one: defineProfile('…', { ${name}: … })`,
    })),
  )
}
