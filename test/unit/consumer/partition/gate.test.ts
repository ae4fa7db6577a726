import { describe, expect, it } from 'vitest'
import { PartitionGate } from '../../../../src/consumer/partition/gate.js'

function gate() {
  const told: string[] = []
  const door = (name: string) => ({ close: () => told.push(`close ${name}`), open: () => told.push(`open ${name}`) })
  return { told, gate: new PartitionGate({ fetch: door('fetch'), start: door('start'), flow: door('flow') }) }
}

describe('a door', () => {
  it('opens when the last of several reasons is gone', () => {
    const { told, gate: partition } = gate()
    partition.close('marks')
    partition.close('user')
    partition.lift('marks')
    expect(told).toEqual(['close fetch', 'close start'])
    expect(partition.reasons).toEqual(['user'])
    partition.lift('user')
    expect(told).toEqual(['close fetch', 'close start', 'open fetch', 'open start'])
  })

  it('stays closed until a reason that stands twice is gone twice', () => {
    const { told, gate: partition } = gate()
    partition.close('dead-letter')
    partition.close('dead-letter')
    partition.lift('dead-letter')
    expect(partition.isOpen('start')).toBe(false)
    expect(partition.isOpen('fetch')).toBe(true)
    partition.lift('dead-letter')
    expect(told).toEqual(['close start', 'open start'])
  })

  it('is not opened by a reason that does not stand', () => {
    const { told, gate: partition } = gate()
    partition.close('stopped')
    partition.lift('marks')
    partition.lift('user')
    expect(partition.isOpen('fetch')).toBe(false)
    expect(told).toEqual(['close fetch', 'close start'])
  })
})
