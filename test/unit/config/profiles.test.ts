import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../../src/errors.js'
import { chooseProfile, type ProfileAnswers } from '../../../src/config/choose-profile.js'
import { defineProfile, profileOf, type ProfileOverrides } from '../../../src/config/define-profile.js'
import { profiles, type ProfileName } from '../../../src/config/profiles.js'

const issuesOf = (run: () => unknown) => {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as ConfigError).issues
  }
  throw new Error('expected a ConfigError')
}

describe('profiles', () => {
  it('are the table of guarantees', () => {
    const { ap, cp, transactional } = profiles
    expect(ap.producer).toMatchObject({ acks: 1, idempotent: false, retryInDoubt: true, deliveryTimeoutMs: 30_000 })
    expect(cp.producer).toMatchObject({ acks: -1, idempotent: true, deliveryTimeoutMs: 120_000, transactional: false })
    expect(cp).toMatchObject({
      durability: 'refuse',
      consumer: { onOutOfRange: 'stop', isolation: 'read-uncommitted' },
    })
    expect(transactional.producer).toMatchObject({ ...cp.producer, transactional: true, transactionTimeoutMs: 10_000 })
    expect(transactional.consumer).toMatchObject({ delivery: 'exactly-once', isolation: 'read-committed' })
    expect(cp.brokerNeeds).toEqual({ minReplicationFactor: 3, minInsyncReplicas: 2, uncleanLeaderElection: false })
  })

  it('are plain data that nobody can change', () => {
    expect(JSON.parse(JSON.stringify(profiles))).toEqual(profiles)
    expect(() => Object.assign(profiles.cp.producer, { acks: 0 })).toThrow(TypeError)
  })
})

describe('defineProfile', () => {
  it('changes what the promise does not rest on, and keeps the name', () => {
    const profile = defineProfile('cp', { deliveryTimeoutMs: 30_000, commitEveryMs: 1_000, durability: 'warn' })
    expect(profile).toMatchObject({ name: 'cp', guarantee: profiles.cp.guarantee, durability: 'warn' })
    expect(profile.producer).toEqual({ ...profiles.cp.producer, deliveryTimeoutMs: 30_000 })
    expect(profile.consumer).toEqual({ ...profiles.cp.consumer, commitEveryMs: 1_000 })
  })

  it('leaves settings alone that are undefined', () => {
    expect(defineProfile('cp', { acks: undefined, commitEveryMs: undefined })).toEqual(profiles.cp)
  })

  it('refuses to change what the promise rests on', () => {
    // @ts-expect-error the compiler says so too
    expect(issuesOf(() => defineProfile('cp', { acks: 1 }))).toMatchObject([
      { path: 'acks', message: expect.stringContaining('promise of cp'), fix: expect.stringContaining('unsafe: true') },
    ])
    expect(issuesOf(() => defineProfile('transactional', { isolation: 'read-uncommitted' }))).toHaveLength(1)
  })

  it('takes a promise setting that stays what it is', () => {
    expect(defineProfile('cp', { acks: -1, idempotent: true }).name).toBe('cp')
  })

  it('changes it with unsafe, and then name and guarantee say so', () => {
    const profile = defineProfile('cp', { acks: 1, unsafe: true })
    expect(profile.name).toBe('cp (unsafe: acks)')
    expect(profile.guarantee).toMatch(/^The guarantee of cp does not hold, because acks/)
    expect(profile.producer).toMatchObject({ acks: 1, idempotent: false })
  })

  it('keeps the warning in the name when an unsafe profile is refined', () => {
    const unsafe = defineProfile('cp', { acks: 1, unsafe: true })
    expect(defineProfile(unsafe, { deliveryTimeoutMs: 5 }).name).toBe('cp (unsafe: acks)')
  })

  it('takes acks 0 and 1 under ap without unsafe', () => {
    expect(defineProfile('ap', { acks: 0, retryInDoubt: false })).toMatchObject({ name: 'ap', producer: { acks: 0 } })
  })

  /** As who reads it from a file: no compiler knows beforehand what it is. */
  const cp = 'cp' as ProfileName

  it.each<[string, ProfileOverrides, string]>([
    ['idempotence without acks from all', { acks: 1, idempotent: true, unsafe: true }, 'idempotent'],
    ['exactly once without transactions', { delivery: 'exactly-once' }, 'delivery'],
    ['transactions without a time-out', { transactional: true }, 'transactionTimeoutMs'],
  ])('refuses %s, unsafe or not', (_, overrides, path) => {
    expect(issuesOf(() => defineProfile(cp, overrides)).map((issue) => issue.path)).toEqual([path])
  })

  it('refuses settings that cannot be, all at once', () => {
    const wrong = { acks: 2, deliveryTimeoutMs: -1, idempotant: true } as unknown as ProfileOverrides
    expect(issuesOf(() => defineProfile(cp, wrong))).toEqual([
      { path: 'acks', message: 'is 2', fix: expect.stringMatching(/-1 or 0 or 1/) },
      { path: 'deliveryTimeoutMs', message: 'is -1', fix: expect.stringMatching(/at least 1 .*milliseconds/) },
      { path: 'idempotant', message: 'is not an option', fix: 'did you mean idempotent?' },
    ])
  })
})

