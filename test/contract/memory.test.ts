import { describe, expect, it } from 'vitest'
import { casesFor, runContractCase } from '../../src/testing/contract/contract-case.js'
import { driverContract } from '../../src/testing/contract/driver-contract.js'
import { casesOfGroups, withConsumerProtocol } from './consumer-protocol.js'
import { casesOfReading, inRack } from './in-rack.js'
import { memoryHost } from './memory-host.js'

const { offered, notOffered } = casesFor(driverContract, memoryHost().host.abilities)

describe('the driver contract on the in-process cluster', () => {
  it('has at least 60 cases with names of their own, and memory offers what all of them need', () => {
    expect(driverContract.length).toBeGreaterThanOrEqual(60)
    expect(new Set(driverContract.map(({ name }) => name)).size).toBe(driverContract.length)
    expect(notOffered).toEqual([])
  })

  for (const group of new Set(offered.map((each) => each.group))) {
    describe(group, () => {
      for (const contractCase of offered.filter((each) => each.group === group)) {
        it(contractCase.name, async () => {
          const { host, clock, close } = memoryHost()
          await clock.runUntil(runContractCase(contractCase, host))
          await close()
        })
      }
    })
  }
})

describe('reading from the nearest replica', () => {
  for (const contractCase of casesOfReading) {
    it(contractCase.name, async () => {
      const { host, clock, close } = memoryHost({ racks: ['a', 'b', 'c'] })
      await clock.runUntil(runContractCase(contractCase, inRack('b', host)))
      await close()
    })
  }
})

describe('groups that their coordinator divides', () => {
  for (const contractCase of casesOfGroups) {
    it(contractCase.name, async () => {
      const { host, clock, close } = memoryHost({ consumerSessionTimeoutMs: 6_000, consumerHeartbeatIntervalMs: 300 })
      await clock.runUntil(runContractCase(contractCase, withConsumerProtocol(host)))
      await close()
    })
  }
})
