import { SendError, TidemarkError, TimeoutError } from '../errors.js'
import type { OutgoingRecord } from '../message/record.js'
import { exponential, type Backoff } from '../runtime/backoff.js'
import type { Runtime } from '../runtime/runtime.js'
import { thrownName } from '../runtime/thrown.js'
import { withinDeadline } from '../runtime/within-deadline.js'
import type { Serde } from '../serde/serde.js'
import type { Topic } from '../topic/topic.js'
import { refuse } from './outgoing-record.js'

/** Do its value and key say all that they must, or can that be put in? */
export function canBeWhole({ value: serde, keySerde }: Topic, { key, value }: OutgoingRecord): boolean {
  if (value !== null && serde.writing?.isReady === false) return false
  return keySerde === undefined || key === null || keySerde.writing?.isReady !== false
}

/** Puts into value and key what their serdes did not know when they made them. Throws `SendError` `not-stored`. */
export function makeWhole(topic: Topic, { key, value }: OutgoingRecord): void {
  if (value !== null && topic.value.writing !== undefined) complete(topic, topic.value, value)
  if (topic.keySerde !== undefined && key !== null) complete(topic, topic.keySerde, key)
}

function complete(topic: Topic, serde: Serde<unknown>, bytes: Buffer): void {
  const { writing } = serde
  if (writing === undefined) return
  if (!writing.isReady) throw notReady(topic, serde, undefined)
  try {
    writing.complete(bytes)
  } catch (cause) {
    const message = `serde ${serde.name} of topic ${topic.name} threw ${thrownName(cause)} when it completed its bytes`
    throw refuse(serde === topic.value ? 'invalid-value' : 'invalid-key', topic.name, message, cause)
  }
}

const again: Backoff = exponential({ initialMs: 200, maxMs: 2_000 })

/**
 * Waits until its serdes know what their bytes must say. What may end well is asked for again until the deadline, as a topic
 * is. Throws `SendError` `not-stored`.
 *
 * @param deadline by `clock.now()`
 * @param isWanted asked before each further try
 */
export async function prepareToWrite(
  topic: Topic,
  runtime: Runtime,
  deadline: number,
  isWanted: () => boolean = () => true,
): Promise<void> {
  // That of keys first: tombstones need no other.
  if (topic.keySerde !== undefined) await prepareSerde(topic, topic.keySerde, runtime, deadline, isWanted)
  await prepareSerde(topic, topic.value, runtime, deadline, isWanted)
}

async function prepareSerde(
  topic: Topic,
  serde: Serde<unknown>,
  { clock, random }: Runtime,
  deadline: number,
  isWanted: () => boolean,
): Promise<void> {
  const { writing } = serde
  if (writing === undefined) return
  let last: unknown = new TimeoutError('serde-not-ready', `serde ${serde.name} was not ready in time`, {
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
    if (!mayEndWell(last) || nextAt >= deadline || !isWanted()) throw notReady(topic, serde, last)
    await clock.sleep(nextAt - clock.now())
    if (!isWanted()) throw notReady(topic, serde, last)
  }
}

const mayEndWell = (error: unknown): boolean => error instanceof TidemarkError && error.retriable

function notReady({ name }: Topic, serde: Serde<unknown>, cause: unknown): SendError {
  const known = cause instanceof TidemarkError ? cause : undefined
  const problem = known?.message ?? `serde ${serde.name} is not ready${cause === undefined ? '' : ' (see cause)'}`
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
