import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createMemoryCluster } from 'tidemark/memory'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../support/temporary-folder.js'
import { tidemark } from './command-line.js'

const cluster = createMemoryCluster()

it('plans capacity without a cluster, with formulas and warnings', async () => {
  const words = 'plan --rate 20000 --size 700 --retention 3d --per-process 3000 --disk 2TB'
  const { exit, out } = await tidemark(cluster, words, { environment: {} })
  expect(exit).toBe(0)
  expect(out).toMatch(/^partitions +12, decided by processes\n/)
  expect(out).toContain('keyed-without-growth: ')
  const { value } = await tidemark(cluster, `${words} --no-keyed --json`, { environment: {} })
  expect(value).toMatchObject({
    partitions: 12,
    binding: { name: 'processes' },
    warnings: [{ code: 'partition-too-large' }, { code: 'brokers-too-few' }],
  })
  const wrong = await tidemark(cluster, 'plan --rate 0 --size 700B --retention 3d', { environment: {} })
  expect([wrong.exit, wrong.err]).toEqual([2, expect.stringContaining('messagesPerSecond')])
})

it('chooses a profile by options, or by questions where somebody can be asked', async () => {
  const byOptions = await tidemark(cluster, 'profile --loss-tolerated', { environment: {} })
  expect(byOptions.out).toMatch(/^profile +ap, changed\n/)
  expect(byOptions.out).toContain("defineProfile('ap', { retryInDoubt: false })")
  const byQuestions = await tidemark(cluster, 'profile', { environment: {}, answers: ['yes', 'no'] })
  expect(byQuestions.asked).toHaveLength(2)
  expect(byQuestions.out).toContain("profile: 'transactional'")
  const { value } = await tidemark(cluster, 'profile --replicas 1 --json', { environment: {} })
  expect(value).toMatchObject({ base: 'cp', cautions: expect.arrayContaining([expect.stringContaining('one copy')]) })
})

it('explains who gave each setting, and shows no secret', async () => {
  const directory = temporaryFolder('cli-explain')
  writeFileSync(join(directory, 'tidemark.config.json'), '{ "kafka": { "brokers": ["file:1"] }, "profile": "ap" }')
  const environment = {
    KAFKA_SSL: 'yes',
    KAFKA_SASL_MECHANISM: 'plain',
    KAFKA_SASL_USERNAME: 'somebody',
    KAFKA_SASL_PASSWORD: 'hunter2',
  }
  const words = 'config explain --client-id me'
  const { exit, out } = await tidemark(cluster, words, { directory, environment })
  expect(exit).toBe(0)
  const rows = out.split('\n').map((line) => line.split(/ {2,}/))
  const row = (setting: string) => rows.find(([name]) => name === setting)
  expect(row('kafka.brokers')).toEqual(['kafka.brokers', 'file:1', 'file'])
  expect(row('kafka.ssl')).toEqual(['kafka.ssl', 'true', 'variable'])
  expect(row('kafka.sasl.password')).toEqual(['kafka.sasl.password', '***', 'variable'])
  expect(row('clientId')).toEqual(['clientId', 'me', 'option'])
  expect(row('profile')).toEqual(['profile', 'ap', 'file'])
  expect(row('producer.acks')).toEqual(['producer.acks', '1', 'profile'])
  expect(row('groupProtocol')).toEqual(['groupProtocol', 'classic', 'default'])
  const json = await tidemark(cluster, `${words} --json`, { directory, environment })
  expect(out + json.out).not.toMatch(/hunter2|somebody/)
})
