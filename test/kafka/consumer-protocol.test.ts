import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runContractCase } from '../../src/testing/contract/contract-case.js'
import { CaseWorld } from '../../src/testing/contract/contract-world.js'
import { partitionsOf, share } from '../../src/testing/contract/group-of-members.js'
import { casesOfGroups, withConsumerProtocol } from '../contract/consumer-protocol.js'
import { kafkaHost } from '../contract/kafka-host.js'

let kafka: Awaited<ReturnType<typeof kafkaHost>>

beforeAll(async () => {
  kafka = await kafkaHost({
    'group.consumer.min.session.timeout.ms': 6_000,
    'group.consumer.session.timeout.ms': 6_000,
    'group.consumer.min.heartbeat.interval.ms': 300,
    'group.consumer.heartbeat.interval.ms': 300,
  })
})
afterAll(async () => {
  await kafka?.close()
})

describe('groups that their coordinator divides, on real Kafka', () => {
  it('keep most of what the contract promises of groups', () => {
    expect(casesOfGroups.length).toBeGreaterThanOrEqual(25)
  })

  for (const contractCase of casesOfGroups) {
    it(contractCase.name, () => runContractCase(contractCase, withConsumerProtocol(kafka.host)))
  }

  it('are changed over from the classic protocol and back while members read on, each partition with one of them', async () => {
    const world = new CaseWorld(kafka.host)
    const topic = await world.topic(6)
    const groupId = world.name('group')
    const all = partitionsOf(topic, 6)
    const member = async (groupProtocol: 'classic' | 'consumer') => {
      const one = world.consumer(topic, { groupId, groupProtocol, heartbeatIntervalMs: 300 })
      await one.start()
      return one
    }
    const [first, second] = [await member('classic'), await member('classic')]
    await share(world, [first, second], all)
    const next = await member('consumer')
    await share(world, [first, second, next], all, 30_000)
    await first.stop()
    await second.stop()
    await share(world, [next], all, 30_000)
    expect(next.newsOf('lost')).toEqual([])
    const back = await member('classic')
    await share(world, [next, back], all, 30_000)
    await next.stop()
    await share(world, [back], all, 30_000)
    const another = await member('classic')
    await share(world, [back, another], all, 30_000)
    for (const one of [first, second, next, back, another]) expect(one.newsOf('failed')).toEqual([])
    await world.end()
  })
})
