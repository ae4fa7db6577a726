import type { Compression } from '../connection/requests/produce.js'
import type { Driver } from '../driver/driver.js'
import { ConfigError } from '../errors.js'

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
