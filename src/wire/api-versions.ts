import type { VersionRange } from './apis.js'
import { Reader } from './reader.js'
import { WireError } from './wire-error.js'
import { Writer } from './writer.js'

/** The first request on every connection; asks which versions of every API the broker knows. */
export const apiVersions = { key: 18, version: 2 } as const

const UNSUPPORTED_VERSION = 35
/** ApiVersions 3 came with Kafka 2.4, the oldest broker that has all we need. */
const OLDEST_BROKER_OFFERS = 3

/** Ranges by API key. */
export type BrokerVersions = ReadonlyMap<number, VersionRange>

export function encodeApiVersions(correlationId: number, clientId: string): Buffer[] {
  return Writer.frame(false, (writer) => {
    writer.int16(apiVersions.key)
    writer.int16(apiVersions.version)
    writer.int32(correlationId)
    writer.nullableString(clientId)
  })
}

/** @throws WireError `unsupported` when the broker is older than Kafka 2.4. */
export function decodeApiVersions(body: Buffer): BrokerVersions {
  const reader = new Reader(body)
  const errorCode = reader.int16()
  // A broker that does not know our version says so in the oldest form, which begins alike.
  if (errorCode === UNSUPPORTED_VERSION) throw tooOld('it does not know ApiVersions 2')
  if (errorCode !== 0) throw new WireError('refused', `the broker refused ApiVersions with error code ${errorCode}`)
  const versions = new Map(reader.array(() => [reader.int16(), { min: reader.int16(), max: reader.int16() }] as const))
  reader.int32() // throttle_time_ms
  reader.end()
  const newest = versions.get(apiVersions.key)?.max ?? 0
  if (newest < OLDEST_BROKER_OFFERS) throw tooOld(`it offers ApiVersions up to ${newest}`)
  return versions
}

function tooOld(reason: string): WireError {
  return new WireError('unsupported', `the broker is too old: ${reason}; tidemark needs Kafka 2.4 or newer`)
}
