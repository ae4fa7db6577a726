import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createMemoryCluster } from 'tidemark/memory'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../support/temporary-folder.js'
import { billing, tidemark } from './command-line.js'

/** As the build writes it. */
function builtPage(): string {
  const folder = temporaryFolder('page')
  for (const file of ['index.html', 'page.js', 'page.css']) writeFileSync(join(folder, file), file)
  return folder
}

it('serves its page until it is interrupted, and prints the address and the token for writes', async () => {
  const cluster = await billing()
  const stop = new AbortController()
  const seen: number[] = []
  const asked: Promise<void>[] = []
  const ran = await tidemark(cluster, 'console --port 0 --json --redrive-to orders', {
    pageFolder: builtPage(),
    signal: stop.signal,
    onOut: (text) => {
      const { url, token } = JSON.parse(text) as { readonly url: string; readonly token: string }
      const ask = async () => {
        const write = (authorization: string) =>
          fetch(new URL('/api/redrives', url), {
            method: 'POST',
            headers: { 'content-type': 'application/json', authorization },
            body: '{}',
          })
        const answers = [await fetch(url), await write('Bearer other'), await write(`Bearer ${token}`)]
        seen.push(...answers.map(({ status }) => status))
        stop.abort()
      }
      asked.push(ask())
    },
  })
  await Promise.all(asked)
  expect([ran.exit, ran.err, seen]).toEqual([0, '', [200, 401, 400]])
})

it.each([
  ['--port 70000', 2, /--port 70000: write a port up to 65535/],
  ['--every 10ms', 2, /--every: write 500ms or more/],
  ['--members ftp://x', 2, /Write the address of a health server/],
  ['--port 0', 4, /the page of the console is not in .*: run npm run build/],
])('says what is wrong with %s', async (words, exit, text) => {
  const ran = await tidemark(createMemoryCluster(), `console ${words}`)
  expect([ran.exit, ran.err]).toEqual([exit, expect.stringMatching(text)])
})
