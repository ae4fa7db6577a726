import assert from 'node:assert/strict'
import type { DescribedMember } from '../../driver/admin.js'
import { TidemarkError } from '../../errors.js'
import type { ContractCase } from './contract-case.js'
import { numbers, type ContractWorld } from './contract-world.js'
import { heartbeatIntervalMs, partitionsOf, share } from './group-of-members.js'

const group = 'group administration'

/** A group that has come to the end of its topic, and is empty. */
async function groupThatWas(world: ContractWorld, partitions: number, records: number): Promise<[string, string]> {
  const topic = await world.topic(partitions)
  const groupId = world.name('group')
  for (let partition = 0; partition < partitions; partition += 1) await world.write(topic, partition, numbers(records))
  const offsets = Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offset: records }))
  await world.admin().setOffsets(groupId, offsets, world.deadline())
  return [topic, groupId]
}

async function committedOf(world: ContractWorld, groupId: string): Promise<readonly (readonly [number, number])[]> {
  const committed = await world.admin().committedOffsets(groupId, null, world.deadline())
  return committed.map(({ partition, offset }) => [partition, offset] as const).sort(([a], [b]) => a - b)
}

function refusedFor(clientId: string) {
  return (error: unknown) => {
    assert.ok(error instanceof TidemarkError)
    assert.equal(error.code, 'group-not-empty')
    assert.match(error.message, new RegExp(`1 member\\(s\\) \\(${clientId}\\S* at `))
    return true
  }
}

export const groupAdministrationCases: readonly ContractCase[] = [
  {
    group,
    name: 'a group is told with its state, its coordinator, and what each member reads',
    async run(world) {
      const topic = await world.topic(4)
      const settings = { groupId: world.name('group'), heartbeatIntervalMs }
      const members = [world.consumer(topic, settings), world.consumer(topic, { ...settings, groupInstanceId: 'a-1' })]
      for (const member of members) await member.start()
      await share(world, members, partitionsOf(topic, 4))
      const admin = world.admin()
      const isStable = async () => {
        const [told] = await admin.describeGroups([settings.groupId], world.deadline())
        return told?.state === 'Stable'
      }
      await world.until('it is stable', isStable)
      const [described] = await admin.describeGroups([settings.groupId], world.deadline())
      assert.ok(described !== undefined)
      assert.equal(described.protocolType, 'consumer')
      assert.ok(described.coordinator >= 0)
      const { brokers } = await admin.describeCluster(world.deadline())
      assert.ok(brokers.some(({ nodeId }) => nodeId === described.coordinator))
      assert.equal(described.members.length, 2)
      for (const member of members) {
        // Drivers may add to the name of a client.
        const { clientId, groupInstanceId } = member.settings
        const told: DescribedMember | undefined = described.members.find((each) => each.clientId.startsWith(clientId))
        assert.deepEqual([told?.groupInstanceId, told?.topics], [groupInstanceId, [topic]])
        const places: readonly string[] = (told?.partitions ?? []).map((at) => `${at.topic}-${at.partition}`)
        assert.deepEqual([...places].sort(), [...member.held()].sort())
      }
      const listed = await admin.listGroups([], [], world.deadline())
      const mine = listed.find(({ groupId }) => groupId === settings.groupId)
      assert.deepEqual([mine?.protocolType, mine?.state], ['consumer', 'Stable'])
    },
  },
  {
    group,
    name: 'groups can be listed by state, and a group that nobody knows is left out of descriptions',
    async run(world) {
      const [, groupId] = await groupThatWas(world, 1, 1)
      const admin = world.admin()
      const idsBy = async (states: readonly string[]) => {
        const listed = await admin.listGroups(states, [], world.deadline())
        return listed.map((each) => each.groupId)
      }
      assert.ok((await idsBy(['Empty'])).includes(groupId))
      assert.ok(!(await idsBy(['Stable'])).includes(groupId))
      const described = await admin.describeGroups([world.name('nobody'), groupId], world.deadline())
      assert.deepEqual(
        described.map(({ groupId: id, state, members }) => [id, state, members.length]),
        [[groupId, 'Empty', 0]],
      )
    },
  },
  {
    group,
    name: 'a group without members goes on where its offsets are set, also in a partition that it never read',
    async run(world) {
      const [topic, groupId] = await groupThatWas(world, 2, 5)
      const admin = world.admin()
      await admin.setOffsets(groupId, [{ topic, partition: 1, offset: 3 }], world.deadline())
      assert.deepEqual(await committedOf(world, groupId), [
        [0, 5],
        [1, 3],
      ])
      const consumer = world.consumer(topic, { groupId, heartbeatIntervalMs })
      await consumer.start()
      await world.until('it reads what it was set back to', () => consumer.count() === 2)
      assert.deepEqual(consumer.values(), ['3', '4'])
    },
  },
  {
    group,
    name: 'offsets of a group with members are neither set nor deleted, nor is the group, and the error names them',
    async run(world) {
      const [topic, groupId] = await groupThatWas(world, 2, 5)
      const admin = world.admin()
      const consumer = world.consumer(topic, { groupId, heartbeatIntervalMs })
      await world.startHolding(consumer, 2)
      const { clientId } = consumer.settings
      const place = { topic, partition: 0 }
      const refused = refusedFor(clientId)
      await assert.rejects(admin.setOffsets(groupId, [{ ...place, offset: 1 }], world.deadline()), refused)
      await assert.rejects(admin.deleteOffsets(groupId, [place], world.deadline()), refused)
      await assert.rejects(admin.deleteGroups([groupId], world.deadline()), refused)
      assert.deepEqual(await committedOf(world, groupId), [
        [0, 5],
        [1, 5],
      ])
    },
  },
  {
    group,
    name: 'offsets and groups that are deleted are gone, and only what existed is named',
    async run(world) {
      const [topic, groupId] = await groupThatWas(world, 2, 5)
      const admin = world.admin()
      await admin.deleteOffsets(groupId, [{ topic, partition: 0 }], world.deadline())
      assert.deepEqual(await committedOf(world, groupId), [[1, 5]])
      assert.deepEqual(await admin.deleteGroups([world.name('nobody'), groupId], world.deadline()), [groupId])
      assert.deepEqual(await committedOf(world, groupId), [])
      assert.deepEqual(await admin.describeGroups([groupId], world.deadline()), [])
    },
  },
]
