import type { Asked } from '../ask.js'
import { Moment } from './said.js'

/** Of a view that looks only when somebody wants it: when it did, and how to have it look again. */
export function ReadAgain({
  at,
  isAsking,
  again,
}: Pick<Asked<unknown>, 'isAsking' | 'again'> & { readonly at: number }) {
  return (
    <>
      <button type="button" onClick={() => again()} disabled={isAsking}>
        {isAsking ? 'Reading …' : 'Read again'}
      </button>
      <span class="soft">
        read at <Moment at={at} />
      </span>
    </>
  )
}
