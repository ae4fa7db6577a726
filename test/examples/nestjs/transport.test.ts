import 'reflect-metadata'
import { Controller, Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { Ctx, EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices'
import {
  bytes,
  createMessaging,
  defineTopic,
  nullable,
  string,
  Unavailable,
  type Messaging,
  type Topic,
} from 'tidemark'
import { memory } from 'tidemark/memory'
import { recordsOf, untilIdle } from 'tidemark/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ErrorsAsThrown, TidemarkTransport, type TidemarkContext } from '../../../examples/nestjs/tidemark-transport.js'

const work = defineTopic({ name: 'work', value: string(), partitions: 1 })
const asked = defineTopic({ name: 'asked', value: string(), partitions: 1 })
const letters = defineTopic({ name: 'letters', value: bytes(), partitions: 1 })
const replies = defineTopic({ name: 'replies', value: string(), partitions: 1 })
const group = 'nest-server'

/** What the handler of `work` does with a value, by attempt. */
let act: (value: string, attempt: number) => unknown
let attempts: string[]

@Controller()
class Worker {
  @EventPattern('work')
  async work(@Payload() value: string, @Ctx() context: TidemarkContext): Promise<void> {
    const [{ offset }, { attempt }] = context.getArgs()
    attempts.push(`${value} at ${offset}, ${attempt}`)
    await act(value, attempt)
  }

  @MessagePattern('asked')
  answer(@Payload() value: string): string {
    if (value === 'refused') throw new RpcException('not for you')
    if (value === 'broken') throw new Error('postgres://admin:secret@database')
    return `answer to ${value}`
  }
}

@Module({ controllers: [Worker] })
class WorkerModule {}

describe('the transport for NestJS in the guide', () => {
  let messaging: Messaging

  beforeEach(async () => {
    attempts = []
    act = () => undefined
    messaging = createMessaging({ driver: memory() })
    await messaging.ensureTopics([work, asked, letters, replies])
  })

  afterEach(() => messaging.close())

  async function open(topics: readonly Topic[] = [work, asked]) {
    const retry = { retries: 2, backoff: { initialMs: 1, maxMs: 2 } }
    // One record after another on one partition: whether that is an outage nobody could tell within a minute.
    const options = { group, topics, deadLetter: letters, retry, outage: false } as const
    const strategy = new TidemarkTransport(messaging, options)
    const app = await NestFactory.createMicroservice(WorkerModule, { strategy, logger: false })
    app.useGlobalFilters(new ErrorsAsThrown())
    await app.listen()
    return app
  }

  const send = (...values: string[]) => messaging.producer().sendMany(work, values)
  const committed = async () =>
    (await messaging.admin.committedOffsets(group)).find(({ topic }) => topic === 'work')?.offset ?? null

  it('tries an event again in its place, and gives up what never succeeds as a dead letter', async () => {
    act = (value, attempt) => {
      if (value === 'twice' && attempt < 3) throw new Error('not yet')
      if (value === 'never') throw new Error('not ever')
    }
    const app = await open()
    await send('twice', 'never', 'fine')
    await untilIdle(messaging)
    expect(attempts).toEqual([
      ...['twice at 0, 1', 'twice at 0, 2', 'twice at 0, 3'],
      ...['never at 1, 1', 'never at 1, 2', 'never at 1, 3', 'fine at 2, 1'],
    ])
    const [letter, ...others] = await recordsOf(messaging, letters)
    expect(others).toEqual([])
    expect(letter?.headers.get('td-reason')).toBe('exhausted')
    expect(letter?.headers.get('td-error-message')).toBe('not ever')
    await app.close()
    expect(await committed()).toBe(3)
  })

  it('commits nothing before the handler has ended, and waits for it when it closes', async () => {
    let end = () => {}
    act = () => new Promise<void>((resolve) => (end = resolve))
    const app = await open()
    await send('slow')
    await expect.poll(() => attempts).toHaveLength(1)
    expect(await committed()).toBeNull()
    const closed = app.close()
    end()
    await closed
    expect(await committed()).toBe(1)
  })

  it('hears of an outage by name: the record waits for its end and becomes no dead letter', async () => {
    let isDown = true
    act = () => {
      if (isDown) throw new Unavailable('the database is down')
    }
    const app = await open()
    await send('a')
    await expect.poll(() => attempts.length).toBeGreaterThan(1)
    isDown = false
    await untilIdle(messaging)
    expect(await recordsOf(messaging, letters)).toEqual([])
    await app.close()
    expect(await committed()).toBe(1)
  })

  it('answers each request where it asks for it, and tells of a failure no more than Nest does', async () => {
    const app = await open()
    const ask = (value: string) =>
      messaging.producer().send(asked, value, { headers: { kafka_replyTopic: 'replies', kafka_correlationId: value } })
    for (const value of ['what', 'refused', 'broken']) await ask(value)
    await untilIdle(messaging)
    const told = await recordsOf(messaging, defineTopic({ name: 'replies', value: nullable(bytes()) }))
    expect(
      told.map(({ headers, value }) => [
        headers.get('kafka_correlationId'),
        headers.get('kafka_nest-err') ?? String(value),
      ]),
    ).toEqual([
      ['what', 'answer to what'],
      ['refused', 'not for you'],
      ['broken', 'Internal server error'],
    ])
    expect(await recordsOf(messaging, letters)).toEqual([])
    await app.close()
  })

  it('refuses to listen while a topic has no handler, or a handler no topic', async () => {
    await expect(open([work])).rejects.toThrow('a topic without a pattern, or the reverse: asked')
    await expect(open([work, asked, replies])).rejects.toThrow('or the reverse: replies')
  })
})
