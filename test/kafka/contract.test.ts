import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { casesFor, runContractCase } from '../../src/testing/contract/contract-case.js'
import { driverContract } from '../../src/testing/contract/driver-contract.js'
import { kafkaHost } from '../contract/kafka-host.js'

let kafka: Awaited<ReturnType<typeof kafkaHost>>

beforeAll(async () => {
  kafka = await kafkaHost()
})
afterAll(async () => {
  await kafka?.close()
})

describe('the driver contract on real Kafka', () => {
  it('is offered what every case needs', () => {
    expect(casesFor(driverContract, kafka.host.abilities).notOffered).toEqual([])
  })

  for (const group of new Set(driverContract.map((each) => each.group))) {
    describe(group, () => {
      for (const contractCase of driverContract.filter((each) => each.group === group)) {
        it(contractCase.name, () => runContractCase(contractCase, kafka.host))
      }
    })
  }
})
