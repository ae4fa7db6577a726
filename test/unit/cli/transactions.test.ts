import { createMessaging, defineTopic, string } from 'tidemark'
import { memory } from 'tidemark/memory'
import { expect, it } from 'vitest'
import { noHeaders } from '../../../src/message/record.js'
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
