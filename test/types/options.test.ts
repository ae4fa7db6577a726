import type { KafkaConfig } from 'kafkajs'
import { describe, expectTypeOf, it } from 'vitest'
import type { KafkajsConfig } from 'tidemark/kafkajs'
import { chooseProfile } from '../../src/config/choose-profile.js'
import { defineProfile } from '../../src/config/define-profile.js'
import { profiles, type Profile } from '../../src/config/profiles.js'
import type { ApiName, Apis } from '../../src/connection/requests/apis.js'
import { encodeHeaders, messageHeaders, type HeadersInput } from '../../src/message/headers.js'
import type { Message, MessageHeaders } from '../../src/message/message.js'
import type { Header } from '../../src/message/record.js'
import { json } from '../../src/serde/json.js'
import { defineTopic } from '../../src/topic/define-topic.js'
import type { Topic } from '../../src/topic/topic.js'

describe('types of headers', () => {
  it('take an object, pairs, or the headers of a message', () => {
    expectTypeOf<{ a: string; b: null }>().toExtend<HeadersInput>()
    expectTypeOf<[string, Buffer][]>().toExtend<HeadersInput>()
    expectTypeOf<MessageHeaders>().toExtend<HeadersInput>()
    expectTypeOf<readonly Header[]>().toExtend<HeadersInput>()
    expectTypeOf(encodeHeaders).returns.toEqualTypeOf<readonly Header[]>()
    expectTypeOf(messageHeaders([]).get('a')).toEqualTypeOf<string | undefined>()
  })

  it('refuse numbers and undefined as values', () => {
    expectTypeOf<{ retries: number }>().not.toExtend<HeadersInput>()
    expectTypeOf<{ id: string | undefined }>().not.toExtend<HeadersInput>()
  })
})

describe('types of requests', () => {
  it('have each API by name', () => {
    expectTypeOf<ApiName>().toEqualTypeOf<keyof Apis>()
  })
})

describe('types of profiles', () => {
  it('name what there is, and refuse what there is not', () => {
    expectTypeOf(profiles.cp).toEqualTypeOf<Profile>()
    expectTypeOf(chooseProfile({}).base).toEqualTypeOf<'ap' | 'cp' | 'transactional'>()
    const never = (): void => {
      // @ts-expect-error no such profile
      defineProfile('pc', {})
      // @ts-expect-error acks is -1, 0 or 1
      defineProfile('ap', { acks: 2 })
      // @ts-expect-error no such setting
      defineProfile('ap', { lingerMs: 5 })
      // @ts-expect-error a profile is data that is not changed
      profiles.cp.durability = 'off'
    }
    expectTypeOf(never).toBeFunction()
  })
})

describe('types of several topics', () => {
  it('make a union of messages that the topic’s name tells apart', () => {
    const topics = [
      defineTopic({ name: 'a', value: json<{ x: number }>() }),
      defineTopic({ name: 'b', value: json<{ y: string }>() }),
    ] as const
    type MessageOf<One> = One extends Topic<infer Value, infer Name> ? Message<Value, Name> : never
    const read = (message: MessageOf<(typeof topics)[number]>): void => {
      if (message.topic === 'a') expectTypeOf(message.value).toEqualTypeOf<{ x: number }>()
      else expectTypeOf(message.value).toEqualTypeOf<{ y: string }>()
    }
    expectTypeOf(read).toBeFunction()
    expectTypeOf(topics).toExtend<readonly Topic[]>()
  })
})

describe('types of the kafkajs driver', () => {
  it('take undefined for what is left out', () => {
    expectTypeOf<{ brokers: string[]; clientId: string | undefined; ssl: undefined }>().toExtend<KafkajsConfig>()
    expectTypeOf<KafkaConfig>().toExtend<KafkajsConfig>()
    expectTypeOf<{ clientId: string }>().not.toExtend<KafkajsConfig>()
  })
})
