import { SendError, TidemarkError } from '../errors.js'

/** Why no repeat of a send can be stored, as far as the record and its topic go. */
export type Refusal = 'too-large' | 'refused' | 'not-authorized'

/** For the producer, the topic, or a segment of it. */
export const tooLargeCodes: readonly string[] = ['record-too-large', 'message-too-large', 'record-list-too-large']

/** Refusals of the record itself, which every repeat would meet again. */
export const ofRecordCodes: readonly string[] = [
  'invalid-record',
  'invalid-timestamp',
  'invalid-topic-exception',
  'policy-violation',
  'unsupported-for-message-format',
]

const refusedCodes: readonly string[] = [...ofRecordCodes, 'unsupported-compression-type']

/** Lack of a permission, which somebody may be about to grant. */
const notAuthorizedCodes: readonly string[] = ['topic-authorization-failed', 'cluster-authorization-failed']

/**
 * `null`: another attempt may be stored. So may one of which nobody knows whether it was, since a batch in doubt is refused
 * whole for what one of its records is.
 */
export function refusalOf(error: unknown): Refusal | null {
  if (!(error instanceof TidemarkError)) return null
  if (error instanceof SendError && error.outcome === 'unknown') return null
  if (tooLargeCodes.includes(error.code)) return 'too-large'
  if (refusedCodes.includes(error.code)) return 'refused'
  return notAuthorizedCodes.includes(error.code) ? 'not-authorized' : null
}