describe('profileOf', () => {
  it('finds a profile by name and hands an object through', () => {
    expect(profileOf('cp')).toBe(profiles.cp)
    expect(profileOf(profiles.ap)).toBe(profiles.ap)
  })

  it('names the nearest profile for one that is not there', () => {
    expect(issuesOf(() => profileOf('transaction' as never))).toMatchObject([{ fix: 'did you mean transactional?' }])
    expect(issuesOf(() => profileOf('toString' as never))).toMatchObject([
      { fix: expect.stringMatching(/ap or cp or/) },
    ])
  })
})

describe('chooseProfile', () => {
  it.each<[string, ProfileAnswers, string, ProfileOverrides]>([
    ['nothing', {}, 'cp', {}],
    ['loss not tolerated', { lossTolerated: false, repeatsTolerated: true }, 'cp', {}],
    ['log collection', { lossTolerated: true, repeatsTolerated: true }, 'ap', {}],
    ['metrics that count once', { lossTolerated: true }, 'ap', { retryInDoubt: false }],
    ['fire and forget', { lossTolerated: true, repeatsTolerated: true, confirmationNeedless: true }, 'ap', { acks: 0 }],
    ['payments', { atomicOutputs: true }, 'transactional', {}],
    ['atomic although loss is tolerated', { atomicOutputs: true, lossTolerated: true }, 'transactional', {}],
  ])('with the answers of %s gives its profile and reasons', (_, answers, base, overrides) => {
    const choice = chooseProfile(answers)
    expect(choice).toMatchObject({ base, overrides })
    expect(choice.overrides).toEqual(overrides)
    expect(choice.profile).toEqual(defineProfile(choice.base, overrides))
    expect(choice.reasons.length).toBeGreaterThan(0)
  })

  it('warns of what no profile can do', () => {
    const cautions = (answers: ProfileAnswers) => chooseProfile(answers).cautions.join('\n')
    expect(cautions({ atomicOutputs: true, effectsOutsideKafka: true })).toMatch(/outside idempotent/)
    expect(cautions({ repeatsTolerated: false })).toMatch(/idempotent.*drop repeats/)
    expect(cautions({ repeatsTolerated: true, replicationFactor: 1 })).toMatch(/one copy.*factor 3/)
    expect(cautions({ repeatsTolerated: true, replicationFactor: 2 })).toMatch(/two copies/)
    expect(cautions({ repeatsTolerated: true, replicationFactor: 3 })).toBe('')
    expect(cautions({ lossTolerated: true, repeatsTolerated: true, replicationFactor: 1 })).toBe('')
  })
})
