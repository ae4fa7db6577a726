import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { closeOnSignal, type CloseOnSignalOptions } from '../../src/close-on-signal.js'
import type { CloseOptions, Messaging } from '../../src/messaging.js'

/** A messaging whose close ends when the test says so. */
function fakeMessaging() {
  const closes: CloseOptions[] = []
  let end!: (error?: Error) => void
  const closed = new Promise<void>((resolve, reject) => {
    end = (error) => (error === undefined ? resolve() : reject(error))
  })
  const close = (options: CloseOptions = {}) => {
    closes.push(options)
    return closed
  }
  return { messaging: { close } as unknown as Messaging, closes, end }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('closing on a signal', () => {
  let stopListening: () => void = () => undefined
  const exits: unknown[] = []
  const rejections: unknown[] = []
  const noteRejection = (reason: unknown) => void rejections.push(reason)

  beforeEach(() => {
    exits.length = 0
    rejections.length = 0
    vi.spyOn(process, 'exit').mockImplementation((code) => {
      exits.push(code)
      return undefined as never
    })
    process.on('unhandledRejection', noteRejection)
  })
  afterEach(() => {
    stopListening()
    process.off('unhandledRejection', noteRejection)
    process.exitCode = undefined
    vi.restoreAllMocks()
  })

  function listen(options: CloseOnSignalOptions = {}) {
    const fake = fakeMessaging()
    stopListening = closeOnSignal(fake.messaging, { signals: ['SIGUSR2'], ...options })
    return { ...fake, signal: () => process.emit('SIGUSR2') }
  }

  it('closes in order within the deadline, then ends the process with 0', async () => {
    const { closes, signal, end } = listen({ timeoutMs: 2_000 })
    signal()
    await turn()
    expect(closes).toEqual([{ timeoutMs: 2_000 }])
    expect(exits).toEqual([])
    end()
    await turn()
    expect(exits).toEqual([0])
  })

  it('ends the process with 1 when not everything could be closed in order', async () => {
    const { signal, end } = listen()
    signal()
    end(new Error('a send is unknown'))
    await turn()
    expect(exits).toEqual([1])
  })

  it('is forced by a second signal, which ends the process although the close hangs', async () => {
    const { closes, signal } = listen()
    signal()
    signal()
    await turn()
    expect(closes).toEqual([{}, { force: true }])
    await vi.waitFor(() => expect(exits).toEqual([1]), { timeout: 2_000 })
  })

  it('leaves the process alone when asked to, also when the close fails', async () => {
    const { signal, end } = listen({ exit: false })
    signal()
    end(new Error('a send is unknown'))
    await turn()
    expect(exits).toEqual([])
    expect(process.exitCode).toBe(1)
    expect(rejections).toEqual([])
  })

  it('listens no more once told so', async () => {
    const { closes } = listen()
    stopListening()
    expect(process.listenerCount('SIGUSR2')).toBe(0)
    expect(closes).toEqual([])
    await turn()
  })
})
