import { expect, test } from 'vitest'
import { RequestError } from '../../../../src/connection/request-error.js'
import type { Opener } from '../../../../src/drivers/kafkajs/opener.js'
import { SocketLane } from '../../../../src/drivers/kafkajs/socket-lane.js'
import { virtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { builtInCodecs } from '../../../../src/wire/compression.js'

const metadata = { api: 'metadata', topics: [] } as const

/** A lane whose attempts to connect end as the test says, in turn; the last one never does. */
function lane(...attempts: readonly RequestError[]) {
  const clock = virtualClock()
  let opened = 0
  const opener: Opener = {
    open: () => {
      const failure = attempts[opened++]
      return failure === undefined ? new Promise(() => undefined) : Promise.reject(failure)
    },
    renew: () => Promise.reject(new Error('nothing was opened')),
  }
  const lane = new SocketLane({
    name: 'broker 1',
    clientId: 'c',
    opener,
    codecs: builtInCodecs,
    clock,
    idleLimitMs: 60_000,
    hintAtRefusal: '',
    onAnswer: () => undefined,
    onLost: () => undefined,
  })
  const failure = (withinMs: number) =>
    clock.runUntil(lane.request(metadata, clock.now() + withinMs, undefined).catch((error: unknown) => error))
  return { failure }
}

test('asked again with less time than connecting takes: the first attempt is told of', async () => {
  const { failure } = lane(new RequestError('cannot-connect', 'never', 'it did not answer within 200 ms'))
  expect(await failure(5_000)).toMatchObject({ failure: 'cannot-connect' })
  const error = await failure(50)
  expect(error).toMatchObject({ failure: 'timed-out', sent: 'never' })
  expect(error).toHaveProperty(
    'message',
    expect.stringMatching(/passed its deadline while connecting; before that: it did not answer within 200 ms/),
  )
})
