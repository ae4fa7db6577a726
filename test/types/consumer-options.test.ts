import { describe, expectTypeOf, it } from 'vitest'
import type { z } from 'zod'
import type { ConsumerSettingsOptions, HandleBatch, HandleEach } from '../../src/consumer/options/consumer-options.js'
import type { consumerSchema } from '../../src/consumer/options/consumer-schema.js'
import type { ProducerOptions, producerOptionsSchema } from '../../src/producer/producer-options.js'

type ConsumerOptionName = keyof ConsumerSettingsOptions | keyof HandleEach<[]> | keyof HandleBatch<[]>

describe('options', () => {
  it('of a consumer are the same in the documented interface and in the schema that checks them', () => {
    expectTypeOf<ConsumerOptionName>().toEqualTypeOf<keyof z.input<typeof consumerSchema>>()
  })

  it('of a producer are the same in the documented interface and in the schema that checks them', () => {
    expectTypeOf<keyof ProducerOptions>().toEqualTypeOf<keyof z.input<typeof producerOptionsSchema>>()
  })
})
