import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { expect } from 'vitest'

/** Looks at a page that is to need nobody: fails at the end when it asked for anything, or said something on the console. */
export async function openAlone(
  browser: Browser,
  address: string,
  options: BrowserContextOptions,
  look: (page: Page) => Promise<void>,
): Promise<void> {
  const context = await browser.newContext(options)
  const told: string[] = []
  const page = await context.newPage()
  page.on('request', (request) => {
    const url = request.url()
    if (url !== address && !url.startsWith('data:')) told.push(`asked for ${url}`)
  })
  page.on('console', (message) => told.push(`said ${message.text()}`))
  page.on('pageerror', (error) => told.push(`failed with ${error.message}`))
  await page.goto(address)
  await look(page)
  await context.close()
  expect(told).toEqual([])
}
