import assert from 'node:assert/strict'
import type { ContractCase } from './contract-case.js'
import { firstAndSecond, heartbeatIntervalMs, partitionsOf, share } from './group-of-members.js'

const group = 'rebalancing'

export const losingCases: readonly ContractCase[] = [
  {
    group,
    name: 'a member that dies without a word is expelled after its session timeout, and not before',
    needs: ['killClient'],
    async run(world) {
      const sessionTimeoutMs = 1_500
      const { topic, first, second } = await firstAndSecond(world, 4, { sessionTimeoutMs })
      await second.start()
      await share(world, [first, second], partitionsOf(topic, 4))
      const diedAt = world.now()
      world.use('killClient')(second.clientId)
      await share(world, [first], partitionsOf(topic, 4))
      const tookMs = world.now() - diedAt
      assert.ok(tookMs >= sessionTimeoutMs - heartbeatIntervalMs - 200, `only ${tookMs} ms`)
      assert.ok(tookMs <= sessionTimeoutMs + heartbeatIntervalMs + 500 + world.slackMs, `${tookMs} ms`)
    },
  },
  {
    group,
    name: 'a member whose connections are cut tells what it lost, and its commits are not taken',
    needs: ['killClient'],
    async run(world) {
      const { topic, first } = await firstAndSecond(world, 2, { sessionTimeoutMs: 1_500 })
      const held = first.assignmentOf(topic, 0)
      world.use('killClient')(first.clientId)
      await world.until('it says so', () => first.newsOf('lost', 'failed').length > 0)
      assert.equal(first.newsOf('revoked').length, 0)
      assert.notEqual(await first.commitAs(held, 0), 'committed')
    },
  },
  {
    group,
    name: 'a member that was expelled is told what it lost, cannot commit it, and joins again',
    needs: ['expelMember'],
    async run(world) {
      const { topic, groupId, first } = await firstAndSecond(world, 2)
      const held = first.assignmentOf(topic, 0)
      await world.use('expelMember')(groupId, first.driver.facts().memberId ?? '')
      await world.until('it is told', () => first.newsOf('lost').length > 0)
      assert.equal(await first.commitAs(held, 0), 'lost')
      await world.until('it has joined again', () => first.held().length === 2)
      assert.ok(first.assignmentOf(topic, 0).epoch > held.epoch, 'under another epoch')
      assert.equal(await first.commit(topic, 0, 0), 'committed')
    },
  },
]
