import { createMessaging, defineTopic, string } from 'tidemark'
import { createMemoryCluster, memory } from 'tidemark/memory'
import { expect, it } from 'vitest'
import { noHeaders } from '../../../src/message/record.js'
import { isUnderWay } from '../../../src/cli/commands/transactions-list.js'
import { billing, tidemark } from './command-line.js'

it('names the transaction that holds up readers, and one that nobody will end', async () => {
  const cluster = await billing()
  cluster.createTopic('payments')
  const messaging = createMessaging({ driver: memory({ cluster }), profile: 'transactional', durability: 'off' })
  const orders = defineTopic({ name: 'orders', value: string() })
  await messaging.transaction('billing-0', async (transaction) => {
    await transaction.send(orders, 'x', { partition: 1 })
    const listed = await tidemark(cluster, 'transactions list --state Ongoing')
    expect(listed.out).toMatch(/^billing-0 +Ongoing +\d+ ms +10 s +1 +\d+ +0$/m)
    const open = await tidemark(cluster, 'transactions open --group billing --json')
    expect(open.exit).toBe(0)
    expect(open.value).toMatchObject([{ topic: 'orders', partition: 1, transactionalId: 'billing-0', hangs: false }])
  })
  await messaging.close()
  const none = await tidemark(cluster, 'transactions open orders')
  expect([none.exit, none.out]).toEqual([0, 'No transaction is open in 2 partition(s).\n'])

  const record = { key: null, value: Buffer.from('x'), headers: noHeaders, timestamp: 0 }
  cluster.appendTransaction('payments', 0, [record], 'open')
  const { exit, out } = await tidemark(cluster, 'transactions open')
  expect(exit).toBe(1)
  expect(out).toMatch(/payments +0 +hangs/)
  expect(out).toContain('abort --topic payments --partition 0 --start-offset 0\n')
  expect((await tidemark(cluster, 'transactions open refunds')).exit).toBe(2)
  await cluster.close()
})

it('looks at what has a leader, and names what has none', async () => {
  const cluster = createMemoryCluster({ brokers: 3 })
  cluster.createTopic('orders', { partitions: 3, replicationFactor: 1 })
  const messaging = createMessaging({ driver: memory({ cluster }), durability: 'off', logger: 'silent' })
  const offsets = [0, 1, 2].map((partition) => ({ topic: 'orders', partition, offset: 0 }))
  await messaging.admin.setOffsets('billing', offsets)
  const [orders] = await messaging.admin.describeTopics(['orders'])
  const [billing] = await messaging.admin.describeGroups(['billing'])
  const lost = orders?.partitions.find(({ leader }) => leader !== billing?.coordinator)
  await messaging.close()
  cluster.faults.stopBroker(lost?.leader as number)
  for (const words of ['transactions open --group billing', 'transactions open orders', 'transactions open']) {
    const { exit, out, err } = await tidemark(cluster, words)
    expect([exit, out]).toEqual([1, 'No transaction is open in 2 partition(s).\n'])
    expect(err).toBe(`not looked at, without a leader: orders-${lost?.partition}\n`)
  }
  await cluster.close()
})

it('takes no transaction that has ended for one that is open', () => {
  const states = ['Ongoing', 'PrepareCommit', 'PrepareAbort', 'CompleteCommit', 'CompleteAbort', 'Empty', 'Dead']
  expect(states.filter(isUnderWay)).toEqual(['Ongoing', 'PrepareCommit', 'PrepareAbort'])
})
