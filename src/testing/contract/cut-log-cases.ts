import assert from 'node:assert/strict'
import { encodeCommitMetadata } from '../../offsets/commit-metadata.js'
import { completedRangesText } from '../../offsets/completed-ranges.js'
import { leaderEpochsSection, leaderEpochsText } from '../../offsets/leader-epochs.js'
import { identitySection } from '../../offsets/log-identity.js'
import type { ContractCase } from './contract-case.js'
import { numbers, type ContractWorld } from './contract-world.js'
import type { RecordingConsumer } from './recording-consumer.js'

const group = 'reading'
const needs = ['loseRecords'] as const
/** A group that lost its member while the broker was away would begin anew. */
const patient = { sessionTimeoutMs: 60_000, rebalanceTimeoutMs: 60_000 }

/** Ten records stay; ten more are written, and lost after `whenWritten`; thirty others stand there then. */
async function cutAtTen(
  world: ContractWorld,
  topic: string,
  whenWritten: () => Promise<void>,
): Promise<readonly string[]> {
  await world.write(topic, 0, numbers(10, 'kept '))
  await world.use('loseRecords')(topic, 0, async () => {
    await world.write(topic, 0, numbers(10, 'lost '))
    await whenWritten()
  })
  // Brokers that lack the lost batch refuse the next one of its producer.
  await world.store(await world.producer(), topic, 0, numbers(30, 'new '))
  return numbers(30, 'new ')
}

function resetOf(consumer: RecordingConsumer) {
  const news = consumer.news.find(({ kind }) => kind === 'reset')
  return news?.kind === 'reset' ? news.reset : undefined
}

export const cutLogCases: readonly ContractCase[] = [
  {
    group,
    name: 'a log that is cut below what was read is read on from the cut under a new epoch, and the lost range is told',
    needs,
    async run(world) {
      const topic = await world.topic()
      const consumer = world.consumer(topic, { ...patient, onOutOfRange: 'earliest', metadataMaxAgeMs: 1_000 })
      await consumer.start()
      const others = await cutAtTen(world, topic, () => world.until('all is read', () => consumer.count() >= 20))
      await world.until('what is new is read', () => consumer.count() >= 50)
      assert.deepEqual(consumer.values().slice(20), others)
      assert.deepEqual(resetOf(consumer), { from: 20, to: 10, keptTo: 10, reason: 'log-cut' })
      const [before] = consumer.news
      assert.ok(before?.kind === 'assigned' && before.partitions[0] !== undefined)
      assert.ok(consumer.assignmentOf(topic, 0).epoch > before.partitions[0].epoch)
      const [, ...after] = consumer.assignmentOf(topic, 0).leaderEpochs(0, 40)
      assert.ok(after.length > 0, 'what is new was written by another leader')
    },
  },
  {
    group,
    name: 'records that stand where a commit names others as completed are told before anything is read',
    needs,
    async run(world) {
      const topic = await world.topic()
      const former = world.consumer(topic)
      await former.start()
      await cutAtTen(world, topic, async () => {
        await world.until('all is read', () => former.count() >= 20)
        const { log, leaderEpochs } = former.assignmentOf(topic, 0)
        const epochs = leaderEpochs.call(former.assignmentOf(topic, 0), 8, 18)
        assert.ok(epochs.length > 0)
        const completed = completedRangesText(5, [{ from: 8, to: 18 }], leaderEpochsSection)
        const metadata = encodeCommitMetadata([identitySection(log), leaderEpochsText(5, epochs), completed])
        assert.equal(await former.commit(topic, 0, 5, metadata), 'committed')
        await former.stop()
      })
      const { groupId } = former.settings
      const consumer = world.consumer(topic, { groupId, onOutOfRange: 'earliest' })
      await consumer.start()
      await world.until('it is told', () => resetOf(consumer) !== undefined)
      assert.deepEqual(resetOf(consumer), { from: 18, to: 10, keptTo: 10, reason: 'log-cut' })
      assert.equal(consumer.news.findIndex(({ kind }) => kind === 'reset') > 0, true)
      await world.until('what is new is read', () => consumer.count() >= 30)
      assert.deepEqual(consumer.values(), numbers(30, 'new '))
    },
  },
]
