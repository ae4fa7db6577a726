import { SendError, TidemarkError, TimeoutError } from '../errors.js'
import type { OutgoingRecord } from '../message/record.js'
import { exponential, type Backoff } from '../runtime/backoff.js'
import type { Runtime } from '../runtime/runtime.js'
import { thrownName } from '../runtime/thrown.js'
import { withinDeadline } from '../runtime/within-deadline.js'
import type { Topic } from '../topic/topic.js'
import { refuse } from './outgoing-record.js'

/** Does its value say all that it must, or can that be put in? */
export function canBeWhole(topic: Topic, { value }: OutgoingRecord): boolean {
  return value === null || (topic.value.writing?.isReady ?? true)
}

/** Puts into the value what its serde did not know when it made it. Throws `SendError` `not-stored`. */
export function makeWhole(topic: Topic, { value }: OutgoingRecord): void {
  const { writing } = topic.value
  if (value === null || writing === undefined) return
  if (!writing.isReady) throw notReady(topic, undefined)
  try {
    writing.complete(value)
  } catch (cause) {
    const message = `serde ${topic.value.name} of topic ${topic.name} threw ${thrownName(cause)} when it completed its bytes`
    throw refuse('invalid-value', topic.name, message, cause)
  }
}

const again: Backoff = exponential({ initialMs: 200, maxMs: 2_000 })

/**
 * Waits until its serde knows what its bytes must say. What may end well is asked for again until the deadline, as a topic
 * is. Throws `SendError` `not-stored`.
 *
 * @param deadline by `clock.now()`
 * @param isWanted asked before each further try
 */
export async function prepareToWrite(
  topic: Topic,
  { clock, random }: Runtime,
  deadline: number,
  isWanted: () => boolean = () => true,
): Promise<void> {
  const { writing } = topic.value
  if (writing === undefined) return
  let last: unknown = new TimeoutError('serde-not-ready', `serde ${topic.value.name} was not ready in time`, {
    retriable: true,
  })
  const onLate = () => {
    throw last as Error
  }
  for (let failures = 0; !writing.isReady;) {
    try {
      await withinDeadline(Promise.resolve(writing.prepare()), { clock, deadline, onLate })
      return
    } catch (cause) {
      last = cause
    }
    failures += 1
    const nextAt = clock.now() + again(failures, random)
    if (!mayEndWell(last) || nextAt >= deadline || !isWanted()) throw notReady(topic, last)
    await clock.sleep(nextAt - clock.now())
    if (!isWanted()) throw notReady(topic, last)
  }
}

const mayEndWell = (error: unknown): boolean => error instanceof TidemarkError && error.retriable

function notReady({ name, value }: Topic, cause: unknown): SendError {
  const known = cause instanceof TidemarkError ? cause : undefined
  const problem = known?.message ?? `serde ${value.name} is not ready${cause === undefined ? '' : ' (see cause)'}`
  return new SendError(
    known?.code ?? 'serde-not-ready',
    'not-stored',
    `nothing was sent to topic ${name}: ${problem}`,
    {
      topic: name,
      cause,
      retriable: known?.retriable ?? true,
    },
  )
}
