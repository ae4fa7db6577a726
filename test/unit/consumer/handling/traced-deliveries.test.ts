import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, expect, it } from 'vitest'
import { TracedDeliveries } from '../../../../src/consumer/handling/traced-deliveries.js'
import { handled, type Settlement } from '../../../../src/consumer/partition/settlement.js'
import type { Work } from '../../../../src/consumer/partition/work.js'
import { CallMark } from '../../../../src/runtime/callers.js'
import { Soon, tellWhenThere } from '../../../../src/runtime/soon.js'
import type { ProcessSpan, Tracing } from '../../../../src/telemetry/tracing.js'

const work = {
  attempt: 1,
  count: 2,
  partition: { topic: 't', partition: 0 },
  records: [],
  firstRecord: { headers: [] },
  failure: null,
} as unknown as Work

describe('a delivery with a span', () => {
  it.each([true, false])('is inside of it, and what follows from its end is not (recorded: %s)', async (isRecorded) => {
    const context = new AsyncLocalStorage<string>()
    const span = { isRecorded, run: (call: () => unknown) => context.run('span', call), end: () => undefined }
    const tracing = { process: () => span as ProcessSpan } as unknown as Tracing
    const seen: (string | undefined)[] = []
    const mark = new CallMark()
    const handle = async () => {
      await Promise.resolve()
      seen.push(context.getStore())
    }
    const delivery = new TracedDeliveries(tracing).around({
      deliver: () => {
        const settlement = new Soon<Settlement>()
        mark.whenEnded(handle(), { callEnded: () => settlement.came(handled) })
        return settlement
      },
    })
    await new Promise<void>((resolve) => {
      tellWhenThere(delivery.deliver(work) as PromiseLike<Settlement>, {
        came: () => resolve(void seen.push(context.getStore())),
        failed: () => expect.fail('failed'),
      })
    })
    expect(seen).toEqual(['span', undefined])
  })
})
