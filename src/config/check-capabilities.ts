import type { Compression } from '../connection/requests/produce.js'
import type { Driver } from '../driver/driver.js'
import { ConfigError, type ConfigIssue } from '../errors.js'
import type { Profile } from './profiles.js'

/** Throws `ConfigError` when a driver cannot do what a profile needs. */
export function checkCapabilities(profile: Profile, driver: Pick<Driver, 'name' | 'capabilities'>): void {
  const { acks, idempotent, transactional } = profile.producer
  const { capabilities } = driver
  const missing = [
    ...(capabilities.acks.includes(acks) ? [] : [`acks ${acks}`]),
    ...(idempotent && !capabilities.idempotence ? ['idempotence'] : []),
    ...(transactional && !capabilities.transactions ? ['transactions'] : []),
  ]
  if (missing.length === 0) return
  throw new ConfigError(
    `profile ${profile.name}`,
    missing.map((need) => missingIssue(need, driver.name)),
  )
}

/** Throws `ConfigError` when a driver has no way to write this compression. */
export function checkCompression(
  compression: Compression,
  { compressionProblem }: Pick<Driver, 'compressionProblem'>,
): void {
  const fix = compressionProblem?.(compression) ?? null
  if (fix === null) return
  const message = `is ${compression}, for which there is no codec here`
  throw new ConfigError('producer', [{ path: 'compression', message, fix }])
}

function missingIssue(need: string, driverName: string): ConfigIssue {
  return {
    path: 'profile',
    message: `needs ${need}, which the driver ${driverName} does not have`,
    // No driver of this version has them: another one is no way out.
    fix: need === 'transactions' ? "choose 'cp'" : 'choose another driver, or a profile that does without',
  }
}
