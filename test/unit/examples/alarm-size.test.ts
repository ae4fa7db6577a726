import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const home = fileURLToPath(new URL('../../../examples/alarm', import.meta.url))
/** Whole, whether something imports a file of theirs or not. */
const folders = ['access', 'detect', 'alert', 'converge', 'notice', 'search', 'store']
/** What belongs to the demo, and not to who copies a service. */
const apart = ['page', 'verify', 'workloads', 'data']
/** All lines, with those that are empty and comments. */
const mostLines = 3_023

/** The folders of services and store, and what their files import, for its types too, and what that imports. */
function serviceFiles(): Set<string> {
  const files = new Set<string>()
  const add = (file: string): void => {
    if (files.has(file)) return
    files.add(file)
    for (const [, path = ''] of readFileSync(file, 'utf8').matchAll(/(?:from|import\() ?'(\.[^']+)\.js'/g))
      add(join(dirname(file), `${path}.ts`))
  }
  for (const folder of folders) for (const name of readdirSync(join(home, folder))) add(join(home, folder, name))
  return files
}

const linesOf = (file: string): number => readFileSync(file, 'utf8').split('\n').length - 1

it('the services and their store are not longer than they were', () => {
  const files = [...serviceFiles()]
  const counted = new Map<string, number>()
  for (const file of files) {
    const folder = dirname(relative(home, file))
    counted.set(folder, (counted.get(folder) ?? 0) + linesOf(file))
  }
  const lines = files.reduce((sum, file) => sum + linesOf(file), 0)
  const told = [...counted].map(([folder, n]) => `${folder === '.' ? 'shared' : folder} ${n}`).join(', ')
  process.stdout.write(`services and store: ${lines} lines (${told})\n`)
  expect(lines).toBeLessThanOrEqual(mostLines)
})

it('no service knows the demo, another Kafka client, or what is no public part of tidemark', () => {
  for (const file of serviceFiles()) {
    const text = readFileSync(file, 'utf8')
    expect(apart, file).not.toContain(dirname(relative(home, file)))
    expect(text.match(/from '[^']*(?:kafkajs|\/src\/)[^']*'/g), file).toBe(null)
  }
})
