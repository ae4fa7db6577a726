import { TidemarkError, type ErrorDetails } from '../errors.js'

/** What became of a request to a schema registry. More may come. */
export type RegistryErrorCode =
  /** No address answered in time. */
  | 'registry-unreachable'
  /** It answers, but not as a registry that works: an error of its own, too many requests, a page of something else. */
  | 'registry-failed'
  /** It does not know who asks, or does not let them (401, 403). */
  | 'registry-denied'
  | 'schema-not-found'
  | 'subject-not-found'
  | 'version-not-found'
  /** The schema breaks the compatibility that its subject asks for (409). */
  | 'schema-incompatible'
  /** The registry, or we, cannot read the schema (422). */
  | 'schema-invalid'
  /** It refuses for another reason. */
  | 'registry-refused'

/** A schema registry did not give what it was asked for. `retriable`: the same request may succeed later. */
export class RegistryError extends TidemarkError {
  override readonly name = 'RegistryError'
  constructor(
    override readonly code: RegistryErrorCode,
    message: string,
    /** Of the answer; `null` when there was none. */
    readonly status: number | null = null,
    details: ErrorDetails = {},
  ) {
    super(code, message, details)
  }
}
