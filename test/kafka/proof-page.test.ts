import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { proofPage } from '../prove/page/page.js'
import { countStates, type ProofData } from '../prove/proof-data.js'
import { sentenceOf } from '../prove/sentence.js'
import { startChromium } from '../support/chromium.js'
import { openAlone } from '../support/opened-page.js'
import { projectRoot } from '../support/source-tree.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { fabricatedProof } from '../unit/prove/fabricated-proof.js'

const kept = JSON.parse(readFileSync(join(projectRoot, 'docs/pictures/proof.json'), 'utf8')) as ProofData
const runs: Readonly<Record<string, ProofData>> = { kept, fabricated: fabricatedProof() }
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Colours of the map's states are told by what the page itself has as its tokens. */
type FateToken = 'stored' | 'lost' | 'doubled' | 'unknown'

describe.each(Object.entries(runs))('the page of the %s proof, in a browser', (name, data) => {
  let browser: Browser
  let address = ''

  beforeAll(async () => {
    browser = await startChromium()
    const file = join(temporaryFolder('proof-page'), `${name}.html`)
    writeFileSync(file, proofPage(data))
    address = pathToFileURL(file).href
  })
  afterAll(() => browser.close())

  const opened = (options: BrowserContextOptions, look: (page: Page) => Promise<void>): Promise<void> =>
    openAlone(browser, address, options, look)

  it.each([1_280, 700, 390, 320])('fits into %i pixels, asks nobody and says nothing', async (width) => {
    await opened({ viewport: { width, height: 900 } }, async (page) => {
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
      expect(await page.locator('.chart svg:visible').count()).toBe(1)
      const map = page.locator('.map').first()
      const drawn = (await map.boundingBox())?.width ?? 0
      expect(drawn % 300).toBe(0)
    })
  })

  it('shows as many pixels of each fate as its sentence says', async () => {
    await opened({ viewport: { width: 1_280, height: 900 } }, async (page) => {
      expect(await page.locator('h1').textContent()).toBe(sentenceOf(data))
      for (const { name: client, totals } of data.clients) {
        const colours = (await page.evaluate(`(() => {
          const counts = {}
          for (const img of document.querySelectorAll('[data-client="${client}"] .map')) {
            const canvas = document.createElement('canvas')
            canvas.width = img.naturalWidth
            canvas.height = img.naturalHeight
            const context = canvas.getContext('2d')
            context.drawImage(img, 0, 0)
            const { data } = context.getImageData(0, 0, canvas.width, canvas.height)
            for (let at = 0; at < data.length; at += 4) {
              const colour = '#' + [data[at], data[at + 1], data[at + 2]].map((part) => part.toString(16).padStart(2, '0')).join('')
              counts[colour] = (counts[colour] ?? 0) + 1
            }
          }
          return counts
        })()`)) as Readonly<Record<string, number>>
        const seen = async (token: FateToken) => {
          const colour = await page.evaluate(
            `getComputedStyle(document.documentElement).getPropertyValue('--${token}').trim()`,
          )
          return colours[String(colour)] ?? 0
        }
        expect(await seen('lost')).toBe(totals.lost)
        expect(await seen('doubled')).toBe(totals.doubled)
      }
    })
  })

  it.each(['light', 'dark'] as const)('has no serious fault for who cannot see it well (%s)', async (colorScheme) => {
    await opened({ viewport: { width: 1_280, height: 900 }, colorScheme }, async (page) => {
      await page.evaluate(axe)
      const found = (await page.evaluate('axe.run().then(({ violations }) => violations)')) as readonly {
        readonly id: string
        readonly impact: string
        readonly nodes: readonly { readonly html: string }[]
      }[]
      const serious = found
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 200)}`)
      expect(serious).toEqual([])
    })
  })

  it('reads off a moment by the keyboard, with its fault and the figures of both', async () => {
    await opened({ viewport: { width: 1_280, height: 900 } }, async (page) => {
      await page.locator('#moment').focus()
      for (let step = 0; step < 9; step++) await page.keyboard.press('ArrowRight')
      const said = (await page.locator('#said').textContent()) ?? ''
      expect(said).toContain(`4.5 s, ${data.faults[0]?.target}`)
      expect(said).toContain(
        `kafkajs: ${((data.clients[0]?.every500ms.acknowledged[9] ?? 0) * 2).toLocaleString('en-US')}/s`,
      )
      expect(await page.locator('#line').isVisible()).toBe(true)
    })
  })

  it('says everything without a script too', async () => {
    await opened({ javaScriptEnabled: false }, async (page) => {
      expect(await page.locator('#reader').isVisible()).toBe(false)
      expect(await page.locator('.map').first().isVisible()).toBe(true)
    })
  })

  it('prints its pictures on one page and its tables on a second', async () => {
    await opened({}, async (page) => {
      const pdf = await page.pdf({ preferCSSPageSize: true, printBackground: true })
      expect([...pdf.toString('latin1').matchAll(/\/Type\s*\/Page\b(?!s)/g)].length).toBe(2)
    })
  })
})

it('the fabricated proof has every fate to be seen', () => {
  const { clients, load } = fabricatedProof()
  const map = Buffer.from(clients[0]?.map ?? '', 'base64')
  const states = Uint8Array.from(
    { length: load.records },
    (_, at) => ((map[at >> 1] ?? 0) >> (at % 2 === 0 ? 4 : 0)) & 15,
  )
  expect(countStates(states).filter((count) => count === 0)).toEqual([])
})
