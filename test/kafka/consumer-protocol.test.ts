import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runContractCase } from '../../src/testing/contract/contract-case.js'
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
})
