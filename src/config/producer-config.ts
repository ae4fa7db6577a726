import { ConfigError } from '../errors.js'
import {
  producerOptionsSchema,
  type ProducerOptions,
  type ResolvedProducerOptions,
} from '../producer/producer-options.js'
import { profileOf } from './define-profile.js'
import type { Profile, ProfileName } from './profiles.js'
import { requireObject, resolveOptions } from './resolve-options.js'

/** What the promise rests on is the profile's to say. */
type SettledByProfile = 'acks' | 'idempotent' | 'retryInDoubt'

/** Options of `messaging.producer`. */
export interface MessagingProducerOptions extends Omit<ProducerOptions, SettledByProfile> {
  /** Default: the profile of the messaging it is made by. */
  readonly profile?: ProfileName | Profile | undefined
}

const settledByProfile: readonly SettledByProfile[] = ['acks', 'idempotent', 'retryInDoubt']

/** The profile's settings, overridden by the options. Throws `ConfigError` with every problem. */
export function resolveProducerOptions(
  given: MessagingProducerOptions,
  inherited: Profile,
): { readonly profile: Profile; readonly options: ResolvedProducerOptions } {
  requireObject('producer', given)
  const { profile, ...options } = given
  const chosen = profile === undefined ? inherited : profileOf(profile)
  refuseWhatTheProfileSettles(options, chosen.name)
  const { acks, idempotent, retryInDoubt, deliveryTimeoutMs } = chosen.producer
  const settled = { acks, idempotent, retryInDoubt, deliveryTimeoutMs }
  return { profile: chosen, options: resolveOptions('producer', producerOptionsSchema, { ...settled, ...options }) }
}

function refuseWhatTheProfileSettles(options: object, profileName: string): void {
  const given = settledByProfile.filter((name) => name in options)
  if (given.length === 0) return
  throw new ConfigError(
    'producer',
    given.map((name) => ({
      path: name,
      message: `is settled by the profile ${profileName}`,
      fix: `choose another profile, or make one: defineProfile('…', { ${name}: … })`,
    })),
  )
}
