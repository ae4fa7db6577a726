import type { BrokerVersions } from './apis.js'
import { apiVersions } from './apis/api-versions.js'
import { builtInCodecs } from './compression.js'
import { decodeAnswer, encodeRequest } from './message.js'
import { Reader } from './reader.js'
import { WireError } from './wire-error.js'

/** The first request on every connection; asks which versions of every API the broker knows. */
const request = { api: 'apiVersions' } as const

const UNSUPPORTED_VERSION = 35
/** ApiVersions 3 came with Kafka 2.4, the oldest broker that has all we need. */
const OLDEST_BROKER_OFFERS = 3

export const newestApiVersions = apiVersions.max
/** Every broker knows it; a broker that does not know the version it was asked in is asked again in this one. */
export const oldestApiVersions = apiVersions.min

export function encodeApiVersions(version: number, correlationId: number, clientId: string): Buffer[] {
  return encodeRequest(request, version, correlationId, clientId, [])
}

/**
 * @param frame as `decodeAnswer` takes it.
 * @returns `null` when the broker does not know that version.
 * @throws WireError `unsupported` when the broker is older than Kafka 2.4.
 */
export function decodeApiVersions(version: number, frame: Buffer): BrokerVersions | null {
  // A broker that does not know our version says so in the oldest form, and every form begins with the code.
  const errorCode = new Reader(frame.subarray(4)).int16()
  if (errorCode === UNSUPPORTED_VERSION) {
    if (version > oldestApiVersions) return null
    throw tooOld(`it does not know ApiVersions ${version}`)
  }
  if (errorCode !== 0) throw new WireError('refused', `the broker refused ApiVersions with error code ${errorCode}`)
  const answer = decodeAnswer(request, version, frame, builtInCodecs)
  if (answer instanceof Promise) throw new WireError('defect', 'an answer without records is read at once')
  const versions = new Map(answer.offered.map(({ apiKey, min, max }) => [apiKey, { min, max }] as const))
  const newest = versions.get(apiVersions.key)?.max ?? 0
  if (newest < OLDEST_BROKER_OFFERS) throw tooOld(`it offers ApiVersions up to ${newest}`)
  return versions
}

function tooOld(reason: string): WireError {
  return new WireError('unsupported', `the broker is too old: ${reason}; tidemark needs Kafka 2.4 or newer`)
}
