import { TidemarkError } from '../../errors.js'

/** What nobody can explain, told as an error of ours; what is one already stays as it is. */
export function defect(cause: unknown): TidemarkError {
  if (cause instanceof TidemarkError) return cause
  return new TidemarkError('internal-defect', 'the consumer met something it cannot explain; please report it', {
    cause,
  })
}
