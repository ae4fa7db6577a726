import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { closeOnSignal, type CloseOnSignalOptions } from '../../src/close-on-signal.js'
import type { CloseOptions } from '../../src/config/close-options.js'
import type { Messaging } from '../../src/messaging.js'
import { dieWithUs } from '../support/reaper.js'
import { isFull } from '../support/long-profile.js'

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

  it('runs before first, waits for it, and closes with the time that is left', async () => {
    let ended!: () => void
    const { closes, signal, end } = listen({
      timeoutMs: 60_000,
      before: () => new Promise<void>((resolve) => (ended = resolve)),
    })
    signal()
    await turn()
    expect(closes).toEqual([])
    ended()
    await turn()
    expect(closes.map(({ timeoutMs = 0 }) => timeoutMs > 50_000 && timeoutMs <= 60_000)).toEqual([true])
    end()
    await turn()
    expect(exits).toEqual([0])
  })

  it.each([
    ['throws', () => void JSON.parse('no JSON')],
    ['rejects', () => Promise.reject(new Error('no server'))],
    ['never ends', () => new Promise(() => undefined)],
  ])('closes all the same when before %s: a warning, and exit code 1', async (_, before) => {
    const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const { closes, signal, end } = listen({ timeoutMs: 20, before })
    signal()
    await vi.waitFor(() => expect(closes).toHaveLength(1))
    end()
    await turn()
    expect(exits).toEqual([1])
    expect(warnings).toHaveBeenCalledTimes(1)
    expect(warnings.mock.calls[0]?.[0]).toMatch(/^before of closeOnSignal failed \(\w+\); closing goes on$/)
    expect(rejections).toEqual([])
  })

  it('is forced by a second signal also while before runs', async () => {
    let ended!: () => void
    const { closes, signal } = listen({ before: () => new Promise<void>((resolve) => (ended = resolve)) })
    signal()
    signal()
    await turn()
    expect(closes).toEqual([{ force: true }])
    await vi.waitFor(() => expect(exits).toEqual([1]), { timeout: 2_000 })
    ended()
  })

  it('listens no more once told so', async () => {
    const { closes } = listen()
    stopListening()
    expect(process.listenerCount('SIGUSR2')).toBe(0)
    expect(closes).toEqual([])
    await turn()
  })
})

describe('SIGTERM for a service that waits for its cluster', () => {
  const program = fileURLToPath(new URL('../support/waiting-service.ts', import.meta.url))
  const mute = createServer()
  const sockets = new Set<Socket>()
  mute.on('connection', (socket) => void sockets.add(socket))
  beforeAll(() => new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve)))
  afterAll(() => {
    for (const socket of sockets) socket.destroy()
    mute.close()
  })

  const brokers = {
    'is silent': () => `127.0.0.1:${(mute.address() as AddressInfo).port}`,
    'is not there': () => '127.0.0.1:1',
  }
  const cases = [
    ['start', 'is silent'],
    ['start', 'is not there'],
    ['look', 'is silent'],
    ['ensureTopics', 'is silent'],
  ] as const
  it.concurrent.each(isFull ? cases : cases.slice(0, 1))(
    'ends it with 0, and without a word: %s, broker %s',
    async (what, broker) => {
      const child = spawn(process.execPath, ['--import', 'tsx', program, what, brokers[broker]()], {
        env: { ...process.env, TIDEMARK_LOG: 'warn' },
      })
      dieWithUs(child)
      let output = ''
      const take = (chunk: Buffer) => {
        output += chunk.toString()
        if (output.includes('waiting')) child.kill('SIGTERM')
      }
      child.stdout.on('data', take)
      child.stderr.on('data', take)
      const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
      expect({ code, signal, output }).toEqual({ code: 0, signal: null, output: 'waiting\n' })
    },
  )
})
