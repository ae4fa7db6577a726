import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { ConfigError } from 'tidemark'
import { tlsFiles, type TlsFileOptions } from 'tidemark/auth'

const stored = (name: string) => fileURLToPath(new URL(`../drivers/kafkajs/tls/${name}`, import.meta.url))
const text = (name: string) => readFileSync(stored(name), 'utf8')

const folders: string[] = []
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
})

/** Files of which one can be exchanged, and what was told of them. */
async function files() {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-tls-'))
  folders.push(folder)
  const at = (name: string) => join(folder, name)
  const put = (stock: string, as: string) => copyFile(stored(stock), at(as))
  await put('ca.pem', 'ca.pem')
  await put('server.pem', 'cert.pem')
  await put('server.key', 'key.pem')
  const warnings: object[] = []
  const logger = { debug() {}, info() {}, warn: (fields: object) => void warnings.push(fields), error() {} }
  const options: TlsFileOptions = { ca: at('ca.pem'), cert: at('cert.pem'), key: at('key.pem'), logger }
  return { options, put, at, warnings }
}

const good = { ca: text('ca.pem'), cert: text('server.pem'), key: text('server.key') }

describe('tlsFiles', () => {
  it('gives what the files hold now, and the same object while they stay', async () => {
    const { options, put } = await files()
    const read = tlsFiles(options)
    const first = await read()
    expect(first).toEqual(good)
    expect(await read()).toBe(first)
    await put('other-ca.pem', 'ca.pem')
    expect(await read()).toEqual({ ...good, ca: text('other-ca.pem') })
  })

  it('leaves the last good ones in use while files are torn, no PEM or gone, and says so', async () => {
    const { options, put, at, warnings } = await files()
    const read = tlsFiles(options)
    await read()
    const bad: readonly [() => Promise<unknown>, RegExp][] = [
      [() => put('other-ca.pem', 'cert.pem'), /hold what cannot be used \(ERR_\w+\); check that they are PEM/],
      [() => writeFile(at('cert.pem'), ''), /hold what cannot be used/],
      [() => writeFile(at('key.pem'), ''), /hold what cannot be used/],
      [() => writeFile(at('ca.pem'), 'rubbish'), /hold what cannot be used/],
      [() => rm(at('key.pem')), /cannot be read: .*key\.pem \(ENOENT\)/],
    ]
    for (const [spoil, expected] of bad) {
      await spoil()
      expect(await read()).toEqual(good)
      expect((warnings.at(-1) as { err: Error }).err).toMatchObject({ code: 'no-certificate' })
      expect((warnings.at(-1) as { err: Error }).err.message).toMatch(expected)
      for (const [stock, as] of [
        ['ca.pem', 'ca.pem'],
        ['server.pem', 'cert.pem'],
        ['server.key', 'key.pem'],
      ] as const) {
        await put(stock, as)
      }
    }
    expect(await read()).toEqual(good)
    expect(warnings).toHaveLength(bad.length)
  })

  it('rejects as long as none were good, and nothing of a key is told', async () => {
    const { options, at, put } = await files()
    await writeFile(at('key.pem'), 'rubbish')
    const read = tlsFiles(options)
    const failure = await read().catch((error: unknown) => error as Error)
    expect(failure).toMatchObject({ code: 'no-certificate', retriable: true })
    expect(JSON.stringify(failure) + String(failure)).not.toContain('rubbish')
    await put('server.key', 'key.pem')
    expect(await read()).toEqual(good)
  })

  it('refuses what cannot be, at once and together', () => {
    expect(() => tlsFiles({ ca: '', cert: 7 as never })).toThrow(ConfigError)
    expect(() => tlsFiles({ ca: '', cert: 7 as never })).toThrow(/ca.*cert.*key/s)
    expect(() => tlsFiles(null as never)).toThrow(ConfigError)
    expect(() => tlsFiles({ cert: 'cert.pem' })).toThrow(/key: is missing/)
  })
})
