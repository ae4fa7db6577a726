import { describe, expect, expectTypeOf, it } from 'vitest'
import type { z } from 'zod'
import { defineProfile } from '../../../src/config/define-profile.js'
import type { messagingOptionsSchema } from '../../../src/config/messaging-options.js'
import { resolveMessagingOptions, type MessagingOptions } from '../../../src/config/messaging-options.js'
import { profiles } from '../../../src/config/profiles.js'
import type { Driver } from '../../../src/driver/driver.js'
import { silentLogger } from '../../../src/telemetry/logger.js'
import { noMetrics } from '../../../src/telemetry/metrics.js'
import { systemRuntime } from '../../../src/runtime/runtime.js'

const fakeDriver = (): Driver => ({
  name: 'fake',
  runtime: systemRuntime,
  createProducer: () => { throw new Error('not used') },
  createConsumer: () => { throw new Error('not used') },
  createAdmin: () => { throw new Error('not used') },
}) // prettier-ignore

describe('resolveMessagingOptions', () => {
  it('needs no more than a driver, keeps that very object, and promises cp', () => {
    const driver = fakeDriver()
    const resolved = resolveMessagingOptions({ driver })
    expect(resolved).toEqual({
      driver,
      clientId: 'tidemark',
      profile: profiles.cp,
      groupProtocol: 'classic',
      logger: silentLogger,
      metrics: noMetrics,
      closeTimeoutMs: 25_000,
    })
    expect(resolved.driver).toBe(driver)
    expect(resolved.logger).toBe(silentLogger)
  })

  it('takes a profile by name or as an object, and durability over it', () => {
    const driver = fakeDriver()
    const profile = defineProfile('cp', { deliveryTimeoutMs: 5 })
    expect(resolveMessagingOptions({ driver, profile }).profile).toBe(profile)
    expect(resolveMessagingOptions({ driver, profile: 'ap', durability: 'warn' }).profile).toEqual({
      ...profiles.ap,
      durability: 'warn',
    })
  })

  it('lists all problems at once', () => {
    const wrong = { driver: {}, profile: 'pc', logger: console.log, clientID: 'x', closeTimeoutMs: -1 }
    expect(() => resolveMessagingOptions(wrong as unknown as MessagingOptions)).toThrow(
      expect.objectContaining({
        issues: [
          { path: 'driver', message: 'is an object', fix: expect.stringMatching(/a driver with createProducer.*kafkajs/) },
          { path: 'profile', message: 'is "pc"', fix: expect.stringMatching(/'ap' or 'cp' or 'transactional', or a profile made by/) },
          { path: 'logger', message: 'is a function', fix: expect.stringMatching(/a logger with debug/) },
          { path: 'closeTimeoutMs', message: 'is -1', fix: expect.stringMatching(/at least 0/) },
          { path: 'clientID', message: 'is not an option', fix: 'did you mean clientId?' },
        ],
      }),
    ) // prettier-ignore
  })

  it('checks exactly the options that are typed', () => {
    expectTypeOf<keyof z.input<typeof messagingOptionsSchema>>().toEqualTypeOf<keyof MessagingOptions>()
  })
})
