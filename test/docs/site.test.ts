import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { inflateSync } from 'node:zlib'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newestIn } from '../support/built-command.js'
import { startChromium } from '../support/chromium.js'
import { root } from './pages.js'

const site = join(root, 'docs/api')
const pathOf = (page: string) => join(site, page)

/** As `npm run docs` made it; made anew where something has gone on since. */
function buildUnlessFresh(): void {
  const built = statSync(pathOf('index.html'), { throwIfNoEntry: false })?.mtimeMs ?? 0
  const written = ['docs/guides', 'docs/decisions'].map(newestIn)
  const beside = ['architecture.md', 'guarantees.md', 'kafkajs-hazards.md', 'site.css'].map((name) => `docs/${name}`)
  const texts = ['README.md', 'typedoc.json', ...beside].map((file) => statSync(root + file).mtimeMs)
  if (built < Math.max(newestIn('src'), ...written, ...texts)) execFileSync('npx', ['typedoc'], { cwd: root })
}

const unescaped = (text: string) => text.replaceAll('&amp;', '&').replaceAll('&quot;', '"').replaceAll('&#39;', "'")

/** What a page links to within the site, and the anchors that it has. */
function readPage(page: string) {
  const html = readFileSync(pathOf(page), 'utf8')
  const all = (pattern: RegExp) => [...html.matchAll(pattern)].map(([, text = '']) => unescaped(text))
  return {
    anchors: new Set(all(/ (?:id|name)="([^"]*)"/g)),
    links: all(/ (?:href|src|srcset)="([^"]*)"/g).filter((link) => !/^[a-z]+:/i.test(link)),
  }
}

/** Data that the site's own script unpacks: the tree beside each page. */
function navigation(): readonly string[] {
  interface Entry {
    readonly path?: string
    readonly children?: readonly Entry[]
  }
  const [, packed = ''] = /"([^"]+)"/.exec(readFileSync(pathOf('assets/navigation.js'), 'utf8')) ?? []
  const entries = JSON.parse(String(inflateSync(Buffer.from(packed, 'base64')))) as readonly Entry[]
  const paths = ({ path, children = [] }: Entry): readonly string[] => [
    ...(path === undefined ? [] : [path]),
    ...children.flatMap(paths),
  ]
  return entries.flatMap(paths)
}

describe('the site of the documents', () => {
  let browser: Browser

  beforeAll(async () => {
    buildUnlessFresh()
    browser = await startChromium()
  }, 300_000)
  afterAll(() => browser.close())

  it('has no dead link, anchors and the tree beside the pages included', () => {
    const files = readdirSync(site, { recursive: true, encoding: 'utf8' })
    const pages = new Map(files.filter((file) => file.endsWith('.html')).map((page) => [page, readPage(page)]))
    const isDead = (from: string, link: string): boolean => {
      const [path = '', anchor = ''] = link.split('#')
      const file = path === '' ? from : relative(site, normalize(join(site, dirname(from), decodeURIComponent(path))))
      if (!existsSync(pathOf(file))) return true
      return anchor !== '' && pages.get(file)?.anchors.has(decodeURIComponent(anchor)) === false
    }
    const links = [...pages].flatMap(([page, { links }]) => links.map((link) => [page, link] as const))
    const tree = navigation().map((path) => ['index.html', path] as const)
    const dead = [...links, ...tree].filter(([from, link]) => isDead(from, link)).map((each) => each.join(' → '))
    expect([...new Set(dead)]).toEqual([])
    expect(pages.size).toBeGreaterThan(150)
    expect(links.length).toBeGreaterThan(5_000)
    expect(tree.length).toBeGreaterThan(150)
  })

  /** Fails at the end when anything was asked for that is no file, or a script failed. */
  async function opened(options: BrowserContextOptions, file: string, look: (page: Page) => Promise<void>) {
    const context = await browser.newContext(options)
    const told: string[] = []
    const page = await context.newPage()
    page.on('request', (request) => {
      if (!/^(file|data|blob):/.test(request.url())) told.push(`asked for ${request.url()}`)
    })
    page.on('pageerror', (error) => told.push(`failed with ${error.message}`))
    await page.goto(pathToFileURL(pathOf(file)).href)
    await look(page)
    await context.close()
    expect(told).toEqual([])
  }

  /** Searches without internet, and takes the first found that reads so. */
  async function search(page: Page, text: string, taken: RegExp): Promise<void> {
    await page.keyboard.press('/')
    await page.locator('#tsd-search-input').pressSequentially(text)
    await page.locator('#tsd-search-results li a').filter({ hasText: taken }).first().click()
  }

  it('names the columns of each table', () => {
    const documents = readdirSync(pathOf('documents')).map((file) => `documents/${file}`)
    const isNameless = (page: string) =>
      /<thead>\s*<tr>(\s*<th[^>]*><\/th>)+\s*<\/tr>/.test(readFileSync(pathOf(page), 'utf8'))
    expect(documents.filter(isNameless)).toEqual([])
  })

  it('finds deadLetter by its search, without internet, and leads to it', async () => {
    await opened({ offline: true }, 'index.html', async (page) => {
      await search(page, 'deadLetter', /deadLetter/i)
      await page.waitForURL((url) => url.pathname.endsWith('.html') && !url.pathname.endsWith('index.html'))
      expect(await page.locator('h1').first().textContent()).toMatch(/deadLetter/i)
    })
  })

  it('finds by its search the guides that tell of an option, without internet', async () => {
    await opened({ offline: true }, 'index.html', async (page) => {
      await search(page, 'deadLetter', /guides.failures/)
      await page.waitForURL((url) => url.pathname.endsWith('guides_failures.html'))
      expect(await page.locator('.tsd-panel').first().textContent()).toContain('deadLetter')
    })
  })

  it('fits a telephone, and names each entry of its contents', async () => {
    const pages = ['index.html', ...readdirSync(pathOf('documents')).map((file) => `documents/${file}`)]
    const nameless = `[...document.querySelectorAll('a')].filter((link) =>
      !link.textContent.trim() && !link.querySelector('img') && !link.ariaLabel).length`
    const seen: Record<string, unknown> = {}
    await opened({ viewport: { width: 390, height: 844 } }, 'index.html', async (page) => {
      for (const file of pages) {
        await page.goto(pathToFileURL(pathOf(file)).href)
        seen[file] = await page.evaluate(`[document.documentElement.scrollWidth - innerWidth, ${nameless}]`)
      }
    })
    expect(pages.length).toBeGreaterThan(40)
    expect(seen).toEqual(Object.fromEntries(pages.map((file) => [file, [0, 0]])))
  })

  it('has links that are told from text by more than colour, and text that can be read', async () => {
    const axe = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8')
    await opened({}, 'documents/guides_choosing-a-profile.html', async (page) => {
      await page.evaluate(axe)
      const run = `axe.run({ runOnly: ['color-contrast', 'link-in-text-block', 'link-name', 'image-alt'] })`
      expect(await page.evaluate(run)).toMatchObject({ violations: [] })
    })
  })

  it('shows the picture that the README opens with, and its guides in a tree', async () => {
    await opened({ viewport: { width: 1_280, height: 900 } }, 'index.html', async (page) => {
      const picture = page.locator('picture img').first()
      await picture.scrollIntoViewIfNeeded()
      await page.waitForFunction(`document.querySelector('picture img').naturalWidth > 0`)
      await page.locator('nav a').filter({ hasText: 'producing' }).first().waitFor({ state: 'attached' })
    })
  })
})
