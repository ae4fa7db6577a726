import assert from 'node:assert/strict'
import type { BatchOutcome } from '../../driver/producer.js'
import { DriverError } from '../../errors.js'

/** The batch was certainly not stored; gives its error. */
export function notStored(fate: BatchOutcome): DriverError {
  assert.equal(fate.outcome, 'not-stored')
  assert.ok(fate.outcome === 'not-stored' && fate.error instanceof DriverError, 'the error is a DriverError')
  return fate.error
}
