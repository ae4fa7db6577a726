import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import type { Driver } from '../../../src/driver.js'
import { runCommand, type Ran } from '../../support/run-tidemark.js'
import { until } from '../../support/waiting.js'
import { factsToken } from './console-scene.js'

/** A console as the command serves it. */
export interface ServedConsole {
  readonly url: string
  readonly token: string
  /** Interrupts it, as ctrl-C does. */
  readonly end: () => Promise<Ran>
}

export async function serveConsole(words: string, driverOf: () => Driver, pageFolder: string): Promise<ServedConsole> {
  const stop = new AbortController()
  let said = ''
  const ran = runCommand(`console --port 0 --json ${words}`, driverOf, {
    pageFolder,
    environment: { KAFKA_BROKERS: 'given:9092', TIDEMARK_FACTS_TOKEN: factsToken },
    signal: stop.signal,
    onOut: (text) => void (said += text),
  })
  await until('the console is there', () => said.includes('\n'), { timeoutMs: 60_000 })
  const { url, token } = JSON.parse(said) as { readonly url: string; readonly token: string }
  return {
    url,
    token,
    end: () => {
      stop.abort()
      return ran
    },
  }
}

/** What a page asked for, and what it said where nobody looks. */
export interface Watched {
  readonly page: Page
  readonly requests: string[]
  readonly answers: { readonly url: string; readonly status: number; readonly text: string }[]
  readonly complaints: string[]
}

export async function openPage(
  browser: Browser,
  { url, token }: Pick<ServedConsole, 'url' | 'token'>,
): Promise<Watched> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: 'light' })
  const watched: Watched = { page, requests: [], answers: [], complaints: [] }
  page.on('console', (message) => watched.complaints.push(message.text()))
  page.on('pageerror', (error) => watched.complaints.push(error.message))
  page.on('request', (request) => watched.requests.push(request.url()))
  page.on('response', (response) => {
    // A stream has no end, and so no text.
    if (response.url().includes('/api/live')) return
    const note = (text: string) => watched.answers.push({ url: response.url(), status: response.status(), text })
    response.text().then(note, () => undefined)
  })
  await page.goto(`${url}#token=${token}`)
  await page.locator('[data-sentence]').waitFor({ timeout: 60_000 })
  return watched
}

/** Goes to a view, and waits until it is filled. */
export async function show(page: Page, hash: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(`#/${hash}`)}`)
  await page.locator('main h1').waitFor()
  await until('the view is filled', async () => (await page.locator('p.waiting').count()) === 0, { timeoutMs: 60_000 })
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What axe finds that keeps somebody from using the page. */
export async function faultsOf(page: Page, rules: readonly string[] | null = null): Promise<readonly string[]> {
  // Once in each document: it is half a megabyte.
  if ((await page.evaluate('typeof axe')) === 'undefined') await page.evaluate(axe)
  const only = rules === null ? {} : { runOnly: { type: 'rule', values: rules } }
  const found = await page.evaluate(`axe.run(document, ${JSON.stringify({ ...only, resultTypes: ['violations'] })})`)
  const { violations } = found as {
    readonly violations: readonly {
      readonly id: string
      readonly impact: string
      readonly nodes: readonly { readonly html: string }[]
    }[]
  }
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}

/** Loads the page anew: how long until its sentence is there, and how long its thread worked for that. */
export async function firstView(page: Page): Promise<{ readonly tookMs: number; readonly workedMs: number }> {
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  const worked = async () => {
    const { metrics } = await session.send('Performance.getMetrics')
    return (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? NaN) * 1_000
  }
  const before = await worked()
  await page.reload({ waitUntil: 'commit' })
  await page.locator('[data-sentence]').waitFor()
  const tookMs = (await page.evaluate('performance.now()')) as number
  const after = await worked()
  await session.detach()
  // Of a new process it counts from 0.
  return { tookMs, workedMs: after >= before ? after - before : after }
}
