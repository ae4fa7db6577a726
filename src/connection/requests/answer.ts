export interface Throttled {
  /** How long the broker asks us to stay silent. */
  readonly throttleTimeMs: number
}
export interface WithError {
  readonly errorCode: number
}
